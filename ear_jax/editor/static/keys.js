// Keys. They work wherever the focus is, but in a dialog or a field of text; a focused slider keeps its arrows.

const PLAIN = {
  ' ': 'play', ArrowLeft: 'before', ArrowRight: 'after', ArrowUp: 'slice-before', ArrowDown: 'slice-after', PageUp: 'slice-before',
  PageDown: 'slice-after', Home: 'first', End: 'last', n: 'suspicious', p: 'pin', f: 'free', Delete: 'clear', Backspace: 'clear',
  1: 'pull', 2: 'push', 3: 'arc', 4: 'move', '[': 'narrower', ']': 'wider', ',': 'turn-left', '.': 'turn-right', c: 'contours',
  v: 'view', 0: 'fit', '+': 'zoom-in', '=': 'zoom-in', '-': 'zoom-out', a: 'ask', i: 'insertion', Enter: 'take', Escape: 'drop', '?': 'help', l: 'list',
};
const CONTROL = { z: 'undo', y: 'redo', s: 'save', a: 'extend-all' };
const SHIFT = { ArrowLeft: 'extend-before', ArrowRight: 'extend-after' };
const ALWAYS = ['help', 'list', 'save', 'done'];

export function createKeys(model, actions) {
  function meant(event) {
    if (event.ctrlKey || event.metaKey) return event.shiftKey && event.key.toLowerCase() === 'z' ? 'redo' : CONTROL[event.key.toLowerCase()];
    if (event.altKey) return undefined;
    return (event.shiftKey && SHIFT[event.key]) || PLAIN[event.key] || PLAIN[event.key.toLowerCase()];
  }
  document.addEventListener('keydown', (event) => {
    const name = meant(event);
    if (!name || document.querySelector('dialog[open]')) return;
    const { tagName, type } = event.target;
    if (tagName === 'SELECT' || (tagName === 'INPUT' && type === 'range' && event.key.startsWith('Arrow'))) return;
    if (tagName === 'BUTTON' && event.key === 'Enter') return;
    if (tagName === 'BUTTON' && event.key === ' ' && event.target.matches(':focus-visible')) return;
    event.preventDefault();
    if (model.slice || ALWAYS.includes(name)) actions[name]();
  });
  // After a press by the pointer the space bar plays; it does not press the button again.
  document.addEventListener('click', (event) => {
    const button = event.target.closest && event.target.closest('button');
    if (button && event.detail > 0 && !button.closest('dialog')) button.blur();
  });
}
