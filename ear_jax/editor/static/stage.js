// The large picture: a frame of the chosen slice on one canvas; contours, handles and points on another above it.

import { INK, drawContours, place, prepare } from './lines.js';
import { contoursOf, describe } from './model.js';
import { tile } from './sheets.js';

const MARGIN = 8;
const SHOWN = 3.2; // lengths of the M-mode's line, which goes a third beyond the outer border

// Returns how pixels of the picture lie on a canvas: x = view.x + column * view.sx, y = view.y + row * view.sy. Unless
// something else is asked for, the heart fills the canvas.
export function viewOf(slice, width, height, zoom = 1, middle = slice.axis) {
  const [mmRow, mmColumn] = slice.spacing_mm;
  const across = Math.min(SHOWN * slice.depth, ...slice.box.slice(2)) * Math.max(mmRow, mmColumn);
  const fit = ((Math.min(width, height) - MARGIN) / across) * zoom;
  const [sx, sy] = [fit * mmColumn, fit * mmRow];
  return { x: width / 2 - middle[1] * sx, y: height / 2 - middle[0] * sy, sx, sy };
}

// Returns zoom and middle that show all of the window.
export function wholeView({ box, depth }) {
  const [top, left, high, wide] = box;
  return { zoom: Math.min(SHOWN * depth, high, wide) / Math.max(high, wide), middle: [top + high / 2, left + wide / 2] };
}

// Returns the point of the M-mode's line, in pixels, `length` pixels from its centre.
export function onLine(model, length) {
  const angle = (model.angle * Math.PI) / 180;
  const [row, column] = model.slice.axis;
  return [row + length * Math.sin(angle), column + length * Math.cos(angle)];
}

function drawPicture(canvas, model, view) {
  const { context, width, height } = prepare(canvas);
  const { slice } = model;
  const sheet = slice.sheets[model.view] || slice.sheets.magnitude;
  const [top, left, high, wide] = slice.box;
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = 'medium';
  const [x, y] = place(view, [top - 0.5, left - 0.5]);
  context.drawImage(sheet, ...tile(slice, model.frame), x, y, wide * view.sx, high * view.sy);
  return [context, width, height];
}

function drawHandles(context, contours, view, bold) {
  ['endo', 'epi'].forEach((side) => contours[side].forEach((handle) => {
    const [x, y] = place(view, handle);
    context.beginPath();
    context.arc(x, y, 2.6 * bold, 0, 7);
    context.fillStyle = INK[side];
    context.fill();
    [context.lineWidth, context.strokeStyle] = [1, INK.halo];
    context.stroke();
  }));
}

function drawPoint(context, [x, y], colour, letter) {
  context.beginPath();
  context.arc(x, y, 6, 0, 7);
  [context.lineWidth, context.strokeStyle, context.fillStyle] = [4, INK.halo, colour];
  context.stroke();
  context.fill();
  [context.fillStyle, context.textAlign, context.textBaseline] = ['#000', 'center', 'middle'];
  context.font = '700 9px system-ui, sans-serif';
  context.fillText(letter, x, y + 0.5);
}

// Returns the points that can be dragged: name, place, colour, letter.
export function pointsOf(model) {
  const { state, moving } = model.slice;
  const found = state.septum && state.septum.point ? [['septum', state.septum.point, INK.septum, 'S']] : [];
  (state.insertion || model.slice.placed || []).forEach((point, k) => found.push([`insertion ${k}`, point, INK.insertion, 'I']));
  return found.map(([name, point, ...look]) => [name, moving && moving.name === name ? moving.point : point, ...look]);
}

function drawScale(context, model, view, height) {
  const length = (20 / model.slice.spacing_mm[1]) * view.sx;
  context.fillStyle = INK.text;
  context.fillRect(12, height - 14, length, 3);
  write(context, '20 mm', 12, height - 24);
}

function write(context, text, x, y) {
  [context.textAlign, context.textBaseline, context.lineJoin, context.font] = ['left', 'middle', 'round', '600 12px system-ui, sans-serif'];
  [context.lineWidth, context.strokeStyle, context.fillStyle] = [3, INK.halo, INK.text];
  context.strokeText(text, x, y);
  context.fillText(text, x, y);
}

function drawAxis(context, model, view) {
  const [from, to] = [place(view, model.slice.axis), place(view, onLine(model, model.slice.depth))];
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.setLineDash([3, 5]);
  [context.lineWidth, context.strokeStyle] = [1.3, 'rgba(255, 255, 255, 0.75)'];
  context.stroke();
  context.setLineDash([]);
  context.beginPath();
  context.arc(...to, 5, 0, 7);
  context.fillStyle = 'rgba(255, 255, 255, 0.9)';
  context.fill();
}

function drawStrokes(context, model, view) {
  (model.strokes || []).forEach((stroke) => {
    context.beginPath();
    stroke.forEach((point) => context.lineTo(...place(view, point)));
    context.setLineDash([5, 4]);
    [context.lineWidth, context.strokeStyle] = [2, '#fff'];
    context.stroke();
    context.setLineDash([]);
  });
}

function drawDisc(context, model, view) {
  if (!model.pointer || model.tool !== 'push' || model.playing) return;
  context.beginPath();
  context.ellipse(...place(view, model.pointer), model.disc * view.sx, model.disc * view.sy, 0, 0, 7);
  [context.lineWidth, context.strokeStyle, context.fillStyle] = [1.3, '#fff', 'rgba(255, 255, 255, 0.12)'];
  context.fill();
  context.stroke();
}

function drawLayer(canvas, model, view) {
  const { context, height } = prepare(canvas);
  const contours = contoursOf(model, model.chosen, model.frame);
  const bold = Math.max(1, height / 700); // on a large monitor
  if (model.contours && contours) drawContours(context, contours, view, { width: 1.8 * bold });
  if (model.contours && model.asked && model.asked.item.index === model.chosen) {
    const would = model.asked.state.frames[model.frame];
    if (would.endo && would.epi) drawContours(context, would, view, { dash: [6, 4], width: 2.2 * bold });
  }
  drawScale(context, model, view, height);
  if (!model.playing) {
    if (model.contours) {
      drawAxis(context, model, view);
      if (contours && model.tool === 'pull') drawHandles(context, contours, view, bold);
      pointsOf(model).forEach(([, point, colour, letter]) => drawPoint(context, place(view, point), colour, letter));
    }
    drawStrokes(context, model, view);
    drawDisc(context, model, view);
  }
  write(context, describe(model), 12, 18);
  if (!contours && !model.playing) write(context, 'No contour: draw the inner, then the outer border; or press in the centre and drag outwards', 12, 38);
}

export function createStage(model) {
  const stage = document.getElementById('stage');
  const [picture, layer] = stage.querySelectorAll('canvas');
  function draw(changed) {
    if (!model.slice) return;
    const view = viewOf(model.slice, stage.clientWidth, stage.clientHeight, model.zoom, model.middle || undefined);
    drawPicture(picture, model, view);
    drawLayer(layer, model, view);
    if (!changed || changed.has('brightness') || changed.has('contrast')) {
      picture.style.filter = `brightness(${model.brightness}) contrast(${model.contrast})`;
    }
    stage.dataset.map = [view.x, view.y, view.sx, view.sy].map((v) => v.toFixed(3)).join(' ');
    [stage.dataset.frame, stage.dataset.slice] = [model.frame, model.chosen];
    stage.dataset.tool = model.tool;
  }
  model.on(draw);
  new ResizeObserver(() => draw()).observe(stage);
}
