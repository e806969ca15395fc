// The page: reads a drawing or a picture, and shows the answer with its probabilities.

const logits = makeNet(JSON.parse(element("net").textContent));
const finder = makeFinder(JSON.parse(element("finder").textContent));
globalThis.tinydigits = {
  logits,
  finder,
  toMnist: (pixels, width, height) => toMnist(pixels, width, height, finder, SURVEYS),
  softmax,
};

const REST = 4; // pause before a reading within a stroke, in durations of the last reading

const field = drawingField(element("field"), changed);
const rows = Array.from({ length: 10 }, (_, digit) => addRow(digit));
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
  // A drawing is large in its field. Looking for tiny digits would take too long between strokes.
  const surveys = isDrawing ? SURVEYS.slice(0, 1) : SURVEYS;
  if (isEmpty) show({ reason: "No digit yet" }, isDone);
  else if (isDot) show({ reason: "No digit yet: only a dot" }, isDone);
  else show(read(field.pixels(), surveys), isDone);
  lastLook = { end: performance.now(), took: performance.now() - start };
}

/** Return the net's input and its probabilities, or the reason why there is no digit. */
function read(picture, surveys) {
  try {
    const pixels = toMnist(...picture, finder, surveys);
    return { pixels, probabilities: softmax(logits(pixels)) };
  } catch (error) {
    if (error instanceof SeveralDigits) {
      return { reason: "More than one digit: draw one at a time, or crop the picture" };
    }
    if (!(error instanceof NoDigit)) throw error;
    return { reason: `No digit: ${error.message}` };
  }
}

/** Show a result; announce it to screen readers once the stroke is done. */
function show({ pixels, probabilities, reason }, isDone) {
  const shares = probabilities ?? new Array(10).fill(0);
  const best = probabilities ? shares.indexOf(maximum(shares)) : -1;
  const sure = probabilities && `${percent(shares[best])} sure`;
  document.body.classList.toggle("none", best < 0);
  element("answer").textContent = best < 0 ? "–" : best;
  element("verdict").textContent = reason ?? sure;
  rows.forEach(({ row, bar, share }, digit) => {
    row.classList.toggle("best", digit === best);
    bar.style.transform = `scaleX(${shares[digit]})`;
    share.textContent = probabilities ? percent(shares[digit]) : "";
  });
  showSeen(pixels ?? new Uint8Array(SIDE * SIDE));
  if (isDone) element("status").textContent = reason ?? `Answer: ${best}, ${sure}`;
}

function percent(share) {
  return share > 0.9995 ? ">\u00a099.9\u00a0%" : `${(100 * share).toFixed(1)}\u00a0%`;
}

function showSeen(pixels) {
  const image = new ImageData(SIDE, SIDE);
  pixels.forEach((value, i) => image.data.set([value, value, value, 255], 4 * i));
  element("seen").getContext("2d").putImageData(image, 0, 0);
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
  const action = withControl ? name === "z" && field.undo : !event.altKey && actions[name];
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
