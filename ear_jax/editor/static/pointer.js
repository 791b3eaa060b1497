// The pointer on the stage: which gesture a press begins, and what a gesture in progress shows.

import { place } from './lines.js';
import { contoursOf, editedFrames } from './model.js';
import * as ring from './ring.js';
import { say } from './say.js';
import { onLine, pointsOf, viewOf } from './stage.js';

const NEAR = 14; // screen pixels around a contour
const AT = 11; // around a point
const degrees = (angle) => (angle * Math.PI) / 180;

export function createPointer(model, sender) {
  const stage = document.getElementById('stage');
  let gesture = null;
  const fingers = new Map(); // on the stage: the last event of each

  const view = () => viewOf(model.slice, stage.clientWidth, stage.clientHeight, model.zoom, model.middle || undefined);
  function at(event) {
    const box = stage.getBoundingClientRect();
    const { x, y, sx, sy } = view();
    return [(event.clientY - box.top - y) / sy, (event.clientX - box.left - x) / sx];
  }
  function distance(point, other) {
    const [a, b] = [place(view(), point), place(view(), other)];
    return Math.hypot(a[0] - b[0], a[1] - b[1]);
  }

  // Returns the border nearest to a point along its ray, and how many screen pixels it is away.
  function nearest(found, point) {
    const [angle, r] = ring.polar(point, found.centre);
    const gaps = ['endo', 'epi'].map((side) => [Math.abs(ring.radiusAt(found[side], angle) - r) * view().sx, side]);
    return gaps[0][0] <= gaps[1][0] ? gaps[0] : gaps[1];
  }

  // Returns a function that gives the frames of a gesture which made another ring of `start`; a run changes together.
  function together(start) {
    const { state } = model.slice;
    const others = editedFrames(model).filter((frame) => frame !== model.frame && state.frames[frame].state !== 'pinned')
      .map((frame) => [frame, contoursOf(model, model.chosen, frame)]).filter(([, contours]) => contours)
      .map(([frame, contours]) => [frame, ring.ringOf(contours)]).filter(([, found]) => found);
    return (end) => Object.fromEntries([[model.frame, end], ...others.map(([frame, other]) => [frame, ring.repeated(other, start, end)])]
      .map(([frame, found]) => [frame, ring.handlesOf(found)]));
  }

  // A gesture that turns the ring at the press into another one: `change(point)` at every move, of the named borders.
  function shaping(what, borders, start, change) {
    let last = null;
    const frames = together(start);
    return {
      move(point) {
        last = change(point) || last;
        if (last) model.set({ working: { index: model.chosen, frames: frames(last) } });
      },
      end() {
        const { working } = model;
        model.set({ working: null });
        if (last && working) sender.edit(what, working.frames, {}, borders);
      },
    };
  }

  function pulling(start, side) {
    return shaping('handle', [side], start, (point) => ring.pulled(start, side, point, degrees(model.reach)));
  }

  function pushing(start, point) {
    const [, side] = nearest(start, point);
    const [angle, r] = ring.polar(point, start.centre);
    const outward = r < ring.radiusAt(start[side], angle);
    let now = start;
    return shaping('push', [side], start, (next) => {
      const before = now;
      now = ring.pushed(now, side, outward, next, model.disc);
      return now === before ? null : now;
    });
  }

  function redrawing(start, point) {
    const stroke = [point];
    return {
      move(next) {
        stroke.push(next);
        model.set({ strokes: [stroke] });
      },
      end() {
        model.set({ strokes: null });
        if (stroke.length < 3) return;
        const sum = (side) => stroke.reduce((total, p) => {
          const [angle, r] = ring.polar(p, start.centre);
          return total + Math.abs(ring.radiusAt(start[side], angle) - r);
        }, 0);
        const side = sum('endo') < sum('epi') ? 'endo' : 'epi';
        sender.edit('arc', together(start)(ring.redrawn(start, side, stroke, degrees(8))), {}, [side]);
      },
    };
  }

  function moving(start, from) {
    return shaping('handle', ['endo', 'epi'], start, (point) => ring.moved(start, point[0] - from[0], point[1] - from[1]));
  }

  function scaling(start, from, sides) {
    const first = Math.max(ring.polar(from, start.centre)[1], 1);
    return shaping('handle', sides, start, (point) => ring.scaled(start, sides, ring.polar(point, start.centre)[1] / first));
  }

  function movingOrScaling(start, point) {
    const [gap, side] = nearest(start, point);
    if (gap < NEAR) return scaling(start, point, [side]);
    const [angle, r] = ring.polar(point, start.centre);
    return r < ring.radiusAt(start.endo, angle) ? moving(start, point) : scaling(start, point, ['endo', 'epi']);
  }

  function dragging(name) {
    const { slice } = model;
    return {
      move(point) {
        slice.moving = { name, point };
        model.set({ slices: model.slices });
      },
      end() {
        const found = slice.moving;
        if (!found) return;
        slice.moving = null;
        if (name === 'septum') {
          slice.state.septum.point = found.point;
          sender.edit('septum', {}, { septum: found.point });
          return;
        }
        const points = (slice.state.insertion || slice.placed).map((p, k) => (name === `insertion ${k}` ? found.point : p));
        if (!slice.state.insertion) { // two points that the page has guessed: each is a person's once it was dragged
          slice.placed = points;
          slice.dragged = (slice.dragged || new Set()).add(name);
          model.set({ slices: model.slices });
          if (slice.dragged.size < 2) {
            say(model, 'Drag the other point I too: where it lies now was only guessed.');
            return;
          }
        }
        slice.state.insertion = points;
        [slice.placed, slice.dragged] = [null, null];
        sender.edit('insertion', {}, { insertion: slice.state.insertion });
      },
      cancel() { slice.moving = null; },
    };
  }

  function turning() {
    return {
      move(point) {
        model.set({ angle: Math.round((ring.polar(point, model.slice.axis)[0] * 180) / Math.PI) });
      },
      end() {},
    };
  }

  function panning(event) {
    const from = view();
    const middle = [(stage.clientHeight / 2 - from.y) / from.sy, (stage.clientWidth / 2 - from.x) / from.sx];
    return {
      move(_, next) {
        model.set({ middle: [middle[0] - (next.clientY - event.clientY) / from.sy, middle[1] - (next.clientX - event.clientX) / from.sx] });
      },
      end() {},
    };
  }

  // A frame without contours: two closed strokes, inner and outer border; or one drag from the centre outwards.
  function drawing(point) {
    const stroke = [point];
    const earlier = model.strokes || [];
    return {
      move(next) {
        stroke.push(next);
        model.set({ strokes: [...earlier, stroke] });
      },
      end() {
        const length = stroke.reduce((sum, p, k) => sum + (k ? Math.hypot(p[0] - stroke[k - 1][0], p[1] - stroke[k - 1][1]) : 0), 0);
        const apart = Math.hypot(stroke[0][0] - stroke.at(-1)[0], stroke[0][1] - stroke.at(-1)[1]);
        const found = length < 3 ? null
          : apart > 0.7 * length ? ring.circles(point, 0.7 * apart, apart)
            : earlier.length ? ring.ringOfStrokes(earlier[0], stroke) : undefined;
        if (found === undefined) {
          say(model, 'Inner border drawn. Now draw the outer border around it; Esc begins anew.');
          return;
        }
        model.set({ strokes: null });
        if (found) sender.edit('draw', { [model.frame]: ring.handlesOf(found) });
        else if (length >= 3) say(model, 'The outer border has to go all the way round the inner one. Draw both again.', 'error');
      },
    };
  }

  function begin(event, point) {
    if (event.button === 1 || event.button === 2) return panning(event);
    const dragged = pointsOf(model).find(([, other]) => distance(point, other) < AT);
    if (dragged && model.contours) return dragging(dragged[0]);
    if (model.contours && distance(point, onLine(model, model.slice.depth)) < AT) return turning();
    const contours = contoursOf(model, model.chosen, model.frame);
    if (!contours) return drawing(point);
    const start = ring.ringOf(contours);
    if (!start) {
      say(model, 'These contours do not go round their own centre: clear the frame (Delete) and draw it anew.', 'error');
      return null;
    }
    if (event.shiftKey) return moving(start, point);
    if (event.ctrlKey || event.metaKey) return scaling(start, point, ['endo', 'epi']);
    if (model.tool === 'push') return pushing(start, point);
    if (model.tool === 'arc') return redrawing(start, point);
    if (model.tool === 'move') return movingOrScaling(start, point);
    const [gap, side] = nearest(start, point);
    return gap < NEAR ? pulling(start, side) : panning(event);
  }

  function zoom(event, factor) {
    const before = at(event);
    const zoomed = Math.min(Math.max(model.zoom * factor, 0.5), 12);
    const { x, y, sx, sy } = view();
    const middle = [(stage.clientHeight / 2 - y) / sy, (stage.clientWidth / 2 - x) / sx];
    const share = model.zoom / zoomed; // the point under the pointer stays there
    model.set({ zoom: zoomed, middle: middle.map((m, k) => before[k] + (m - before[k]) * share) });
  }

  // Two fingers move the picture and zoom it.
  function pinch(event) {
    const other = [...fingers].find(([finger]) => finger !== event.pointerId)[1];
    const between = (one) => ({ clientX: (one.clientX + other.clientX) / 2, clientY: (one.clientY + other.clientY) / 2 });
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const [last, { x, y, sx, sy }] = [fingers.get(event.pointerId), view()];
    const [from, to] = [between(last), between(event)];
    const middle = [(stage.clientHeight / 2 - y - to.clientY + from.clientY) / sy, (stage.clientWidth / 2 - x - to.clientX + from.clientX) / sx];
    model.set({ middle });
    zoom(to, apart(event) / Math.max(apart(last), 1));
    fingers.set(event.pointerId, event);
  }

  stage.addEventListener('pointerdown', (event) => {
    if (event.pointerType === 'touch') fingers.set(event.pointerId, event);
    if (fingers.size === 2 && model.slice) cancel(); // what the first finger began
    if (fingers.size > 1) return;
    if (!model.slice || gesture || event.target.closest('button, p')) return;
    stage.focus();
    stage.setPointerCapture(event.pointerId);
    if (model.playing) model.set({ playing: false });
    gesture = begin(event, at(event));
    event.preventDefault();
  });
  stage.addEventListener('pointermove', (event) => {
    if (!model.slice) return;
    if (fingers.size > 1 && fingers.has(event.pointerId)) {
      if (fingers.size === 2) pinch(event);
      return;
    }
    const events = gesture && event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    (events.length ? events : [event]).forEach((one) => gesture && gesture.move(at(one), one));
    model.set({ pointer: at(event) });
  });
  function finish() {
    if (!gesture) return;
    const ended = gesture;
    gesture = null;
    ended.end();
    stage.dataset.gestures = Number(stage.dataset.gestures || 0) + 1;
  }
  function cancel() {
    if (gesture && gesture.cancel) gesture.cancel();
    gesture = null;
    model.set({ working: null, strokes: null });
  }
  ['pointerup', 'pointercancel', 'lostpointercapture'].forEach((name) => stage.addEventListener(name, (event) => fingers.delete(event.pointerId)));
  stage.addEventListener('pointerup', finish);
  stage.addEventListener('pointercancel', cancel);
  stage.addEventListener('pointerleave', () => { if (!gesture) model.set({ pointer: null }); });
  stage.addEventListener('contextmenu', (event) => event.preventDefault());
  stage.addEventListener('dblclick', () => { if (contoursOf(model, model.chosen, model.frame)) model.set({ zoom: 1, middle: null }); });
  stage.addEventListener('wheel', (event) => {
    event.preventDefault();
    if (!model.slice) return;
    const step = Math.exp(-Math.sign(event.deltaY) * 0.12);
    if (model.tool === 'push' && !event.ctrlKey) model.set({ disc: Math.min(Math.max(model.disc * step, 1.5), 40) });
    else zoom(event, step);
  }, { passive: false });
  return { cancel };
}
