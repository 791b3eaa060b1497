// Gestures on their way to the server, one after the other; what was sent is shown until the answer replaces it.

import { get, post } from './api.js';
import { say } from './say.js';

// The gate takes its time: until it has looked again (`judge`) what it said before stands.
function judgedBefore(now, before) {
  if (now.verdict) return now;
  const frames = now.frames.map((frame, k) => ({ ...frame, suspicion: frame.suspicion ?? before.frames[k].suspicion }));
  const { verdict, why, dice_expected } = before;
  return { ...now, frames, verdict, why, dice_expected, unjudged: true };
}

export function createSender(model, judge) {
  const waiting = [];
  let [running, stopped] = [false, false];

  const base = (index) => `/api/study/${model.study.index}/slice/${index}`;

  function drop(item) {
    const { sent } = model.slices[item.index];
    if (sent.includes(item)) sent.splice(sent.indexOf(item), 1);
  }

  async function run() {
    if (running) return;
    running = true;
    model.set({ busy: true });
    while (waiting.length && !stopped) {
      const item = waiting[0];
      const slice = model.slices[item.index];
      try {
        const started = performance.now();
        const answer = await post(`${base(item.index)}/${item.verb}`, { version: slice.state.version, ...item.body });
        document.body.dataset.answered = Math.round(performance.now() - started); // ms, the last answer took
        waiting.shift();
        if (answer.proposed) model.set({ asked: { item, state: answer } });
        else {
          slice.state = judgedBefore(answer, slice.state);
          drop(item);
        }
        model.set({ slices: model.slices });
      } catch (error) {
        refused(item, error);
      }
    }
    running = false;
    model.set({ busy: false });
    judge();
  }

  function refused(item, error) {
    if (error.away) {
      stopped = true;
      model.set({ banner: { text: error.message, button: 'Try again', action: () => { stopped = false; run(); } } });
      return;
    }
    waiting.splice(0).forEach(drop); // later ones were made on what was refused
    model.set({ slices: model.slices });
    if (error.status === 409) model.set({ banner: { text: error.message, button: 'Load the new state', action: () => reload(item.index) } });
    else {
      say(model, error.message, 'error');
      if (!item.frames || !Object.keys(item.frames).length) reload(item.index); // a point was shown where it may not be
    }
  }

  async function reload(index) {
    model.set({ busy: true, asked: null });
    try {
      model.slices[index].state = await get(base(index));
      model.set({ slices: model.slices });
    } catch (error) {
      say(model, error.message, 'error');
    }
    model.set({ busy: false });
  }

  function add(item) {
    if (item.frames) model.slices[item.index].sent.push(item);
    waiting.push(item);
    model.set({ slices: model.slices });
    run();
  }

  function answer(take) {
    const { asked } = model;
    model.set({ asked: null });
    drop(asked.item);
    if (take) add({ ...asked.item, body: { ...asked.item.body, preview: false } });
    else model.set({ slices: model.slices });
  }

  return {
    // Sends contours `{frame: {endo, epi}}` of one slice, of them the borders that were changed, and points; `what` names the gesture.
    edit(what, frames, points = {}, borders = ['endo', 'epi']) {
      if (model.asked) answer(true); // going on is consent
      const changed = Object.fromEntries(Object.entries(frames).map(([frame, one]) => [frame, Object.fromEntries(borders.map((side) => [side, one[side]]))]));
      const body = { frames: changed, what, preview: model.ask && Object.keys(frames).length > 0, ...points };
      add({ index: model.chosen, verb: 'edit', frames, body });
    },
    // undo, redo, pin, clear
    act(verb, body = {}) {
      if (model.asked) answer(true);
      add({ index: model.chosen, verb, body });
    },
    answer,
    // Another window may have gone on while this one was not looked at.
    async compare() {
      if (!model.study || running || waiting.length || model.asked || model.banner) return;
      const index = model.chosen;
      const { version } = model.slices[index].state;
      const now = await get(base(index)).catch(() => null);
      if (!now || running || model.slices[index].state.version !== version || now.version === version) return;
      const text = 'This slice was changed in another window.';
      model.set({ banner: { text, button: 'Load the new state', action: () => reload(index) } });
    },
  };
}
