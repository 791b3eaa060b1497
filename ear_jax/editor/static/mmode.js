// The M-mode: what lies along one line from the heart's centre outwards (down), in all frames (to the right). Its two
// lines are the borders; dragged up or down they take the frames around along, dragged along they are drawn anew.

import { INK, colours, prepare } from './lines.js';
import { contoursOf } from './model.js';
import * as ring from './ring.js';
import { say } from './say.js';
import { greyAt, greys } from './sheets.js';
import { onLine } from './stage.js';

const NEAR = 16; // screen pixels
const REACH = (28 * Math.PI) / 180; // of a shift over neighbouring angles
const STEP = 0.5; // pixels of the picture a row
const LEAST = 0.1; // pixels: a frame that moves by less is left alone

export function createMMode(model, sender) {
  const strip = document.getElementById('mmode');
  const [canvas, cursor] = [strip.querySelector('canvas'), strip.querySelector('.cursor')];
  let [drag, known] = [null, {}];

  // Returns the strip as a picture, one column a frame.
  function resampled() {
    const { slice } = model;
    if (known.slice === slice && known.angle === model.angle && known.axis === slice.axis) return known.picture;
    slice.greys ||= greys(slice, slice.sheets.magnitude);
    const rows = Math.ceil(slice.depth / STEP);
    const picture = new OffscreenCanvas(slice.frames, rows);
    const context = picture.getContext('2d');
    const data = context.createImageData(slice.frames, rows);
    for (let row = 0; row < rows; row += 1) {
      const point = onLine(model, (row + 0.5) * STEP);
      for (let frame = 0; frame < slice.frames; frame += 1) {
        const grey = greyAt(slice, slice.greys[frame], ...point);
        const i = 4 * (row * slice.frames + frame);
        data.data.set([grey, grey, grey, 255], i);
      }
    }
    context.putImageData(data, 0, 0);
    known = { slice, angle: model.angle, axis: slice.axis, picture };
    return picture;
  }

  const angle = () => (model.angle * Math.PI) / 180;
  const rings = new WeakMap(); // contours -> ring about the axis, which is asked for again at every repaint
  function ringAt(contours) {
    const found = rings.get(contours);
    if (found && found.axis === model.slice.axis) return found.ring;
    const made = ring.ringOf(contours, model.slice.axis);
    rings.set(contours, { axis: model.slice.axis, ring: made });
    return made;
  }

  const shown = (frame) => contoursOf(model, model.chosen, frame);

  // Returns `[T]` radii of a border on the line, null where there is none; of the contours that are shown, or of others.
  function line(side, contoursAt = shown) {
    return [...Array(model.frames).keys()].map((frame) => {
      const contours = contoursAt(frame);
      const found = contours && contours.endo && ringAt(contours);
      return found ? ring.radiusAt(found[side], angle()) : null;
    });
  }

  function drawLine(context, radii, side, wide, scale, dash = []) {
    context.beginPath();
    radii.forEach((r, frame) => {
      const [x, y] = [(frame + 0.5) * wide, r * scale];
      if (r === null) return;
      if (frame && radii[frame - 1] !== null) context.lineTo(x, y);
      else context.moveTo(x, y);
    });
    [context.lineJoin, context.lineWidth, context.strokeStyle] = ['round', 4, INK.halo];
    if (!dash.length) context.stroke();
    context.setLineDash(dash);
    [context.lineWidth, context.strokeStyle] = [2, INK[side]];
    context.stroke();
    context.setLineDash([]);
  }

  function draw() {
    const { slice } = model;
    const { context, width, height } = prepare(canvas);
    const [wide, scale] = [width / slice.frames, height / slice.depth];
    context.imageSmoothingEnabled = true;
    context.filter = `brightness(${model.brightness}) contrast(${model.contrast})`;
    context.drawImage(resampled(), 0, 0, width, height);
    context.filter = 'none';
    const would = model.asked && model.asked.item.index === model.chosen && model.asked.state.frames;
    if (model.contours) {
      ['endo', 'epi'].forEach((side) => {
        drawLine(context, line(side), side, wide, scale);
        if (would) drawLine(context, line(side, (frame) => would[frame]), side, wide, scale, [5, 4]);
      });
    }
    context.fillStyle = colours()('accent');
    slice.state.frames.forEach((frame, k) => { if (frame.state !== 'free') context.fillRect((k + 0.5) * wide - 2, height - 4, 4, 4); });
    strip.dataset.scale = [wide, scale].map((v) => v.toFixed(4)).join(' ');
  }

  const drawCursor = () => { cursor.style.left = `${(100 * (model.frame + 0.5)) / model.frames}%`; };

  function at(event) {
    const box = canvas.getBoundingClientRect();
    const frame = Math.floor(((event.clientX - box.left) / box.width) * model.frames);
    return [Math.min(Math.max(frame, 0), model.frames - 1), ((event.clientY - box.top) / box.height) * model.slice.depth];
  }

  // Returns `[T]` shifts: those of the frames the pointer passed, straight between them, falling off beyond.
  function shifts() {
    const passed = [...drag.passed.keys()].sort((a, b) => a - b);
    const count = model.frames;
    return [...Array(count).keys()].map((frame) => {
      const next = passed.find((f) => f >= frame);
      const last = passed.findLast((f) => f <= frame);
      if (next !== undefined && last !== undefined) {
        const share = next === last ? 0 : (frame - last) / (next - last);
        return drag.passed.get(last) + share * (drag.passed.get(next) - drag.passed.get(last));
      }
      const [first, final] = [passed[0], passed.at(-1)];
      const [before, after] = [(first - frame + count) % count, (frame - final + count) % count]; // round the cycle
      const [away, end] = before < after ? [before, first] : [after, final];
      const fall = model.span ? Math.exp(-0.5 * (away / (model.span * count)) ** 2) : 1;
      return drag.passed.get(end) * fall;
    });
  }

  function bend() {
    const frames = {};
    shifts().forEach((shift, frame) => {
      const start = drag.rings[frame];
      if (!start || Math.abs(shift) < LEAST || model.slice.state.frames[frame].state === 'pinned') return;
      frames[frame] = ring.handlesOf(ring.bent(start, drag.side, angle(), shift, REACH));
    });
    model.set({ working: { index: model.chosen, frames } });
  }

  function begin(event) {
    const [frame, r] = at(event);
    const borders = { endo: line('endo'), epi: line('epi') };
    const scale = canvas.clientHeight / model.slice.depth;
    const gaps = ['endo', 'epi'].map((side) => [borders[side][frame] === null ? Infinity : Math.abs(borders[side][frame] - r) * scale, side]);
    const [gap, side] = gaps[0][0] <= gaps[1][0] ? gaps[0] : gaps[1];
    model.go(frame);
    if (gap > NEAR) return;
    const found = [...Array(model.frames).keys()].map(shown);
    const bad = found.some((contours) => contours && !ringAt(contours));
    if (bad) say(model, 'Frames whose contours do not go round the centre of the line stay as they are.');
    drag = { side, offset: r - borders[side][frame], border: borders[side], passed: new Map(), rings: found.map((c) => c && ringAt(c)) };
  }

  strip.addEventListener('pointerdown', (event) => {
    if (!model.slice || event.button) return;
    strip.setPointerCapture(event.pointerId);
    if (model.slice.state.frames.length) begin(event);
    event.preventDefault();
    strip.focus();
  });
  strip.addEventListener('pointermove', (event) => {
    if (!(event.buttons & 1) || !model.slice) return;
    const [frame, r] = at(event);
    if (!drag) {
      model.go(frame);
      return;
    }
    if (drag.border[frame] === null) return;
    drag.passed.set(frame, r - drag.offset - drag.border[frame]);
    bend();
  });
  strip.addEventListener('pointerup', () => {
    const { working } = model;
    const moved = drag && working && Object.keys(working.frames).length && drag.side;
    drag = null;
    model.set({ working: null });
    if (moved) sender.edit('m-mode', working.frames, {}, [moved]);
  });
  strip.addEventListener('pointercancel', () => cancel());
  function cancel() {
    drag = null;
    model.set({ working: null });
  }
  model.on((changed) => {
    const keys = ['slices', 'chosen', 'asked', 'angle', 'working', 'brightness', 'contrast', 'contours', 'scheme'];
    if (model.slice && keys.some((key) => changed.has(key))) draw();
    if (model.slice) drawCursor();
    if (changed.has('angle')) document.getElementById('angle').textContent = `${((model.angle % 360) + 360) % 360}°`;
  });
  new ResizeObserver(() => model.slice && draw()).observe(strip);
  return { cancel };
}
