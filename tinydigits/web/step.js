// Training steps of the net: step.c, compiled to WebAssembly, computes; here are names and order.

const PIXEL = { mean: 255 * 0.1307, deviation: 255 * 0.3081 }; // of MNIST's training digits
const CLASSES = 10;

/** Return the bytes, an ArrayBuffer, that zlib compressed and base 91 holds. */
function inflated(text) {
  const stored = new Blob([bytesOf(text)]).stream();
  return new Response(stored.pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
}

/**
 * Return the functions and numbers of step.c.
 * @param code of WebAssembly, as `inflated` takes it
 * @throws if the browser lacks WebAssembly's vectors, or decompression
 */
async function makeEngine(code) {
  const { instance } = await WebAssembly.instantiate(await inflated(code));
  const { memory, forward, backward, begin, descend_by: descend, ...places } = instance.exports;
  const numbers = (name, count) => new Float32Array(memory.buffer, places[name].value, count);
  return {
    forward,
    backward,
    begin,
    descend,
    weights: numbers("weights", 12884),
    gradients: numbers("gradients", 12884),
    pixels: numbers("pixels", SIDE * SIDE),
    logits: numbers("logits", CLASSES),
    errors: numbers("errors", CLASSES),
  };
}

/**
 * Call visit(place in step.c, place in the page's numbers, layer) for each of the net's numbers:
 * channels are innermost there, and outermost here. The page's numbers are those of `makeNet`.
 */
function eachNumber(layers, visit) {
  let [there, here] = [0, 0];
  layers.forEach(({ inputs, outputs, kernel }, n) => {
    const taps = kernel ** 2;
    const size = 4 * Math.ceil((taps * inputs) / 4); // filled up to a multiple of four, as outputs are
    for (let output = 0; output < outputs; output++, there += size) {
      for (let input = 0; input < inputs; input++) {
        for (let tap = 0; tap < taps; tap++) visit(there + tap * inputs + input, here++, n);
      }
    }
    there += -outputs & 3 && (-outputs & 3) * size;
    for (let output = 0; output < outputs; output++) visit(there++, here++, n);
    there += -outputs & 3;
  });
}

/** Return the nine weights of a filter of the first layer, which step.c fills up to twelve. */
function filterOf(weights, output) {
  return weights.subarray(12 * output, 12 * output + 9);
}

/** Copy the page's numbers to step.c. Its first layer takes normalised pixels. */
function enterNumbers({ weights }, layers, numbers) {
  eachNumber(layers, (there, here) => (weights[there] = numbers[here]));
  for (let output = 0; output < layers[0].outputs; output++) {
    const taps = filterOf(weights, output);
    weights[12 * layers[0].outputs + output] += PIXEL.mean * sum(taps);
    taps.forEach((weight, tap) => (taps[tap] = weight * PIXEL.deviation));
  }
}

/** Return the page's numbers for the net in step.c. */
function numbersOf({ weights }, layers) {
  const folded = weights.slice();
  for (let output = 0; output < layers[0].outputs; output++) {
    const taps = filterOf(folded, output);
    taps.forEach((weight, tap) => (taps[tap] = weight / PIXEL.deviation));
    folded[12 * layers[0].outputs + output] -= PIXEL.mean * sum(taps);
  }
  const numbers = [];
  eachNumber(layers, (there, here) => (numbers[here] = folded[there]));
  return Float32Array.from(numbers);
}

/** Compute the logits of 784 pixels in step.c. */
function logitsOf({ pixels, forward, logits }, digit) {
  for (let n = 0; n < pixels.length; n++) pixels[n] = (digit[n] - PIXEL.mean) / PIXEL.deviation;
  forward();
  return logits;
}

/** Add the gradient of a digit's cross-entropy with `target`, probabilities, `share` of a batch. */
function study(engine, digit, target, share) {
  const given = softmax(logitsOf(engine, digit));
  given.forEach((value, n) => (engine.errors[n] = share * (value - target[n])));
  engine.backward();
  return -sum(given.map((value, n) => target[n] * Math.log(value + 1e-9)));
}
