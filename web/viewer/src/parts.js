/** The elements of one view and the words in them. Text is set as text, never as markup. */
import { paintScale } from './heat_map.js';

const make = (name, className, text = '') => Object.assign(document.createElement(name), { className, textContent: text });

/**
 * Build the parts inside the page's `.view`.
 *
 * @param {HTMLElement} element
 * @param {function(): void} onRetry the reader asked to load a failed image again
 */
export function makeParts(element, onRetry) {
  const image = make('div', 'viewer-image');
  const label = make('p', 'viewer-text viewer-label');
  const notes = make('ul', 'viewer-text viewer-notes');
  const legend = make('p', 'viewer-text viewer-legend');
  const values = make('p', 'viewer-text viewer-window');
  const status = make('div', 'viewer-status');
  element.replaceChildren(image, label, notes, legend, values, status);
  const clear = () => [notes, legend, values, status].forEach((part) => part.replaceChildren());

  return {
    image,

    begin(text) {
      clear();
      label.textContent = text;
      element.setAttribute('role', 'group');
      element.setAttribute('aria-label', text ? `Radiograph, ${text}` : 'Radiograph');
      const bar = make('progress', 'viewer-progress');
      bar.setAttribute('aria-label', `Loading ${text}`);
      status.append(make('span', 'viewer-spinner'), bar);
    },

    /** @param {number} fraction 0..1 of the pixels has arrived */
    showProgress(fraction) {
      const bar = status.querySelector('progress');
      if (bar) bar.value = fraction;
    },

    showNotes(lines) {
      status.replaceChildren();
      notes.replaceChildren(...lines.map((line) => make('li', '', line)));
    },

    showError(sentence) {
      clear();
      const words = make('p', '', `This image could not be shown: ${sentence}`);
      words.setAttribute('role', 'alert');
      const retry = make('button', 'viewer-retry', 'Try again');
      retry.type = 'button';
      retry.addEventListener('click', onRetry);
      status.append(words, retry);
    },

    showLegend(text, map) {
      legend.textContent = text;
      if (!map.values) return;
      const scale = make('canvas', 'viewer-scale');
      scale.setAttribute('aria-hidden', 'true');
      paintScale(scale, map.explained_class);
      legend.prepend(scale);
    },

    /** @param {number} scale CSS px on the screen per source pixel */
    showWindow(width, centre, scale, unit) {
      values.textContent = `W ${Math.round(width)}  C ${Math.round(centre)} · ${Math.round(scale * 100)} % · lengths in ${unit}`;
    },
  };
}
