/** One view: an image in its element with what is written over it. */
import { Enums, getShouldUseCPURendering, utilities } from '@cornerstonejs/core';
import { fit, limitedFactor, orient, panBy, scaleOf, zoomBy } from './camera.js';
import { fetchJson } from './fetch.js';
import { displayOf, imageIdOf, load } from './loader.js';
import { Overlay } from './overlay.js';
import { marksOf, putMarks } from './marks.js';
import { makeParts } from './parts.js';
import { addToTools, removeMeasurement, unitOf } from './tools.js';

const { Events } = Enums;
const WHEEL_NOTCH = 1.0015; // enlargement per CSS px of wheel travel; a notch is about 100

export class View {
  /**
   * @param {HTMLElement} element the page's `.view`
   * @param {import('@cornerstonejs/core').RenderingEngine} engine
   * @param {string} id name of the viewport
   * @param {function(View): void} onRetry the reader wants a failed image loaded again
   */
  constructor(element, engine, id, onRetry) {
    Object.assign(this, { element, engine, id });
    this.parts = makeParts(element, () => onRetry(this));
    engine.enableElement({
      viewportId: id, type: Enums.ViewportType.STACK, element: this.parts.image, defaultOptions: { background: [0, 0, 0] },
    });
    // Cornerstone makes its element focusable and there swallows every key, Tab among them: the view has the focus.
    this.parts.image.removeAttribute('tabindex');
    this.viewport = engine.getViewport(id);
    if (getShouldUseCPURendering()) withoutLutFunction(this.viewport);
    this.overlay = new Overlay(this.viewport);
    addToTools(this.viewport);
    this.#listen();
  }

  #listen() {
    const { image } = this.parts;
    // A view the reader has not zoomed or moved is fitted again when its size changes.
    image.addEventListener(Events.CAMERA_MODIFIED, () => { this.isMoved ||= !this.isSettling; });
    image.addEventListener(Events.IMAGE_RENDERED, () => this.#describe());
    image.addEventListener('contextmenu', (event) => event.preventDefault());
    image.addEventListener('wheel', (event) => {
      event.preventDefault();
      const { left, top } = image.getBoundingClientRect();
      const travel = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 33 : event.deltaY;
      this.zoom(WHEEL_NOTCH ** -travel, [event.clientX - left, event.clientY - top]);
    }, { passive: false });
  }

  /** Load and paint a source. Never throws: a failure is written in the view and returned as its sentence. */
  async show(source, withHeatMap) {
    Object.assign(this, { source, withHeatMap });
    const imageId = imageIdOf(source);
    this.#begin(imageId);
    try {
      await load(imageId, (fraction) => this.imageId === imageId && this.parts.showProgress(fraction));
      if (this.imageId !== imageId) return null;
      await this.#paint(imageId);
    } catch (error) {
      if (this.imageId !== imageId) return null;
      // Cancelled for another study, and wanted again before the cancelling was through.
      if (error.name === 'AbortError') return this.show(source, withHeatMap);
      this.element.dataset.state = 'error';
      this.parts.showError(error.message);
      return error.message;
    }
    if (withHeatMap) await this.showHeatMap();
    return null;
  }

  #begin(imageId) {
    this.imageId = imageId;
    this.overlay.show(null);
    Object.assign(this.element.dataset, { state: 'loading', instance: this.source.instance });
    this.parts.begin(this.source.label);
  }

  async #paint(imageId) {
    const painted = new Promise((resolve) => {
      this.parts.image.addEventListener(Events.IMAGE_RENDERED, resolve, { once: true });
    });
    await this.viewport.setStack([imageId]);
    this.reset();
    await painted;
    this.element.dataset.state = 'ready';
    this.parts.showNotes(displayOf(imageId).notes ?? []);
  }

  /** Fetch and draw the heat map; its absence or failure becomes the legend's text. */
  async showHeatMap() {
    const { heatMapUrl } = this.source;
    this.withHeatMap = true;
    if (!heatMapUrl || !this.isReady) return;
    const { imageId } = this;
    const map = await fetchJson(heatMapUrl).catch((error) => ({ values: null, reason: error.message }));
    if (this.imageId !== imageId) return;
    this.heatMap = map;
    this.parts.showLegend(this.overlay.show(map), map);
  }

  get isReady() { return this.element.dataset.state === 'ready'; }

  get isInverted() { return this.isReady && this.viewport.getProperties().invert === true; }

  get isFlipped() { return this.isReady && this.orientation.mirrored; }

  /** Fit, upright, with the window the server proposes. */
  reset() {
    this.orientation = { quarters: 0, mirrored: false };
    this.viewport.resetProperties();
    this.viewport.setProperties({ invert: false });
    this.fit();
  }

  fit() {
    this.#settle(() => fit(this.viewport, this.orientation));
    this.isMoved = false;
  }

  /** After the element changed its size: fit again, unless the reader had zoomed or moved. */
  resized(wasMoved) {
    this.isMoved = wasMoved;
    if (!this.isReady) return;
    if (!wasMoved) this.fit();
    this.viewport.render();
  }

  zoom(factor, point) {
    if (!this.isReady) return;
    zoomBy(this.viewport, limitedFactor(this.viewport, factor), point);
    this.viewport.render();
  }

  pan(right, down) {
    panBy(this.viewport, right, down);
    this.viewport.render();
  }

  invert() {
    this.viewport.setProperties({ invert: !this.isInverted });
    this.viewport.render();
  }

  rotate() { this.#turn({ quarters: this.orientation.quarters + 1, mirrored: this.orientation.mirrored }); }

  /** Mirror left to right as seen on the screen, whatever the rotation. */
  flip() { this.#turn({ quarters: -this.orientation.quarters, mirrored: !this.orientation.mirrored }); }

  #turn({ quarters, mirrored }) {
    this.orientation = { quarters: (quarters + 4) % 4, mirrored };
    if (this.isMoved) this.#settle(() => orient(this.viewport, this.orientation));
    else this.fit();
    this.viewport.render();
  }

  #settle(change) {
    this.isSettling = true;
    change();
    this.isSettling = false;
    this.viewport.render();
  }

  removeMeasurement() {
    removeMeasurement(this.imageId);
    this.viewport.render();
  }

  /** What the reader has marked on the image, in source pixels. */
  marks() {
    return this.isReady ? marksOf(this.imageId).map((mark) => ({ instance: Number(this.source.instance), ...mark })) : [];
  }

  /** Show marks that were kept. */
  putMarks(marks) {
    const own = marks.filter(({ instance }) => String(instance) === String(this.source.instance));
    if (this.isReady) putMarks(this.viewport, this.imageId, own);
  }

  #describe() {
    if (!this.imageId || !displayOf(this.imageId)) return;
    const { lower, upper } = this.viewport.getProperties().voiRange ?? {};
    if (upper === undefined) return;
    const { windowWidth, windowCenter } = utilities.windowLevel.toWindowLevel(lower, upper);
    this.parts.showWindow(windowWidth, windowCenter, scaleOf(this.viewport), unitOf(displayOf(this.imageId)));
  }

  remove() {
    this.imageId = null;
    this.overlay.remove();
    this.engine.disableElement(this.id);
    this.element.remove();
  }
}

/** The magnifier hands all properties of a viewport to its lens, and the CPU path throws at this one. */
function withoutLutFunction(viewport) {
  const all = viewport.getProperties;
  viewport.getProperties = () => ({ ...all(), VOILUTFunction: undefined });
}
