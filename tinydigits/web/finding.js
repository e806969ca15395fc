// Finds the digits in a grey picture: a port of reading/finding.py.

class NoDigit extends Error {}

/** There is more than one digit. */
class SeveralDigits extends NoDigit {
  constructor() {
    super("there is more than one digit: crop the picture to one");
  }
}

const UNIT = 32; // pixels of a digit whose size has the logarithm 0
const TURN = 45; // degrees of a turn of 1

const SURVEYS = [128, 200, 320, 640]; // pixels of a whole picture's longer side; larger ones if needed
const LOOK = 128; // pixels of a closer view ...
const WHOLE = 72; // ... and of the digit in it
const LOOKS = 4; // at a digit, at most
const SETTLED = 0.8; // ratio of two views' sizes from which the second is no better
const TURNED = 10; // degrees: a digit that leans less is read as it stands
const CANDIDATES = 4; // in a picture, that are looked at more closely

const INK = 0.4; // probability
const FRAME = 0.5; // of marked ink's contrast: a ring or frame has as much all along
const FRAMED = 0.15; // of a frame's marked ink: as much inside it tells it from a 0
const GAP = 2; // pixels beside a frame: it is closed if its ends come this close
const SIZES = [0.1, 12]; // smallest and largest size of a digit, in UNITs
const BIN = 0.1; // of a digit's size: votes in 3 x 3 of such bins agree
const APART = 0.3; // of a digit's size: votes this far from its middle may be for another
const FAR = 0.6; // of a digit's size: votes this far from every middle are for nothing
const LEAST = 4; // pixels of ink in these bins: less is a speck
const PART = 1.2; // times as large as its ink by its votes: ink that is part of another digit ...
const UNION = 1.3; // ... which with it is at most this much larger than by its votes
const PEAK = 0.05; // of the most votes for a middle: as many are another digit's
const RIVAL = 0.06; // of a digit's ink: another with as much beside it is a second digit ...
const SMALL = 0.35; // ... and so is one elsewhere with this share of its size

/**
 * Return a closer view of the only digit in a grey picture: the first of the view's digits.
 * @throws NoDigit, SeveralDigits
 */
function onlyDigit(picture, finder, surveys) {
  const [survey, found] = firstDigit(picture, finder, surveys);
  const [main, ...others] = found.digits;
  if (others.some((other) => other.ink >= RIVAL * main.ink)) throw new SeveralDigits();
  const known = placeOf(found, main);
  const least = SMALL * longerSide(known);
  for (const [seen, other] of beside(survey, found, least)) {
    const near = closer(picture, seen, other, finder);
    if (near && isOther(placeOf(near, near.digits[0]), known, least)) throw new SeveralDigits();
  }
  return upright(found, finder);
}

/** Return the survey and the closer view in which the most prominent digit is found. */
function firstDigit(picture, finder, surveys) {
  for (const longest of surveys) {
    const survey = look(picture, [0, 0, picture.width, picture.height], longest, finder);
    for (const digit of survey.digits.slice(0, CANDIDATES)) {
      const found = closer(picture, survey, digit, finder);
      if (found) return [survey, found];
    }
  }
  throw new NoDigit("no handwritten digit was found");
}

/** Return what may be digits too: those not seen in the closer view, or cut off by its edge. */
function beside(survey, found, least) {
  const cutOff = found.digits.slice(1).filter(({ box }) => isCut(box, found.view));
  const elsewhere = survey.digits.slice(0, CANDIDATES).filter((digit) => {
    const place = placeOf(survey, digit);
    return longerSide(place) >= least && !isInside(place, found.part);
  });
  return [...cutOff.map((digit) => [found, digit]), ...elsewhere.map((digit) => [survey, digit])];
}

/** Return what is found in a part of a picture, seen `longest` pixels long. */
function look(picture, part, longest, finder) {
  return lookAt(part, viewOf(picture, part, longest), finder, 0);
}

function lookAt(part, view, finder, turn) {
  const { width, height } = view;
  const { ink: found, votes } = finder(multiple(view));
  const ink = unframed(partOf(found, [0, 0, width, height]), view);
  const digits = joined(digitsOf(ink, votes).sort((one, two) => two.ink - one.ink), pieces(ink, INK));
  const scale = Math.max(width, height) / longerSide(part);
  return { part, view, ink, digits, turn, scale };
}

/** Return a view whose sides are multiples of STEP; its edges are repeated. */
function multiple({ width, height, data }) {
  const [wide, high] = [width, height].map((side) => Math.ceil(side / STEP) * STEP);
  return drawnMaps(1, wide, high, (_, x, y) =>
    data[Math.min(y, height - 1) * width + Math.min(x, width - 1)]
  );
}

/** Return the part of a grid in [left, upper, right, lower]. */
function partOf(grid, [left, upper, right, lower]) {
  return drawnMaps(1, right - left, lower - upper, (_, x, y) =>
    grid.data[(upper + y) * grid.width + left + x]
  );
}

/** Return ink without what runs around other ink, as rings and frames do: no digit does. */
function unframed(ink, view) {
  const marked = map(ink, (weight) => weight > INK, Uint8Array);
  if (!marked.data.includes(1)) return ink;
  const found = piecesAsDark(view, marked);
  const frames = new Set();
  for (const [number, box] of boxesOf(found)) {
    const own = map(partOf(found, box), (piece) => piece === number, Uint8Array);
    const inked = partOf(marked, box).data;
    const line = sum(inked.map((is, pixel) => is * own.data[pixel]));
    const inside = line && sum(enclosed(own).data.map((is, pixel) => is * inked[pixel]));
    if (line && inside > FRAMED * line) frames.add(number);
  }
  return map(ink, (weight, pixel) => (frames.has(found.data[pixel]) ? 0 : weight));
}

/** Return the connected pieces of marked ink and of what differs from the paper almost as much. */
function piecesAsDark(view, marked) {
  const middle = median(view.data);
  const contrast = map(view, (brightness) => brightness - middle);
  const inked = contrast.data.filter((_, pixel) => marked.data[pixel]);
  const sign = Math.sign(sum(inked)) || 1;
  const least = FRAME * median(inked.map((value) => sign * value));
  return pieces(map(contrast, (value, pixel) => sign * value > least || marked.data[pixel]), 0);
}

/** Return what a mask's pixels run around, even if they leave a small gap. */
function enclosed(mask) {
  const room = GAP + 1;
  const areas = pieces(map(grown(padded(mask, room), GAP), (value) => 1 - value), 0);
  return drawnMaps(1, mask.width, mask.height, (_, x, y) =>
    Number(areas.data[(y + room) * areas.width + x + room] > 1) // the first is outside
  );
}

/** Return a part of a grey picture as brightness 0 to 1, `longest` pixels long. */
function viewOf(picture, part, longest) {
  const scale = longest / longerSide(part);
  const [width, height] = sidesOfBox(part).map((side) => Math.max(1, rint(side * scale)));
  const view = resize(picture, width, height, scale < 1 ? AREA : BILINEAR, part);
  return map(view, (value) => value / 255);
}

/** Return a view in which a digit is WHOLE pixels long; null if it is no digit after all. */
function closer(picture, seen, digit, finder) {
  for (let n = 0; n < LOOKS; n++) {
    const part = around(seen, digit, picture);
    const ratio = longerSide(part) / longerSide(seen.part);
    const isSame = part.every((edge, i) => edge === seen.part[i]);
    const isClose = Math.max(seen.view.width, seen.view.height) === LOOK;
    if (isClose && (isSame || (SETTLED < ratio && ratio < 1 / SETTLED))) break;
    seen = followed(look(picture, part, LOOK, finder), placeOf(seen, digit));
    if (!seen.digits.length) return null;
    digit = seen.digits[0];
  }
  return seen;
}

/** Return a view whose first digit is the one that covers most of a place. */
function followed(seen, place) {
  const common = (digit) => {
    const box = placeOf(seen, digit);
    const [wide, high] = [0, 1].map((axis) =>
      Math.max(0, Math.min(box[2 + axis], place[2 + axis]) - Math.max(box[axis], place[axis]))
    );
    return wide * high;
  };
  return { ...seen, digits: [...seen.digits].sort((one, two) => common(two) - common(one)) };
}

/** Return the part of the picture in which the digit will be WHOLE of LOOK pixels long. */
function around(seen, digit, picture) {
  const [left, upper, right, lower] = placeOf(seen, digit);
  const longest = Math.max(right - left, lower - upper, digit.size / seen.scale);
  const half = (longest * LOOK) / WHOLE / 2;
  const [x, y] = [(left + right) / 2, (upper + lower) / 2];
  return [
    Math.max(0, Math.floor(x - half)),
    Math.max(0, Math.floor(y - half)),
    Math.min(picture.width, Math.ceil(x + half)),
    Math.min(picture.height, Math.ceil(y + half)),
  ];
}

/** Return a closer view, turned so that its first digit stands upright. */
function upright(seen, finder) {
  const { turn } = seen.digits[0];
  if (Math.abs(turn) < TURNED) return seen;
  const found = lookAt(seen.part, turnedBack(seen.view, turn), finder, turn);
  return found.digits.length ? found : seen;
}

/** Return a view turned counterclockwise by some degrees around its middle. */
function turnedBack({ width, height, data }, turn) {
  const [cosine, sine] = [Math.cos, Math.sin].map((of) => of((turn * Math.PI) / 180));
  const [middleX, middleY] = [(width - 1) / 2, (height - 1) / 2];
  return drawnMaps(1, width, height, (_, column, row) => {
    const [x, y] = [column - middleX, row - middleY];
    const fromX = clip(cosine * x - sine * y + middleX, 0, width - 1);
    const fromY = clip(sine * x + cosine * y + middleY, 0, height - 1);
    const [left, top] = [Math.floor(fromX), Math.floor(fromY)];
    const [right, below] = [Math.min(left + 1, width - 1), Math.min(top + 1, height - 1)];
    const along = (line) =>
      data[line * width + left] * (left + 1 - fromX) + data[line * width + right] * (fromX - left);
    return along(top) * (top + 1 - fromY) + along(below) * (fromY - top);
  });
}

/** Return the digits for whose middles the cells of ink vote. */
function digitsOf(ink, votes) {
  const all = voters(ink, votes);
  const middles = middlesOf(all);
  const followers = middles.map(() => []);
  for (const voter of all) {
    const away = middles.map((middle) => distance(voter, middle) / middle.size);
    const least = -maximum(away.map((share) => -share));
    if (least < FAR) followers[away.indexOf(least)].push(voter);
  }
  return followers.map((own) => digitOf(own, ink));
}

function distance(one, two) {
  return Math.hypot(one.x - two.x, one.y - two.y);
}

/** Return each pixel of ink with its weight and what its cell votes for. */
function voters({ width, data }, votes) {
  const area = votes.width * votes.height;
  const found = [];
  data.forEach((weight, pixel) => {
    if (weight <= INK) return;
    const [column, row] = [Math.trunc((pixel % width) / CELL), Math.trunc(pixel / width / CELL)];
    const at = row * votes.width + column;
    const [right, down, logarithm, turn] = [0, 1, 2, 3].map((n) => votes.data[n * area + at]);
    const size = UNIT * clip(Math.exp(logarithm), ...SIZES);
    const x = (column + 0.5) * CELL + right * size;
    const y = (row + 0.5) * CELL + down * size;
    found.push({ pixel, weight, x, y, size, turn });
  });
  return found;
}

function digitOf(own, { width, height }) {
  const mask = { width, height, data: new Uint8Array(width * height) };
  const [columns, rows] = [[], []];
  for (const { pixel } of own) {
    mask.data[pixel] = 1;
    columns.push(pixel % width);
    rows.push(Math.trunc(pixel / width));
  }
  const least = (values) => -maximum(values.map((value) => -value));
  return {
    mask,
    ink: sum(own.map(({ weight }) => weight)),
    size: median(own.map(({ size }) => size)),
    turn: (TURN * sum(own.map(({ turn }) => turn))) / own.length,
    box: [least(columns), least(rows), maximum(columns) + 1, maximum(rows) + 1],
  };
}

/** Return digits, those with most ink first, with a stroke that sticks out made part of one. */
function joined(digits, pieces) {
  const whole = [];
  for (const digit of digits) {
    const piece = pieceOf(digit, pieces);
    const n = whole.findIndex((other) => piece === pieceOf(other, pieces) && isPart(digit, other));
    if (n < 0) whole.push(digit);
    else whole[n] = { ...whole[n], ...together(whole[n], digit) };
  }
  return whole;
}

function together(one, two) {
  const mask = map(one.mask, (value, pixel) => value | two.mask.data[pixel], Uint8Array);
  return { mask, ink: one.ink + two.ink, box: union(one.box, two.box) };
}

/** Return whether ink that belongs to a larger digit by its votes is part of a digit beside it. */
function isPart(digit, whole) {
  const most = UNION * Math.max(digit.size, whole.size);
  const isLarger = digit.size > PART * longerSide(digit.box);
  return isLarger && longerSide(union(digit.box, whole.box)) < most;
}

/** Return the connected piece of ink that most of a digit is in. */
function pieceOf({ mask, box }, pieces) {
  const [own, numbers] = [mask, pieces].map((grid) => partOf(grid, box).data);
  const counts = new Int32Array(maximum(numbers) + 1);
  numbers.forEach((number, pixel) => (counts[number] += own[pixel]));
  return counts.indexOf(maximum(counts));
}

function union(one, two) {
  return one.map((edge, i) => (i < 2 ? Math.min : Math.max)(edge, two[i]));
}

/** Return x, y and size of the middles with most votes. */
function middlesOf(voters) {
  const middles = [];
  let least = LEAST;
  while (voters.length) {
    const agrees = agreeing(voters);
    const near = voters.filter((_, i) => agrees[i]);
    const total = sum(near.map(({ weight }) => weight));
    if (total < least) break;
    least = Math.max(least, PEAK * total);
    const [x, y] = ["x", "y"].map((axis) => dot(near.map((v) => v.weight), near.map((v) => v[axis])));
    const middle = { x: x / total, y: y / total, size: median(near.map(({ size }) => size)) };
    middles.push(middle);
    voters = voters.filter((v, i) => !agrees[i] && distance(v, middle) >= APART * middle.size);
  }
  return middles;
}

/** Return which votes fall into those 3 x 3 bins that hold most of them. */
function agreeing(voters) {
  const side = Math.max(2, median(voters.map(({ size }) => size)) * BIN);
  const [columns, rows] = ["x", "y"].map((axis) => {
    const places = voters.map((voter) => voter[axis]);
    const first = -maximum(places.map((place) => -place));
    return places.map((place) => Math.floor((place - first) / side));
  });
  const [left, top] = fullest(columns, rows, voters);
  return voters.map((_, i) => Math.abs(columns[i] - left) <= 1 && Math.abs(rows[i] - top) <= 1);
}

/** Return the column and row of the bin with most votes in the 3 x 3 bins around it. */
function fullest(columns, rows, voters) {
  const [width, height] = [maximum(columns) + 1, maximum(rows) + 1];
  const votes = new Float64Array(width * height);
  voters.forEach(({ weight }, i) => (votes[rows[i] * width + columns[i]] += weight));
  let [best, place] = [-1, [0, 0]];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      let total = 0;
      for (let y = Math.max(0, row - 1); y <= Math.min(height - 1, row + 1); y++) {
        for (let x = Math.max(0, column - 1); x <= Math.min(width - 1, column + 1); x++) {
          total += votes[y * width + x];
        }
      }
      if (total > best) [best, place] = [total, [column, row]];
    }
  }
  return place;
}

/** Return a digit's box in pixels of the picture. */
function placeOf({ part, scale }, { box }) {
  return box.map((edge, i) => edge / scale + part[i % 2]);
}

/** Return the width and height of [left, upper, right, lower]. */
function sidesOfBox([left, upper, right, lower]) {
  return [right - left, lower - upper];
}

function longerSide(box) {
  return Math.max(...sidesOfBox(box));
}

/** Return whether a box reaches the edge of a view. */
function isCut([left, upper, right, lower], { width, height }) {
  return Math.min(left, upper) === 0 || right === width || lower === height;
}

/** Return whether a place is in a part of the picture as a whole. */
function isInside([left, upper, right, lower], part) {
  return left >= part[0] && upper >= part[1] && right <= part[2] && lower <= part[3];
}

/** Return whether a digit of some size is at a place, and not the known one. */
function isOther(place, known, least) {
  return longerSide(place) >= least && distance(middleOf(place), middleOf(known)) > least;
}

function middleOf([left, upper, right, lower]) {
  return { x: (left + right) / 2, y: (upper + lower) / 2 };
}
