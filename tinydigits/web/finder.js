// The finder: a net that marks the ink of digits in a view; a port of net/finder.py, folded.
// Maps are {channels, width, height, data}, channel after channel.

const CELL = 4; // pixels on a side of the squares that vote
const STEP = 16; // a view's sides are multiples of this

/**
 * Return a function that takes a view, a grid of brightness 0 to 1 whose sides are multiples of
 * STEP, and returns {ink, votes}: the probability of digits' ink, a grid, and four maps.
 * @param description {layers: {name: {inputs, outputs, size, stride, groups}}, weights: base64};
 *   weights holds each layer's kernels (outputs, inputs / groups, size, size), then its biases, as
 *   little-endian float16
 */
function makeFinder({ layers, weights }) {
  const numbers = halfFloats(bytesOf(weights));
  let start = 0;
  const take = (count) => numbers.subarray(start, (start += count));
  const conv = {};
  for (const [name, layer] of Object.entries(layers)) {
    const count = (layer.outputs * layer.inputs * layer.size ** 2) / layer.groups;
    const ready = { ...layer, weight: take(count), bias: take(layer.outputs) };
    conv[name] = (maps) => convolution(maps, ready);
  }
  return (view) => marked(view, conv);
}

/** Return the numbers in bytes of little-endian float16. */
function halfFloats(bytes) {
  const halves = new Uint16Array(bytes.buffer);
  return Float32Array.from(halves, (bits) => {
    const exponent = (bits >> 10) & 31;
    const fraction = (bits & 1023) / 1024;
    const size = exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction;
    return bits >> 15 ? -size : size;
  });
}

function marked(view, conv) {
  const layer = (maps, name) => rectified(conv[name](maps));
  const mixer = (maps, name) =>
    rectified(plus(maps, conv[`${name}.mix`](layer(maps, `${name}.look`))));
  const half = layer(unshuffled(standardised(view)), "enter");
  const quarter = layer(layer(half, "narrow.0"), "narrow.1");
  const eighth = ["eighth.1", "eighth.2"].reduce(mixer, layer(halved(quarter), "eighth.0"));
  const names = ["sixteenth.0", "sixteenth.1", "sixteenth.2", "sixteenth.3"];
  const last = names.reduce(mixer, halved(eighth));
  const lifted = plus(last, stretched(conv.everywhere(meansOf(last)), last));
  const finer = mixer(plus(eighth, doubled(lifted)), "back");
  const low = layer(plus(quarter, doubled(conv.to_quarter(finer))), "at_quarter");
  const high = layer(plus(half, doubled(conv.to_half(low))), "at_half");
  const ink = map(shuffled(conv.ink(high)), (logit) => 1 / (1 + Math.exp(-logit)));
  return { ink, votes: conv.votes(low) };
}

/** Return the convolution of maps, padded with zeros so that their sides stay (or halve). */
function convolution(maps, { inputs, outputs, size, stride, groups, weight, bias }) {
  const wide = padded(maps, size >> 1);
  const [width, height] = [maps.width / stride, maps.height / stride];
  const area = width * height;
  const data = new Float32Array(outputs * area);
  const plane = new Float64Array(area); // so that sums are rounded only once
  const [own, sharing] = [inputs / groups, outputs / groups];
  for (let output = 0, n = 0; output < outputs; output++) {
    plane.fill(bias[output]);
    const first = Math.trunc(output / sharing) * own;
    for (let input = first; input < first + own; input++) {
      for (let tap = 0; tap < size ** 2; tap++, n++) {
        const from = (input * wide.height + Math.trunc(tap / size)) * wide.width + (tap % size);
        addPlane(plane, width, weight[n], wide, from, stride);
      }
    }
    data.set(plane, output * area);
  }
  return { channels: outputs, width, height, data };
}

function addPlane(plane, width, weight, { width: step, data }, from, stride) {
  for (let to = 0, row = from; to < plane.length; row += step * stride) {
    for (let i = row, end = to + width; to < end; to++, i += stride) plane[to] += weight * data[i];
  }
}

/** Return new maps; value(channel, x, y) gives each number. */
function drawnMaps(channels, width, height, value) {
  const data = new Float32Array(channels * width * height);
  for (let channel = 0, i = 0; channel < channels; channel++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) data[i] = value(channel, x, y);
    }
  }
  return { channels, width, height, data };
}

function rectified(maps) {
  return { ...maps, data: maps.data.map((value) => Math.max(value, 0)) };
}

function plus(one, two) {
  return { ...one, data: one.data.map((value, i) => value + two.data[i]) };
}

/** Return the maximum of every 2x2 pixels. */
function halved({ channels, width, height, data }) {
  return drawnMaps(channels, width / 2, height / 2, (channel, x, y) => {
    const i = (channel * height + 2 * y) * width + 2 * x;
    return Math.max(data[i], data[i + 1], data[i + width], data[i + width + 1]);
  });
}

function doubled({ channels, width, height, data }) {
  return drawnMaps(channels, 2 * width, 2 * height, (channel, x, y) =>
    data[(channel * height + (y >> 1)) * width + (x >> 1)]
  );
}

function meansOf({ channels, width, height, data }) {
  const area = width * height;
  return drawnMaps(channels, 1, 1, (n) => sum(data.subarray(n * area, (n + 1) * area)) / area);
}

/** Return maps of one pixel, stretched to the size of others. */
function stretched({ channels, data }, { width, height }) {
  return drawnMaps(channels, width, height, (channel) => data[channel]);
}

/** Return maps in which each 2x2 pixels became four channels. */
function unshuffled({ channels, width, height, data }) {
  return drawnMaps(4 * channels, width / 2, height / 2, (n, x, y) =>
    data[((n >> 2) * height + 2 * y + ((n >> 1) & 1)) * width + 2 * x + (n & 1)]
  );
}

/** Return a grid in which four channels became each 2x2 pixels. */
function shuffled({ width, height, data }) {
  return drawnMaps(1, 2 * width, 2 * height, (_, x, y) =>
    data[((2 * (y & 1) + (x & 1)) * height + (y >> 1)) * width + (x >> 1)]
  );
}

/** Return two maps: brightness against that of the whole view, and against that nearby. */
function standardised(view) {
  const mean = sum(view.data) / view.data.length;
  const off = map(view, (value) => value - mean);
  const spread = Math.sqrt(sum(off.data.map((x) => x * x)) / off.data.length) + 0.01;
  const near = nearby(view).data;
  const squares = nearby(map(view, (value) => value * value)).data;
  const least = (0.15 * spread) ** 2 + 1e-4;
  return drawnMaps(2, view.width, view.height, (channel, x, y) => {
    const i = y * view.width + x;
    if (!channel) return off.data[i] / spread;
    return (view.data[i] - near[i]) / Math.sqrt(Math.max(0, squares[i] - near[i] ** 2) + least);
  });
}

/** Return the mean of some 5x5 cells around each pixel of a grid. */
function nearby(view) {
  const all = [0, 0, view.width, view.height];
  const cells = resize(view, view.width / CELL, view.height / CELL, AREA, all);
  const means = [0, 1].reduce(
    (part, axis) =>
      alongAxis(part, axis, 2, (line, out) => {
        for (let i = 0; i < out.length; i++) out[i] = sum(line.subarray(i, i + 5)) / 5;
      }),
    cells
  );
  return resize(means, view.width, view.height, BILINEAR, [0, 0, means.width, means.height]);
}
