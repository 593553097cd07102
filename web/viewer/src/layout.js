/** How many columns of views let the images be largest. */

/**
 * @param {number} count of views
 * @param {number} width of the root, CSS px
 * @param {number} height of the root, CSS px
 * @param {number} [aspect] width through height of a typical image; bone radiographs are mostly upright
 */
export function columnsFor(count, width, height, aspect = 0.8) {
  let [best, largest] = [1, 0];
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const fitted = Math.min(width / columns / aspect, height / rows); // height of one image
    if (fitted > largest) [best, largest] = [columns, fitted];
  }
  return best;
}
