// What the page shows now. `set` changes it; whoever draws is told once before the next repaint.

export function createModel() {
  const listeners = [];
  let changed = new Set();
  function tell() {
    const now = changed;
    changed = new Set();
    listeners.forEach((listener) => listener(now));
  }
  return {
    person: '', studies: [], study: null, slices: [], chosen: 0,
    frame: 0, run: null, // [first, last] of the frames that a gesture changes together
    playing: false, speed: 1, view: 'magnitude', brightness: 1, contrast: 1, contours: true,
    zoom: 1, middle: null, // middle of the stage, [row, column]
    tool: 'pull', reach: 20, disc: 6, // degrees; pixels
    angle: -90, span: 0, // of the M-mode: degrees clockwise from the right; part of the cycle that follows, 0 all
    ask: false, working: null, asked: null, busy: false, message: '', banner: null,
    on(listener) { listeners.push(listener); },
    set(changes) {
      Object.assign(this, changes);
      if (!changed.size) requestAnimationFrame(tell);
      Object.keys(changes).forEach((key) => changed.add(key));
    },
    get slice() { return this.slices[this.chosen]; },
    get frames() { return this.slice ? this.slice.frames : 1; },
    go(frame) { this.set({ playing: false, frame: (Math.round(frame) + this.frames) % this.frames }); },
  };
}

// Returns the contours that a frame shows: those of a gesture, else of what was sent, else the server's; null if none.
export function contoursOf(model, index, frame) {
  const slice = model.slices[index];
  const { working } = model;
  if (working && working.index === index && working.frames[frame]) return working.frames[frame];
  for (let i = slice.sent.length - 1; i >= 0; i -= 1) {
    if (slice.sent[i].frames && slice.sent[i].frames[frame]) return slice.sent[i].frames[frame];
  }
  const found = slice.state.frames[frame];
  return found.endo && found.epi ? found : null;
}

// Returns the frames that are edited now: those of the run if the one that is seen is among them.
export function editedFrames(model) {
  const { run, frame } = model;
  if (!run || frame < run[0] || frame > run[1]) return [frame];
  return [...Array(run[1] - run[0] + 1).keys()].map((k) => run[0] + k);
}

// Returns the frame of another slice at the same part of the cycle.
export function sameTime(model, slice) {
  return Math.floor((model.frame * slice.frames) / model.frames) % slice.frames;
}

export const SUSPICIOUS = 0.2; // of 1: less than 0.8 of Dice are expected
const WORDS = { key: 'key frame', pinned: 'pinned', free: '' };
const ORIGINS = { drawn: 'by hand', agreed: 'agreed to', carried: 'carried', none: 'no contour' };

// Returns what is known of a frame in words.
export function describe(model, frame = model.frame) {
  const { slice } = model;
  const found = slice.state.frames[frame];
  const time = slice.frame_interval_ms ? `${(frame * slice.frame_interval_ms).toFixed(0)} ms` : '';
  const doubt = found.endo && found.suspicion >= SUSPICIOUS ? `suspicious ${Math.round(100 * found.suspicion)} %` : '';
  const origins = { ...ORIGINS, network: slice.networks > 1 ? 'by the networks' : 'by the network' };
  const origin = contoursOf(model, model.chosen, frame) ? origins[found.origin] || found.origin : origins.none;
  const run = editedFrames(model);
  const together = run.length > 1 && run.includes(frame) ? `a gesture changes frames ${run[0]} to ${run.at(-1)}` : '';
  return [`frame ${frame}`, time, origin, WORDS[found.state], doubt, together].filter(Boolean).join(' · ');
}
