// The quality gate's verdict of the chosen slice and its reason; the study's verdict in the header.

const SIGNS = { pass: '✓', warn: '!', fail: '✗' };

export function badge(place, verdict) {
  place.className = `badge ${SIGNS[verdict] ? verdict : 'absent'}`;
  place.textContent = `${SIGNS[verdict] || '–'} ${verdict || 'not begun'}`;
}

const ofStudy = (model) => model.study.checks.filter((check) => !check.slice);

// The worst of the slices' verdicts, and of the checks of the study as a whole.
function worst(model) {
  const found = [...model.slices.map((slice) => slice.state.verdict), ...ofStudy(model).map((check) => check.status)];
  return ['fail', 'warn', 'pass'].find((verdict) => found.includes(verdict));
}

export function createGate(model) {
  const [verdict, why, expected, study] = ['#gate .badge', '#why', '#expected', '#why-study'].map((s) => document.querySelector(s));
  const whole = document.querySelector('header .badge');
  let said = '';
  model.on((changed) => {
    if (!model.slice || !['slices', 'chosen', 'asked'].some((key) => changed.has(key))) return;
    const asked = model.asked && model.asked.item.index === model.chosen;
    const state = asked ? model.asked.state : model.slice.state;
    const text = [model.study.index, model.chosen, state.verdict, state.why, state.dice_expected].join();
    badge(whole, worst(model));
    if (text === said) return; // it is read aloud
    said = text;
    badge(verdict, state.verdict);
    const empty = state.frames.every((frame) => !frame.endo);
    why.textContent = empty ? 'No contours yet: draw them in one frame, the others follow.' : state.why;
    study.textContent = ofStudy(model).filter((check) => check.status !== 'pass').map((check) => `The study, ${check.check}: ${check.detail}`).join('; ');
    const dice = state.dice_expected;
    expected.textContent = Number.isFinite(dice) && dice !== null ? `expected Dice ${dice.toFixed(2)}` : '';
  });
}
