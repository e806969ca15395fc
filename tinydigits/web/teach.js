// Teaching the net: some steps on the user's examples, mixed with synthetic digits so that it
// forgets nothing.

// Chosen on every third style of benchmarks/teach.py: how much of each batch the user's digits are,
// and how much the logits of synthetic digits, of which there is a pool, count beside them.
const LESSON = { steps: 120, batch: 32, taught: 0.2, rate: 0.002, pool: 1500, match: 0.4 };
const MOVED = { turn: 0.15, size: 0.1, slant: 0.12, shift: 1 }; // standard deviations; pixels

class CannotLearn extends Error {}

/**
 * Return {engine, draw}: what takes steps, and what draws digits to learn from.
 * @throws CannotLearn if the browser lacks WebAssembly with vectors, or decompression
 */
async function makeSchool({ step, hands }) {
  try {
    return { engine: await makeEngine(step), draw: await makeDrawer(hands) };
  } catch (cause) {
    throw new CannotLearn("This browser is too old to learn", { cause });
  }
}

/**
 * Return synthetic digits with the logits that the net gives them: {pixels, wanted}.
 * Yield the share that is done.
 */
function* remembered(engine, draw, random, count) {
  const kept = [];
  for (let n = 0; n < count; n++) {
    const pixels = draw(n % CLASSES, random);
    kept.push({ pixels, wanted: logitsOf(engine, pixels).slice() });
    yield n / count;
  }
  return kept;
}

/**
 * Take the steps of a lesson; yield the share that is done, digit by digit.
 * @param examples [{pixels, label}]
 * @param kept as `remembered` returns them
 */
function* lesson(engine, examples, kept, random) {
  const { steps, batch, taught, rate, match } = LESSON;
  engine.begin();
  for (let step = 1; step <= steps; step++) {
    for (let n = 0; n < batch; n++) {
      if (n < taught * batch) {
        const { pixels, label } = oneOf(examples, random);
        study(engine, moved(pixels, random), certain(label), 1 / batch);
      } else recall(engine, oneOf(kept, random), match / batch);
      yield ((step - 1) * batch + n) / (steps * batch);
    }
    const now = rate * Math.min(1, (2 * (steps - step + 1)) / steps);
    engine.descend(now / (1 - 0.9 ** step), 1 / (1 - 0.99 ** step));
  }
  return true;
}

/** Add the gradient of a synthetic digit's squared distance from the logits that it had before. */
function recall(engine, { pixels, wanted }, share) {
  logitsOf(engine, pixels).forEach((logit, n) => (engine.errors[n] = share * (logit - wanted[n])));
  engine.backward();
}

function oneOf(list, random) {
  return list[Math.trunc(random() * list.length)];
}

/** Return the probabilities of a digit that is known; `doubt` is shared among the others. */
function certain(label, doubt = 0) {
  return Array.from({ length: CLASSES }, (_, digit) =>
    digit === label ? 1 - doubt : doubt / (CLASSES - 1)
  );
}

/** Return 784 pixels, turned, scaled, slanted and shifted a little. */
function moved(pixels, random, amounts = MOVED) {
  const amount = (name) => amounts[name] * normal(random);
  const [turn, slant] = [amount("turn"), amount("slant")];
  const [wide, tall] = [Math.exp(amount("size")), Math.exp(amount("size"))];
  const [right, down] = [amount("shift"), amount("shift")];
  const [cosine, sine] = [Math.cos(turn), Math.sin(turn)];
  const middle = (SIDE - 1) / 2;
  const at = (x, y) => (x >= 0 && y >= 0 && x < SIDE && y < SIDE ? pixels[y * SIDE + x] : 0);
  return Float32Array.from(pixels, (_, n) => {
    const [u, v] = [(n % SIDE) - middle - right, Math.trunc(n / SIDE) - middle - down];
    const x = wide * (cosine * u + sine * v) + slant * v + middle;
    const y = tall * (cosine * v - sine * u) + middle;
    const [left, upper] = [Math.floor(x), Math.floor(y)];
    const [p, q] = [x - left, y - upper];
    return (1 - q) * ((1 - p) * at(left, upper) + p * at(left + 1, upper)) +
      q * ((1 - p) * at(left, upper + 1) + p * at(left + 1, upper + 1));
  });
}
