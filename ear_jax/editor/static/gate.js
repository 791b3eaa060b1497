// The quality gate's verdict of the chosen slice and its reason; the study's verdict in the header.

const SIGNS = { pass: '✓', warn: '!', fail: '✗' };

export function badge(place, verdict) {
  place.className = `badge ${SIGNS[verdict] ? verdict : 'absent'}`;
  place.textContent = `${SIGNS[verdict] || '–'} ${verdict || 'not begun'}`;
}

const ofStudy = (model) => model.study.checks.filter((check) => !check.slice);

export function createGate(model) {
  const [verdict, why, expected, study] = ['#gate .badge', '#why', '#expected', '#why-study'].map((s) => document.querySelector(s));
  const whole = document.querySelector('header .badge');
  let said = '';
  model.on((changed) => {
    if (!model.slice || !['slices', 'chosen', 'asked', 'study'].some((key) => changed.has(key))) return;
    const asked = model.asked && model.asked.item.index === model.chosen;
    const state = asked ? model.asked.state : model.slice.state;
    const beyond = ofStudy(model).filter((check) => check.status !== 'pass').map((check) => `The study, ${check.check}: ${check.detail}`).join('; ');
    const text = [model.study.index, model.chosen, state.verdict, state.why, state.dice_expected, beyond].join();
    badge(whole, model.study.verdict);
    if (text === said) return; // it is read aloud
    said = text;
    badge(verdict, state.verdict);
    const empty = state.frames.every((frame) => !frame.endo);
    why.textContent = empty ? 'No contours yet: draw them in one frame, the others follow.' : state.why;
    study.textContent = beyond;
    const dice = state.dice_expected;
    expected.textContent = Number.isFinite(dice) && dice !== null ? `expected Dice ${dice.toFixed(2)}` : '';
  });
}
