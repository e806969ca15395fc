// Pillow's resampling, and SciPy's Gaussian and maximum, with the same borders and rounding.

const AREA = { support: 0.5, weight: (x) => Number(x > -0.5 && x <= 0.5) };
const BILINEAR = { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) };
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
 * @param room how many times the ends of each line are repeated on either side
 * @param change(line, out) reads a padded line and writes an unpadded one
 */
function alongAxis(grid, axis, room, change) {
  const { width, height } = grid;
  const [length, step] = axis ? [width, 1] : [height, width];
  const [count, stride] = axis ? [height, width] : [width, 1];
  const places = Int32Array.from({ length: length + 2 * room }, (_, i) =>
    step * clip(i - room, 0, length - 1)
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

/** Return a blurred grid. */
function gaussian(grid, sigma) {
  const radius = Math.trunc(4 * sigma + 0.5);
  const bell = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp((-0.5 * (i - radius) ** 2) / sigma ** 2)
  );
  const total = sum(bell);
  const blur = (line, out) => {
    out.fill(0);
    for (let j = 0; j < bell.length; j++) {
      const weight = bell[j] / total;
      for (let i = 0; i < out.length; i++) out[i] += weight * line[i + j];
    }
  };
  return [0, 1].reduce((part, axis) => alongAxis(part, axis, radius, blur), grid);
}

/** Return the maximum within `reach` pixels, across and down. */
function grown(grid, reach) {
  const most = (line, out) => {
    for (let i = 0; i < out.length; i++) out[i] = maximum(line.subarray(i, i + 2 * reach + 1));
  };
  return [0, 1].reduce((part, axis) => alongAxis(part, axis, reach, most), grid);
}
