// The card in which the user teaches the net: examples, progress, undo and downloads.

const LESSON_SLICE = 30; // milliseconds of learning until the page may do something else
const DRAWING_SHARE = 0.25; // of the first lesson's time: synthetic digits are drawn
const NEW_NAME = "trained in this page";
const SEEDS = { kept: 5, lesson: 9 }; // the same examples teach the same

/**
 * Let the user teach the net; return {offer, teach, learn, adopt}.
 * @param net {layers, weights}, as `makeNet` takes it
 * @param teacher {step, hands}, for `makeSchool`
 * @param use(weights) is called with the weights to read with from now on
 */
function makeLessons(net, teacher, use) {
  const source = document.documentElement.outerHTML; // before anything is shown
  const shipped = new Float32Array(bytesOf(net.weights).buffer);
  const past = []; // {example, numbers}: numbers from before the example
  let base = shipped; // where each lesson starts
  let numbers = base;
  let school = null; // promise of {engine, kept}: made by the first lesson
  const { textContent: name } = element("name");
  let offered = null; // pixels to be taught
  let running = null; // AbortController of the lesson under way

  const buttons = Array.from({ length: CLASSES }, (_, digit) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: digit, onclick: () => teach(digit) });
    button.setAttribute("aria-keyshortcuts", digit);
    return element("right").appendChild(button);
  });

  async function open() {
    const { engine, draw } = await makeSchool(teacher);
    enterNumbers(engine, net.layers, base);
    return { engine, steps: remembered(engine, draw, randomFrom(SEEDS.kept), LESSON.pool), kept: null };
  }

  /** Learn a digit, and all examples before it; return whether the net did. */
  async function teach(label, pixels = offered) {
    if (running || !pixels || element("lesson").inert) return false;
    running = new AbortController();
    element("scratch").inert = true;
    const focused = document.activeElement; // a disabled button loses the focus
    past.push({ example: { pixels, label }, numbers });
    render("Learning …");
    try {
      const learnt = await learn(past.map(({ example }) => example), running.signal);
      if (learnt) numbers = learnt;
      else past.pop();
      finish(learnt ? `Learnt: this is a ${label}` : "Cancelled: the net is as before", focused);
      return Boolean(learnt);
    } catch (error) {
      if (!(error instanceof CannotLearn)) throw error;
      past.pop();
      finish(error.message, focused);
      return false;
    }
  }

  /**
   * Return the numbers of the net that has learnt the examples; null if it was stopped.
   * @param examples [{pixels, label}]
   */
  async function learn(examples, signal) {
    school ??= open();
    const ready = await school;
    const { engine } = ready;
    const share = ready.kept ? 0 : DRAWING_SHARE;
    ready.kept ??= await inSlices(ready.steps, signal, (done) => progress(share * done));
    if (!ready.kept) return null;
    enterNumbers(engine, net.layers, base);
    const steps = lesson(engine, examples, ready.kept, randomFrom(SEEDS.lesson));
    const isDone = await inSlices(steps, signal, (done) => progress(share + (1 - share) * done));
    return isDone && numbersOf(engine, net.layers);
  }

  function finish(said, focused) {
    running = null;
    element("scratch").inert = false;
    apply(said);
    if (document.activeElement === document.body) focused.focus({ preventScroll: true });
  }

  function apply(said) {
    use(textOf(new Uint8Array(numbers.buffer)));
    render(said);
  }

  function undo() {
    if (running || !past.length) return;
    ({ numbers } = past.pop());
    apply("Forgot the last example");
  }

  function forget() {
    if (running || !past.length) return;
    past.length = 0;
    numbers = base;
    apply("Forgot all examples: the net is as it was");
  }

  /** Read with another net from now on, and teach that; without numbers, the shipped one. */
  function adopt(next = shipped, said = "The shipped net reads again") {
    past.length = 0;
    numbers = base = next;
    school = null;
    element("name").textContent = base === shipped ? name : NEW_NAME;
    apply(said);
  }

  function progress(share) {
    element("progress").value = share;
  }

  /** Offer to teach what is shown: pixels of one digit, or null. */
  function offer(pixels, isSeveral) {
    offered = pixels ?? null;
    element("one").hidden = !isSeveral;
    enable();
  }

  function enable() {
    buttons.forEach((button) => (button.disabled = Boolean(running) || !offered));
    for (const id of ["unlearn", "forget"]) element(id).disabled = Boolean(running) || !past.length;
    for (const id of ["save-page", "save-net"]) {
      element(id).disabled = Boolean(running) || numbers === shipped;
    }
    element("stop").hidden = element("progress").hidden = !running;
  }

  function render(said) {
    progress(0);
    enable();
    const count = past.length;
    element("lesson").classList.toggle("taught", count > 0);
    const examples = `${count} ${count > 1 ? "examples" : "example"}`;
    element("count").textContent = count && !running ? `${said} (${examples})` : said;
    element("examples").replaceChildren(...past.map(({ example }) => thumbnail(example)));
  }

  const current = () => ({ ...net, weights: textOf(new Uint8Array(numbers.buffer)) });
  element("unlearn").addEventListener("click", undo);
  element("forget").addEventListener("click", forget);
  element("stop").addEventListener("click", () => running?.abort());
  element("save-page").addEventListener("click", () =>
    save("digits-taught.html", new Blob([taughtPage(source, current(), past.length > 0)], { type: "text/html" }))
  );
  element("save-net").addEventListener("click", () =>
    save("digits-taught.safetensors", safetensors(net.layers, numbers))
  );
  return { offer, teach, learn, adopt };
}

/** Go through a generator without blocking the page; return its result, or null if aborted. */
async function inSlices(steps, signal, report) {
  for (;;) {
    let next = steps.next();
    for (const end = performance.now() + LESSON_SLICE; !next.done && performance.now() < end; ) {
      next = steps.next();
    }
    if (next.done) return next.value;
    report(next.value);
    await new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = resolve;
      port2.postMessage(null);
    });
    if (signal.aborted) return null;
  }
}

/** Return a list item that shows an example and its digit. */
function thumbnail({ pixels, label }) {
  const item = document.createElement("li");
  const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  canvas.setAttribute("aria-hidden", "true");
  paint(canvas, (i) => Array(3).fill(pixels[i]));
  item.append(canvas, `${label}`);
  return item;
}
