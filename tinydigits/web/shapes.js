// Borders around grids, connected pieces, and distances within a mask, a grid of 0 and 1.

/** Return a grid, or maps, with zeros `room` pixels wide beside it, `above` above and below. */
function padded(grid, room, above = room) {
  const [width, height] = [grid.width + 2 * room, grid.height + 2 * above];
  const data = new grid.data.constructor((grid.channels ?? 1) * width * height);
  for (let row = 0, from = 0; from < grid.data.length; row++, from += grid.width) {
    const [channel, y] = [Math.trunc(row / grid.height), row % grid.height];
    const line = grid.data.subarray(from, from + grid.width);
    data.set(line, (channel * height + y + above) * width + room);
  }
  return { ...grid, width, height, data };
}

/** Return the number of the connected piece of each pixel above a value, from 1; 0 elsewhere. */
function pieces({ width, height, data }, least) {
  const found = new Int32Array(data.length);
  let count = 0;
  for (let start = 0; start < data.length; start++) {
    if (found[start] || data[start] <= least) continue;
    found[start] = ++count;
    for (const open = [start]; open.length; ) {
      for (const pixel of neighbours(open.pop(), width, height)) {
        if (found[pixel] || data[pixel] <= least) continue;
        found[pixel] = count;
        open.push(pixel);
      }
    }
  }
  return { width, height, data: found };
}

/** Return [number, [left, upper, right, lower]] of each piece. */
function boxesOf({ width, data }) {
  const boxes = new Map();
  data.forEach((number, pixel) => {
    if (!number) return;
    const [x, y] = [pixel % width, Math.trunc(pixel / width)];
    const [left, upper, right, lower] = boxes.get(number) ?? [x, y, x, y];
    const low = [Math.min(left, x), Math.min(upper, y)];
    boxes.set(number, [...low, Math.max(right, x + 1), Math.max(lower, y + 1)]);
  });
  return boxes;
}

/** Return the pixels beside a pixel, and itself. */
function neighbours(pixel, width, height) {
  const [x, y] = [pixel % width, Math.trunc(pixel / width)];
  const found = [];
  for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++) {
    for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column++) {
      found.push(row * width + column);
    }
  }
  return found;
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
