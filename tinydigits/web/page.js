// The page: reads a drawing or a picture, and shows the answer with its probabilities.

const net = JSON.parse(element("net").textContent);
let logits = makeNet(net);
const finder = makeFinder(JSON.parse(element("finder").textContent));
const reader = makeReader(JSON.parse(element("strip").textContent));
const teacher = JSON.parse(element("teacher").textContent);
const lessons = makeLessons(net, teacher, (weights) => {
  logits = makeNet({ ...net, weights });
  changed(true);
});
const scratch = makeTraining(net, teacher, lessons.adopt);
globalThis.tinydigits = {
  logits: (pixels) => logits(pixels),
  maps: (pixels) => logits.maps(pixels),
  lessons,
  scratch,
  finder,
  reader,
  decode,
  toMnist: (...picture) => toMnist(prepared(...picture), finder, SURVEYS),
  linesIn: (...picture) => linesIn(prepared(...picture), finder, reader, LARGEST),
  softmax,
};

const PEN_REST = 250; // milliseconds without a new stroke until several digits are read
const DRAWING = 320; // pixels: a drawing is seen no longer than that
const REST = 4; // pause before a reading within a stroke, in durations of the last reading

const field = drawingField(element("field"), changed);
const rows = Array.from({ length: 10 }, (_, digit) => addRow(digit));
const showInside = insideView((pixels) => logits(pixels)); // of the net as taught
let waiting = 0; // timer of the next reading
let lastLook = { end: -Infinity, took: 0 };

function element(id) {
  return document.getElementById(id);
}

function addRow(digit) {
  const row = element("bars").insertRow();
  const head = row.appendChild(document.createElement("th"));
  head.scope = "row";
  head.textContent = digit;
  const track = row.insertCell().appendChild(document.createElement("div"));
  track.className = "track";
  return { row, bar: track.appendChild(document.createElement("div")), share: row.insertCell() };
}

/** Show the drawing at once; read it after a stroke, and within a stroke if there is time. */
function changed(isDone) {
  const { isEmpty, canUndo } = field.state();
  field.render();
  element("hint").hidden = !isEmpty;
  element("undo").disabled = !canUndo;
  element("clear").disabled = isEmpty;
  clearTimeout(waiting);
  const next = lastLook.end + REST * lastLook.took;
  waiting = setTimeout(readField, isDone ? 0 : Math.max(0, next - performance.now()), isDone);
}

function readField(isDone) {
  const start = performance.now();
  const { isEmpty, isDot, isDrawing } = field.state();
  if (isEmpty) show({ reason: "No digit yet" }, isDone);
  else if (isDot) show({ reason: "No digit yet: only a dot" }, isDone);
  else readPicture(prepared(...field.pixels()), isDrawing, isDone);
  lastLook = { end: performance.now(), took: performance.now() - start };
}

/** Read and show one digit at once. Several take longer: they wait until the pen rests. */
function readPicture(picture, isDrawing, isDone) {
  // A drawing is large in its field. Looking for tiny digits would take too long between strokes.
  try {
    show(readDigit(picture, isDrawing ? SURVEYS.slice(0, 1) : SURVEYS), isDone);
  } catch (error) {
    if (!(error instanceof SeveralDigits)) throw error;
    if (!isDrawing) show({ reason: "Reading …" }, false);
    const finish = () => show(readLines(picture, isDrawing ? DRAWING : LARGEST), true);
    if (isDone) waiting = setTimeout(finish, PEN_REST);
  }
}

/**
 * Return {texts, share, pixels, maps, probabilities}: the digit as text, how probable it is, the
 * net's input, its layers' maps and all its probabilities. Without a digit, return {reason}.
 * @throws SeveralDigits
 */
function readDigit(picture, surveys) {
  try {
    const pixels = toMnist(picture, finder, surveys);
    const maps = logits.maps(pixels);
    const probabilities = softmax(maps.at(-1).data);
    const share = maximum(probabilities);
    return { texts: [`${probabilities.indexOf(share)}`], share, pixels, maps, probabilities };
  } catch (error) {
    if (error instanceof SeveralDigits || !(error instanceof NoDigit)) throw error;
    return { reason: `No digit: ${error.message}` };
  }
}

/** Return {texts, share, boxes}: lines, the probability that they are right, and digits' boxes. */
function readLines(picture, largest) {
  const lines = linesIn(picture, finder, reader, largest);
  if (!lines.length) return { reason: "More than one digit, but none is clear: leave more room between them" };
  return {
    texts: lines.map(({ digits }) => digits.map(({ digit }) => digit).join("")),
    share: lines.reduce((share, { probability }) => share * probability, 1),
    boxes: lines.flatMap(({ digits }) => digits.map(({ box }) => box)),
  };
}

/** Show a result; announce it to screen readers once the stroke is done. */
function show({ texts, share, reason, pixels, maps, probabilities, boxes }, isDone) {
  const said = reason ?? `${percent(share)} sure`;
  document.body.classList.toggle("none", !texts);
  document.body.classList.toggle("several", Boolean(boxes));
  showAnswer(texts ?? ["–"]);
  element("verdict").textContent = said;
  showShares(probabilities);
  showPixels("seen", pixels ?? new Uint8Array(SIDE * SIDE));
  showInside(maps && { pixels, maps, answer: Number(texts[0]) }, isDone);
  showBoxes(boxes ?? []);
  lessons.offer(pixels, Boolean(boxes));
  if (isDone) element("status").textContent = reason ?? `Answer: ${texts.join(", ")}, ${said}`;
}

/** Show lines of text; the style fits their size to the longest. */
function showAnswer(texts) {
  const answer = element("answer");
  answer.textContent = texts.join("\n");
  answer.style.setProperty("--longest", Math.max(...texts.map((text) => text.length)));
  answer.style.setProperty("--lines", texts.length);
}

/** Show each digit's probability; none without. */
function showShares(probabilities) {
  const best = probabilities ? probabilities.indexOf(maximum(probabilities)) : -1;
  rows.forEach(({ row, bar, share }, digit) => {
    row.classList.toggle("best", digit === best);
    bar.style.transform = `scaleX(${probabilities?.[digit] ?? 0})`;
    share.textContent = probabilities ? percent(probabilities[digit]) : "";
  });
}

/** Show boxes over the field, given in pixels of what is read. */
function showBoxes(boxes) {
  const frames = boxes.map((box) => {
    const frame = document.createElement("div");
    place(frame, field.placeOf(box));
    return frame;
  });
  element("boxes").replaceChildren(...frames);
}

/** Place an element by its left edge, upper edge, width and height, in shares of what it is in. */
function place({ style }, shares) {
  ["left", "top", "width", "height"].forEach((side, n) => (style[side] = `${100 * shares[n]}%`));
}

function percent(share) {
  return share > 0.9995 ? ">\u00a099.9\u00a0%" : `${(100 * share).toFixed(1)}\u00a0%`;
}

/** Show what the net sees. */
function showPixels(name, pixels) {
  paint(element(name), (i) => Array(3).fill(pixels[i]));
}

/** Paint a square canvas; colour(i) gives the red, green and blue of a pixel. */
function paint(canvas, colour) {
  const image = new ImageData(canvas.width, canvas.width);
  for (let i = 0; i < canvas.width ** 2; i++) image.data.set([...colour(i), 255], 4 * i);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Show a picture file and read it, without converting its colours. */
async function openPicture(file) {
  if (!file) return;
  try {
    field.show(await createImageBitmap(file, { colorSpaceConversion: "none" }));
  } catch {
    show({ reason: "The browser cannot open this file: try a PNG or JPEG picture" }, true);
  }
}

function pressed(event) {
  const withControl = event.ctrlKey || event.metaKey;
  const actions = { escape: field.clear, delete: field.clear, backspace: field.clear, o: pick };
  const name = event.key.toLowerCase();
  const plain = /^\d$/.test(name) ? () => lessons.teach(Number(name)) : actions[name];
  const action = withControl ? name === "z" && field.undo : !event.altKey && plain;
  if (!action) return;
  event.preventDefault();
  action();
}

function pick() {
  element("file").click();
}

function dragged(event) {
  event.preventDefault();
  document.body.classList.toggle("dropping", event.type === "dragover");
}

element("undo").addEventListener("click", field.undo);
element("clear").addEventListener("click", field.clear);
element("open").addEventListener("click", pick);
element("file").addEventListener("change", ({ target }) => {
  openPicture(target.files[0]);
  target.value = ""; // lets the user open the same file again
});
addEventListener("keydown", pressed);
addEventListener("paste", (event) => openPicture(event.clipboardData.files[0]));
addEventListener("dragover", dragged);
addEventListener("dragleave", dragged);
addEventListener("drop", (event) => {
  dragged(event);
  openPicture(event.dataTransfer.files[0]);
});

// Redraw when the field's size, the screen's resolution or the colour scheme changes.
new ResizeObserver(field.render).observe(element("field"));
addEventListener("resize", field.render);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", field.render);
changed(true);
