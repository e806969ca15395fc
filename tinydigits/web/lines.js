// Finds the lines of digits in a grey picture, as strips of ink: a port of reading/lines.py.

const FIRST = 128; // pixels of a picture's longer side in the first survey ...
const LARGEST = 1280; // ... and at most
const WANTED = 48; // pixels that most digits shall have in the next survey
const CLOSER = [1.6, 2.5]; // times as large as a survey the next one is, at least and at most
const LEGIBLE = 20; // pixels of a digit in a survey: as large, it can be told from a piece of one
const FAR_MORE = 1e6; // digits than any survey finds
const LARGE = 40; // pixels: as large, none can
const HEIGHT = 56; // pixels of a digit in the view of a line
const MARGIN = 0.7; // of a digit's size: what is seen of the picture around a line
const BAND = 0.6; // of a digit's size: digits this far from the line are of another
const REACH = 2.4; // of a digit's size: from the middle of one to that of the next
const DRIFT = 0.35; // of a digit's size: how far the next may stand above or below ...
const SLOPE = 0.3; // ... and of the distance between the two
const ALIKE = 0.45; // least ratio of two sizes in a line
const LEVEL = 1; // degrees: a line turned less is seen as it is
const LINE_LOOKS = 8; // at a line, at most
const LINE_SETTLED = 0.4; // of a digit's size: a line that changes less is seen well enough

const SAME = 0.5; // of a digit's size: two that are closer are one
const TRACE = 0.2; // probability of ink that the strip net sees, though it is part of no digit
const BESIDE = 1; // of a digit's size: such ink is looked for this far beside the line's digits

const SIZE = 22; // pixels of digits in a strip
const EDGE = 4; // pixels beside the first and last digit

/** Return the lines of digits in a grey picture as strips, from top to bottom. */
function stripsOf(picture, finder, largest) {
  const survey = pageSurvey(picture, finder, largest);
  const turn = commonTurn(survey.digits);
  let found = [];
  let left = survey.digits;
  while (left.length) {
    const groups = groupsOf(left, turn);
    const group = groups.reduce((one, other) => (other.length > one.length ? other : one));
    const [line, seen] = completed(picture, lineOf(group, survey, turn), finder);
    left = left.filter((digit) => !group.includes(digit) && !covers(line, survey, digit));
    const digits = inBand(line, seen);
    const own = { line, digits, seen };
    const same = found.filter((each) => isSameLine(own, each));
    if (same.some((each) => each.digits.length >= digits.length) || !digits.length) continue;
    found = [...found.filter((each) => !same.includes(each)), own];
  }
  const height = ({ line }) => levelled(line.middle, turn).y;
  found.sort((one, two) => height(one) - height(two));
  return found.map(({ seen, digits }) => stripOf(seen, digits));
}

/** Return whether more than half of the digits of the shorter line are those of the other. */
function isSameLine(one, other) {
  const [fewer, more] = [one, other]
    .map(({ digits, seen }) => digits.map(({ box }) => inPicture(middleOf(box), seen)))
    .sort((places, others) => places.length - others.length);
  const near = SAME * Math.max(one.line.size, other.line.size);
  const common = fewer.filter((place) => more.some((each) => distance(place, each) < near));
  return 2 * common.length > fewer.length;
}

/** Return a line, and its view, that begins and ends where its digits do. */
function completed(picture, line, finder) {
  let seen;
  for (let n = 0; n < LINE_LOOKS; n++) {
    seen = levelView(picture, line, finder);
    const digits = inBand(line, seen);
    if (!digits.length) break;
    const better = lineOf(digits, seen, 0);
    const longer = Math.abs(better.length - line.length);
    const gain = Math.max(longer, distance(better.middle, line.middle));
    const isSettled = gain < LINE_SETTLED * line.size && Math.abs(better.turn - line.turn) < 2;
    line = better;
    if (isSettled) break;
  }
  return [line, seen];
}

/** Return whether a digit of a survey stands in a line. */
function covers(line, survey, digit) {
  const { x, y } = middleOf(placeOf(survey, digit));
  const away = levelled({ x: x - line.middle.x, y: y - line.middle.y }, line.turn);
  const size = Math.max(line.size, digit.size / survey.scale);
  return Math.abs(away.y) < BAND * size && Math.abs(away.x) < line.length / 2 + MARGIN * line.size;
}

/** Return the digits of a line's view that stand in it. */
function inBand({ middle, size }, seen) {
  const [left, upper, right, lower] = seen.part;
  const off = { x: middle.x - (left + right) / 2, y: middle.y - (upper + lower) / 2 };
  const y = levelled(off, seen.turn).y * seen.scale + seen.view.height / 2;
  const pixels = size * seen.scale;
  return seen.digits.filter(
    (digit) => Math.abs(middleOf(digit.box).y - y) < BAND * pixels && digit.size > ALIKE * pixels
  );
}

/** Return the survey in which most digits are legible, until no more come. */
function pageSurvey(picture, finder, largest) {
  const seenAt = (longest) => look(picture, [0, 0, picture.width, picture.height], longest, finder);
  const most = Math.min(largest, 4 * Math.max(picture.width, picture.height));
  let [longest, best] = [FIRST, seenAt(FIRST)];
  while (longest < most && usualSize(best) < LARGE) {
    longest = Math.min(most, nextLongest(longest, best));
    const survey = seenAt(longest);
    if (foundIn(survey) > foundIn(best)) best = survey;
    else if (usualSize(best) >= LEGIBLE) break;
  }
  return best;
}

/** Return how many pixels long the survey after one is, so that its digits have WANTED. */
function nextLongest(longest, best) {
  const seen = Math.max(best.view.width, best.view.height);
  const wanted = best.digits.length ? (seen * WANTED) / usualSize(best) : Infinity;
  return Math.round(Math.max(CLOSER[0] * longest, Math.min(CLOSER[1] * longest, wanted)));
}

/** Return how many digits are legible, then how many there are: small ones may be pieces. */
function foundIn({ digits }) {
  return digits.filter(({ size }) => size >= LEGIBLE).length + digits.length / FAR_MORE;
}

/** Return the size of most digits in pixels; 0 if there is none. */
function usualSize({ digits }) {
  return digits.length ? median(digits.map(({ size }) => size)) : 0;
}

/** Return how far most digits' ink is turned, in degrees; 0 if hardly. */
function commonTurn(digits) {
  const ink = sum(digits.map((digit) => digit.ink));
  const turn = ink ? sum(digits.map((digit) => digit.turn * digit.ink)) / ink : 0;
  return Math.abs(turn) >= TURNED ? turn : 0;
}

/** Return where a point would lie if the picture were turned back. */
function levelled({ x, y }, turn) {
  const [cosine, sine] = [Math.cos, Math.sin].map((of) => of((turn * Math.PI) / 180));
  return { x: cosine * x + sine * y, y: cosine * y - sine * x };
}

/** Return the digits that follow each other, each group from left to right. */
function groupsOf(digits, turn) {
  const placed = digits.map((digit) => ({ digit, at: levelled(middleOf(digit.box), turn) }));
  placed.sort((one, two) => one.at.x - two.at.x);
  const followers = placed.map((_, number) => nextOf(placed, number));
  const firsts = placed.map((_, number) => number).filter((number) => !followers.includes(number));
  return firsts.map((first) => {
    const group = [];
    for (let number = first; number >= 0; number = followers[number]) {
      group.push(placed[number].digit);
    }
    return group;
  });
}

/** Return the number of the digit that follows one in its line; -1 if it is the last. */
function nextOf(placed, number) {
  const { digit, at } = placed[number];
  let [best, least] = [-1, Infinity];
  for (let other = number + 1; other < placed.length; other++) {
    const second = placed[other];
    const size = Math.max(digit.size, second.digit.size);
    const [across, down] = [second.at.x - at.x, second.at.y - at.y];
    const isAlike = Math.min(digit.size, second.digit.size) > ALIKE * size;
    const isBeside = across <= REACH * size && Math.abs(down) < DRIFT * size + SLOPE * across;
    const away = Math.hypot(across, 2 * down);
    if (isAlike && isBeside && away < least) [best, least] = [other, away];
  }
  return best;
}

/** Return the line that digits of a view stand in; `turn` is roughly its turn in the view. */
function lineOf(group, seen, turn) {
  const placesAt = (angle) => group.map(({ box }) => levelled(middleOf(box), angle));
  const size = median(group.map((digit) => digit.size));
  const places = placesAt(turn);
  const xs = places.map(({ x }) => x);
  if (Math.max(...xs) - Math.min(...xs) > size) {
    turn += (Math.atan(slopeOf(places)) * 180) / Math.PI;
  }
  const level = placesAt(turn);
  const half = group.map(({ box }) => (box[2] - box[0]) / 2);
  const first = Math.min(...level.map(({ x }, n) => x - half[n]));
  const last = Math.max(...level.map(({ x }, n) => x + half[n]));
  const y = middleValue(level.map((place) => place.y));
  return {
    middle: inPicture(levelled({ x: (first + last) / 2, y }, -turn), seen),
    turn: turn + seen.turn,
    length: (last - first) / seen.scale,
    size: size / seen.scale,
  };
}

/** Return the slope of the straight line with the least squared distances from points. */
function slopeOf(points) {
  const [meanX, meanY] = ["x", "y"].map((axis) => sum(points.map((p) => p[axis])) / points.length);
  const along = sum(points.map(({ x, y }) => (x - meanX) * (y - meanY)));
  return along / sum(points.map(({ x }) => (x - meanX) ** 2));
}

/** Return the median in double precision. */
function middleValue(values) {
  const ordered = [...values].sort((one, two) => one - two);
  const half = ordered.length / 2;
  return (ordered[Math.ceil(half) - 1] + ordered[Math.floor(half)]) / 2;
}

/** Return where a point of a view lies in the picture. */
function inPicture({ x, y }, { part, view, scale, turn }) {
  const off = { x: (x - view.width / 2) / scale, y: (y - view.height / 2) / scale };
  const away = levelled(off, -turn);
  return { x: away.x + (part[0] + part[2]) / 2, y: away.y + (part[1] + part[3]) / 2 };
}

/** Return a view of a line, turned level. */
function levelView(picture, { middle, turn, length, size }, finder) {
  const half = [length / 2 + MARGIN * size, (0.5 + MARGIN) * size];
  const [cosine, sine] = [Math.cos, Math.sin].map((of) => Math.abs(of((turn * Math.PI) / 180)));
  const [reachX, reachY] = [dot([cosine, sine], half), dot([sine, cosine], half)];
  const part = [
    Math.max(0, Math.floor(middle.x - reachX)),
    Math.max(0, Math.floor(middle.y - reachY)),
    Math.min(picture.width, Math.ceil(middle.x + reachX)),
    Math.min(picture.height, Math.ceil(middle.y + reachY)),
  ];
  const view = viewOf(picture, part, (longerSide(part) * HEIGHT) / size);
  if (Math.abs(turn) < LEVEL) return lookAt(part, view, finder, 0);
  return lookAt(part, turnedBack(view, turn), finder, turn);
}

/**
 * Return {ink, seen, corner, scale}: the ink of a level view in the line in which digits stand.
 * Ink too faint for a digit of its own is seen too: a thin 1 may be no more.
 */
function stripOf(seen, digits) {
  const size = middleValue(digits.map(({ box }) => longerSide(box)));
  const scale = SIZE / size;
  const middle = middleValue(digits.map(({ box }) => middleOf(box).y));
  const upper = middle - STRIP / scale / 2;
  const own = inkOfLine(seen, digits, upper, upper + STRIP / scale);
  const [first, last] = endsOfLine(own, digits, BESIDE * size);
  const { ink } = measured(seen.view, own, seen.ink, size);
  const left = first - EDGE / scale;
  const strip = cutStrip(ink, left, upper, last + EDGE / scale, STRIP / scale);
  return { ink: strip, seen, corner: [left, upper], scale };
}

/** Return a view's ink between two heights, and that of the digits, without other digits'. */
function inkOfLine({ ink, digits: all }, digits, upper, lower) {
  const [top, bottom] = [upper, lower].map((edge) => Math.max(0, rint(edge)) * ink.width);
  const others = all.filter((digit) => !digits.includes(digit));
  const isOf = (some, pixel) => some.some(({ mask }) => mask.data[pixel]);
  const isFree = (pixel) => pixel >= top && pixel < bottom && !isOf(others, pixel);
  return map(ink, (value, pixel) => (isOf(digits, pixel) || isFree(pixel) ? value : 0));
}

/** Return where a line's ink begins and ends, at most `beside` pixels further than its digits. */
function endsOfLine(ink, digits, beside) {
  const left = Math.min(...digits.map(({ box }) => box[0]));
  const right = Math.max(...digits.map(({ box }) => box[2]));
  const columns = [...mostInColumns(ink).entries()].filter(([, value]) => value > TRACE);
  const near = columns.map(([x]) => x).filter((x) => x >= left - beside && x < right + beside);
  return near.length ? [Math.min(left, near[0]), Math.max(right, near.at(-1) + 1)] : [left, right];
}

/** Return a part of a view's ink, STRIP pixels high; there is none beyond the view. */
function cutStrip(ink, left, upper, end, height) {
  const scale = STRIP / height;
  let width = Math.max(1, rint((end - left) * scale));
  width += width % 2;
  const [right, lower] = [left + width / scale, upper + height];
  const room = Math.ceil(Math.max(0, -left, -upper, right - ink.width, lower - ink.height));
  const part = [left, upper, right, lower].map((edge) => edge + room);
  const strip = resize(padded(ink, room), width, STRIP, scale < 1 ? AREA : BILINEAR, part);
  return map(strip, (value) => clip(value, 0, 1));
}

/** Return where a box [left, upper, right, lower] of a strip lies in the picture. */
function placeInPicture({ seen, corner, scale }, [left, upper, right, lower]) {
  const places = [left, right].flatMap((x) => [upper, lower].map((y) => [x, y]));
  const corners = places.map(([x, y]) =>
    inPicture({ x: x / scale + corner[0], y: y / scale + corner[1] }, seen)
  );
  const [xs, ys] = ["x", "y"].map((axis) => corners.map((each) => each[axis]));
  return [
    Math.floor(Math.min(...xs)),
    Math.floor(Math.min(...ys)),
    Math.ceil(Math.max(...xs)),
    Math.ceil(Math.max(...ys)),
  ];
}
