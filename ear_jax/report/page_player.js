'use strict';
// The cine player: one canvas a slice, drawn from sheets of frames; contours are lines, not pixels.

const INK = { prediction: '#56b4e9', reference: '#e69f00', halo: 'rgba(0, 0, 0, 0.65)', text: '#ffffff' };
const WALL_VIEWS = ['longitudinal', 'radial', 'circumferential']; // the colour channels of the wall's sheet
const RAW_VIEWS = ['along_column', 'along_row', 'through_plane'];
const SWITCHES = { prediction: 'contours', reference: 'reference contours', smooth: 'smooth pixels' };
const OVERLAY = 0.85; // opacity of velocity over the magnitude

// The frame that a slice opens at: the first with all contours there are, so that there is something to see.
function firstDrawn(data) {
  const found = [data.prediction, data.reference].filter(Boolean);
  const drawn = [...Array(data.frames).keys()].map((frame) => found.filter((motion) => !motion.failed[frame]).length);
  return drawn.indexOf(Math.max(...drawn));
}

// What one slice shows now. `set` changes it and tells everybody who draws it.
function createState(data) {
  const listeners = [];
  const shown = data.prediction || data.reference;
  return {
    data, frame: firstDrawn(data), playing: false, speed: 0.25, view: 'magnitude', group: 'global', region: null, component: 0,
    prediction: Boolean(data.prediction), reference: Boolean(data.reference), smooth: false,
    motion: shown && shown.curves ? shown : null, // the one that curves, maps and markers are of
    on(listener) { listeners.push(listener); },
    set(changes) {
      Object.assign(this, changes);
      listeners.forEach((listener) => listener(changes));
    },
    advance(count) { this.set({ frame: (this.frame + count) % data.frames }); },
    go(frame) { this.set({ playing: false, frame: (frame + data.frames) % data.frames }); },
  };
}

function timeOf(data, frame) {
  return data.interval === null ? `frame ${frame}` : `frame ${frame} · ${(frame * data.interval).toFixed(0)} ms`;
}

// Resolves to the decoded sheets by name of view.
async function loadSheets(views) {
  const entries = await Promise.all(Object.entries(views).map(async ([view, uri]) => {
    const image = new Image();
    image.src = uri;
    await image.decode();
    return [view, image];
  }));
  return Object.fromEntries(entries);
}

// Returns a function from frame to the upper left corner of its place in a sheet.
function placeOf(sheet) {
  return (frame) => [(frame % sheet.columns) * sheet.cell[1], Math.floor(frame / sheet.columns) * sheet.cell[0]];
}

// Returns a small canvas with one component's velocity in the wall in colour, clear elsewhere.
function colouredWall(image, data, study, frame, component) {
  const { sheet } = data;
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [sheet.width, sheet.height];
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const [x, y] = placeOf(sheet)(frame);
  context.drawImage(image, x, y, sheet.width, sheet.height, 0, 0, sheet.width, sheet.height);
  const pixels = context.getImageData(0, 0, sheet.width, sheet.height);
  for (let i = 0; i < pixels.data.length; i += 4) {
    const code = pixels.data[i + component];
    const velocity = ((code - study.wall.centre) / study.wall.steps) * sheet.ranges[component];
    const colour = colourOf(velocity, component, study);
    for (let k = 0; k < 3; k += 1) pixels.data[i + k] = colour[k];
    pixels.data[i + 3] = code === 0 ? 0 : 255 * OVERLAY;
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

// Returns [r, g, b] of a velocity in cm/s on the scale that all slices share.
function colourOf(velocity, component, study) {
  const last = study.colours.length / 3 - 1;
  const share = Math.min(Math.max(velocity / study.ranges[component], -1), 1);
  const index = Math.round(((share + 1) / 2) * last);
  return study.colours.slice(3 * index, 3 * index + 3);
}

function drawContours(context, motion, frame, scale, colour, dash) {
  const lines = motion.contours[frame];
  if (!lines) return;
  for (const points of [lines.endo, lines.epi]) {
    context.beginPath();
    for (let i = 0; i < points.length; i += 2) context.lineTo(points[i] * scale[0], points[i + 1] * scale[1]);
    context.closePath();
    for (const [width, style] of [[3.5, INK.halo], [1.8, colour]]) {
      context.setLineDash(style === INK.halo ? [] : dash);
      [context.lineWidth, context.strokeStyle] = [width, style];
      context.stroke();
    }
  }
  context.setLineDash([]);
}

// A tick from the septal point inwards: where the first sector begins.
function drawSeptum(context, motion, frame, scale) {
  const [from, to] = [motion.septum && motion.septum[frame], motion.centre && motion.centre[frame]];
  if (!from || !to) return;
  const at = (share) => [0, 1].map((k) => (from[k] + (to[k] - from[k]) * share) * scale[k]);
  context.beginPath();
  context.moveTo(...at(-0.22));
  context.lineTo(...at(0.22));
  for (const [width, style] of [[4.5, INK.halo], [2.2, '#f0e442']]) {
    [context.lineWidth, context.strokeStyle] = [width, style];
    context.stroke();
  }
}

function write(context, text, x, y, align) {
  [context.textAlign, context.textBaseline, context.lineJoin] = [align, 'middle', 'round'];
  [context.lineWidth, context.strokeStyle, context.fillStyle] = [3, INK.halo, INK.text];
  context.strokeText(text, x, y);
  context.fillText(text, x, y);
}

// A bar of 20 mm, where the pixel spacing is known.
function drawScale(context, data, width, height) {
  if (data.spacing[1] === null) return;
  const length = (20 / data.spacing[1] / (data.sheet.width * data.sheet.step)) * width;
  context.fillStyle = INK.text;
  context.fillRect(12, height - 14, length, 3);
  write(context, '20 mm', 12, height - 24, 'left');
}

// The colour scale of the view, with its ends in cm/s.
function drawLegend(context, state, study, width, height) {
  const component = WALL_VIEWS.indexOf(state.view);
  const raw = RAW_VIEWS.indexOf(state.view);
  if (component < 0 && raw < 0) return;
  const limit = component >= 0 ? study.ranges[component] : state.data.sheet.venc[raw];
  const [x, y, tall] = [width - 24, height - 150, 120];
  for (let row = 0; row < tall; row += 1) {
    const share = 1 - (2 * row) / (tall - 1);
    const grey = Math.round(((share + 1) / 2) * 255);
    const colour = component >= 0 ? colourOf(share * limit, component, study) : [grey, grey, grey];
    context.fillStyle = `rgb(${colour.join(',')})`;
    context.fillRect(x, y + row, 12, 1.5);
  }
  write(context, `+${limit}`, x - 5, y + 4, 'right');
  write(context, '0', x - 5, y + tall / 2, 'right');
  write(context, `−${limit}`, x - 5, y + tall - 4, 'right');
  write(context, 'cm/s', x + 12, y + tall + 12, 'right');
}

// Draws the state's frame; the canvas has as many pixels as the screen has under it.
function drawFrame(canvas, sheets, state, study) {
  const { data } = state;
  const { sheet } = data;
  const mm = (k) => data.spacing[k] || 1;
  const aspect = (sheet.width * mm(1)) / (sheet.height * mm(0));
  const width = canvas.clientWidth || 380;
  const height = width / aspect;
  const dense = Math.max(window.devicePixelRatio || 1, 2); // sharp on paper too
  [canvas.width, canvas.height] = [Math.round(width * dense), Math.round(height * dense)];
  const context = canvas.getContext('2d');
  context.scale(dense, dense);
  context.imageSmoothingEnabled = state.smooth;
  context.imageSmoothingQuality = 'high';
  context.font = '600 12px system-ui, sans-serif';
  const from = [...placeOf(sheet)(state.frame), sheet.width, sheet.height];
  const raw = RAW_VIEWS.includes(state.view) ? state.view : 'magnitude';
  context.drawImage(sheets[raw], ...from, 0, 0, width, height);
  const component = WALL_VIEWS.indexOf(state.view);
  if (component >= 0) {
    context.drawImage(colouredWall(sheets.wall, data, study, state.frame, component), 0, 0, width, height);
  }
  const scale = [width / sheet.width, height / sheet.height].map((s) => s / 10 / sheet.step);
  if (state.reference) drawContours(context, data.reference, state.frame, scale, INK.reference, [6, 4]);
  if (state.prediction) drawContours(context, data.prediction, state.frame, scale, INK.prediction, []);
  if ((state.prediction || state.reference) && state.motion) drawSeptum(context, state.motion, state.frame, scale);
  drawScale(context, data, width, height);
  drawLegend(context, state, study, width, height);
}

// What the delineation says about the frame: ring closed, interpolated, failed.
function flagOf(data, frame) {
  const found = data.prediction || data.reference;
  if (!found) return '';
  const text = found.flags[frame] || (found.failed[frame] ? 'no contour' : '');
  return text && `⚠ ${text}`;
}

// What a screen reader is told, to which canvas and curves say nothing: what a key or a button did, not each frame of a
// film. '' for nothing.
function saidOf(state, study, changes) {
  if (changes.playing) return 'playing';
  if ('playing' in changes || 'region' in changes) {
    const [time, ...values] = state.motion ? readout(state, study, state.frame) : [timeOf(state.data, state.frame)];
    return [time.toLowerCase(), flagOf(state.data, state.frame), ...values].filter(Boolean).join('; ');
  }
  if ('view' in changes) return `view ${changes.view.replaceAll('_', ' ')}`;
  const name = Object.keys(SWITCHES).find((key) => key in changes);
  return name ? `${SWITCHES[name]} ${changes[name] ? 'on' : 'off'}` : '';
}

// Advances the frame with the heart's own time, slowed down; a skipped repaint skips frames, not time.
function runClock(state) {
  const interval = state.data.interval || 20;
  let [last, left] = [null, 0];
  const mine = Symbol('clock'); // pressed twice between two repaints, the first clock must not go on
  state.clock = mine;
  function tick(now) {
    if (!state.playing || state.clock !== mine) return;
    left += last === null ? 0 : Math.min(now - last, 250) * state.speed;
    last = now;
    const frames = Math.floor(left / interval);
    left -= frames * interval;
    if (frames) state.advance(frames);
    requestAnimationFrame(tick);
  }
  requestAnimationFrame(tick);
}

function createPlayer(section, state, study) {
  const find = (selector) => section.querySelector(selector);
  const [canvas, scrub, play] = [find('canvas'), find('.scrub'), find('.play')];
  let sheets = null;
  function draw() {
    if (sheets) drawFrame(canvas, sheets, state, study);
    scrub.value = state.frame;
    scrub.setAttribute('aria-valuetext', timeOf(state.data, state.frame));
    find('.clock').textContent = timeOf(state.data, state.frame);
    find('.flag').textContent = flagOf(state.data, state.frame);
    play.textContent = state.playing ? '❚❚' : '▶';
    play.setAttribute('aria-label', state.playing ? 'Pause' : 'Play');
    section.querySelectorAll('[data-view]').forEach((b) => b.setAttribute('aria-pressed', b.dataset.view === state.view));
    section.querySelectorAll('[data-switch]').forEach((box) => { box.checked = state[box.dataset.switch]; });
    section.dataset.frame = state.frame;
  }
  play.addEventListener('click', () => state.set({ playing: !state.playing }));
  find('.stage').addEventListener('dblclick', () => state.set({ playing: !state.playing }));
  scrub.addEventListener('input', () => state.go(Number(scrub.value)));
  find('.speed select').addEventListener('change', (event) => state.set({ speed: Number(event.target.value) }));
  section.querySelectorAll('[data-view]').forEach((b) => b.addEventListener('click', () => state.set({ view: b.dataset.view })));
  section.querySelectorAll('[data-switch]').forEach((box) => {
    box.addEventListener('change', () => state.set({ [box.dataset.switch]: box.checked }));
  });
  state.on((changes) => {
    if (changes.playing) runClock(state);
    draw();
    const said = saidOf(state, study, changes);
    if (said) find('.said').textContent = said;
  });
  new ResizeObserver(draw).observe(find('.stage'));
  return loadSheets(state.data.views).then((loaded) => { sheets = loaded; draw(); });
}
