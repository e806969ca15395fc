// Look inside: each layer's maps, the part of the picture that a cell comes from, and which pixels
// speak for and against the answer.

const FIELDS = [3, 6, 10, 16, 24, 28, 28]; // pixels, the side of what a layer's cell comes from
const PATCH = 4; // pixels, the side of what is blanked to judge 2x2 pixels in its middle
const SLICE = 10; // milliseconds of work until the browser may respond
const FOR = [100, 143, 255]; // the legend has these colours too
const AGAINST = [255, 176, 0];
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Fill the section that unfolds; nothing is computed while it is folded.
 * @returns show(digit, isDone): digit is {pixels, maps, answer}, or undefined unless a single one
 *   was read; isDone is false within a stroke
 */
function insideView(net) {
  const section = element("inside");
  let [digit, isDone, layers] = [];
  let round = 0; // evidence of an earlier round is out of date

  async function render() {
    const mine = ++round;
    if (!section.open) return;
    element("single").hidden = Boolean(digit);
    element("views").hidden = !digit;
    if (!digit) return;
    showPixels("view", digit.pixels);
    layers ??= digit.maps.map(addLayer);
    layers.forEach((show, n) => show(digit.maps[n], isDone));
    showEvidence(digit);
    const evidence = isDone && (await evidenceIn(digit, net, () => mine === round));
    if (evidence) showEvidence(digit, evidence);
  }

  section.addEventListener("toggle", render);
  return (...next) => {
    [digit, isDone] = next;
    render();
  };
}

/** Add a layer's maps to the page; return show(maps, isDone). */
function addLayer(maps, n) {
  const { side } = maps;
  const item = element("layers").children[n];
  const count = maps.data.length / side ** 2;
  const columns = count % 8 ? count : 8;
  const { grid, canvases } = addMaps(item, count, columns, side);
  let [x, y] = [side >> 1, side >> 1]; // the layer's chosen cell, counted across the maps

  function choose(toX, toY) {
    x = clip(toX, 0, columns * side - 1);
    y = clip(toY, 0, (count / columns) * side - 1);
    const map = Math.trunc(y / side) * columns + Math.trunc(x / side);
    showCell(n, canvases[map], maps, map, x % side, y % side);
  }

  function moved(event) {
    const way = ARROWS[event.key];
    if (!way || event.altKey) return;
    event.preventDefault();
    const cells = event.shiftKey ? side : 1;
    choose(x + way[0] * cells, y + way[1] * cells);
  }

  function pointed({ target, offsetX, offsetY }) {
    const map = canvases.indexOf(target);
    const at = (offset) => clip(Math.trunc((offset / target.clientWidth) * side), 0, side - 1);
    if (map < 0) return;
    choose((map % columns) * side + at(offsetX), Math.trunc(map / columns) * side + at(offsetY));
  }

  grid.addEventListener("keydown", moved);
  grid.addEventListener("focus", () => choose(x, y));
  grid.addEventListener("pointermove", pointed);
  grid.addEventListener("pointerdown", pointed);
  return (next, isDone) => {
    maps = next;
    paintMaps(canvases, maps);
    if (isDone && item.contains(element("spot"))) choose(x, y);
  };
}

/** Add a grid of empty canvases to a layer's text; return {grid, canvases}. */
function addMaps(item, count, columns, side) {
  const title = `${count} maps of ${side} × ${side}`;
  item.prepend(part(item, "h3", { textContent: title }));
  const looks = { className: "maps", tabIndex: 0, role: "application", ariaLabel: title };
  const grid = part(item, "div", looks);
  grid.setAttribute("aria-describedby", "moves");
  grid.style.setProperty("--columns", columns);
  const canvases = Array.from({ length: count }, (_, map) => {
    const ariaLabel = columns > 8 ? `digit ${map}` : `map ${map + 1}`;
    const tile = part(grid, "div", { className: "tile" });
    return part(tile, "canvas", { width: side, height: side, role: "img", ariaLabel });
  });
  return { grid, canvases };
}

function part(parent, kind, properties) {
  return Object.assign(parent.appendChild(document.createElement(kind)), properties);
}

/** Frame a cell and what it comes from, and tell both. */
function showCell(n, canvas, { side, data }, map, column, row) {
  const width = FIELDS[n];
  // The squares of neighbours lie evenly between the picture's edges.
  const [left, upper] = [column, row].map((cell) => (cell * (SIDE - width)) / (side - 1 || 1));
  canvas.after(element("spot"));
  place(element("spot"), [column, row, 1, 1].map((edge) => edge / side));
  place(element("source"), [left, upper, width, width].map((edge) => edge / SIDE));
  const value = data[(map * side + row) * side + column].toFixed(2);
  element("cell").textContent =
    `Layer ${n + 1}, ${canvas.ariaLabel}, row ${row + 1}, column ${column + 1}: ${value}, ` +
    `from rows ${upper + 1}–${upper + width} and columns ${left + 1}–${left + width} of the picture`;
}

/** Paint a layer's maps on one scale: black is 0 or the least value, white the largest. */
function paintMaps(canvases, { side, data }) {
  const least = Math.min(0, ...data);
  const range = maximum(data) - least || 1;
  canvases.forEach((canvas, map) =>
    paint(canvas, (i) => {
      const share = (data[map * side ** 2 + i] - least) / range;
      return [share ** 2, share, share ** 0.5].map((value) => 255 * value);
    })
  );
}

/**
 * Return what each 2x2 pixels add to the answer's lead: what the lead loses when the patch around
 * them is blanked. Return undefined once that is not wanted.
 */
async function evidenceIn({ pixels, maps, answer }, net, isWanted) {
  const lead = leadOf(maps.at(-1).data, answer);
  const evidence = new Float32Array(pixels.length);
  const places = [...pixels.keys()].filter((n) => n % 2 === 0 && n % (2 * SIDE) < SIDE);
  let end = 0;
  for (const n of places) {
    if (performance.now() > end) {
      await new Promise((done) => setTimeout(done));
      if (!isWanted()) return undefined;
      end = performance.now() + SLICE;
    }
    const blanked = pixels.map((value, i) => (isNear(i, n) ? 0 : value));
    const isChanged = blanked.some((value, i) => value !== pixels[i]);
    const loss = isChanged ? lead - leadOf(net(blanked), answer) : 0;
    [0, 1, SIDE, SIDE + 1].forEach((i) => (evidence[n + i] = loss));
  }
  return evidence;
}

/** Return whether a pixel lies in the patch around 2x2 pixels, of which `n` is the first. */
function isNear(i, n) {
  const [right, down] = [(i % SIDE) - (n % SIDE), Math.trunc(i / SIDE) - Math.trunc(n / SIDE)];
  return [right, down].every((away) => Math.abs(away - 0.5) < PATCH / 2);
}

/** Return by how much a digit's logit exceeds the largest of the others. */
function leadOf(logits, digit) {
  return logits[digit] - maximum(logits.filter((_, other) => other !== digit));
}

/** Show which pixels speak for and against the answer; without evidence, only the digit. */
function showEvidence({ pixels, answer }, evidence) {
  const most = Math.max(0, ...(evidence ?? []));
  const least = Math.min(0, ...(evidence ?? []));
  paint(element("evidence"), (i) => {
    const share = evidence ? evidence[i] / (Math.max(most, -least) || 1) : 0;
    const strength = Math.sqrt(Math.abs(share)); // so that weak evidence is seen too
    const rest = 0.4 * (1 - strength) * pixels[i];
    return (share > 0 ? FOR : AGAINST).map((value) => strength * value + rest);
  });
  const atMost = (value) => (evidence ? `: ≤ ${value.toFixed(1)}` : "");
  element("for").textContent = `for ${answer}${atMost(most)}`;
  element("against").textContent = `against${atMost(-least)}`;
}
