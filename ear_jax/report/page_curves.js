// The velocity curves of a slice: three panels over one time axis, drawn as SVG, with a cursor that follows the frame.

const PLOT = { width: 880, left: 48, right: 16, top: 20, panel: 118, gap: 22, strip: 11, foot: 34 };
const STYLE = {
  prediction: '#0072b2', reference: '#d55e00', grid: '#e6ebef', axis: '#52606d', ink: '#1b2733', rest: '#c3ccd4',
  regions: ['#0072b2', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'],
  dashes: ['', '8 3', '2 3', '8 3 2 3', '14 4', '4 2'],
};

// Whether a marker's name goes below it: minima and maxima by their kind; end systole away from the wave beside it.
const SIDE = { PS: false, PC2: false, PC1: true, PD: true, PAS: true };

// Returns an SVG element with attributes and text.
function svg(name, attributes, text) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  Object.entries(attributes || {}).forEach(([key, value]) => element.setAttribute(key, value));
  if (text !== undefined) element.textContent = text;
  return element;
}

const show = (value, digits = 2) => (value === null || value === undefined ? '–' : value.toFixed(digits));
const capital = (word) => word[0].toUpperCase() + word.slice(1);

// Where frames and velocities lie in the drawing.
function scales(data, study, group) {
  const inner = PLOT.width - PLOT.left - PLOT.right;
  const last = Math.max(data.frames - 1, 1);
  const top = (component) => PLOT.top + component * (PLOT.panel + PLOT.gap);
  return {
    top,
    bottom: top(2) + PLOT.panel,
    x: (frame) => PLOT.left + (frame / last) * inner,
    frame: (x) => Math.min(Math.max(Math.round(((x - PLOT.left) / inner) * last), 0), data.frames - 1),
    y: (component, velocity) => {
      const [low, high] = study.axes[group][component];
      return top(component) + ((high - velocity) / (high - low)) * PLOT.panel;
    },
  };
}

// Ticks of the time axis, in ms where the time is known, else in frames: [frame, text].
function timeTicks(data) {
  const unit = data.interval || 1;
  const span = (data.frames - 1) * unit;
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((s) => span / s <= 12) || 2000;
  return Array.from({ length: Math.floor(span / step) + 1 }, (_, k) => [(k * step) / unit, String(k * step)]);
}

function pathOf(values, component, at) {
  let pen = 'M';
  return values.map((value, frame) => {
    if (value === null) { pen = 'M'; return ''; }
    const point = `${pen}${at.x(frame).toFixed(1)} ${at.y(component, value).toFixed(1)}`;
    pen = 'L';
    return point;
  }).join('');
}

function drawPanel(root, state, study, at, component) {
  const { data } = state;
  const top = at.top(component);
  const [low, high, step] = study.axes[state.group][component];
  root.append(svg('rect', { x: PLOT.left, y: top, width: at.x(data.frames - 1) - PLOT.left, height: PLOT.panel, fill: '#fff' }));
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9; k += 1) {
    const y = at.y(component, k * step);
    const stroke = k === 0 ? STYLE.axis : STYLE.grid;
    root.append(svg('line', { x1: PLOT.left, x2: at.x(data.frames - 1), y1: y, y2: y, stroke, 'stroke-width': 1 }));
    root.append(svg('text', { x: PLOT.left - 7, y: y + 4, 'text-anchor': 'end' }, Number((k * step).toPrecision(6))));
  }
  for (const [frame] of timeTicks(data)) {
    const x = at.x(frame);
    root.append(svg('line', { x1: x, x2: x, y1: top, y2: top + PLOT.panel, stroke: STYLE.grid }));
  }
}

function drawTitle(root, study, at, component) {
  const title = svg('text', { x: PLOT.left, y: at.top(component) - 6, class: 'title' }, capital(study.components[component]));
  title.append(svg('tspan', { dx: 6, class: 'soft' }, `cm/s, + ${study.directions[component]}`));
  root.append(title);
}

// Grey bands over frames without contours.
function drawFailed(root, state, at) {
  const { failed } = state.motion;
  const half = (at.x(1) - at.x(0)) / 2;
  failed.forEach((is, frame) => {
    if (!is) return;
    const x = Math.max(at.x(frame) - half, PLOT.left);
    const width = Math.min(at.x(frame) + half, PLOT.width - PLOT.right) - x;
    const band = svg('rect', { x, y: PLOT.top, width, height: at.bottom - PLOT.top, class: 'failed' });
    band.append(svg('title', {}, `frame ${frame}: no contour`));
    root.append(band);
  });
}

// Returns [colour, dash] of a region's line.
function lineStyle(state, region) {
  if (state.group === 'global') return [STYLE.prediction, ''];
  const parent = state.group === 'angular24' ? Math.floor(region / 4) : region;
  return [STYLE.regions[parent], STYLE.dashes[parent]];
}

function drawLines(root, state, at, component) {
  const curves = state.motion.curves[state.group];
  const chosen = state.group === 'global' ? 0 : state.region;
  const compared = chosen !== null && state.data.reference && state.data.reference !== state.motion;
  const order = curves.map((_, region) => region).sort((a, b) => (a === chosen) - (b === chosen)); // chosen on top
  if (compared) {
    const values = state.data.reference.curves[state.group][chosen][component];
    root.append(svg('path', {
      d: pathOf(values, component, at), class: 'curve reference', stroke: STYLE.reference, 'stroke-width': 1.8, 'stroke-dasharray': '6 4',
    }));
  }
  for (const region of order) {
    const [colour, dash] = lineStyle(state, region);
    const strong = chosen === null || chosen === region;
    root.append(svg('path', {
      d: pathOf(curves[region][component], component, at), class: 'curve', 'data-region': region, 'stroke-dasharray': region === chosen ? '' : dash,
      stroke: strong ? colour : STYLE.rest, 'stroke-width': region === chosen ? 2.4 : curves.length > 6 ? 1.1 : 1.6,
    }));
  }
}

// Symbols and names of the markers of the chosen region: filled for ours, open diamonds for the reference.
function drawMarkers(root, state, study, at, component) {
  const chosen = state.group === 'global' ? 0 : state.region;
  if (chosen === null) return;
  const own = (motion) => motion.markers[state.group][chosen]
    .filter((m) => m.component === study.components[component] && m.velocity !== null && m.frame !== null);
  if (state.data.reference && state.data.reference !== state.motion) {
    for (const m of own(state.data.reference)) {
      const [x, y] = [at.x(m.frame), at.y(component, m.velocity)];
      root.append(svg('path', { d: `M${x} ${y - 5}l5 5l-5 5l-5 -5Z`, fill: '#fff', stroke: STYLE.reference, 'stroke-width': 1.6 }));
    }
  }
  const taken = { true: [0, 0], false: [0, 0] }; // where the last name ended below and above the curve: x, y
  for (const m of own(state.motion).sort((a, b) => a.frame - b.frame)) {
    const [x, y] = [at.x(m.frame), at.y(component, m.velocity)];
    const es = m.marker === 'ES';
    const below = es ? m.velocity >= 0 : m.marker in SIDE ? SIDE[m.marker] : m.velocity < 0;
    const wide = es ? 20 : 62;
    const textY = below ? Math.min(y + 17, at.top(component) + PLOT.panel - 3) : Math.max(y - 9, at.top(component) + 11);
    const [end, endY] = taken[below];
    const free = Math.abs(textY - endY) < 13 ? Math.max(x, end + wide / 2) : x;
    const textX = Math.min(Math.max(free, PLOT.left + wide / 2), PLOT.width - PLOT.right - wide / 2);
    taken[below] = [textX + wide / 2, textY];
    root.append(svg('circle', { cx: x, cy: y, r: 4, fill: es ? '#fff' : STYLE.ink, stroke: STYLE.ink, 'stroke-width': 1.6 }));
    const label = svg('text', { x: textX, y: textY, 'text-anchor': 'middle', class: 'marker' }, m.marker);
    if (!es) label.append(svg('tspan', { dx: 4, class: 'value' }, show(m.velocity, 1)));
    root.append(label);
  }
}

// The time axis and, where there is one, the strip of uncertainty: the darker, the less certain.
function drawAxis(root, state, at) {
  const { data } = state;
  let y = at.bottom;
  if (data.uncertainty) {
    const most = Math.max(...data.uncertainty, 1e-9);
    const half = (at.x(1) - at.x(0)) / 2;
    y += 6;
    data.uncertainty.forEach((value, frame) => {
      const x = Math.max(at.x(frame) - half, PLOT.left);
      const width = Math.min(at.x(frame) + half, PLOT.width - PLOT.right) - x;
      const cell = svg('rect', { x, y, width, height: PLOT.strip, fill: STYLE.ink, 'fill-opacity': value === null ? 0 : 0.06 + (0.8 * value) / most });
      cell.append(svg('title', {}, `uncertainty of frame ${frame}: ${value === null ? 'unknown' : value.toPrecision(3)}`));
      root.append(cell);
    });
    root.append(svg('text', { x: PLOT.left - 7, y: y + PLOT.strip - 2, 'text-anchor': 'end', class: 'small' }, 'uncert.'));
    y += PLOT.strip;
  }
  for (const [frame, text] of timeTicks(data)) {
    root.append(svg('text', { x: at.x(frame), y: y + 16, 'text-anchor': 'middle' }, text));
  }
  root.append(svg('text', { x: PLOT.width - PLOT.right, y: y + 31, 'text-anchor': 'end' }, data.interval === null ? 'frame' : 'time after the first frame (ms)'));
  return y + PLOT.foot;
}

// One line on velocities at a frame, of the chosen region, ours and the reference's.
function readout(state, study, frame) {
  const chosen = state.group === 'global' ? 0 : state.region;
  const lines = [capital(timeOf(state.data, frame))];
  if (chosen === null) return [...lines, 'choose a region for its values'];
  const other = state.data.reference !== state.motion && state.data.reference;
  study.components.forEach((name, c) => {
    const value = show(state.motion.curves[state.group][chosen][c][frame]);
    lines.push(`${name} ${value}${other ? ` (ref. ${show(other.curves[state.group][chosen][c][frame])})` : ''}`);
  });
  if (state.data.uncertainty) lines.push(`uncertainty ${state.data.uncertainty[frame] === null ? '–' : state.data.uncertainty[frame].toPrecision(2)}`);
  return lines;
}

function createCurves(section, state, study) {
  const place = section.querySelector('.plot');
  const root = svg('svg', { class: 'velocity', role: 'img', 'aria-label': `Velocity curves of ${state.data.name}` });
  const tip = Object.assign(document.createElement('p'), { className: 'tip', hidden: true });
  const now = Object.assign(document.createElement('p'), { className: 'readout' });
  place.append(root, tip, now);
  let [at, cursor] = [null, null];

  function drawAll() {
    root.replaceChildren();
    place.dataset.group = state.group;
    place.dataset.compared = state.group === 'global' || state.region !== null;
    at = scales(state.data, study, state.group);
    for (let c = 0; c < 3; c += 1) drawPanel(root, state, study, at, c);
    drawFailed(root, state, at);
    for (let c = 0; c < 3; c += 1) {
      drawLines(root, state, at, c);
      drawMarkers(root, state, study, at, c);
      drawTitle(root, study, at, c);
    }
    root.setAttribute('viewBox', `0 0 ${PLOT.width} ${drawAxis(root, state, at)}`);
    cursor = svg('g', { class: 'cursor' });
    root.append(cursor);
    drawCursor();
  }
  function drawCursor() {
    const x = at.x(state.frame);
    const chosen = state.group === 'global' ? 0 : state.region;
    cursor.replaceChildren(svg('line', { x1: x, x2: x, y1: PLOT.top, y2: at.bottom }));
    for (let c = 0; c < 3 && chosen !== null; c += 1) {
      const value = state.motion.curves[state.group][chosen][c][state.frame];
      if (value !== null) cursor.append(svg('circle', { cx: x, cy: at.y(c, value), r: 4.5 }));
    }
    now.textContent = readout(state, study, state.frame).join('  ·  ');
  }
  followPointer(root, state, () => at, (frame, event) => {
    tip.hidden = frame === null;
    if (frame === null) return;
    tip.textContent = readout(state, study, frame).join('\n');
    const box = place.getBoundingClientRect();
    const right = event.clientX - box.left > box.width * 0.65;
    tip.style.left = right ? '' : `${event.clientX - box.left + 14}px`;
    tip.style.right = right ? `${box.right - event.clientX + 14}px` : '';
    tip.style.top = `${event.clientY - box.top + 14}px`;
  });
  state.on((changes) => ('group' in changes || 'region' in changes ? drawAll() : drawCursor()));
  drawAll();
}

// Hovering tells the frame under the pointer; pressing and dragging goes there.
function followPointer(root, state, at, hover) {
  const frameAt = (event) => {
    const box = root.getBoundingClientRect();
    return at().frame(((event.clientX - box.left) / box.width) * root.viewBox.baseVal.width);
  };
  const go = (event) => state.go(frameAt(event));
  root.addEventListener('pointerdown', (event) => {
    root.setPointerCapture(event.pointerId);
    go(event);
  });
  root.addEventListener('pointermove', (event) => {
    if (event.buttons & 1) go(event);
    hover(frameAt(event), event);
  });
  root.addEventListener('pointerleave', (event) => hover(null, event));
}
