// Training a new net from nothing: its weights are random at first, and every digit is a new one.

// Chosen on digits of MNIST's training set: see docs/log.md.
const TRAINING = { seed: 1, digits: 90_000, batch: 16, rate: 0.006, warming: 200, doubt: 0.1 };
const MOVED_NEW = { turn: 0.2, size: 0.15, slant: 0.2, shift: 1 }; // as MOVED
const TOGETHER = 1000; // digits of a point of the curve

/** Return the page's numbers for a net that knows nothing (He et al., 2015). */
function newNumbers(layers, random) {
  const numbers = layers.flatMap(({ inputs, outputs, kernel, relu }, n) => {
    const size = inputs * kernel ** 2;
    const deviation = Math.sqrt((relu ? 2 : 1) / size) / (n ? 1 : PIXEL.deviation);
    const weights = Array.from({ length: outputs * size }, () => deviation * normal(random));
    const biases = Array.from({ length: outputs }, (_, k) =>
      n ? 0 : -PIXEL.mean * sum(weights.slice(k * size, (k + 1) * size))
    );
    return [...weights, ...biases];
  });
  return Float32Array.from(numbers);
}

/**
 * Train a new net; yield {count, wrong} digit by digit, and return the last: the number of digits,
 * and the share of wrong answers in each thousand, which the net answered before it learnt them.
 */
function* training(engine, draw, random) {
  const { digits, batch, rate, warming, doubt } = TRAINING;
  const [steps, wrong] = [digits / batch, []];
  let [count, errors] = [0, 0];
  engine.begin();
  for (let step = 1; step <= steps; step++) {
    for (const end = count + batch; count < end; ) {
      const label = count % CLASSES;
      study(engine, moved(draw(label, random), random, MOVED_NEW), certain(label, doubt), 1 / batch);
      errors += engine.logits.indexOf(maximum(engine.logits)) !== label;
      if (++count % TOGETHER === 0) {
        wrong.push(errors / TOGETHER);
        errors = 0;
      }
      yield { count, wrong };
    }
    const now = rate * Math.min(1, step / warming, 0.5 + 0.5 * Math.cos((Math.PI * step) / steps));
    engine.descend(now / (1 - 0.9 ** step), 1 / (1 - 0.99 ** step));
  }
  return { count, wrong };
}

/**
 * Let the user train a new net and watch; return {train}.
 * @param net {layers}; teacher as for `makeSchool`
 * @param adopt(numbers, said) is called with the new net, or with nothing for the shipped one
 */
function makeTraining({ layers }, teacher, adopt) {
  const filters = Array.from({ length: layers[0].outputs }, () =>
    Object.assign(element("filters").appendChild(document.createElement("canvas")), { width: 3, height: 3 })
  );
  element("filters").style.setProperty("--columns", filters.length / 2);
  let running = null; // AbortController of the training under way

  async function start() {
    running = new AbortController();
    setBusy(true);
    try {
      const numbers = await train(running.signal);
      tell(numbers ? "The new net reads what you draw" : "Cancelled: the net is as before");
      if (numbers) {
        adopt(numbers, "Nothing taught to the new net yet");
        element("restore").hidden = false;
      }
    } catch (error) {
      if (!(error instanceof CannotLearn)) throw error;
      tell(error.message);
    }
    setBusy(false);
    element("train").focus({ preventScroll: true });
  }

  /** Return the numbers of a new net; null if training was stopped. */
  async function train(signal) {
    const { engine, draw } = await makeSchool(teacher);
    const random = randomFrom(TRAINING.seed);
    enterNumbers(engine, layers, newNumbers(layers, random));
    const begin = performance.now();
    const report = ({ count, wrong }) =>
      show(count, wrong, (performance.now() - begin) / 1000, engine.weights);
    tell("Training …");
    const end = await inSlices(training(engine, draw, random), signal, report);
    if (!end) return null;
    report(end);
    return numbersOf(engine, layers);
  }

  function show(count, wrong, seconds, weights) {
    element("watch").hidden = false;
    element("trained").value = count / TRAINING.digits;
    const digits = count.toLocaleString("en");
    const last = wrong.length ? `, ${(100 * wrong.at(-1)).toFixed(1)} % of the last 1,000 wrong` : "";
    element("course").textContent = `${digits} digits in ${seconds.toFixed(0)} s${last}`;
    const points = wrong.map((share, n) => `${n + 1},${-20 * Math.log10(Math.max(share, 0.001))}`);
    element("curve").setAttribute("points", points.join(" "));
    filters.forEach((canvas, n) => showFilter(canvas, filterOf(weights, n)));
  }

  function setBusy(isBusy) {
    for (const id of ["train", "restore"]) element(id).disabled = isBusy;
    element("lesson").inert = isBusy;
    element("halt").hidden = element("trained").hidden = !isBusy;
    if (!isBusy) running = null;
  }

  function tell(said) {
    element("told").textContent = said;
  }

  element("train").addEventListener("click", start);
  element("halt").addEventListener("click", () => running?.abort());
  element("restore").addEventListener("click", () => {
    adopt();
    tell("The shipped net reads again");
    element("restore").hidden = true;
  });
  return { train };
}

/** Paint a filter's nine weights: positive ones as evidence for, negative ones as against. */
function showFilter(canvas, weights) {
  const most = maximum(weights.map(Math.abs)) || 1;
  paint(canvas, (i) =>
    (weights[i] > 0 ? FOR : AGAINST).map((value) => (value * Math.abs(weights[i])) / most)
  );
}
