// Starts the page: reads the numbers, makes each slice's views, and sends keys to the slice in use.

const KEYS = {
  ' ': (state) => state.set({ playing: !state.playing }),
  ArrowLeft: (state) => state.go(state.frame - 1),
  ArrowRight: (state) => state.go(state.frame + 1),
  Home: (state) => state.go(0),
  End: (state) => state.go(state.data.frames - 1),
  c: (state) => state.data.prediction && state.set({ prediction: !state.prediction }),
  r: (state) => state.data.reference && state.set({ reference: !state.reference }),
  s: (state) => state.set({ smooth: !state.smooth }),
};

// The buttons of groups and of the chosen group's regions.
function createChoice(section, state) {
  const place = section.querySelector('.regions');
  function rebuild() {
    section.querySelectorAll('button[data-group]').forEach((b) => b.setAttribute('aria-pressed', b.dataset.group === state.group));
    const names = state.group === 'global' ? [] : state.motion.names[state.group];
    place.replaceChildren(...names.map((name, region) => {
      const button = Object.assign(document.createElement('button'), { type: 'button' });
      button.setAttribute('aria-pressed', region === state.region);
      button.addEventListener('click', () => state.set({ region: region === state.region ? null : region }));
      const [stroke, dash] = lineStyle(state, region);
      if (names.length <= 6) {
        const key = svg('svg', { viewBox: '0 0 22 6', 'aria-hidden': 'true' });
        key.append(svg('line', { x1: 0, x2: 22, y1: 3, y2: 3, stroke, 'stroke-width': 3, 'stroke-dasharray': dash }));
        button.append(key);
      }
      button.append(name);
      return button;
    }));
  }
  section.querySelectorAll('button[data-group]').forEach((b) => {
    b.addEventListener('click', () => state.set({ group: b.dataset.group, region: null }));
  });
  state.on((changes) => { if ('group' in changes || 'region' in changes) rebuild(); });
  rebuild();
}

// The buttons of the maps' component; a wall view of the player brings its own component along.
function createComponentChoice(section, state) {
  const buttons = section.querySelectorAll('[data-component]');
  const mark = () => buttons.forEach((b) => b.setAttribute('aria-pressed', Number(b.dataset.component) === state.component));
  buttons.forEach((b) => b.addEventListener('click', () => state.set({ component: Number(b.dataset.component) })));
  state.on((changes) => {
    if ('view' in changes && WALL_VIEWS.includes(changes.view) && state.component !== WALL_VIEWS.indexOf(changes.view)) {
      state.set({ component: WALL_VIEWS.indexOf(changes.view) });
    }
    if ('component' in changes) mark();
  });
  mark();
}

// Fills the marker table with the chosen region; of a group without choice, with the whole wall.
function createMarkerTable(section, state) {
  const [body, title] = [section.querySelector('.markers tbody'), section.querySelector('.region-name')];
  const other = state.data.reference !== state.motion && state.data.reference;
  function cell(tag, text, className) {
    const element = Object.assign(document.createElement(tag), { textContent: text, className: className || '' });
    if (tag === 'th') element.scope = 'row';
    return element;
  }
  state.on((changes) => {
    if (!('group' in changes || 'region' in changes)) return;
    const [group, region] = state.region === null ? ['global', 0] : [state.group, state.region];
    title.textContent = group === 'layers' ? `${state.motion.names[group][region]} layer` : state.motion.names[group][region];
    let last = '';
    body.replaceChildren(...state.motion.markers[group][region].map((m) => {
      const row = document.createElement('tr');
      row.className = m.component === last ? '' : 'first';
      last = m.component;
      const span = (key, digits) =>
        cell('td', m[`${key}_low`] === null ? '' : `${show(m[`${key}_low`], digits)} to ${show(m[`${key}_high`], digits)}`, 'interval');
      row.append(cell('th', m.component, 'text'), cell('th', m.marker), cell('td', show(m.velocity)), span('velocity', 2));
      row.append(...['frame', 'time'].map((key) => cell('td', show(m[key], 0))), span('time', 0));
      row.append(cell('td', show(m.normalised_time, 0)));
      if (other) {
        const match = other.markers[group][region].find((o) => o.component === m.component && o.marker === m.marker) || {};
        row.append(cell('td', show(match.velocity), 'reference'), cell('td', show(match.time, 0), 'reference'));
      }
      return row;
    }));
  });
}

// The slice that keys go to: the one that has the focus, else the one in the middle of the window.
function sliceInUse(slices) {
  const focused = slices.find(({ section }) => section.contains(document.activeElement));
  if (focused) return focused;
  const middle = window.innerHeight / 2;
  const distance = ({ section }) => {
    const box = section.getBoundingClientRect();
    return Math.max(box.top - middle, middle - box.bottom, 0);
  };
  return slices.reduce((best, slice) => (distance(slice) < distance(best) ? slice : best), slices[0]);
}

function listenToKeys(slices) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !slices.length || event.target.matches('select')) return;
    if (event.key === ' ' && event.target.matches('button, a, summary, input[type="checkbox"]')) return;
    if (event.target.matches('[data-scrolls]') && /^(Arrow|Home|End)/.test(event.key)) return;
    const { section, state } = sliceInUse(slices);
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === 'v') {
      const views = [...section.querySelectorAll('[data-view]')].map((button) => button.dataset.view);
      state.set({ view: views[(views.indexOf(state.view) + 1) % views.length] });
    } else if (KEYS[key]) {
      KEYS[key](state);
    } else {
      return;
    }
    event.preventDefault();
  });
}

// What is wider than its place scrolls by keys too; what is not takes no stop of the Tab key.
function reachWhatScrolls() {
  for (const element of document.querySelectorAll('main section, main div:not(.stage), main figure')) {
    const scrolls = element.scrollWidth > element.clientWidth && getComputedStyle(element).overflowX === 'auto';
    if (scrolls) [element.tabIndex, element.dataset.scrolls] = [0, ''];
    else if ('scrolls' in element.dataset) ['tabindex', 'data-scrolls'].forEach((name) => element.removeAttribute(name));
  }
}

function createSlice(section, study) {
  const state = createState(JSON.parse(section.querySelector('.data').textContent));
  const ready = createPlayer(section, state, study);
  if (state.motion) {
    createCurves(section, state, study);
    createMap(section, state, study);
    createRing(section, state, study);
    createChoice(section, state);
    createComponentChoice(section, state);
    createMarkerTable(section, state);
  }
  // After a click with the mouse, keys should play and scrub rather than press the same button again.
  section.addEventListener('click', (event) => {
    if (event.detail > 0 && event.target.closest('button, input[type="checkbox"], svg')) {
      section.querySelector('.stage').focus({ preventScroll: true });
    }
  });
  return { section, state, ready };
}

function start() {
  const study = JSON.parse(document.getElementById('study').textContent);
  const slices = [...document.querySelectorAll('.slice')].map((section) => createSlice(section, study));
  slices.forEach(({ state }) => state.on((changes) => {
    if (changes.playing) slices.forEach((other) => other.state !== state && other.state.playing && other.state.set({ playing: false }));
  }));
  listenToKeys(slices);
  new ResizeObserver(reachWhatScrolls).observe(document.body); // of its height too: details open
  window.addEventListener('beforeprint', () => document.querySelectorAll('details').forEach((d) => { d.open = true; }));
  Promise.all(slices.map(({ ready }) => ready)).then(() => { document.body.dataset.ready = 'true'; });
}

start();
