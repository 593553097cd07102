/**
 * What the classifier says, glued to the image: a layer as large as the image in source pixels, placed by
 * one CSS transform between Cornerstone's canvas and its measurements. It works on both render paths.
 */
import { Enums } from '@cornerstonejs/core';
import { scaleOf, sourceToCanvas } from './camera.js';
import { displayOf } from './loader.js';
import { legendOf, paintHeatMap } from './heat_map.js';

const SVG = 'http://www.w3.org/2000/svg';

/** The layer of one view. */
export class Overlay {
  constructor(viewport) {
    this.viewport = viewport;
    this.layer = document.createElement('div');
    this.layer.className = 'viewer-layer';
    this.layer.hidden = true;
    this.canvas = document.createElement('canvas');
    this.canvas.className = 'viewer-heat-map';
    this.box = document.createElementNS(SVG, 'svg');
    this.box.setAttribute('class', 'viewer-crop-box');
    this.box.setAttribute('aria-hidden', 'true');
    this.layer.append(this.canvas, this.box);
    viewport.element.querySelector('.svg-layer').before(this.layer);
    this.glue = this.glue.bind(this);
    viewport.element.addEventListener(Enums.Events.IMAGE_RENDERED, this.glue);
  }

  /** Show a heat-map.json; null clears the layer. Returns the legend's text. */
  show(map) {
    this.canvas.hidden = !map?.values;
    this.box.replaceChildren();
    if (map?.crop) this.#place(map.crop);
    if (map?.values) paintHeatMap(this.canvas, map);
    this.layer.hidden = !map;
    if (map) this.glue();
    return legendOf(map);
  }

  #place({ top, left, height, width }) {
    const { rows, columns } = displayOf(this.viewport.getCurrentImageId());
    Object.assign(this.canvas.style, {
      top: `${top}px`, left: `${left}px`, width: `${width}px`, height: `${height}px`,
    });
    this.box.setAttribute('viewBox', `0 0 ${columns} ${rows}`);
    for (const kind of ['halo', 'line']) {
      const rect = document.createElementNS(SVG, 'rect');
      const attributes = { x: left, y: top, width, height, class: kind };
      Object.entries(attributes).forEach(([name, value]) => rect.setAttribute(name, value));
      this.box.append(rect);
    }
  }

  /** Follow the image after every paint. */
  glue() {
    if (this.layer.hidden) return;
    const { rows, columns } = displayOf(this.viewport.getCurrentImageId());
    const origin = sourceToCanvas(this.viewport, 0, 0);
    const right = sourceToCanvas(this.viewport, columns, 0);
    const down = sourceToCanvas(this.viewport, 0, rows);
    const slope = (end, length) => [(end[0] - origin[0]) / length, (end[1] - origin[1]) / length];
    const matrix = [...slope(right, columns), ...slope(down, rows), ...origin];
    Object.assign(this.layer.style, {
      width: `${columns}px`, height: `${rows}px`, transform: `matrix(${matrix.join(',')})`,
    });
    // SVG's non-scaling-stroke does not see the CSS transform above it, so the style sheet divides by the scale.
    this.layer.style.setProperty('--viewer-pixel', 1 / scaleOf(this.viewport));
  }

  remove() {
    this.viewport.element.removeEventListener(Enums.Events.IMAGE_RENDERED, this.glue);
    this.layer.remove();
  }
}
