/** Keys of the viewer. The page owns 1, 2, 3, n, Enter and Escape. */

/** Action -> keys, as KeyboardEvent.key. The page may replace single ones by `data-keys`. */
export const DEFAULT_KEYS = {
  'heat-map': ['h'], 'crop-box': ['b'], 'opacity-down': ['['], 'opacity-up': [']'],
  invert: ['i'], rotate: ['r'], flip: ['f'], 'zoom-in': ['+', '='], 'zoom-out': ['-'], reset: ['0'],
  'pan-left': ['ArrowLeft'], 'pan-right': ['ArrowRight'], 'pan-up': ['ArrowUp'], 'pan-down': ['ArrowDown'],
  window: ['w'], zoom: ['z'], pan: ['p'], length: ['l'], angle: ['a'], magnifier: ['m'],
  'mark-point': ['o'], 'mark-box': ['s'], 'mark-crop': ['k'],
  text: ['t'], maximise: [' '], 'remove-measurement': ['Delete', 'Backspace'],
};
/** These keys mean something else to the rest of a page, so they need a view in focus. */
const NEED_VIEW = /^(pan-.*|maximise|remove-measurement)$/;
const TYPING = 'input:not([type=range], [type=checkbox], [type=radio], [type=button]), textarea, select, [contenteditable]';

/**
 * Call `act(action)` for each key of the viewer until the returned function is called.
 *
 * @param {HTMLElement} root
 * @param {function(string): void} act
 */
export function listenToKeys(root, act) {
  const actions = tableOf(root.dataset.keys);
  const onKey = (event) => {
    const action = actions.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
    if (!action || isForSomeoneElse(event)) return;
    if (NEED_VIEW.test(action) && !event.target.matches?.('.view')) return;
    event.preventDefault();
    act(action);
  };
  document.addEventListener('keydown', onKey);
  return () => document.removeEventListener('keydown', onKey);
}

function isForSomeoneElse(event) {
  // Brackets are typed with AltGr on many European keyboards, which reports itself as Ctrl + Alt.
  const modified = (event.ctrlKey || event.altKey || event.metaKey) && !event.getModifierState('AltGraph');
  return modified || event.defaultPrevented || event.isComposing || Boolean(event.target.closest?.(TYPING));
}

function tableOf(text) {
  const keys = { ...DEFAULT_KEYS };
  for (const [action, key] of Object.entries(JSON.parse(text || '{}'))) keys[action] = [key].flat();
  return new Map(Object.entries(keys).flatMap(([action, names]) => names.map((name) => [name, action])));
}
