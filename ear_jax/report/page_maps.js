// The 24 sectors of a slice: as a ring at the current frame, seen as in the picture, and as a map over the cycle.

const MAP = { width: 520, left: 34, right: 8, top: 4, height: 216, foot: 64 };
const RING = { size: 230, outer: 84, inner: 46 };

const css = (rgb) => `rgb(${rgb.join(',')})`;

// Screen angle in rad of the septal point about the centre: sectors run clockwise from it.
function septalAngle(motion, frame) {
  const known = (path) => path[frame] || path.find(Boolean) || [0, 0];
  const [septum, centre] = [known(motion.septum), known(motion.centre)];
  return Math.atan2(septum[1] - centre[1], septum[0] - centre[0]);
}

function wedge(from, to, inner, outer) {
  const p = (angle, r) => `${(r * Math.cos(angle)).toFixed(2)} ${(r * Math.sin(angle)).toFixed(2)}`;
  return `M${p(from, inner)}L${p(from, outer)}A${outer} ${outer} 0 0 1 ${p(to, outer)}L${p(to, inner)}A${inner} ${inner} 0 0 0 ${p(from, inner)}Z`;
}

// Returns the first of the 24 sectors that the chosen region covers and the one after its last; null for none.
function covered(state) {
  const size = { angular24: 1, angular6: 4 }[state.group];
  return size && state.region !== null ? [size * state.region, size * (state.region + 1)] : null;
}

function drawRing(root, state, study) {
  const { motion, frame, component } = state;
  const start = septalAngle(motion, frame);
  const step = (2 * Math.PI) / 24;
  const angle = (k) => start + k * step;
  root.replaceChildren();
  motion.curves.angular24.forEach((curve, k) => {
    const value = curve[component][frame];
    const fill = value === null ? '#eef1f4' : css(colourOf(value, component, study));
    const path = svg('path', { d: wedge(angle(k), angle(k + 1), RING.inner, RING.outer), fill, 'data-sector': k });
    path.append(svg('title', {}, `${motion.names.angular24[k]}: ${show(value)} cm/s`));
    root.append(path);
  });
  motion.names.angular6.forEach((name, k) => {
    const [from, middle] = [angle(4 * k), angle(4 * k + 2)];
    const [c, s] = [Math.cos(from), Math.sin(from)];
    root.append(svg('line', { x1: c * RING.inner, y1: s * RING.inner, x2: c * (RING.outer + 6), y2: s * (RING.outer + 6), class: 'border' }));
    const far = RING.outer + 16;
    root.append(svg('text', { x: far * Math.cos(middle), y: far * Math.sin(middle) + 4, 'text-anchor': 'middle' }, name));
  });
  const chosen = covered(state);
  if (chosen) root.append(svg('path', { d: wedge(...chosen.map(angle), RING.inner, RING.outer), class: 'chosen' }));
  root.append(svg('text', { y: -2, 'text-anchor': 'middle', class: 'title' }, ['Long.', 'Rad.', 'Circ.'][component]));
  root.append(svg('text', { y: 14, 'text-anchor': 'middle' }, state.data.interval === null ? `frame ${frame}` : `${(frame * state.data.interval).toFixed(0)} ms`));
}

// Returns the map as a picture of one pixel a sector and frame.
function mapPicture(state, study) {
  const sectors = state.motion.curves.angular24;
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [state.data.frames, sectors.length];
  const context = canvas.getContext('2d');
  sectors.forEach((curve, k) => curve[state.component].forEach((value, frame) => {
    context.fillStyle = value === null ? '#d9e0e6' : css(colourOf(value, state.component, study));
    context.fillRect(frame, k, 1, 1);
  }));
  return canvas.toDataURL();
}

// The colour scale with its ends, under the map.
function drawColourScale(root, state, study) {
  const [x, y, wide] = [MAP.left + 130, MAP.top + MAP.height + 42, 220];
  const limit = study.ranges[state.component];
  for (let k = 0; k < wide; k += 2) {
    root.append(svg('rect', { x: x + k, y, width: 2.2, height: 9, fill: css(colourOf(((2 * k) / (wide - 2) - 1) * limit, state.component, study)) }));
  }
  root.append(svg('text', { x: x - 8, y: y + 9, 'text-anchor': 'end' }, `−${limit}`));
  root.append(svg('text', { x: x + wide + 8, y: y + 9 }, `+${limit} cm/s`));
}

function drawMap(root, state, study) {
  const { data } = state;
  const wide = MAP.width - MAP.left - MAP.right;
  const tall = MAP.height / 24;
  root.replaceChildren(svg('image', {
    href: mapPicture(state, study), x: MAP.left, y: MAP.top, width: wide, height: MAP.height, preserveAspectRatio: 'none', class: 'pixels',
  }));
  state.motion.names.angular6.forEach((name, k) => {
    const y = MAP.top + 4 * k * tall;
    if (k) root.append(svg('line', { x1: MAP.left - 4, x2: MAP.left + wide, y1: y, y2: y, class: 'border' }));
    root.append(svg('text', { x: MAP.left - 7, y: y + 2 * tall + 4, 'text-anchor': 'end' }, name));
  });
  for (const [frame, text] of timeTicks(data)) {
    const x = MAP.left + ((frame + 0.5) / data.frames) * wide;
    root.append(svg('text', { x, y: MAP.top + MAP.height + 16, 'text-anchor': 'middle' }, text));
  }
  const unit = data.interval === null ? 'frame' : 'ms';
  root.append(svg('text', { x: MAP.width - MAP.right, y: MAP.top + MAP.height + 31, 'text-anchor': 'end' }, unit));
  const chosen = covered(state);
  if (chosen) {
    const [first, end] = chosen;
    root.append(svg('rect', { x: MAP.left, y: MAP.top + first * tall, width: wide, height: (end - first) * tall, class: 'chosen' }));
  }
  drawColourScale(root, state, study);
}

// Pressing a place of the map goes to its frame and chooses its sector.
function createMap(section, state, study) {
  const root = svg('svg', {
    viewBox: `0 0 ${MAP.width} ${MAP.height + MAP.foot}`, role: 'img', 'aria-label': `Velocity of 24 sectors over the cycle, ${state.data.name}`,
  });
  section.querySelector('.map > div').append(root);
  const layer = svg('g');
  const cursor = svg('rect', { y: MAP.top, height: MAP.height, class: 'now' });
  const tip = svg('title');
  root.append(tip, layer, cursor);
  const wide = MAP.width - MAP.left - MAP.right;
  const locate = (event) => {
    const box = root.getBoundingClientRect();
    const scale = MAP.width / box.width;
    const within = (value, count) => Math.min(Math.max(Math.floor(value * count), 0), count - 1);
    return [
      within(((event.clientX - box.left) * scale - MAP.left) / wide, state.data.frames),
      within(((event.clientY - box.top) * scale - MAP.top) / MAP.height, 24),
    ];
  };
  const go = (event) => {
    const [frame, region] = locate(event);
    state.set({ playing: false, frame, group: 'angular24', region });
  };
  root.addEventListener('pointerdown', (event) => { root.setPointerCapture(event.pointerId); go(event); });
  root.addEventListener('pointermove', (event) => {
    if (event.buttons & 1) go(event);
    const [frame, k] = locate(event);
    const { angular24 } = state.motion.curves;
    tip.textContent = `${state.motion.names.angular24[k]}, ${timeOf(state.data, frame)}: ${show(angular24[k][state.component][frame])} cm/s`;
  });
  const follow = () => {
    cursor.setAttribute('x', MAP.left + (state.frame / state.data.frames) * wide);
    cursor.setAttribute('width', wide / state.data.frames);
  };
  const redraw = () => drawMap(layer, state, study);
  state.on((changes) => {
    if ('component' in changes || 'group' in changes || 'region' in changes) redraw();
    follow();
  });
  redraw();
  follow();
}

function createRing(section, state, study) {
  const half = RING.size / 2;
  const root = svg('svg', { viewBox: `${-half} ${-half} ${RING.size} ${RING.size}`, role: 'img', 'aria-label': `Velocity of 24 sectors at the frame, ${state.data.name}` });
  section.querySelector('.ring > div').append(root);
  root.addEventListener('click', (event) => {
    const sector = event.target.closest('[data-sector]');
    if (sector) state.set({ group: 'angular24', region: Number(sector.dataset.sector) });
  });
  state.on(() => drawRing(root, state, study));
  drawRing(root, state, study);
}
