/**
 * Images for Cornerstone from the server's displayed greys: little-endian uint16, row by row. The server
 * has applied modality LUT, VOI LUT and MONOCHROME1, so nothing is decoded, rescaled or inverted here.
 */
import { cache, imageLoader, metaData, utilities } from '@cornerstonejs/core';
import { fetchJson, fetchOk } from './fetch.js';

/**
 * @typedef {object} Source one image of a study, as the page names it
 * @property {string} instance primary key of the instance
 * @property {string} label what stands over the view, for example "PA · R"
 * @property {string} metaUrl address of display.json
 * @property {string} pixelsUrl address of the pixels
 * @property {string} [heatMapUrl] address of heat-map.json
 */

const SCHEME = 'worklist';
const CACHE_BYTES = 768 * 2 ** 20; // 75 images of 2000 x 2500; the oldest unseen are dropped first
const sources = new Map(); // image id -> Source
const displays = new Map(); // image id -> display.json
const progress = new Map(); // image id -> function(fraction 0..1)
const running = new Map(); // image id -> AbortController

/** Teach Cornerstone to load our images and to answer questions about them. */
export function registerLoader() {
  cache.setMaxCacheSize(CACHE_BYTES);
  imageLoader.registerImageLoader(SCHEME, (imageId) => {
    const controller = new AbortController();
    running.set(imageId, controller);
    const promise = loadImage(imageId, controller.signal).finally(() => running.delete(imageId));
    return { promise, cancelFn: () => controller.abort() };
  });
  metaData.addProvider(describe, 10000);
}

/** The Cornerstone image id of a source; remembers where its pixels are. */
export function imageIdOf(source) {
  const imageId = `${SCHEME}:${source.instance}`;
  sources.set(imageId, source);
  return imageId;
}

/** display.json of a loaded image. */
export const displayOf = (imageId) => displays.get(imageId);

/** Load into the cache, telling `onProgress` the fraction 0..1 that has arrived. */
export async function load(imageId, onProgress) {
  if (onProgress) progress.set(imageId, onProgress);
  try {
    return await imageLoader.loadAndCacheImage(imageId);
  } finally {
    if (onProgress) progress.delete(imageId);
  }
}

/** Stop the downloads of all images but these, so that a new study need not share the line. */
export function cancelAllBut(imageIds) {
  for (const [imageId, controller] of running) if (!imageIds.includes(imageId)) controller.abort();
}

async function loadImage(imageId, signal) {
  const { metaUrl, pixelsUrl } = sources.get(imageId);
  const pixels = fetchOk(pixelsUrl, { signal });
  pixels.catch(() => {}); // reported below, after the description's own error
  const display = await fetchJson(metaUrl, { signal });
  displays.set(imageId, display);
  return makeImage(imageId, display, await readPixels(await pixels, display, imageId));
}

/** Read the body straight into its final array: no second copy, and the fraction arrived is known. */
async function readPixels(response, { rows, columns }, imageId) {
  const octets = new Uint8Array(rows * columns * 2);
  const reader = response.body.getReader();
  let at = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (at + part.value.length > octets.length) at = Infinity;
    else octets.set(part.value, at);
    at += part.value.length;
    progress.get(imageId)?.(at / octets.length);
  }
  if (at !== octets.length) throw new Error(`the pixels received do not make ${columns} × ${rows} values`);
  return new Uint16Array(octets.buffer); // every browser's platform is little-endian
}

function makeImage(imageId, display, scalarData) {
  const { rows, columns } = display;
  const [rowSpacing, columnSpacing] = display.pixel_spacing_mm ?? [1, 1];
  const size = { width: columns, height: rows, numberOfComponents: 1 };
  return {
    imageId, rows, columns, ...size, color: false, rgba: false, dataType: 'Uint16Array', invert: false,
    slope: 1, intercept: 0, voiLUTFunction: 'LINEAR', sizeInBytes: scalarData.byteLength,
    windowCenter: display.window_centre, windowWidth: display.window_width,
    minPixelValue: display.minimum, maxPixelValue: display.maximum,
    rowPixelSpacing: rowSpacing, columnPixelSpacing: columnSpacing,
    getPixelData: () => scalarData,
    voxelManager: utilities.VoxelManager.createImageVoxelManager({ ...size, scalarData }),
    preScale: {
      enabled: true,
      scaled: true,
      scalingParameters: { modality: 'DX', rescaleIntercept: 0, rescaleSlope: 1 },
    },
  };
}

/** Answer Cornerstone's metadata questions in its own vocabulary. */
function describe(type, imageId) {
  const display = displays.get(imageId);
  if (!display) return undefined;
  const { rows, columns } = display;
  const [rowSpacing, columnSpacing] = display.pixel_spacing_mm ?? [1, 1];
  const modules = {
    generalSeriesModule: { modality: 'DX' },
    modalityLutModule: { rescaleSlope: 1, rescaleIntercept: 0 },
    voiLutModule: { windowCenter: [display.window_centre], windowWidth: [display.window_width] },
    imagePixelModule: {
      rows, columns, samplesPerPixel: 1, photometricInterpretation: 'MONOCHROME2', pixelRepresentation: 0,
      bitsAllocated: 16, bitsStored: 16, highBit: 15,
    },
    imagePlaneModule: {
      rows, columns, frameOfReferenceUID: imageId, imagePositionPatient: [0, 0, 0],
      imageOrientationPatient: [1, 0, 0, 0, 1, 0], rowCosines: [1, 0, 0], columnCosines: [0, 1, 0],
      pixelSpacing: [rowSpacing, columnSpacing], rowPixelSpacing: rowSpacing, columnPixelSpacing: columnSpacing,
      usingDefaultValues: !display.pixel_spacing_mm,
    },
  };
  return modules[type];
}
