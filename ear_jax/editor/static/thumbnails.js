// All slices as small cines that play together; a press chooses the one that is edited.

import { drawContours, prepare } from './lines.js';
import { SUSPICIOUS, contoursOf, sameTime } from './model.js';
import { tile } from './sheets.js';
import { viewOf } from './stage.js';

const SMALL = 1.3; // zoom

export function createThumbnails(model, choose) {
  const place = document.getElementById('slices');
  let [buttons, study] = [[], null];

  function build() {
    study = model.study;
    buttons = model.slices.map((slice, index) => {
      const button = Object.assign(document.createElement('button'), { type: 'button', className: 'thumbnail' });
      const name = Object.assign(document.createElement('span'), { className: 'name' });
      button.append(document.createElement('canvas'), name);
      button.addEventListener('click', () => choose(index));
      return button;
    });
    place.replaceChildren(...buttons);
  }

  function label(slice, index) {
    const keys = slice.state.frames.filter((f) => f.state !== 'free').length;
    const doubts = slice.state.frames.filter((f) => f.endo && f.suspicion >= SUSPICIOUS).length;
    const empty = slice.state.frames.filter((f) => !f.endo).length;
    const name = slice.level ? `${slice.level} · ${slice.slice}` : String(slice.slice);
    const facts = [keys && `${keys} key`, doubts && `${doubts} suspicious`, empty && `${empty} empty`].filter(Boolean).join(', ');
    buttons[index].querySelector('.name').replaceChildren(name, ...(facts ? [Object.assign(document.createElement('small'), { textContent: facts })] : []));
    buttons[index].setAttribute('aria-label', `Slice ${name}${facts ? `: ${facts} frames` : ''}`);
    buttons[index].setAttribute('aria-pressed', index === model.chosen);
    buttons[index].dataset.verdict = slice.state.verdict;
  }

  function draw(slice, index) {
    const canvas = buttons[index].querySelector('canvas');
    const { context, width, height } = prepare(canvas);
    const frame = sameTime(model, slice);
    const [top, left, high, wide] = slice.box;
    const view = viewOf(slice, width, height, SMALL);
    context.imageSmoothingEnabled = true;
    context.drawImage(slice.sheets[model.view] || slice.sheets.magnitude, ...tile(slice, frame),
      view.x + (left - 0.5) * view.sx, view.y + (top - 0.5) * view.sy, wide * view.sx, high * view.sy);
    const contours = contoursOf(model, index, frame);
    if (model.contours && contours) drawContours(context, contours, view, { width: 1 });
    const would = model.asked && model.asked.item.index === index && model.asked.state.frames[frame];
    if (would && would.endo && would.epi) drawContours(context, would, view, { width: 1.2, dash: [4, 3] });
  }

  model.on((changed) => {
    if (!model.slice) return;
    if (study !== model.study) build();
    if (changed.has('slices') || changed.has('chosen')) model.slices.forEach(label);
    const all = ['frame', 'slices', 'view', 'contours', 'asked', 'scheme'].some((key) => changed.has(key));
    if (all) model.slices.forEach(draw);
    else if (changed.has('working')) draw(model.slice, model.chosen);
  });
  new ResizeObserver(() => study && study === model.study && model.slices.forEach(draw)).observe(place);
}
