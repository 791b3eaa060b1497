// What buttons and keys do, once for both.

import { SUSPICIOUS, contoursOf, editedFrames } from './model.js';
import { polar } from './ring.js';
import { say } from './say.js';

const plain = ({ endo, epi }) => ({ endo, epi });

export function createActions(model, sender, studies, pointer, mmode) {
  const seen = new Map(); // slice and frame -> version at which the person was sent there

  function choose(index) {
    if (!model.slices[index] || index === model.chosen) return;
    const frame = Math.floor((model.frame * model.slices[index].frames) / model.frames);
    cancel();
    model.set({ chosen: index, frame, run: null, middle: null, zoom: 1 });
  }

  function cancel() {
    pointer.cancel();
    mmode.cancel();
    if (model.asked) sender.answer(false);
  }

  function drop() {
    if (!model.asked && !model.working && !model.strokes) model.set({ run: null });
    cancel();
  }

  // The run grows or shrinks at the frame that is seen.
  function extend(step) {
    const [from, to] = model.run && model.run.includes(model.frame) ? model.run : [model.frame, model.frame];
    const other = model.frame === from ? to : from;
    const frame = Math.min(Math.max(model.frame + step, 0), model.frames - 1);
    model.go(frame);
    model.set({ run: [Math.min(other, frame), Math.max(other, frame)] });
  }

  // The most suspicious frame, of this slice before others, that is no key frame and was not visited since its slice was edited.
  function suspicious() {
    const found = model.slices.flatMap((slice, index) => slice.state.frames.map((one, frame) => ({
      index, frame, doubt: one.state === 'free' ? one.suspicion || 0 : 0, name: `${model.study.index} ${index} ${frame}`, version: slice.state.version,
    }))).filter((one) => one.doubt >= SUSPICIOUS && seen.get(one.name) !== one.version).sort((a, b) => (a.index !== model.chosen) - (b.index !== model.chosen) || b.doubt - a.doubt);
    if (!found.length) {
      say(model, seen.size ? 'No other frame is suspicious. N begins again.' : 'No frame is suspicious.');
      seen.clear();
      return;
    }
    const [next] = found;
    seen.set(next.name, next.version);
    choose(next.index);
    model.go(next.frame);
  }

  const stateOf = (frame) => model.slice.state.frames[frame].state;

  // A frame is pinned, or is a key frame only; the frames of a run become key frames as they are, in one gesture.
  function pin() {
    const frames = editedFrames(model).filter((frame) => contoursOf(model, model.chosen, frame));
    if (!frames.length) say(model, 'There is no contour here to pin.');
    else if (frames.length > 1) sender.edit('keep', Object.fromEntries(frames.map((frame) => [frame, plain(contoursOf(model, model.chosen, frame))])));
    else sender.act('pin', { frame: model.frame, state: stateOf(model.frame) === 'pinned' ? 'key' : 'pinned' });
  }

  function free() {
    const frames = editedFrames(model).filter((frame) => stateOf(frame) !== 'free');
    if (!frames.length) say(model, 'This frame is free already.');
    frames.forEach((frame) => sender.act('pin', { frame, state: 'free' }));
  }

  return {
    play: () => model.set({ playing: !model.playing }),
    before: () => model.go(model.frame - 1),
    after: () => model.go(model.frame + 1),
    first: () => model.go(0),
    last: () => model.go(model.frames - 1),
    'slice-before': () => choose((model.chosen + model.slices.length - 1) % model.slices.length),
    'slice-after': () => choose((model.chosen + 1) % model.slices.length),
    suspicious,
    undo: () => (model.slice.state.undo ? sender.act('undo') : say(model, 'Nothing to undo in this slice.')),
    redo: () => (model.slice.state.redo ? sender.act('redo') : say(model, 'Nothing to do again in this slice.')),
    pin,
    free,
    clear: () => editedFrames(model).forEach((frame) => sender.act('clear', { frame })),
    'extend-before': () => extend(-1),
    'extend-after': () => extend(1),
    'extend-all': () => model.set({ run: [0, model.frames - 1] }),
    pull: () => model.set({ tool: 'pull' }),
    push: () => model.set({ tool: 'push' }),
    arc: () => model.set({ tool: 'arc' }),
    move: () => model.set({ tool: 'move' }),
    wider: () => resize(1.15),
    narrower: () => resize(1 / 1.15),
    'turn-left': () => model.set({ angle: model.angle - 5 }),
    'turn-right': () => model.set({ angle: model.angle + 5 }),
    insertion: placeInsertion,
    contours: () => model.set({ contours: !model.contours }),
    fit: () => model.set({ zoom: 1, middle: null }),
    'zoom-in': () => model.set({ zoom: Math.min(model.zoom * 1.25, 12) }),
    'zoom-out': () => model.set({ zoom: Math.max(model.zoom / 1.25, 0.5) }),
    view: () => {
      const views = Object.keys(model.slice.views);
      studies.look(views[(views.indexOf(model.view) + 1) % views.length]);
    },
    ask: () => model.set({ ask: !model.ask }),
    take: () => model.asked && sender.answer(true),
    drop,
    save: studies.save,
    done: studies.done,
    whole: studies.whole,
    list: studies.list,
    help: () => document.getElementById('help').showModal(),
    choose,
  };

  // Two points on the outer border, 60 degrees from mid septum, to be dragged to where they belong.
  function placeInsertion() {
    const { slice } = model;
    const contours = contoursOf(model, model.chosen, model.frame);
    if (slice.state.insertion || !contours) {
      say(model, contours ? 'Drag the points I to where the right ventricle meets the wall.' : 'Draw the contours of this frame first.');
      return;
    }
    const [septum] = polar(slice.state.septum.point, slice.axis);
    slice.placed = [-1, 1].map((side) => {
      const away = (point) => 1 - Math.cos(polar(point, slice.axis)[0] - septum - (side * Math.PI) / 3);
      return contours.epi.reduce((best, point) => (away(point) < away(best) ? point : best));
    });
    model.set({ slices: model.slices });
    say(model, 'Drag the two points I to where the right ventricle meets the wall; mid septum lies between them.');
  }

  function resize(factor) {
    if (model.tool === 'push') model.set({ disc: Math.min(Math.max(model.disc * factor, 1.5), 40) });
    else model.set({ reach: Math.min(Math.max(model.reach * factor, 6), 80) });
  }
}
