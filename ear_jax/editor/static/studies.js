// Opening studies: the list with verdicts, what is done, what is next; all pictures of a study at once.

import { get, picture, post } from './api.js';
import { badge } from './gate.js';
import { contoursOf } from './model.js';
import { centroid, polar } from './ring.js';
import { say } from './say.js';
import { wholeView } from './stage.js';

const wait = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// Where the M-mode's line begins, and how many pixels it is long.
export function placeAxis(model, index) {
  const slice = model.slices[index];
  const all = [...Array(slice.frames).keys()].map((frame) => contoursOf(model, index, frame)).filter(Boolean);
  const [top, left, high, wide] = slice.box;
  slice.measured = all.length > 0;
  slice.axis = [top + high / 2, left + wide / 2];
  slice.depth = Math.min(high, wide) / 2;
  if (!all.length) return;
  const centres = all.map((contours) => centroid(contours.endo));
  slice.axis = [0, 1].map((k) => centres.reduce((sum, centre) => sum + centre[k], 0) / centres.length);
  slice.depth = 1.35 * Math.max(...all.flatMap((contours) => contours.epi.map((point) => polar(point, slice.axis)[1])));
}

const progress = document.getElementById('progress');
const hideProgress = () => { progress.hidden = true; };

function showProgress({ doing, share }) {
  const bar = progress.querySelector('progress');
  progress.hidden = false;
  progress.querySelector('span').textContent = doing || 'Working …';
  if (share > 0) bar.value = share;
  else bar.removeAttribute('value');
}

// Returns the study once its slices are read and delineated, and shows how far that is until then.
async function delineated(index) {
  for (;;) {
    const found = await get(`/api/study/${index}`);
    if (found.slices) return found;
    showProgress(found);
    await wait(300);
  }
}

// Shows what the program does while `work` lasts.
async function watched(index, work) {
  let over = false;
  const finished = work.finally(() => { over = true; });
  const either = finished.catch(() => {});
  await Promise.race([either, wait(300)]);
  while (!over) {
    const now = await get(`/api/study/${index}/progress`).catch(() => ({}));
    if (!over) showProgress(now);
    await Promise.race([either, wait(400)]);
  }
  return finished;
}

export function createStudies(model) {
  const dialog = document.getElementById('studies');
  const body = dialog.querySelector('tbody');

  async function open(index) {
    dialog.close();
    model.set({ playing: false, asked: null, strokes: null, banner: null, run: null });
    showProgress({ doing: 'Opening' });
    const name = document.getElementById('study-name');
    if (!model.study) name.textContent = 'A study is being opened …';
    try {
      await load(index);
    } catch (error) {
      if (!model.study) name.textContent = 'No study is open';
      say(model, error.message, 'error');
      if (model.studies.length > 1) list();
    } finally {
      hideProgress();
    }
  }

  async function load(index) {
    const study = await delineated(index);
    showProgress({ doing: 'Fetching the pictures' });
    const slices = await Promise.all(study.slices.map(async (slice, number) => {
      const [state, magnitude] = await Promise.all([get(`/api/study/${index}/slice/${number}`), picture(slice.views.magnitude)]);
      const spacing_mm = slice.spacing_mm.map((mm) => mm || 1); // unknown: square pixels
      return { ...slice, spacing_mm, state, saved: state.version, sent: [], sheets: { magnitude } };
    }));
    model.slices.forEach((slice) => Object.values(slice.sheets).forEach((sheet) => sheet.close()));
    model.set({ study, slices, chosen: Math.min(Math.floor(slices.length / 2), slices.length - 1), frame: 0, zoom: 1, middle: null, view: 'magnitude' });
    slices.forEach((_, k) => placeAxis(model, k));
    document.getElementById('study-name').textContent = study.name;
    document.title = `${study.name} – contours`;
    document.getElementById('done').setAttribute('aria-pressed', Boolean(study.done));
    document.getElementById('stage').focus();
    document.body.dataset.ready = 'true';
  }

  function row(study, next) {
    const line = document.createElement('tr');
    const button = Object.assign(document.createElement('button'), { type: 'button', textContent: study.name });
    button.addEventListener('click', () => open(study.index));
    if (next) button.autofocus = true;
    if (study.error) button.disabled = true;
    const sign = document.createElement('span');
    badge(sign, study.verdict);
    [button, sign, study.error || study.state, study.slices, study.corrected_frames].forEach((content) => {
      const cell = document.createElement('td');
      cell.append(content);
      line.append(cell);
    });
    line.className = next ? 'next' : '';
    return line;
  }

  const unfinished = () => model.studies.find((one) => one.state !== 'done' && !one.error);

  async function refresh() {
    const found = await get('/api/list');
    model.set({ person: found.person, studies: found.studies });
    document.getElementById('person').textContent = `Save as reader: ${found.person}`;
    document.body.dataset.studies = found.studies.length > 1 ? 'many' : 'one';
    body.replaceChildren(...found.studies.map((one) => row(one, one === unfinished())));
    const done = found.studies.filter((one) => one.state === 'done').length;
    document.getElementById('done-count').textContent = `${done} of ${found.studies.length} done.`;
  }

  // The gate's verdict on the study as it is now: what the results say when they are saved.
  async function judge() {
    const { study, slices } = model;
    await wait(100);
    if (!study || model.busy) return; // more is coming; this is asked again after it
    try {
      await Promise.all(slices.map(async (slice, number) => {
        if (!slice.state.unjudged) return;
        const state = await get(`/api/study/${study.index}/slice/${number}`);
        if (slice.state.version === state.version && state.frames) slice.state = state;
      }));
      const now = await get(`/api/study/${study.index}`);
      if (model.study !== study || !now.slices) return;
      [study.verdict, study.checks] = [now.verdict, now.checks];
      model.set({ study, slices: model.slices });
    } catch (error) {
      if (!error.away) say(model, error.message, 'error');
    }
  }

  async function list() {
    try {
      await refresh();
      if (!dialog.open) dialog.showModal();
    } catch (error) {
      say(model, error.message, 'error');
    }
  }

  async function start() {
    try {
      await refresh();
    } catch (error) {
      say(model, error.message, 'error');
      return;
    }
    if (model.studies.length === 1) await open(model.studies[0].index);
    else if (model.studies.length) dialog.showModal();
    else say(model, 'There is no study here.', 'error');
  }

  async function save() {
    if (!model.study) return;
    const { index } = model.study;
    try {
      while (model.busy) await wait(50); // the last gestures are to be in it
      const [slices, versions] = [model.slices, model.slices.map((slice) => slice.state.version)];
      const saved = await watched(index, post(`/api/study/${index}/save`, {}));
      slices.forEach((slice, k) => { slice.saved = versions[k]; });
      model.set({ slices: model.slices });
      await judge();
      const held = saved.curves_withheld ? ' Curves are withheld until it passes: its reasons are on the page.' : '';
      const links = [[`/study/${index}/report.html`, 'Open the page'], [`/study/${index}/edits.json`, 'who edited what']];
      say(model, `Saved ${saved.files.length} files in ${saved.folder} (the terminal shows where that is); the gate says ${saved.verdict}.${held}`, 'saved', links);
    } catch (error) {
      say(model, error.message, 'error');
    } finally {
      hideProgress();
    }
  }

  async function done() {
    if (!model.study) return;
    const button = document.getElementById('done');
    const now = button.getAttribute('aria-pressed') !== 'true';
    try {
      await post(`/api/study/${model.study.index}/done`, { done: now });
      button.setAttribute('aria-pressed', now);
      await Promise.all([refresh(), judge()]);
      if (now && model.studies.length > 1) list();
    } catch (error) {
      say(model, error.message, 'error');
    }
  }

  // A view's sheet is fetched when it is first looked at.
  async function look(view) {
    try {
      await Promise.all(model.slices.filter((slice) => slice.views[view] && !slice.sheets[view]).map(async (slice) => {
        slice.sheets[view] = await picture(slice.views[view]);
      }));
      model.set({ view });
    } catch (error) {
      say(model, error.message, 'error');
    }
  }

  // The whole picture of the chosen slice: what it began with may be another organ.
  async function whole() {
    const [index, number, slice] = [model.study.index, model.chosen, model.slice];
    try {
      while (model.busy) await wait(50);
      const study = await watched(index, post(`/api/study/${index}/slice/${number}/whole`, {}));
      const { box, tile, views } = study.slices[number];
      const magnitude = await picture(views.magnitude);
      Object.values(slice.sheets).forEach((sheet) => sheet.close());
      Object.assign(slice, { box, tile, views, sheets: { magnitude } });
      model.set({ slices: model.slices, view: 'magnitude', ...wholeView(slice) });
    } catch (error) {
      say(model, error.message, 'error');
    } finally {
      hideProgress();
    }
  }

  return { start, list, save, done, look, whole, judge };
}
