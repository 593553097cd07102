/**
 * The viewer of the study page. See README.md for what page and viewer promise each other; in short:
 *
 *   <main data-viewer data-state="loading">
 *     <div class="view" data-instance="123" data-label="PA · R" tabindex="0" data-meta-url="…/display.json"
 *          data-pixels-url="…/pixels" data-heat-map-url="…/heat-map.json"></div>
 *   </main>
 *   <button data-viewer-action="invert" aria-pressed="false">…</button>
 *   <input type="range" data-viewer-opacity min="0" max="100">
 *
 * `data-state` becomes ready or error, `viewer:ready` is dispatched, `window.worklistViewer` is the interface.
 */
import { cache, init } from '@cornerstonejs/core';
import { bindToolbar, makeActions, updateToolbar } from './actions.js';
import { listenToKeys } from './keys.js';
import { registerLoader } from './loader.js';
import { startTools, stopTools } from './tools.js';
import { Viewer } from './viewer.js';
import './viewer.css';

/** A Source (see loader.js) from the attributes of a `.view`. */
function sourceOf({ dataset }) {
  const { instance, label = '', metaUrl, pixelsUrl, heatMapUrl } = dataset;
  return { instance, label, metaUrl, pixelsUrl, heatMapUrl };
}

/** Start on the page's root and publish the interface. */
function start(root) {
  // One context is enough for all views, and was faster than several in a software renderer.
  init({ rendering: { webGlContextCount: 1 } });
  registerLoader();
  startTools();
  const viewer = new Viewer(root);
  const actions = makeActions(viewer);
  const act = (name) => {
    actions[name]?.();
    updateToolbar(viewer);
  };
  const endings = [listenToKeys(root, act), bindToolbar(act, (opacity) => viewer.setOpacity(opacity))];
  const destroy = () => {
    endings.forEach((end) => end());
    viewer.destroy();
    stopTools();
    cache.purgeCache();
    delete window.worklistViewer;
  };
  window.worklistViewer = {
    showStudy: (sources) => viewer.showStudy(sources),
    setHeatMap: (on) => viewer.set('heatMap', on),
    setCropBox: (on) => viewer.set('cropBox', on),
    setOpacity: (opacity) => viewer.setOpacity(opacity),
    reset: () => viewer.reset(),
    preload: (sources) => viewer.preload(sources),
    visible: () => viewer.visible(),
    marks: () => viewer.views.flatMap((view) => view.marks()),
    putMarks: (marks) => viewer.views.forEach((view) => view.putMarks(marks)),
    act,
    destroy,
  };
  return viewer.showStudy([...root.querySelectorAll(':scope > .view')].map(sourceOf));
}

const root = document.querySelector('[data-viewer]');
if (root) {
  Promise.resolve(root).then(start).catch((error) => {
    Object.assign(root.dataset, { state: 'error', error: `The viewer could not start: ${error.message}` });
    throw error;
  });
}
