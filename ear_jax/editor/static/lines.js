// Contours as lines on a canvas. A frame's curves are worked out once.

import { curve } from './spline.js';

export const INK = { endo: '#56b4e9', epi: '#ffb347', halo: 'rgba(0, 0, 0, 0.6)', septum: '#f0e442', insertion: '#ff9ecb', text: '#fff' };
const known = new WeakMap(); // contours -> Path2D in pixels of the picture, of both sides

function paths(contours) {
  if (!known.has(contours)) {
    known.set(contours, Object.fromEntries(['endo', 'epi'].map((side) => {
      const path = new Path2D();
      curve(contours[side], 4).forEach(([row, column]) => path.lineTo(column, row));
      path.closePath();
      return [side, path];
    })));
  }
  return known.get(contours);
}

// `view` maps pixels to the canvas: x = view.x + column * view.sx, y = view.y + row * view.sy.
export function drawContours(context, contours, view, { width = 1.8, dash = [], alpha = 1 } = {}) {
  const matrix = new DOMMatrix([view.sx, 0, 0, view.sy, view.x, view.y]);
  context.save();
  context.globalAlpha = alpha;
  Object.entries(paths(contours)).forEach(([side, path]) => {
    const line = new Path2D();
    line.addPath(path, matrix);
    context.setLineDash([]);
    [context.lineWidth, context.strokeStyle] = [width + 1.7, INK.halo];
    if (!dash.length) context.stroke(line);
    context.setLineDash(dash);
    [context.lineWidth, context.strokeStyle] = [width, INK[side]];
    context.stroke(line);
  });
  context.restore();
}

export const place = (view, [row, column]) => [view.x + column * view.sx, view.y + row * view.sy];

// Makes a canvas as dense as the screen; returns its context in CSS pixels, and its size.
export function prepare(canvas) {
  const dense = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const size = [Math.round(width * dense), Math.round(height * dense)];
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  const context = canvas.getContext('2d');
  context.setTransform(dense, 0, 0, dense, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

// Returns the colours of the style sheet, of the scheme that holds now.
export function colours() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}
