// Array functions that compute as NumPy does. A grid is {width, height, data}, row by row.

/** Return x rounded to an integer, halves to even. */
function rint(x) {
  const rounded = Math.round(x);
  return Math.abs(x % 1) === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

function clip(x, least, most) {
  return Math.min(Math.max(x, least), most);
}

function sum(values) {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i];
  return total;
}

function maximum(values) {
  let most = -Infinity;
  for (const value of values) if (value > most) most = value;
  return most;
}

/** Return a grid of change(value, index) for each value; Type is that of its data. */
function map(grid, change, Type = Float32Array) {
  const data = new Type(grid.data.length);
  for (let i = 0; i < data.length; i++) data[i] = change(grid.data[i], i);
  return { width: grid.width, height: grid.height, data };
}

/** Return the value below which a share (0 to 1) of the values lies, in float32. */
function quantile(values, share) {
  const place = (values.length - 1) * share;
  const below = Math.floor(place);
  const ordered = new Float32Array(values);
  const low = select(ordered, below);
  if (below === place) return low;
  let high = Infinity;
  for (let i = below + 1; i < ordered.length; i++) high = Math.min(high, ordered[i]);
  return low + (high - low) * (place - below);
}

function median(values) {
  return quantile(values, 0.5);
}

/** Move the value of rank k to index k, smaller ones before, larger ones after; return it. */
function select(values, k) {
  let [left, right] = [0, values.length - 1];
  while (left < right) {
    const pivot = values[(left + right) >> 1];
    let [i, j] = [left, right];
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i > j) break;
      const swapped = values[i];
      values[i++] = values[j];
      values[j--] = swapped;
    }
    if (k <= j) right = j;
    else if (k >= i) left = i;
    else break;
  }
  return values[k];
}

/** Return a symmetric matrix's [eigenvalue, eigenvector] pairs in ascending order (Jacobi). */
function eigen(matrix) {
  const size = matrix.length;
  const a = matrix.map((row) => [...row]);
  const vectors = a.map((_, i) => a.map((_, j) => Number(i === j)));
  for (let sweep = 0; sweep < 30; sweep++) {
    for (let p = 0; p < size; p++) {
      for (let q = p + 1; q < size; q++) if (a[p][q]) rotate(a, vectors, p, q);
    }
  }
  return vectors.map((vector, i) => [a[i][i], vector]).sort((one, two) => one[0] - two[0]);
}

/** Rotate axes p and q of a, and the rows of vectors, so that a[p][q] becomes 0. */
function rotate(a, vectors, p, q) {
  const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
  const tangent = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const cosine = 1 / Math.hypot(tangent, 1);
  const turn = (x, y) => [cosine * (x - tangent * y), cosine * (tangent * x + y)];
  for (const row of a) [row[p], row[q]] = turn(row[p], row[q]);
  for (const rows of [a, vectors]) {
    for (let i = 0; i < a.length; i++) [rows[p][i], rows[q][i]] = turn(rows[p][i], rows[q][i]);
  }
  a[p][q] = a[q][p] = 0;
}

function dot(one, two) {
  let total = 0;
  for (let i = 0; i < one.length; i++) total += one[i] * two[i];
  return total;
}
