// Buttons and switches: what they show is the model's, what they do is in `actions`.

import { editedFrames } from './model.js';

export function createToolbar(model, actions, studies) {
  const find = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];

  all('[data-act]').forEach((button) => button.addEventListener('click', () => {
    if (model.slice || ['help', 'list'].includes(button.dataset.act)) actions[button.dataset.act]();
  }));
  all('.views button').forEach((button) => button.addEventListener('click', () => studies.look(button.dataset.view)));
  all('[data-number]').forEach((field) => field.addEventListener('input', () => model.set({ [field.dataset.number]: Number(field.value) })));
  all('dialog .close').forEach((button) => button.addEventListener('click', () => button.closest('dialog').close()));
  find('#ask').addEventListener('change', (event) => model.set({ ask: event.target.checked }));

  function asked() {
    const place = find('#asked');
    place.hidden = !model.asked;
    if (!model.asked) return;
    const { item, state } = model.asked;
    const now = model.slices[item.index].state.frames;
    const follow = state.frames.filter((frame, k) => !(item.frames && item.frames[k]) && JSON.stringify([frame.endo, frame.epi]) !== JSON.stringify([now[k].endo, now[k].epi]));
    place.querySelector('span').textContent = follow.length === 1 ? 'One other frame would follow (dashed).' : `${follow.length} other frames would follow (dashed).`;
  }

  function show(changed) {
    if (model.playing && changed.size === 1 && changed.has('frame')) return;
    all('[data-act][data-tool]').forEach((button) => button.setAttribute('aria-pressed', button.dataset.tool === model.tool));
    all('[data-number]').forEach((field) => { field.value = model[field.dataset.number]; });
    find('#size').classList.toggle('unused', !['pull', 'push'].includes(model.tool)); // keeps its place: nothing moves
    const field = find('#size input');
    [field.dataset.number, field.min, field.max, field.step] = model.tool === 'push' ? ['disc', 1.5, 40, 0.5] : ['reach', 6, 80, 1];
    field.value = model[field.dataset.number];
    find('#size span').textContent = model.tool === 'push' ? 'Disc' : 'Reach';
    const play = find('[data-act=play]');
    play.textContent = model.playing ? '❚❚' : '▶';
    play.setAttribute('aria-label', model.playing ? 'Pause' : 'Play');
    find('[data-act=contours]').setAttribute('aria-pressed', model.contours);
    find('#ask').checked = model.ask;
    document.body.dataset.busy = model.busy;
    if (!model.slice) return;
    const { state, views } = model.slice;
    all('.views button').forEach((button) => {
      button.hidden = !views[button.dataset.view] || Object.keys(views).length < 2;
      button.setAttribute('aria-pressed', button.dataset.view === model.view);
    });
    const behind = model.slices.some((slice) => slice.state.version !== slice.saved);
    find('[data-act=save] span').textContent = behind ? 'Save •' : 'Save';
    find('[data-act=save]').title = behind ? 'Edits are on the disk; the results do not hold the last ones yet' : 'Write the results';
    find('[data-act=undo]').disabled = !state.undo;
    find('[data-act=redo]').disabled = !state.redo;
    const { box, rows, columns } = model.slice;
    find('[data-act=whole]').hidden = box[2] === rows && box[3] === columns;
    const edited = editedFrames(model).map((k) => state.frames[k].state);
    find('[data-act=pin]').setAttribute('aria-pressed', edited.every((one) => one === 'pinned'));
    find('[data-act=free]').disabled = edited.every((one) => one === 'free');
    if (changed.has('asked')) asked();
  }
  model.on(show);
}
