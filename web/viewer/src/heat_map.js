/**
 * A heat map from its numbers to a canvas. Colour and opacity both follow the value, so no evidence is
 * clear and more evidence is lighter: readable in grey as well as in colour.
 */

const SIDE_PX = 256; // shorter maps are interpolated to about this many canvas pixels a side
/** Stops of rising lightness: orange speaks for abnormal, blue for normal, never red against green. */
const RAMPS = {
  abnormal: [[150, 44, 0], [222, 82, 0], [255, 126, 14], [255, 178, 62]],
  normal: [[12, 60, 140], [30, 108, 196], [74, 160, 236], [156, 212, 255]],
};

/**
 * Paint the map over the whole canvas, one cell centre per value.
 *
 * @param {HTMLCanvasElement} canvas is given a size of its own
 * @param {{rows: number, columns: number, values: number[], explained_class: string}} map values 0..1, row by row
 */
export function paintHeatMap(canvas, { rows, columns, values, explained_class: explained }) {
  const scale = Math.max(1, Math.round(SIDE_PX / Math.max(rows, columns)));
  [canvas.width, canvas.height] = [columns * scale, rows * scale];
  const smooth = enlarge(values.map(clamp), rows, columns, scale);
  const image = new ImageData(canvas.width, canvas.height);
  smooth.forEach((value, index) => image.data.set(colourOf(value, explained), index * 4));
  canvas.getContext('2d').putImageData(image, 0, 0);
}

/** Paint the scale from 0 at the left to 1 at the right, for the legend. */
export function paintScale(canvas, explained) {
  const image = new ImageData(64, 1);
  for (let i = 0; i < 64; i += 1) image.data.set(colourOf(i / 63, explained), i * 4);
  [canvas.width, canvas.height] = [64, 1];
  canvas.getContext('2d').putImageData(image, 0, 0);
}

/** One sentence naming what the colours mean, or why there are none. */
export function legendOf(map) {
  if (!map) return 'heat map: not available';
  if (!map.values) return `heat map: ${map.reason ?? 'none'}`;
  return `heat map: evidence for ${map.explained_class}; coarse, its edges mean nothing`;
}

/** Red, green, blue and opacity, each 0..255, of a value 0..1. */
export function colourOf(value, explained) {
  const ramp = RAMPS[explained] ?? RAMPS.abnormal;
  const at = clamp(value) * (ramp.length - 1);
  const low = Math.min(Math.floor(at), ramp.length - 2);
  const mixed = ramp[low].map((part, channel) => part + (ramp[low + 1][channel] - part) * (at - low));
  return [...mixed.map(Math.round), Math.round(255 * clamp(value))];
}

/**
 * Enlarge by Catmull-Rom splines, rows then columns: exact at cell centres and without the diamonds of
 * linear interpolation. Overshoot is cut, so nothing outside 0..1 is invented.
 */
export function enlarge(values, rows, columns, scale) {
  const wide = new Float32Array(rows * columns * scale);
  for (let row = 0; row < rows; row += 1) {
    const at = (column) => values[row * columns + within(column, columns)];
    for (let x = 0; x < columns * scale; x += 1) wide[row * columns * scale + x] = spline(at, (x + 0.5) / scale - 0.5);
  }
  const width = columns * scale;
  const result = new Float32Array(rows * scale * width);
  for (let x = 0; x < width; x += 1) {
    const at = (row) => wide[within(row, rows) * width + x];
    for (let y = 0; y < rows * scale; y += 1) result[y * width + x] = clamp(spline(at, (y + 0.5) / scale - 0.5));
  }
  return result;
}

function spline(at, position) {
  const i = Math.floor(position);
  const t = position - i;
  const [a, b, c, d] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
  return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
}

const within = (index, length) => Math.min(Math.max(index, 0), length - 1);
const clamp = (value) => (value > 0 ? Math.min(value, 1) : 0); // NaN becomes 0, that is clear
