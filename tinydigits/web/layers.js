// Layers of the finder and of the strip net, folded, and arithmetic with their maps.
// Maps are {channels, width, height, data}, channel after channel.

/**
 * Return a function of maps for each convolution, by its name.
 * @param description {layers: {name: {inputs, outputs, size, stride, groups}}, weights: text of base 91};
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

/** Return a function that adds to maps what the layers `look` and `mix` of a block make of them. */
function mixersOf(conv) {
  return (maps, name) =>
    rectified(plus(maps, conv[`${name}.mix`](rectified(conv[`${name}.look`](maps)))));
}

/**
 * Return the bytes in text of base 91: two characters hold thirteen bits, the lowest first. The
 * characters are those from "!" to "~" without the three that JSON or a script would not keep.
 */
function bytesOf(text) {
  const bytes = new Uint8Array(((text.length >> 1) * 13 + (text.length & 1) * 6) >> 3);
  let [held, bits, to] = [0, 0, 0];
  for (let n = 0; n < text.length; n += 2) {
    const high = n + 1 < text.length ? 91 * rankOf(text.charCodeAt(n + 1)) : 0;
    held |= (rankOf(text.charCodeAt(n)) + high) << bits;
    for (bits += 13; bits >= 8; bits -= 8, held >>>= 8) bytes[to++] = held;
  }
  return bytes;
}

function rankOf(code) {
  return code - 33 - (code > 34) - (code > 60) - (code > 92);
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
  const data = new Float32Array(outputs * width * height);
  const plane = new Float64Array(width * height); // so that sums are rounded only once
  const own = inputs / groups;
  const starts = tapsOf(own, high, wide, room);
  // The last four taps may be less: more have no weight.
  const weights = new Float64Array(starts.length);
  for (let output = 0; output < outputs; output++) {
    plane.fill(bias[output]);
    const first = Math.trunc((output * groups) / outputs) * own * room.width * room.height;
    const taps = own * high * wide;
    weights.set(weight.subarray(output * taps, (output + 1) * taps));
    for (let n = 0; n < starts.length; n += 4) {
      const from = starts.subarray(n, n + 4).map((start) => first + start);
      addPlanes(plane, width, weights.subarray(n, n + 4), room, from, stride);
    }
    data.set(plane, output * plane.length);
  }
  return { channels: outputs, width, height, data };
}

/** Return where each weight of an output begins in padded maps, filled up to a multiple of four. */
function tapsOf(inputs, high, wide, { width, height }) {
  const starts = new Int32Array(4 * Math.ceil((inputs * high * wide) / 4));
  for (let n = 0; n < inputs * high * wide; n++) {
    const [row, column] = [Math.trunc(n / wide), n % wide];
    starts[n] = (Math.trunc(row / high) * height + (row % high)) * width + column;
  }
  return starts;
}

/** Add four weighted maps to one: as many at once are three times as fast as one after the other. */
function addPlanes(plane, width, weights, { width: step, data }, from, stride) {
  const [a, b, c, d] = weights;
  let [i, j, k, l] = from;
  const skip = (step - width) * stride;
  for (let to = 0; to < plane.length; i += skip, j += skip, k += skip, l += skip) {
    for (const end = to + width; to < end; to++, i += stride, j += stride, k += stride, l += stride) {
      plane[to] += a * data[i] + b * data[j] + c * data[k] + d * data[l];
    }
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
