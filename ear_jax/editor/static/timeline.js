// The frames of the chosen slice as a slider: how suspicious each is, which are key frames, pinned, or without contour.

import { colours, prepare } from './lines.js';
import { SUSPICIOUS, contoursOf, describe } from './model.js';

const [SIDE, FOOT] = [6, 20];

export function createTimeline(model) {
  const slider = document.getElementById('timeline');
  const canvas = slider.querySelector('canvas');
  const width = () => (slider.clientWidth - 2 * SIDE) / model.frames;

  function drawFrame(context, colour, frame, [x, wide], bottom) {
    const found = model.slice.state.frames[frame];
    const top = 3;
    context.fillStyle = colour('track');
    context.fillRect(x + 0.5, top, wide - 1, bottom - top);
    if (!contoursOf(model, model.chosen, frame)) {
      context.fillStyle = colour('hole');
      context.fillRect(x + 0.5, top, wide - 1, bottom - top);
    }
    const high = Math.max(found.suspicion || 0, 0.02) * (bottom - top);
    context.fillStyle = colour(found.suspicion >= SUSPICIOUS ? 'doubt' : 'calm');
    context.fillRect(x + 0.5, bottom - high, wide - 1, high);
    if (found.state === 'free') return;
    const [middle, y, r] = [x + wide / 2, bottom + 9, Math.min(5, wide / 2 + 1)];
    context.fillStyle = colour('accent');
    context.beginPath();
    if (found.state === 'pinned') context.rect(middle - r + 1, y - r + 1, 2 * r - 2, 2 * r - 2);
    else [[0, -r], [r, 0], [0, r], [-r, 0]].forEach(([dx, dy]) => context.lineTo(middle + dx, y + dy));
    context.fill();
  }

  function draw() {
    if (!model.slice) return;
    const colour = colours();
    const { context, height } = prepare(canvas);
    const [bottom, wide] = [height - FOOT, width()];
    for (let frame = 0; frame < model.frames; frame += 1) drawFrame(context, colour, frame, [SIDE + frame * wide, wide], bottom);
    if (model.run) {
      context.fillStyle = colour('accent');
      context.fillRect(SIDE + model.run[0] * wide, 0, (model.run[1] - model.run[0] + 1) * wide, 4);
    }
    context.strokeStyle = colour('ink');
    context.lineWidth = 2;
    context.strokeRect(SIDE + model.frame * wide, 1.5, wide, bottom);
    slider.setAttribute('aria-valuemax', model.frames - 1);
    slider.setAttribute('aria-valuenow', model.frame);
    slider.setAttribute('aria-valuetext', describe(model));
  }

  let first = null; // of a run that is being chosen
  const at = (event) => {
    const x = event.clientX - slider.getBoundingClientRect().left - SIDE;
    return Math.min(Math.max(Math.floor(x / width()), 0), model.frames - 1);
  };
  function go(event) {
    const frame = at(event);
    model.go(frame);
    if (first !== null) model.set({ run: [Math.min(first, frame), Math.max(first, frame)] });
  }
  slider.addEventListener('pointerdown', (event) => {
    if (!model.slice) return;
    slider.setPointerCapture(event.pointerId);
    first = event.shiftKey ? at(event) : null;
    go(event);
  });
  slider.addEventListener('pointermove', (event) => { if (event.buttons & 1) go(event); });
  model.on((changed) => { if (['frame', 'slices', 'chosen', 'run', 'scheme'].some((key) => changed.has(key))) draw(); });
  new ResizeObserver(draw).observe(slider);
}
