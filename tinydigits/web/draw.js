// A square field to draw on. Strokes are stored as points, 0 to 1 of its side, and redrawn.

const PEN = 0.065; // of the field's side
const READ_SIDE = 176; // pixels of the drawing when it is read ...
const READ_MARGIN = 10; // ... and of the paper around it: strokes at the edge stay whole
const DRAWN = { scale: 1 / READ_SIDE, x: -READ_MARGIN / READ_SIDE, y: -READ_MARGIN / READ_SIDE };
const MOST_PIXELS = 16e6; // of a picture: phones allow no larger canvas

/**
 * Let the user draw on a canvas.
 * @param changed(isDone) is called after each change; isDone is false within a stroke
 * @returns undo, clear, show(picture), render, state, pixels and placeOf(box)
 */
function drawingField(canvas, changed) {
  const past = []; // earlier states, which never change again
  let state = { picture: null, strokes: [] };
  let pointer = null; // the one that draws: a hand resting beside the pen is ignored

  function enter(next) {
    past.push(state);
    state = next;
    changed(true);
  }

  function undo() {
    if (!past.length || pointer !== null) return;
    state = past.pop();
    changed(true);
  }

  function clear() {
    if (pointer === null && !isEmpty(state)) enter({ picture: null, strokes: [] });
  }

  function show(picture) {
    pointer = null; // ends a stroke under way
    enter({ picture, strokes: [] });
  }

  function begin(event) {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    past.push(state);
    // Drawing on a picture starts a new drawing.
    state = { picture: null, strokes: [...state.strokes, [pointOf(event, canvas)]] };
    changed(false);
  }

  function move(event) {
    if (event.pointerId !== pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    const points = (events.length ? events : [event]).map((each) => pointOf(each, canvas));
    state.strokes.at(-1).push(...points);
    changed(false);
  }

  function end(event) {
    if (event.pointerId !== pointer) return;
    pointer = null;
    changed(true);
  }

  canvas.addEventListener("pointerdown", begin);
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);

  return {
    undo,
    clear,
    show,
    render: () => renderField(canvas, state),
    state: () => ({
      isEmpty: isEmpty(state),
      isDot: !state.picture && isDot(state.strokes.flat()),
      isDrawing: !state.picture,
      canUndo: past.length > 0,
    }),
    pixels: () => (state.picture ? pixelsOf(state.picture) : pixelsOfStrokes(state.strokes)),
    placeOf: (box) => placeInField(box, state.picture ? frameOf(state.picture) : DRAWN),
  };
}

function isEmpty({ picture, strokes }) {
  return !picture && !strokes.length;
}

/** Tell whether the points are a single touch of the pen. */
function isDot(points) {
  const spread = (axis) => {
    const places = points.map((point) => point[axis]);
    return Math.max(...places) - Math.min(...places);
  };
  return spread(0) < PEN && spread(1) < PEN;
}

function pointOf(event, canvas) {
  const { left, top, width, height } = canvas.getBoundingClientRect();
  return [clip((event.clientX - left) / width, 0, 1), clip((event.clientY - top) / height, 0, 1)];
}

/** Draw the state at the canvas's displayed size, in device pixels. */
function renderField(canvas, { picture, strokes }) {
  const side = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  canvas.width = canvas.height = side; // also clears it
  const context = canvas.getContext("2d");
  if (picture) drawPicture(context, picture, side);
  drawStrokes(context, strokes, side, getComputedStyle(canvas).getPropertyValue("--ink"));
}

function drawPicture(context, picture, side) {
  const scale = side / Math.max(picture.width, picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, (side - width) / 2, (side - height) / 2, width, height);
}

function drawStrokes(context, strokes, side, colour) {
  Object.assign(context, { lineWidth: PEN * side, lineCap: "round", lineJoin: "round" });
  context.strokeStyle = colour;
  for (const points of strokes) {
    context.beginPath();
    traceSmoothly(context, points.map(([x, y]) => [x * side, y * side]));
    context.stroke();
  }
}

/** Trace curves between the midpoints of neighbouring points. */
function traceSmoothly(context, points) {
  context.moveTo(...points[0]);
  points.forEach(([x, y], i) => {
    const [nextX, nextY] = points[i + 1] ?? [x, y];
    context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  });
  const [x, y] = points.at(-1);
  context.lineTo(x + 0.01, y); // a line without length would not be drawn
}

/** Return the context of a new, transparent canvas to draw on and read from. */
function sheet(width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  return canvas.getContext("2d", { willReadFrequently: true });
}

/** Return where a picture is shown: {scale, x, y}, its scale and place in shares of the field. */
function frameOf(picture) {
  const { width, height } = readSize(picture);
  const scale = 1 / Math.max(width, height);
  return { scale, x: (1 - width * scale) / 2, y: (1 - height * scale) / 2 };
}

/** Return left edge, upper edge, width and height of a box, in shares of the field. */
function placeInField(box, { scale, x, y }) {
  const [left, upper, right, lower] = box.map((edge, n) =>
    clip(edge * scale + (n % 2 ? y : x), 0, 1)
  );
  return [left, upper, right - left, lower - upper];
}

/** Return strokes as [bytes, width, height], black on white: one byte per pixel. */
function pixelsOfStrokes(strokes) {
  const side = READ_SIDE + 2 * READ_MARGIN;
  const context = sheet(side, side);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, side, side);
  context.translate(READ_MARGIN, READ_MARGIN);
  drawStrokes(context, strokes, READ_SIDE, "#000");
  const rgba = context.getImageData(0, 0, side, side).data;
  return [Uint8Array.from({ length: side * side }, (_, i) => rgba[4 * i]), side, side];
}

/** Return the size in which a picture is read. */
function readSize({ width, height }) {
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (width * height)));
  return { width: Math.ceil(width * scale), height: Math.ceil(height * scale) };
}

/** Return a picture as [bytes, width, height], RGBA: four bytes per pixel. */
function pixelsOf(picture) {
  const { width, height } = readSize(picture);
  const context = sheet(width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, width, height);
  return [context.getImageData(0, 0, width, height).data, width, height];
}
