// Shapes in masks: grids of 0 and 1.

/** A box of pixels; bottom and right lie outside. */
class Extent {
  constructor(top, left, bottom, right) {
    Object.assign(this, { top, left, bottom, right });
    this.height = bottom - top;
    this.width = right - left;
    this.size = Math.max(this.height, this.width);
  }

  union(other) {
    return new Extent(
      Math.min(this.top, other.top),
      Math.min(this.left, other.left),
      Math.max(this.bottom, other.bottom),
      Math.max(this.right, other.right)
    );
  }

  /** Tell whether the other box lies inside without touching a side. */
  holds(other) {
    return (
      this.top < other.top &&
      this.left < other.left &&
      this.bottom > other.bottom &&
      this.right > other.right
    );
  }
}

/** Return the box around the set pixels; there is at least one. */
function extentOf(mask) {
  let [top, left, bottom, right] = [mask.height, mask.width, 0, 0];
  for (let y = 0, i = 0; y < mask.height; y++) {
    for (let x = 0; x < mask.width; x++, i++) {
      if (!mask.data[i]) continue;
      if (y < top) top = y;
      if (x < left) left = x;
      if (x >= right) right = x + 1;
      bottom = y + 1;
    }
  }
  return new Extent(top, left, bottom, right);
}

/** Return the part of a grid in an extent, with change(value) for each value. */
function cut(grid, extent, change, Type = Uint8Array) {
  const { width, height } = extent;
  const data = new Type(width * height);
  for (let i = 0; i < data.length; i++) {
    const [y, x] = [extent.top + Math.trunc(i / width), extent.left + (i % width)];
    data[i] = change(grid.data[y * grid.width + x]);
  }
  return { width, height, data };
}

/** Return a grid with a border of zeros, `room` pixels wide. */
function padded(grid, room) {
  const [width, height] = [grid.width + 2 * room, grid.height + 2 * room];
  const data = new grid.data.constructor(width * height);
  for (let y = 0; y < grid.height; y++) {
    const row = grid.data.subarray(y * grid.width, (y + 1) * grid.width);
    data.set(row, (y + room) * width + room);
  }
  return { width, height, data };
}

/** Call visit(index) for the pixel and its 8 neighbours in the grid, or 4 without diagonals. */
function eachNeighbour(grid, index, withDiagonals, visit) {
  const { width, height } = grid;
  const x = index % width;
  const y = (index - x) / width;
  for (let dy = -1; dy <= 1; dy++) {
    if (y + dy < 0 || y + dy >= height) continue;
    for (let dx = -1; dx <= 1; dx++) {
      if (x + dx < 0 || x + dx >= width || (!withDiagonals && dx && dy)) continue;
      visit(index + dy * width + dx);
    }
  }
}

/** Label each set pixel that is connected with the seeds (indices) and has no label yet. */
function flood(mask, seeds, labels, label, withDiagonals) {
  const waiting = [];
  const reach = (index) => {
    if (!mask.data[index] || labels[index]) return;
    labels[index] = label;
    waiting.push(index);
  };
  seeds.forEach(reach);
  while (waiting.length) eachNeighbour(mask, waiting.pop(), withDiagonals, reach);
}

/** Return a grid with the number of each pixel's connected piece, from 1; 0 outside of pieces. */
function labelled(mask) {
  const data = new Int32Array(mask.data.length);
  let count = 0;
  for (let i = 0; i < data.length; i++) {
    if (mask.data[i] && !data[i]) flood(mask, [i], data, ++count, true);
  }
  return { width: mask.width, height: mask.height, data, count };
}

/** Return the part of the mask that is connected with the seeds, which are part of the mask. */
function connected(mask, seeds) {
  const data = new Uint8Array(mask.data.length);
  flood(mask, indices(seeds), data, 1, true);
  return { width: mask.width, height: mask.height, data };
}

function indices(mask) {
  const found = [];
  for (let i = 0; i < mask.data.length; i++) if (mask.data[i]) found.push(i);
  return found;
}

/** Return the mask with its holes filled, as seen from outside without diagonal steps. */
function filledHoles(mask) {
  const empty = padded(map(mask, (isSet) => 1 - isSet, Uint8Array), 1);
  const { width, height } = empty;
  for (let i = 0; i < empty.data.length; i++) {
    const x = i % width;
    if (x === 0 || x === width - 1 || i < width || i >= width * (height - 1)) empty.data[i] = 1;
  }
  const outside = new Uint8Array(empty.data.length);
  flood(empty, [0], outside, 1, false);
  const inner = new Extent(1, 1, height - 1, width - 1);
  return cut({ width, height, data: outside }, inner, (isOutside) => 1 - isOutside);
}

/** Grow a mask by some pixels in all eight directions, over set pixels of another. */
function grow(mask, within, pixels) {
  let edge = indices(mask);
  for (let step = 0; step < pixels; step++) {
    const reached = [];
    const reach = (index) => {
      if (!within.data[index] || mask.data[index]) return;
      mask.data[index] = 1;
      reached.push(index);
    };
    for (const index of edge) eachNeighbour(mask, index, true, reach);
    edge = reached;
  }
}

/** Tell whether any of the pixel's four sides lies at the edge of the mask. */
function isRim(mask, index) {
  let inside = 0;
  eachNeighbour(mask, index, false, (near) => (inside += mask.data[near]));
  return inside < 5; // the pixel itself counts
}

/**
 * Return each pixel's Euclidean distance to the nearest pixel that is not set, float32.
 * Felzenszwalb and Huttenlocher, 2012: along columns, then the lower envelope of parabolas.
 */
function distances(mask) {
  const { width, height } = mask;
  const squared = distancesInColumns(mask);
  const data = new Float32Array(width * height);
  const [places, starts] = [new Int32Array(width), new Float64Array(width + 1)];
  for (let row = 0; row < data.length; row += width) {
    if (!mask.data.subarray(row, row + width).includes(1)) continue;
    const heights = squared.subarray(row, row + width);
    envelope(heights, places, starts);
    for (let x = 0, n = 0; x < width; x++) {
      while (starts[n + 1] < x) n++;
      data[row + x] = Math.sqrt((x - places[n]) ** 2 + heights[places[n]]);
    }
  }
  return { width, height, data };
}

/** Return each pixel's squared distance to the nearest zero in its column. */
function distancesInColumns({ width, height, data }) {
  const far = width + height;
  const distance = new Int32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    if (data[i]) distance[i] = i < width ? far : distance[i - width] + 1;
  }
  for (let i = data.length - width - 1; i >= 0; i--) {
    distance[i] = Math.min(distance[i], distance[i + width] + 1);
  }
  for (let i = 0; i < data.length; i++) distance[i] *= distance[i];
  return distance;
}

/** Find the lowest of the parabolas x² + height: the nth, at places[n], from starts[n] on. */
function envelope(heights, places, starts) {
  let last = 0;
  places[0] = 0;
  starts[0] = -Infinity;
  for (let x = 1; x < heights.length; x++) {
    let start = meeting(heights, places[last], x);
    while (start <= starts[last]) start = meeting(heights, places[--last], x);
    places[++last] = x;
    starts[last] = start;
  }
  starts[last + 1] = Infinity;
}

/** Return where the parabola at x becomes lower than another before it. */
function meeting(heights, other, x) {
  return (heights[x] + x * x - heights[other] - other * other) / (2 * (x - other));
}
