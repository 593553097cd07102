/** What keys and buttons do. Each action has one name, the same in `data-keys` and `data-viewer-action`. */
import { TOOLS } from './tools.js';

const STEP_PX = 60; // of one arrow key, CSS px
const ZOOM_STEP = 1.25;
const OPACITY_STEP = 0.1;

/** Build the table action -> function for a viewer. */
export function makeActions(viewer) {
  const onView = (change) => () => { if (viewer.current?.isReady) change(viewer.current); };
  const tools = Object.keys(TOOLS).map((name) => [name, () => viewer.chooseTool(name)]);
  return {
    ...Object.fromEntries(tools),
    'heat-map': () => viewer.toggle('heatMap'),
    'crop-box': () => viewer.toggle('cropBox'),
    'opacity-down': () => viewer.setOpacity(viewer.opacity - OPACITY_STEP),
    'opacity-up': () => viewer.setOpacity(viewer.opacity + OPACITY_STEP),
    invert: onView((view) => view.invert()),
    rotate: onView((view) => view.rotate()),
    flip: onView((view) => view.flip()),
    'zoom-in': onView((view) => view.zoom(ZOOM_STEP)),
    'zoom-out': onView((view) => view.zoom(1 / ZOOM_STEP)),
    'pan-left': onView((view) => view.pan(-STEP_PX, 0)),
    'pan-right': onView((view) => view.pan(STEP_PX, 0)),
    'pan-up': onView((view) => view.pan(0, -STEP_PX)),
    'pan-down': onView((view) => view.pan(0, STEP_PX)),
    reset: onView((view) => view.reset()),
    'reset-all': () => viewer.reset(),
    'remove-measurement': onView((view) => view.removeMeasurement()),
    text: () => viewer.toggleText(),
    maximise: () => viewer.maximise(),
  };
}

/** Bind the page's buttons and slider until the returned function is called. */
export function bindToolbar(act, setOpacity) {
  const onClick = ({ target }) => {
    const button = target.closest?.('[data-viewer-action]');
    if (button) act(button.dataset.viewerAction);
  };
  const onInput = ({ target }) => {
    if (!target.matches?.('[data-viewer-opacity]')) return;
    const [min, max] = rangeOf(target);
    setOpacity((target.value - min) / (max - min));
  };
  document.addEventListener('click', onClick);
  document.addEventListener('input', onInput);
  return () => {
    document.removeEventListener('click', onClick);
    document.removeEventListener('input', onInput);
  };
}

/** Make buttons and slider say what is so: `aria-pressed` on what is either on or off, `disabled` without effect. */
export function updateToolbar(viewer) {
  const pressed = {
    'heat-map': viewer.isOn('heatMap'), 'crop-box': viewer.isOn('cropBox'), maximise: viewer.isMaximised,
    text: viewer.isOn('text'),
    invert: Boolean(viewer.current?.isInverted), flip: Boolean(viewer.current?.isFlipped),
  };
  for (const name of Object.keys(TOOLS)) pressed[name] = viewer.tool === name;
  for (const button of document.querySelectorAll('[data-viewer-action]')) {
    const { viewerAction: action } = button.dataset;
    if (action in pressed) button.setAttribute('aria-pressed', pressed[action]);
    if (action === 'heat-map' || action === 'crop-box') button.disabled = viewer.isLocked;
  }
  for (const slider of document.querySelectorAll('[data-viewer-opacity]')) {
    const [min, max] = rangeOf(slider);
    slider.value = min + viewer.opacity * (max - min);
    slider.disabled = viewer.isLocked;
  }
}

const rangeOf = ({ min, max }) => [Number(min || 0), Number(max || 100)];
