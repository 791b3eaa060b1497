// What the contours do: velocity, area and strain over the cycle, before the first edit (dashed) and now.

const [WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM] = [280, 112, 34, 18, 6, 14];
const SVG = 'http://www.w3.org/2000/svg';

function element(name, attributes = {}, text = '') {
  const made = document.createElementNS(SVG, name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.textContent = text;
  return made;
}

// Returns the panels there are: title, unit, lines now and before.
function panels(state) {
  const { curves, areas } = state;
  const found = [];
  ['longitudinal', 'radial', 'circumferential'].forEach((name) => {
    if (curves) found.push([name, 'cm/s', [['now', curves.now[name]]], [curves.before[name]]]);
  });
  if (areas) {
    const cm2 = (line) => line.map((mm2) => (mm2 === null ? null : mm2 / 100));
    found.push(['areas', 'cm²', [['endo', cm2(areas.endo)], ['epi', cm2(areas.epi)]], [cm2(areas.before.endo), cm2(areas.before.epi)]]);
  }
  if (curves && curves.strain) {
    ['radial', 'circumferential'].forEach((name) => {
      found.push([`${name} strain`, '%', [['now', curves.strain.now[name]]], [curves.strain.before[name]]]);
    });
  }
  return found;
}

function path(line, x, y) {
  let text = '';
  line.forEach((value, frame) => {
    if (value === null) return;
    text += `${frame && line[frame - 1] !== null ? 'L' : 'M'}${x(frame).toFixed(1)} ${y(value).toFixed(1)}`;
  });
  return text;
}

// Returns two to five round numbers of an axis.
function ticks(low, high) {
  const power = 10 ** Math.floor(Math.log10((high - low) / 2));
  const step = power * [5, 2, 1].find((one) => one * power <= (high - low) / 2);
  const count = Math.floor(high / step + 1e-9) - Math.ceil(low / step - 1e-9) + 1;
  return [...Array(count).keys()].map((k) => Number(((Math.ceil(low / step - 1e-9) + k) * step).toPrecision(6)));
}

function panel([title, unit, now, before], frames) {
  const root = element('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': `${title} over the cycle, in ${unit}` });
  const values = [...now.map(([, line]) => line), ...before].filter(Boolean).flat().filter((v) => v !== null && Number.isFinite(v));
  if (!values.length) return [root, null];
  let [low, high] = [Math.min(...values, 0), Math.max(...values, 0)];
  if (high - low < 1e-6) high = low + 1;
  const x = (frame) => LEFT + ((frame + 0.5) / frames) * (WIDTH - LEFT - RIGHT);
  const y = (value) => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  root.append(element('line', { class: 'zero', x1: LEFT, x2: WIDTH - RIGHT, y1: y(0), y2: y(0) }));
  ticks(low, high).forEach((value) => {
    root.append(element('line', { class: 'zero', x1: LEFT - 3, x2: LEFT, y1: y(value), y2: y(value) }));
    root.append(element('text', { x: LEFT - 5, y: y(value) + 4, 'text-anchor': 'end' }, String(value)));
  });
  before.filter(Boolean).forEach((line) => root.append(element('path', { class: 'before', d: path(line, x, y) })));
  now.filter(([, line]) => line).forEach(([name, line]) => root.append(element('path', { class: `line ${name}`, d: path(line, x, y) })));
  const heading = element('text', { class: 'title', x: LEFT, y: 11 }, title[0].toUpperCase() + title.slice(1));
  heading.append(element('tspan', { class: 'soft', dx: 5 }, unit));
  const cursor = element('line', { class: 'cursor', y1: TOP - 2, y2: HEIGHT - BOTTOM + 2 });
  const value = element('text', { class: 'value', x: WIDTH - RIGHT, y: 11, 'text-anchor': 'end' });
  root.append(heading, cursor, value);
  return [root, (frame) => {
    [['x1', x(frame)], ['x2', x(frame)]].forEach(([key, at]) => cursor.setAttribute(key, at));
    value.textContent = now.map(([, line]) => (line && line[frame] !== null ? line[frame].toFixed(1).replace(/^-0\.0$/, '0.0') : '–')).join(' / ');
  }];
}

export function createCurves(model) {
  const place = document.getElementById('curves');
  let [shown, cursors] = [null, []];
  function draw(state) {
    shown = state;
    cursors = [];
    place.replaceChildren(...panels(state).map((one) => {
      const [root, cursor] = panel(one, model.frames);
      if (cursor) cursors.push(cursor);
      return root;
    }));
    if (!place.childElementCount) place.textContent = 'No curves: the gate of this slice, or missing contours, withhold them.';
  }
  function go(event) {
    const root = event.target.closest('svg');
    if (!root || !(event.buttons & 1)) return;
    const box = root.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDTH - LEFT;
    model.go(Math.min(Math.max(Math.floor((x / (WIDTH - LEFT - RIGHT)) * model.frames), 0), model.frames - 1));
  }
  place.addEventListener('pointerdown', go);
  place.addEventListener('pointermove', go);
  model.on((changed) => {
    if (!model.slice) return;
    const asked = model.asked && model.asked.item.index === model.chosen;
    const state = asked ? model.asked.state : model.slice.state;
    if (state !== shown || changed.has('chosen')) draw(state);
    if (['frame', 'slices', 'chosen', 'asked'].some((key) => changed.has(key))) cursors.forEach((cursor) => cursor(model.frame));
  });
}
