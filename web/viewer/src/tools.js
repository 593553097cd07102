/** Mouse and touch tools: one Cornerstone tool group shared by all views. */
import {
  AngleTool, Enums, LengthTool, PanTool, ToolGroupManager, WindowLevelTool, ZoomTool, addTool,
  annotation, init,
} from '@cornerstonejs/tools';
import { Lens } from './lens.js';
import { displayOf } from './loader.js';
import { MARKS } from './marks.js';

const GROUP = 'worklist';
const { MouseBindings } = Enums;

/** Names the page uses, and what they drive. */
export const TOOLS = {
  window: WindowLevelTool, zoom: ZoomTool, pan: PanTool, length: LengthTool, angle: AngleTool, magnifier: Lens,
  ...Object.fromEntries(Object.entries(MARKS).map(([action, { tool }]) => [action, tool])),
};
/** Buttons and fingers that work whatever the left button does. */
const STANDING = {
  pan: [{ mouseButton: MouseBindings.Auxiliary }],
  zoom: [{ mouseButton: MouseBindings.Secondary }, { numTouchPoints: 2 }],
};

/** Units of a length: millimetres only where the image says how large its pixels are, and where. */
export function unitOf(display) {
  if (!display?.pixel_spacing_mm) return 'px';
  return display.spacing_kind === 'calibrated' ? 'mm' : 'mm at detector';
}

function lengthText({ cachedStats }, targetId) {
  const length = cachedStats?.[targetId]?.length;
  if (!Number.isFinite(length)) return undefined;
  const unit = unitOf(displayOf(targetId.replace(/^imageId:/, '')));
  return [`${unit === 'px' ? Math.round(length) : length.toFixed(1)} ${unit}`];
}

function angleText({ cachedStats }, targetId) {
  const angle = cachedStats?.[targetId]?.angle;
  return Number.isFinite(angle) ? [`${angle.toFixed(1)}°`] : undefined;
}

/** Make the tool group. */
export function startTools() {
  init();
  Object.values(TOOLS).forEach(addTool);
  const group = ToolGroupManager.createToolGroup(GROUP);
  // Cornerstone would also take z and y for undo and redo inside the length tool: `actions` gives them back.
  const configurations = {
    length: { getTextLines: lengthText, actions: {} },
    angle: { getTextLines: angleText, actions: {} },
    ...Object.fromEntries(Object.entries(MARKS).map(([action, { word }]) => [action, { getTextLines: () => [word], actions: {} }])),
  };
  for (const [name, tool] of Object.entries(TOOLS)) group.addTool(tool.toolName, configurations[name] ?? {});
  const { style } = annotation.config;
  style.setDefaultToolStyles({
    ...style.getDefaultToolStyles(),
    global: {
      ...style.getDefaultToolStyles().global, color: 'rgb(255, 214, 102)', colorHighlighted: 'rgb(255, 255, 255)',
      colorSelected: 'rgb(255, 255, 255)', lineWidth: '1.5', textBoxFontFamily: 'system-ui, sans-serif',
      textBoxFontSize: '14px', textBoxColor: 'rgb(255, 214, 102)', textBoxColorHighlighted: 'rgb(255, 255, 255)',
      textBoxColorSelected: 'rgb(255, 255, 255)', textBoxBackground: 'rgba(0, 0, 0, 0.65)',
    },
  });
  chooseTool('window');
}

/** Give a viewport the tools. */
export function addToTools(viewport) {
  ToolGroupManager.getToolGroup(GROUP).addViewport(viewport.id, viewport.renderingEngineId);
}

/** Put one tool on the left mouse button and one finger. */
export function chooseTool(chosen) {
  const group = ToolGroupManager.getToolGroup(GROUP);
  for (const [name, { toolName }] of Object.entries(TOOLS)) {
    group.setToolPassive(toolName, { removeAllBindings: true });
    const bindings = [...(STANDING[name] ?? [])];
    if (name === chosen) bindings.push({ mouseButton: MouseBindings.Primary }, { numTouchPoints: 1 });
    if (bindings.length) group.setToolActive(toolName, { bindings });
  }
}

/** Remove the measurements selected on an image, or else its newest. */
export function removeMeasurement(imageId) {
  const all = annotation.state.getAllAnnotations().filter(({ metadata }) => metadata.referencedImageId === imageId);
  const selected = all.filter(({ annotationUID }) => annotation.selection.isAnnotationSelected(annotationUID));
  const doomed = selected.length ? selected : all.slice(-1);
  doomed.forEach(({ annotationUID }) => annotation.state.removeAnnotation(annotationUID));
}

/** Forget everything, at the end of the page. */
export function stopTools() {
  ToolGroupManager.destroyToolGroup(GROUP);
  annotation.state.removeAllAnnotations();
}
