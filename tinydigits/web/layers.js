// Layers of the finder and of the strip net, folded, and arithmetic with their maps.
// Maps are {channels, width, height, data}, channel after channel.

/**
 * Return a function of maps for each convolution, by its name.
 * @param description {layers: {name: {inputs, outputs, size, stride, groups}}, weights: base64};
 *   size is one number for a square, or [height, width]. weights holds each layer's kernels
 *   (outputs, inputs / groups, height, width), then its biases, as little-endian float16
 */
function convolutionsOf({ layers, weights }) {
  const numbers = halfFloats(bytesOf(weights));
  let start = 0;
  const take = (count) => numbers.subarray(start, (start += count));
  const conv = {};
  for (const [name, layer] of Object.entries(layers)) {
    const [high, wide] = Array.isArray(layer.size) ? layer.size : [layer.size, layer.size];
    const count = (layer.outputs * layer.inputs * high * wide) / layer.groups;
    const ready = { ...layer, high, wide, weight: take(count), bias: take(layer.outputs) };
    conv[name] = (maps) => convolution(maps, ready);
  }
  return conv;
}

/** Return a function that adds to maps what a layer of columns or squares, and a mix of all, see. */
function mixersOf(conv) {
  return (maps, name) =>
    rectified(plus(maps, conv[`${name}.mix`](rectified(conv[`${name}.look`](maps)))));
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

/** Return the convolution of maps, padded with zeros so that their sides stay (or halve). */
function convolution(maps, { inputs, outputs, high, wide, stride, groups, weight, bias }) {
  const room = padded(maps, wide >> 1, high >> 1);
  const [width, height] = [maps.width / stride, maps.height / stride];
  const area = width * height;
  const data = new Float32Array(outputs * area);
  const plane = new Float64Array(area); // so that sums are rounded only once
  const [own, sharing] = [inputs / groups, outputs / groups];
  for (let output = 0, n = 0; output < outputs; output++) {
    plane.fill(bias[output]);
    const first = Math.trunc(output / sharing) * own;
    for (let input = first; input < first + own; input++) {
      for (let tap = 0; tap < high * wide; tap++, n++) {
        const from = (input * room.height + Math.trunc(tap / wide)) * room.width + (tap % wide);
        addPlane(plane, width, weight[n], room, from, stride);
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

/** Return the maximum of every two rows. */
function lowered({ channels, width, height, data }) {
  return drawnMaps(channels, width, height / 2, (channel, x, y) => {
    const i = (channel * height + 2 * y) * width + x;
    return Math.max(data[i], data[i + width]);
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
