/**
 * Zoom, pan, rotate, flip and fit of one viewport, the same on the WebGL and the CPU path of Cornerstone.
 * All shifts are in CSS px of the view, all turns in quarters clockwise as seen on the screen.
 */
import { getShouldUseCPURendering } from '@cornerstonejs/core';
import { displayOf } from './loader.js';

const SMALLEST = 0.2; // of the fitted size
const LARGEST = 40;

/**
 * Canvas position, CSS px, of a position in source pixels measured from the outer corner of the first
 * pixel. Cornerstone's own imageToWorldCoords swaps row and column spacing, so it is not used.
 *
 * @param {number} column 0..columns
 * @param {number} row 0..rows
 */
export function sourceToCanvas(viewport, column, row) {
  const [rowSpacing, columnSpacing] = displayOf(viewport.getCurrentImageId()).pixel_spacing_mm ?? [1, 1];
  // The CPU path draws the corner of a pixel at the place it calls the pixel's centre.
  const corner = getShouldUseCPURendering() ? 0 : 0.5;
  return viewport.worldToCanvas([(column - corner) * columnSpacing, (row - corner) * rowSpacing, 0]);
}

/** Enlarge by `factor` about a point of the view, by default its middle. */
export function zoomBy(viewport, factor, point = middleOf(viewport)) {
  const camera = viewport.getCamera();
  const fixed = viewport.canvasToWorld(point);
  const towards = (place) => place.map((x, axis) => fixed[axis] + (x - fixed[axis]) / factor);
  viewport.setCamera({
    parallelScale: camera.parallelScale / factor,
    focalPoint: [...towards(camera.focalPoint).slice(0, 2), camera.focalPoint[2]],
    position: [...towards(camera.position).slice(0, 2), camera.position[2]],
  });
}

/** Move the image by a number of CSS px. */
export function panBy(viewport, right, down) {
  const [x, y] = middleOf(viewport);
  const from = viewport.canvasToWorld([x, y]);
  const to = viewport.canvasToWorld([x + right, y + down]);
  const { focalPoint, position } = viewport.getCamera();
  const moved = (place) => place.map((value, axis) => value - (to[axis] - from[axis]));
  viewport.setCamera({ focalPoint: moved(focalPoint), position: moved(position) });
}

/** Turn to `quarters` clockwise after mirroring left to right; keeps zoom and pan. */
export function orient(viewport, { quarters, mirrored }) {
  viewport.setCamera({ flipHorizontal: mirrored, flipVertical: false });
  // Only the rotation: handing back the whole presentation throws the image off the CPU path's canvas.
  viewport.setViewPresentation({ rotation: 90 * quarters });
}

/** The whole image, as large as the view allows, in the given orientation. */
export function fit(viewport, orientation) {
  viewport.setCamera({ flipHorizontal: false, flipVertical: false });
  viewport.setViewPresentation({ rotation: 0 });
  viewport.resetCamera();
  orient(viewport, orientation);
  const { left, top, width, height } = boundsOf(viewport);
  const { clientWidth, clientHeight } = viewport.element;
  panBy(viewport, clientWidth / 2 - (left + width / 2), clientHeight / 2 - (top + height / 2));
  zoomBy(viewport, Math.min(clientWidth / width, clientHeight / height));
}

/** Screen pixels (CSS) per source pixel. */
export function scaleOf(viewport) {
  const { columns } = displayOf(viewport.getCurrentImageId());
  const [from, to] = [sourceToCanvas(viewport, 0, 0), sourceToCanvas(viewport, columns, 0)];
  return Math.hypot(to[0] - from[0], to[1] - from[1]) / columns;
}

/** The zoom that stays between a fifth and forty times the fitted size. */
export function limitedFactor(viewport, factor) {
  const { columns, rows } = displayOf(viewport.getCurrentImageId());
  const { clientWidth, clientHeight } = viewport.element;
  const fitted = Math.min(clientWidth / columns, clientHeight / rows);
  const now = scaleOf(viewport) / fitted;
  return Math.min(Math.max(factor, SMALLEST / now), LARGEST / now);
}

/** Rectangle of the image in the view, CSS px. */
export function boundsOf(viewport) {
  const { rows, columns } = displayOf(viewport.getCurrentImageId());
  const corners = [[0, 0], [columns, 0], [0, rows], [columns, rows]].map((c) => sourceToCanvas(viewport, ...c));
  const [xs, ys] = [corners.map((c) => c[0]), corners.map((c) => c[1])];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  return { left, top, width: Math.max(...xs) - left, height: Math.max(...ys) - top };
}

const middleOf = ({ element }) => [element.clientWidth / 2, element.clientHeight / 2];
