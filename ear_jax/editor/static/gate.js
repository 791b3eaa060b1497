// The quality gate's verdict of the chosen slice and its reason; the study's verdict in the header.

const SIGNS = { pass: '✓', warn: '!', fail: '✗' };

export function badge(place, verdict) {
  place.className = `badge ${SIGNS[verdict] ? verdict : 'absent'}`;
  place.textContent = `${SIGNS[verdict] || '–'} ${verdict || 'not begun'}`;
}

// The worst of the slices' verdicts.
export function worst(slices) {
  return ['fail', 'warn', 'pass'].find((verdict) => slices.some((slice) => slice.state.verdict === verdict));
}

export function createGate(model) {
  const [verdict, why, expected] = ['#gate .badge', '#why', '#expected'].map((s) => document.querySelector(s));
  const whole = document.querySelector('header .badge');
  let said = '';
  model.on((changed) => {
    if (!model.slice || !['slices', 'chosen', 'asked'].some((key) => changed.has(key))) return;
    const asked = model.asked && model.asked.item.index === model.chosen;
    const state = asked ? model.asked.state : model.slice.state;
    const text = [state.verdict, state.why, state.dice_expected].join();
    badge(whole, worst(model.slices));
    if (text === said) return; // it is read aloud
    said = text;
    badge(verdict, state.verdict);
    why.textContent = state.why || '';
    const dice = state.dice_expected;
    expected.textContent = Number.isFinite(dice) && dice !== null ? `expected Dice ${dice.toFixed(2)}` : '';
  });
}
