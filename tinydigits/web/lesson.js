// The card in which the user teaches the net: examples, progress, undo and downloads.

const LESSON_SLICE = 30; // milliseconds of learning until the page may do something else
const DRAWING_SHARE = 0.25; // of the first lesson's time: synthetic digits are drawn
const SEEDS = { kept: 5, lesson: 9 }; // the same examples teach the same

/**
 * Let the user teach the net; return {offer, teach, learn}.
 * @param net {layers, weights}, as `makeNet` takes it
 * @param teacher {step, hands}, for `makeEngine` and `makeDrawer`
 * @param use(weights) is called with the weights to read with from now on
 */
function makeLessons(net, teacher, use) {
  const source = document.documentElement.outerHTML; // before anything is shown
  const shipped = new Float32Array(bytesOf(net.weights).buffer);
  const past = []; // {example, numbers}: numbers from before the example
  let numbers = shipped;
  let school = null; // promise of {engine, kept}: made by the first lesson
  let offered = null; // pixels to be taught
  let running = null; // AbortController of the lesson under way

  const buttons = Array.from({ length: CLASSES }, (_, digit) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: digit, onclick: () => teach(digit) });
    button.setAttribute("aria-keyshortcuts", digit);
    return element("right").appendChild(button);
  });

  async function open() {
    const engine = await makeEngine(teacher.step);
    enterNumbers(engine, net.layers, shipped);
    const draw = makeDrawer(teacher.hands);
    return { engine, steps: remembered(engine, draw, randomFrom(SEEDS.kept), LESSON.pool), kept: null };
  }

  /** Learn a digit, and all examples before it, from the shipped net; return whether it did. */
  async function teach(label, pixels = offered) {
    if (running || !pixels) return false;
    running = new AbortController();
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
      if (!(error instanceof WebAssembly.CompileError)) throw error;
      past.pop();
      finish("This browser cannot learn: it lacks WebAssembly with vectors", focused);
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
    enterNumbers(engine, net.layers, shipped);
    const steps = lesson(engine, examples, ready.kept, randomFrom(SEEDS.lesson));
    const isDone = await inSlices(steps, signal, (done) => progress(share + (1 - share) * done));
    return isDone && numbersOf(engine, net.layers);
  }

  function finish(said, focused) {
    running = null;
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
    numbers = shipped;
    apply("Forgot all examples: the net is as it was");
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
    for (const name of ["unlearn", "forget", "save-page", "save-net"]) {
      element(name).disabled = Boolean(running) || !past.length;
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
    save("digits-taught.html", new Blob([taughtPage(source, current())], { type: "text/html" }))
  );
  element("save-net").addEventListener("click", () =>
    save("digits-taught.safetensors", safetensors(net.layers, numbers))
  );
  return { offer, teach, learn };
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
