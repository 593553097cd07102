/** All views of one study, and what is common to them. */
import { RenderingEngine } from '@cornerstonejs/core';
import { updateToolbar } from './actions.js';
import { columnsFor } from './layout.js';
import { cancelAllBut, imageIdOf, load } from './loader.js';
import { chooseTool } from './tools.js';
import { View } from './view.js';

export class Viewer {
  constructor(root) {
    this.root = root;
    this.engine = new RenderingEngine('worklist');
    this.views = [];
    this.made = 0;
    this.tool = 'window';
    root.dataset.tool = this.tool;
    this.turn = 0; // counts studies shown, so that a late answer for an earlier one is dropped
    this.settled = Promise.resolve();
    root.dataset.text ||= 'on';
    root.dataset.heatMap ||= 'on';
    root.dataset.cropBox ||= root.dataset.heatMap === 'locked' ? 'locked' : 'on';
    this.setOpacity(Number(root.dataset.opacity || 0.45));
    root.addEventListener('focusin', ({ target }) => this.#choose(target));
    root.addEventListener('pointerdown', ({ target }) => this.#choose(target));
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(root);
  }

  /** Show the images of a study; resolves when each is painted or has failed. */
  async showStudy(sources) {
    this.turn += 1;
    const { turn } = this;
    const started = performance.now();
    this.#prepare(sources);
    const shown = this.views.map((view, index) => view.show(sources[index], !this.isLocked));
    this.settled = Promise.all(shown);
    const failures = (await this.settled).filter(Boolean);
    if (turn === this.turn) this.#finish(sources, failures, performance.now() - started);
    return { shown: sources.length - failures.length, failures };
  }

  #prepare(sources) {
    cancelAllBut(sources.map(imageIdOf));
    if (this.isMaximised) this.maximise();
    while (this.views.length > sources.length) this.views.pop().remove();
    while (this.views.length < sources.length) this.#addView();
    this.root.dataset.state = sources.length ? 'loading' : 'error';
    delete this.root.dataset.error;
    this.#choose(this.views[0]?.element);
    this.resize();
  }

  #addView() {
    const place = this.root.querySelectorAll(':scope > .view')[this.views.length];
    const element = place ?? Object.assign(document.createElement('div'), { className: 'view', tabIndex: 0 });
    if (!place) this.root.append(element);
    this.root.style.setProperty('--viewer-columns', this.views.length + 1);
    this.made += 1;
    const view = new View(element, this.engine, `view-${this.made}`, (failed) => this.#retry(failed));
    element.addEventListener('dblclick', () => { this.#choose(element); this.maximise(); });
    this.views.push(view);
  }

  async #retry(view) {
    const failure = await view.show(view.source, !this.isLocked);
    this.#settle([failure].filter(Boolean));
  }

  /** Ready as soon as there is something to read. */
  #settle(failures) {
    const isReady = this.views.some((view) => view.isReady);
    if (isReady) delete this.root.dataset.error;
    else this.root.dataset.error = failures[0] ?? 'This study has no image.';
    this.root.dataset.state = isReady ? 'ready' : 'error';
    this.changed();
  }

  #finish(sources, failures, milliseconds) {
    this.#settle(failures);
    const detail = { instances: sources.map(({ instance }) => instance), failures, milliseconds };
    this.root.dispatchEvent(new CustomEvent('viewer:ready', { bubbles: true, detail }));
  }

  /** Load other studies' images into memory, one after another, once the present study is painted. */
  async preload(sources) {
    await this.settled;
    const { turn } = this;
    for (const source of sources) {
      if (turn !== this.turn) return;
      await load(imageIdOf(source)).catch(() => {}); // told to the reader when the study is opened
    }
  }

  #choose(target) {
    const element = target?.closest?.('.view');
    const view = this.views.find((candidate) => candidate.element === element);
    if (!view || view === this.current) return;
    this.current?.element.removeAttribute('data-current');
    this.current = view;
    element.dataset.current = '';
    this.changed();
  }

  resize() {
    const { clientWidth, clientHeight } = this.root;
    const count = this.isMaximised ? 1 : this.views.length;
    this.root.style.setProperty('--viewer-columns', columnsFor(count, clientWidth, clientHeight));
    this.root.dataset.views = this.views.length;
    if (!this.views.length) return;
    const moved = this.views.map((view) => view.isMoved); // Cornerstone reports a resize as movement
    this.engine.resize(true, true);
    this.views.forEach((view, index) => view.resized(moved[index]));
  }

  get isMaximised() { return 'maximised' in this.root.dataset; }

  /** Give the current view the whole room, or share it again. */
  maximise() {
    if (this.isMaximised) delete this.root.dataset.maximised;
    else if (this.views.length > 1) this.root.dataset.maximised = '';
    this.resize();
    this.changed();
  }

  get isLocked() { return this.root.dataset.heatMap === 'locked'; }

  /** @param {'heatMap'|'cropBox'|'text'} what */
  isOn(what) { return this.root.dataset[what] === 'on'; }

  toggle(what) { if (!this.isLocked) this.set(what, !this.isOn(what)); }

  toggleText() { this.root.dataset.text = this.isOn('text') ? 'off' : 'on'; }

  /** Also ends the lock: until then nothing the classifier said has been fetched. */
  set(what, on) {
    const wasLocked = this.isLocked;
    if (wasLocked) Object.assign(this.root.dataset, { heatMap: 'off', cropBox: 'off' });
    this.root.dataset[what] = on ? 'on' : 'off';
    if (wasLocked) this.views.forEach((view) => view.showHeatMap());
    this.changed();
  }

  /** @param {number} opacity 0..1 of the heat map where its value is 1 */
  setOpacity(opacity) {
    this.opacity = Math.min(Math.max(Math.round(opacity * 100) / 100, 0), 1);
    this.root.style.setProperty('--viewer-opacity', this.opacity);
    this.changed();
  }

  chooseTool(name) {
    this.tool = name;
    this.root.dataset.tool = name;
    chooseTool(name);
    this.changed();
  }

  reset() {
    this.views.filter((view) => view.isReady).forEach((view) => view.reset());
    this.changed();
  }

  /** What the reader sees of the classifier, to be kept with a verdict. */
  visible() {
    const hasMap = this.views.some((view) => view.isReady && view.heatMap?.values);
    return { heat_map: this.isOn('heatMap') && hasMap, crop_box: this.isOn('cropBox'), opacity: this.opacity };
  }

  changed() {
    updateToolbar(this);
    this.root.dispatchEvent(new CustomEvent('viewer:change', { bubbles: true, detail: this.visible() }));
  }

  destroy() {
    this.turn += 1;
    this.observer.disconnect();
    cancelAllBut([]);
    this.views.splice(0).forEach((view) => view.remove());
    this.engine.destroy();
  }
}
