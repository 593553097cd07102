/** Stands in for xmlbuilder2, which the bundle names but never calls; see vite.config.js. */
export const create = () => {
  throw new Error('the viewer does not read XML');
};
