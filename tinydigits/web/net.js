// The net: convolutions on raw pixels, 0 to 255, in float32.

/**
 * Return a function that takes 784 pixels and returns ten logits. Its `maps` takes them too and
 * returns the maps of each layer, after its pooling; the last layer's are the logits.
 * @param description {layers: [{inputs, outputs, kernel, relu, pool}], weights: base 91}; weights
 *   holds each layer's weights (outputs, inputs, kernel, kernel), then its biases (outputs), as
 *   little-endian float32
 */
function makeNet({ layers, weights }) {
  const numbers = new Float32Array(bytesOf(weights).buffer);
  let start = 0;
  const take = (count) => numbers.subarray(start, (start += count));
  const steps = layers.map((layer) => ({
    ...layer,
    weight: take(layer.outputs * layer.inputs * layer.kernel ** 2),
    bias: take(layer.outputs),
  }));
  const maps = (pixels) => {
    let last = { side: SIDE, data: Float32Array.from(pixels) };
    return steps.map((layer) => (last = pooled(convolved(last, layer), layer.pool)));
  };
  return Object.assign((pixels) => maps(pixels).at(-1).data, { maps });
}

/** Return maps (outputs, side, side) of maps (inputs, side + kernel - 1, side + kernel - 1). */
function convolved(maps, { inputs, outputs, kernel, relu, weight, bias }) {
  const side = maps.side - kernel + 1;
  const area = side * side;
  const data = new Float32Array(outputs * area);
  const plane = new Float64Array(area); // so that sums are rounded only once
  for (let output = 0, n = 0; output < outputs; output++) {
    plane.fill(bias[output]);
    for (let input = 0; input < inputs; input++) {
      for (let tap = 0; tap < kernel ** 2; tap++, n++) {
        const from = input * maps.side ** 2 + Math.trunc(tap / kernel) * maps.side + (tap % kernel);
        addShifted(plane, side, weight[n], maps, from);
      }
    }
    data.set(relu ? plane.map((value) => Math.max(value, 0)) : plane, output * area);
  }
  return { side, data };
}

function addShifted(plane, side, weight, maps, from) {
  for (let y = 0, to = 0; y < side; y++) {
    const row = from + y * maps.side;
    for (let x = 0; x < side; x++, to++) plane[to] += weight * maps.data[row + x];
  }
}

/** Return the maximum of each 2x2 pixels ("max"), the mean of all, or the maps unchanged. */
function pooled({ side, data }, pool) {
  if (!pool) return { side, data };
  const window = pool === "max" ? 2 : side;
  const small = side / window;
  const result = new Float32Array(data.length / window ** 2);
  result.fill(pool === "max" ? -Infinity : 0);
  data.forEach((value, i) => {
    const [row, x] = [Math.trunc(i / side), i % side];
    const to = Math.trunc(row / window) * small + Math.trunc(x / window);
    result[to] = pool === "max" ? Math.max(result[to], value) : result[to] + value / window ** 2;
  });
  return { side: small, data: result };
}

/** Return the probabilities of logits; they sum to 1. */
function softmax(logits) {
  const most = maximum(logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - most));
  const total = sum(powers);
  return powers.map((power) => power / total);
}
