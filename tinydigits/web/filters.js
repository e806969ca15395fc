// Pillow's resampling, and SciPy's Gaussian and closing, with the same borders and rounding.

const AREA = { support: 0.5, weight: (x) => Number(x > -0.5 && x <= 0.5) };
const LANCZOS = { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) };

function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/**
 * Return a part of a grid, resized to width x height as Pillow does.
 * @param grid bytes (rounded after each axis, as in Pillow) or float32
 * @param box left, upper, right and lower edge of the part; fractions are allowed
 */
function resize(grid, width, height, filter, box) {
  const [left, upper, right, lower] = box.map(Math.fround);
  const narrow = resizeRows(grid, samples(grid.width, left, right, width, filter));
  const turned = transposed(narrow);
  return transposed(resizeRows(turned, samples(grid.height, upper, lower, height, filter)));
}

/** Return the first index and the weights of each of count samples between start and end. */
function samples(length, start, end, count, filter) {
  const scale = (end - start) / count;
  const stretch = Math.max(scale, 1);
  return Array.from({ length: count }, (_, n) => {
    const centre = start + (n + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - filter.support * stretch + 0.5));
    const last = Math.min(length, Math.trunc(centre + filter.support * stretch + 0.5));
    const weights = Float64Array.from({ length: last - first }, (_, i) =>
      filter.weight((first + i - centre + 0.5) / stretch)
    );
    const total = sum(weights) || 1;
    return { first, weights: weights.map((weight) => weight / total) };
  });
}

function resizeRows(grid, taken) {
  const isBytes = !(grid.data instanceof Float32Array);
  const data = new (isBytes ? Uint8Array : Float32Array)(taken.length * grid.height);
  const firsts = taken.map(({ first }) => first);
  const parts = taken.map(({ weights }) => (isBytes ? weights.map(fixedPoint) : weights));
  for (let y = 0, to = 0; y < grid.height; y++) {
    for (let n = 0; n < parts.length; n++, to++) {
      const from = y * grid.width + firsts[n];
      const weights = parts[n];
      let total = 0;
      for (let i = 0; i < weights.length; i++) total += weights[i] * grid.data[from + i];
      data[to] = isBytes ? clip(Math.floor(total + 0.5), 0, 255) : total;
    }
  }
  return { width: taken.length, height: grid.height, data };
}

/** Return a weight rounded to Pillow's fixed-point steps for bytes. */
function fixedPoint(weight) {
  return Math.round(weight * 2 ** 22) / 2 ** 22;
}

function transposed(grid) {
  const { width, height } = grid;
  const data = new grid.data.constructor(grid.data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) data[x * height + y] = grid.data[y * width + x];
  }
  return { width: height, height: width, data };
}

/**
 * Return a float32 grid with each row (axis 1) or column (axis 0) changed.
 * @param before, after padding of each line; outside(index, length) gives the index to copy
 * @param change(line, out) reads a padded line and writes an unpadded one
 */
function alongAxis(grid, axis, before, after, outside, change) {
  const { width, height } = grid;
  const [length, step] = axis ? [width, 1] : [height, width];
  const [count, stride] = axis ? [height, width] : [width, 1];
  const places = Int32Array.from({ length: before + length + after }, (_, i) =>
    step * outside(i - before, length)
  );
  const line = new Float64Array(places.length);
  const out = new Float64Array(length);
  const data = new Float32Array(grid.data.length);
  for (let start = 0; start < count * stride; start += stride) {
    for (let i = 0; i < line.length; i++) line[i] = grid.data[start + places[i]];
    change(line, out);
    for (let i = 0; i < length; i++) data[start + i * step] = out[i];
  }
  return { width, height, data };
}

/** Return the index that an outside index maps to: the line is mirrored, its ends repeated. */
function mirrored(index, length) {
  const place = ((index % (2 * length)) + 2 * length) % (2 * length);
  return place < length ? place : 2 * length - 1 - place;
}

function nearest(index, length) {
  return clip(index, 0, length - 1);
}

/** Return a blurred grid; along each axis [0, 1] of order 1, its derivative. */
function gaussian(grid, sigma, orders = [0, 0]) {
  return orders.reduce(
    (blurred, order, axis) => correlate(blurred, gaussianKernel(sigma, order), axis),
    grid
  );
}

function gaussianKernel(sigma, order) {
  const radius = Math.trunc(4 * sigma + 0.5);
  const place = Array.from({ length: 2 * radius + 1 }, (_, i) => i - radius);
  const bell = place.map((x) => Math.exp((-0.5 * x * x) / (sigma * sigma)));
  const total = sum(bell);
  return bell.map((value, i) => ((order ? place[i] / (sigma * sigma) : 1) * value) / total);
}

function correlate(grid, kernel, axis) {
  const radius = (kernel.length - 1) / 2;
  const weights = Float64Array.from(kernel);
  return alongAxis(grid, axis, radius, radius, mirrored, (line, out) => {
    out.fill(0);
    for (let j = 0; j < weights.length; j++) {
      const weight = weights[j];
      for (let i = 0; i < out.length; i++) out[i] += weight * line[i + j];
    }
  });
}

/** Return the grey closing with a square window: the maximum, then the minimum. */
function closing(grid, window) {
  const half = window >> 1;
  return sliding(sliding(grid, window, window - 1 - half, 1), window, half, -1);
}

/** Return the maximum (sign 1) or minimum (sign -1) of a square window at each pixel. */
function sliding(grid, window, before, sign) {
  const after = window - 1 - before;
  const change = (line, out) => maximaOfLine(line, window, sign, out);
  return [0, 1].reduce((part, axis) => alongAxis(part, axis, before, after, nearest, change), grid);
}

/** Write a line's sliding maxima, from maxima within blocks: three comparisons per value. */
function maximaOfLine(line, window, sign, out) {
  for (let i = 0; i < line.length; i++) line[i] *= sign;
  const forward = line.slice();
  for (let start = 0; start < line.length; start += window) {
    const end = Math.min(start + window, line.length);
    for (let i = start + 1; i < end; i++) {
      if (forward[i] < forward[i - 1]) forward[i] = forward[i - 1];
    }
    for (let i = end - 2; i >= start; i--) if (line[i] < line[i + 1]) line[i] = line[i + 1];
  }
  for (let i = 0, j = window - 1; i < out.length; i++, j++) {
    out[i] = sign * (line[i] > forward[j] ? line[i] : forward[j]);
  }
}
