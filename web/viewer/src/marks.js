/**
 * What a reader draws to be kept with the verdict: a point, a box around a finding, the crop as it should be.
 * Measurements are Cornerstone's affair and forgotten; marks leave as rectangles in source pixels.
 */
import { ProbeTool, RectangleROITool, annotation } from '@cornerstonejs/tools';
import { getShouldUseCPURendering } from '@cornerstonejs/core';
import { displayOf } from './loader.js';

class MarkPoint extends ProbeTool { static toolName = 'MarkPoint'; }
class MarkBox extends RectangleROITool { static toolName = 'MarkBox'; }
class MarkCrop extends RectangleROITool { static toolName = 'MarkCrop'; }

/** Tools by the name of the action, each with the kind of mark it makes and the word beside it. */
export const MARKS = {
  'mark-point': { tool: MarkPoint, kind: 'point', word: 'Finding' },
  'mark-box': { tool: MarkBox, kind: 'box', word: 'Finding' },
  'mark-crop': { tool: MarkCrop, kind: 'crop', word: 'Crop' },
};
const KINDS = new Map(Object.values(MARKS).map(({ tool, kind }) => [tool.toolName, kind]));

const corner = () => (getShouldUseCPURendering() ? 0 : 0.5); // see camera.js

function sourceOf(imageId, [x, y]) {
  const [rowSpacing, columnSpacing] = displayOf(imageId).pixel_spacing_mm ?? [1, 1];
  return [x / columnSpacing + corner(), y / rowSpacing + corner()];
}

function worldOf(imageId, column, row) {
  const [rowSpacing, columnSpacing] = displayOf(imageId).pixel_spacing_mm ?? [1, 1];
  return [(column - corner()) * columnSpacing, (row - corner()) * rowSpacing, 0];
}

const ofImage = (imageId) => annotation.state.getAllAnnotations()
  .filter(({ metadata }) => metadata.referencedImageId === imageId && KINDS.has(metadata.toolName));

/** The marks on an image, in whole source pixels and inside it; of several crops the newest. */
export function marksOf(imageId) {
  const display = displayOf(imageId);
  if (!display) return [];
  const found = ofImage(imageId).map(({ metadata, data }) => rectangle(imageId, display, KINDS.get(metadata.toolName), data));
  const crops = found.filter(({ kind }) => kind === 'crop');
  return [...found.filter(({ kind }) => kind !== 'crop'), ...crops.slice(-1)];
}

function rectangle(imageId, { rows, columns }, kind, { handles: { points } }) {
  const places = points.map((point) => sourceOf(imageId, point));
  const span = (axis, length) => {
    const values = places.map((place) => Math.min(Math.max(place[axis], 0), length));
    // A hundredth, so that a mark that is drawn again from whole pixels comes back as it was.
    const low = Math.min(Math.floor(Math.min(...values) + 0.01), length - 1);
    return [low, Math.max(Math.ceil(Math.max(...values) - 0.01) - low, 1)];
  };
  const [left, width] = span(0, columns);
  const [top, height] = span(1, rows);
  return kind === 'point' ? { kind, left, top, width: 1, height: 1 } : { kind, left, top, width, height };
}

/** Draw marks that were kept, in place of those that are there. */
export function putMarks(viewport, imageId, marks) {
  ofImage(imageId).forEach(({ annotationUID }) => annotation.state.removeAnnotation(annotationUID));
  for (const { kind, left, top, width, height } of marks) {
    const { tool } = Object.values(MARKS).find((mark) => mark.kind === kind);
    const points = kind === 'point'
      ? [worldOf(imageId, left + 0.5, top + 0.5)]
      : [[left, top], [left + width, top], [left, top + height], [left + width, top + height]]
        .map(([column, row]) => worldOf(imageId, column, row));
    const { focalPoint, viewPlaneNormal, viewUp } = viewport.getCamera();
    annotation.state.addAnnotation({
      highlighted: false,
      invalidated: true,
      metadata: {
        toolName: tool.toolName, referencedImageId: imageId, cameraFocalPoint: focalPoint, viewPlaneNormal, viewUp,
        FrameOfReferenceUID: viewport.getFrameOfReferenceUID(),
      },
      data: {
        label: '', cachedStats: {},
        handles: { points, activeHandleIndex: null, textBox: { hasMoved: false, worldPosition: [0, 0, 0], worldBoundingBox: {} } },
      },
    }, viewport.element);
  }
  viewport.render();
}
