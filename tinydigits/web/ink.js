// Finds the strokes of one digit in a grey picture: a port of reading/ink.py, which gives reasons.

/** A picture does not show exactly one digit; the message says what was found. */
class NoDigit extends Error {}

/** A picture shows more than one digit. */
class SeveralDigits extends NoDigit {}

const QUARTILE = 0.3186; // lower, of the absolute value of a standard normal variable

// Ink and paper, as shares of the paper's brightness.
const GRAIN = 0.004; // noise above this is smoothed
const UNEVEN = 0.06; // distance from the parabola: more means uneven light
const PAPER_WINDOW = 0.35; // of the view's longer side
const DARKEST_PAPER = 32 / 255; // dividing by less would amplify noise
const LEAST_CONTRAST = 0.06; // fainter ink could be a stain
const NOISE_FACTOR = 5; // standard deviations of the noise that ink must exceed

// Ink, as shares of the digit's own contrast.
const STRONG = 0.45; // ink that makes a stroke
const WEAK = 0.3; // ink that may bridge a gap in a stroke
const FRINGE = 0.08; // where a stroke's anti-aliasing ends
const SOFT = 0.5; // least darkness gained over a stroke's width

// Shapes, as shares of the longer side.
const SPECK = 0.08; // of the largest piece: a shorter one is no stroke
const SPECK_AREA = 0.01; // of the largest piece's area
const JOIN = 0.2; // of their joint size: widest gap between the strokes of one digit
const REACH = 0.12; // of the digit: farthest distance of faint parts from a stroke
const BLOT = 1.25; // area in squared widths: a piece with less is a blot
const TANGLE = 5; // maximum length of all strokes together
const CROWD = 60; // maximum number of pieces, not counting specks
const LEAST_WHOLE = 0.06; // of the view: least size of a piece preferred to one at the edge
const CUT_OFF = 0.5; // of a piece at the edge: least size of a whole piece preferred to it
const ALONG = 0.4; // of the picture's side: a longer contact is an edge of paper or light
const LINED = 0.7; // of the picture's side that a frame covers
const RIVAL = 0.45; // of the digit's height: a piece apart that is as tall is another digit
const BESIDE = 0.6; // of the height: least height of both parts of a pair
const APART = 0.12; // of the height: least gap in a pair, or ...
const WIDE = 1.35; // ... least width of the pair, in heights
const WIDEST = 2.0; // maximum width of a digit, in heights

// In pixels: smaller shapes are not judged.
const JUDGED = 16; // least size of a blot
const SLOPING = 4; // least width of a stroke with edges of its own
const SHARP_FROM = 30; // least size of a piece with soft edges

const PRIOR = 1.5; // factor by which the more common of dark and light must outscore the rarer
const PAGE = 0.85; // least share of its box that a page fills
const WRITTEN_ON = 4; // squared widths: least elongation of writing on a page
const WRITTEN = 6; // squared widths: elongation beyond this scores no higher

/**
 * Return the strokes of the only digit in a view: its ink (0 to 1, float32), its core (a mask) and
 * its elongation.
 * @param view brightness 0 to 1, float32
 * @throws NoDigit, SeveralDigits
 */
function findStrokes(view) {
  const quiet = calm(view);
  const dark = flat(quiet);
  const light = flat(map(quiet, (value) => 1 - value));
  // Ink is rarer than paper, but strokes enclose counters and pages lie on tables.
  const views = skewness(dark.data) <= 0 ? [dark, light] : [light, dark];
  const reading = better(...views.map((each) => attempt(inkOf(each))));
  if (reading instanceof NoDigit) throw reading;
  if (reading.several) {
    throw new SeveralDigits("there is more than one digit: crop the picture to one");
  }
  return reading;
}

/** Return a number below 0 if few values lie far below the median. */
function skewness(values) {
  const middle = median(values);
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    const off = values[i] - middle;
    total += off * off * off;
  }
  return total;
}

function attempt(ink) {
  try {
    return readInk(ink);
  } catch (reason) {
    if (reason instanceof NoDigit) return reason;
    throw reason;
  }
}

/** Return the reading that looks more like writing; `expected` has the rarer ink. */
function better(expected, other) {
  if (other instanceof NoDigit) return expected;
  if (expected instanceof NoDigit || isPage(expected, other)) return other;
  if (isPage(other, expected)) return expected;
  return other.score > PRIOR * expected.score ? other : expected;
}

/** Tell whether the outer shape is a rectangle with the inner one written on it. */
function isPage(outer, inner) {
  if (inner.elongation < WRITTEN_ON) return false;
  const filled = filledHoles(outer.core);
  const box = cut(filled, extentOf(outer.core), (isSet) => isSet);
  return (
    indices(inner.core).every((index) => filled.data[index]) &&
    sum(box.data) / box.data.length >= PAGE
  );
}

/** Return a noisy view smoothed; smoothing a clean one would erase its thinnest strokes. */
function calm(view) {
  const sigma = Math.min(1.2, Math.max(view.width, view.height) / 160);
  const smooth = gaussian(view, 1);
  const grain = view.data.map((value, i) => Math.abs(value - smooth.data[i]));
  const noise = quantile(grain, 0.25) / QUARTILE;
  return noise <= GRAIN || sigma < 0.3 ? view : gaussian(view, sigma);
}

/** Return the view as if evenly lit, if a parabola describes the light; else unchanged. */
function flat(view) {
  const { width, height } = view;
  const step = Math.max(1, Math.trunc(Math.max(width, height) / 32)); // a sample is enough
  const [rows, values] = [[], []];
  for (let y = 0; y < height; y += step) {
    for (let x = 0; x < width; x += step) {
      rows.push(parabola(along(x, width), along(y, height)));
      values.push(view.data[y * width + x]);
    }
  }
  const { fit, spread } = fitPaper(rows, values);
  if (spread > UNEVEN * median(values)) return view;
  return evenlyLit(view, surface(fit, width, height));
}

function evenlyLit(view, light) {
  let mean = 0;
  for (let i = 0; i < light.length; i++) mean += light[i] / light.length;
  const data = new Float32Array(light.length);
  for (let i = 0; i < data.length; i++) {
    data[i] = mean * (1 + (view.data[i] - light[i]) / Math.max(light[i], DARKEST_PAPER));
  }
  return { ...view, data };
}

/** Return the parabola's values at all pixels. */
function surface(fit, width, height) {
  const values = new Float32Array(width * height);
  for (let row = 0, i = 0; row < height; row++) {
    const y = along(row, height);
    const [constant, slope] = [fit[0] + y * (fit[2] + y * fit[5]), fit[1] + y * fit[4]];
    for (let column = 0; column < width; column++, i++) {
      const x = along(column, width);
      values[i] = constant + x * (slope + x * fit[3]);
    }
  }
  return values;
}

/** Return a pixel's position along a side, -0.5 to 0.5. */
function along(index, length) {
  return length > 1 ? index / (length - 1) - 0.5 : -0.5;
}

function parabola(x, y) {
  return [1, x, y, x * x, x * y, y * y];
}

/** Fit rows to values, repeatedly leaving out the outliers, which are ink. */
function fitPaper(rows, values) {
  let [fit, spread] = [[], 0];
  let paper = rows.map(() => true);
  for (let round = 0; round < 5; round++) {
    const kept = (_, i) => paper[i];
    fit = leastSquares(rows.filter(kept), values.filter(kept));
    const off = rows.map((row, i) => Math.abs(values[i] - dot(row, fit)));
    spread = 1.4826 * median(off);
    paper = off.map((distance) => distance <= 2.5 * spread + 0.005);
  }
  return { fit, spread };
}

/** Return the share of light absorbed at each pixel; about 0 on bare paper. */
function inkOf(view) {
  const window = Math.max(3, rint(PAPER_WINDOW * Math.max(view.width, view.height)));
  const paper = closing(view, window).data;
  const data = new Float32Array(paper.length);
  for (let i = 0; i < data.length; i++) {
    data[i] = 1 - view.data[i] / Math.max(paper[i], DARKEST_PAPER);
  }
  // Noise makes the closing slightly too bright; most of the lighter half is bare paper.
  const bare = quantile(data, 0.25);
  for (let i = 0; i < data.length; i++) data[i] -= bare;
  return { ...view, data };
}

/** Return the standard deviation on bare paper, from the lightest quarter of the picture. */
function noiseOf(ink) {
  return -quantile(ink.data, 0.05) / 0.97;
}

function readInk(ink) {
  const noise = noiseOf(ink);
  const visible = Math.max(LEAST_CONTRAST, NOISE_FACTOR * noise);
  const candidates = ink.data.filter((value) => value > visible);
  if (!candidates.length) {
    throw new NoDigit(visible > LEAST_CONTRAST ? "only noise was found" : "the picture is blank");
  }
  const level = quantile(candidates, 0.95);
  const share = map(ink, (value) => value / level);
  const { labels, pieces } = piecesOf(strokeMask(ink, level, visible));
  const { digit, several } = oneDigit(whole(sharp(pieces, labels, share), labels), labels);
  const core = maskOf(digit, labels);
  const strength = strengthOf(share, core, Math.max(FRINGE, (NOISE_FACTOR * noise) / level));
  const elongation = Math.max(...digit.map((piece) => piece.elongation));
  const edge = sum(sidesOf(core).flat()) / (2 * (core.width + core.height));
  const size = around(digit).size / Math.max(ink.width, ink.height);
  const score = level * Math.min(elongation, WRITTEN) * (1 - edge) * size ** 0.5;
  return { ink: strength, core, elongation, several, score };
}

/** Return a mask of strong ink, and of weaker ink next to it. */
function strokeMask(ink, level, visible) {
  const above = (least) => map(ink, (value) => value > Math.max(least, visible), Uint8Array);
  const mask = above(STRONG * level);
  grow(mask, above(WEAK * level), 2);
  return mask;
}

/** Return each pixel's piece number and the pieces that may be strokes. */
function piecesOf(mask) {
  if (!mask.data.includes(0)) throw new NoDigit("the picture is blank");
  const inside = insideOfFrame(mask);
  const labels = labelled(inside);
  const depth = distances(inside).data;
  const found = Array.from({ length: labels.count }, (_, i) => newPiece(i + 1));
  labels.data.forEach((label, i) => {
    if (label) addPixel(found[label - 1], i % mask.width, Math.trunc(i / mask.width), depth[i]);
  });
  return { labels, pieces: withoutRings(found.map(measured), labels) };
}

function newPiece(label) {
  return { label, area: 0, depth: 0, top: Infinity, left: Infinity, bottom: 0, right: 0 };
}

function addPixel(piece, x, y, depth) {
  piece.area++;
  piece.depth = Math.max(piece.depth, depth);
  piece.top = Math.min(piece.top, y);
  piece.left = Math.min(piece.left, x);
  piece.bottom = Math.max(piece.bottom, y + 1);
  piece.right = Math.max(piece.right, x + 1);
}

function measured({ label, area, depth, top, left, bottom, right }) {
  const width = 2 * depth - 1; // of its widest stroke
  const extent = new Extent(top, left, bottom, right);
  return { label, area, width, extent, elongation: area / width ** 2 };
}

/** Return the piece's mask in its extent. */
function partOf(piece, labels) {
  return cut(labels, piece.extent, (label) => label === piece.label);
}

function maskOf(pieces, labels) {
  const isWanted = new Uint8Array(labels.count + 1);
  for (const piece of pieces) isWanted[piece.label] = 1;
  return map(labels, (label) => isWanted[label], Uint8Array);
}

/** Drop bands of light: unlike a pen's stroke, they do not darken fully within their width. */
function sharp(pieces, labels, ink) {
  const isJudged = (piece) => piece.extent.size >= SHARP_FROM && piece.width >= SLOPING;
  if (!pieces.some(isJudged)) return pieces;
  const [down, across] = [gaussian(ink, 1, [1, 0]).data, gaussian(ink, 1, [0, 1]).data];
  const slope = map(ink, (_, i) => Math.hypot(down[i], across[i]));
  return pieces.filter((piece) => !isJudged(piece) || rise(piece, labels, slope) >= SOFT);
}

/** Return the darkness gained over a stroke's width at its softer edges. */
function rise(piece, labels, slope) {
  const part = partOf(piece, labels);
  const { top, left } = piece.extent;
  const slopes = indices(part)
    .filter((index) => isRim(part, index))
    .map((index) => {
      const x = index % part.width;
      return slope.data[(top + (index - x) / part.width) * slope.width + left + x];
    });
  return quantile(slopes, 0.25) * piece.width;
}

/** Return the values along the four sides: top, bottom, left and right. */
function sidesOf({ width, height, data }) {
  const line = (length, start, step) => Array.from({ length }, (_, i) => data[start + i * step]);
  return [
    line(width, 0, 1),
    line(width, (height - 1) * width, 1),
    line(height, 0, width),
    line(height, width - 1, width),
  ];
}

/** Return the mask without a frame along the picture's edge. */
function insideOfFrame(mask) {
  const { width, height } = mask;
  const inside = map(mask, (isSet) => isSet, Uint8Array);
  const sides = [
    { lines: height, length: width, start: 0, line: width, step: 1 },
    { lines: height, length: width, start: (height - 1) * width, line: -width, step: 1 },
    { lines: width, length: height, start: 0, line: 1, step: width },
    { lines: width, length: height, start: width - 1, line: -1, step: width },
  ];
  const lined = sides.filter((side) => coverage(inside, side, 0) >= LINED);
  if (lined.length < 3) return mask;
  for (const side of lined) {
    let frame = 0;
    while (frame < side.lines && coverage(inside, side, frame) >= LINED) frame++;
    for (let n = 0; n < frame; n++) {
      for (let i = 0; i < side.length; i++) inside.data[placeOf(side, n, i)] = 0;
    }
  }
  return inside.data.includes(1) ? inside : mask;
}

function placeOf(side, n, i) {
  return side.start + n * side.line + i * side.step;
}

/** Return the share of set pixels in the nth line from a side. */
function coverage(mask, side, n) {
  let covered = 0;
  for (let i = 0; i < side.length; i++) covered += mask.data[placeOf(side, n, i)];
  return covered / side.length;
}

/** Drop pieces that enclose another: a frame, or a circle drawn around the digit. */
function withoutRings(found, labels) {
  const pieces = withoutSpecks(found);
  const isRing = (outer) => {
    const inner = pieces.filter(
      ({ extent }) => outer.extent.holds(extent) && extent.size >= SPECK * outer.extent.size
    );
    return inner.length > 0 && enclosesAny(outer, inner, labels);
  };
  return withoutSpecks(pieces.filter((piece) => !isRing(piece)));
}

function enclosesAny(outer, inner, labels) {
  const filled = filledHoles(partOf(outer, labels));
  const part = cut(labels, outer.extent, (label) => label, Int32Array);
  const escaped = new Set(part.data.filter((_, i) => !filled.data[i]));
  return inner.some((piece) => !escaped.has(piece.label));
}

function largestSize(pieces) {
  return Math.max(0, ...pieces.map((piece) => piece.extent.size));
}

function withoutSpecks(pieces) {
  const largest = largestSize(pieces);
  return pieces.filter((piece) => piece.extent.size >= SPECK * largest);
}

/** Drop pieces along or cut off by the picture's edge if a whole piece remains. */
function whole(pieces, labels) {
  const page = new Extent(0, 0, labels.height, labels.width);
  const inside = pieces.filter((piece) => page.holds(piece.extent));
  const largest = largestSize(inside.filter((piece) => piece.elongation >= BLOT));
  if (largest < LEAST_WHOLE * page.size) return pieces;
  const isMeant = (piece) =>
    !inside.includes(piece) &&
    largest < CUT_OFF * piece.extent.size &&
    !runsAlongEdge(piece, labels);
  return [...inside, ...pieces.filter(isMeant)];
}

function runsAlongEdge(piece, labels) {
  const contacts = sidesOf(labels).map(
    (side) => side.filter((label) => label === piece.label).length / side.length
  );
  return Math.max(...contacts) >= ALONG || contacts.filter((contact) => contact > 0).length > 1;
}

/** Return the pieces of the most prominent digit, and whether there is another digit. */
function oneDigit(pieces, labels) {
  const isWritten = (piece) => piece.elongation >= BLOT || piece.extent.size < JUDGED;
  const written = pieces.filter(isWritten);
  const texture = "only texture was found, such as noise or a page of writing";
  if (!written.length) throw new NoDigit("only blots were found, no strokes");
  if (written.length > CROWD) throw new NoDigit(texture);
  const { joined, apart } = cluster(written, labels);
  const extent = around(joined);
  if (lengthOf(joined, labels) > TANGLE * extent.size) throw new NoDigit(texture);
  const isRival = (piece) => piece.extent.height >= RIVAL * extent.height;
  const several = apart.some(isRival) || isPair(joined, extent);
  if (extent.width > WIDEST * extent.height && !several) {
    throw new NoDigit("the ink is too wide for one digit");
  }
  return { digit: joined, several };
}

function around(pieces) {
  return pieces.map((piece) => piece.extent).reduce((all, extent) => all.union(extent));
}

/** Return the largest piece with all pieces near it, and the other pieces. */
function cluster(pieces, labels) {
  let joined = [highest(pieces, (piece) => piece.extent.size)];
  let apart = pieces.filter((piece) => !joined.includes(piece));
  while (apart.length) {
    const gaps = gapsTo(joined, labels);
    const extent = around(joined);
    const isNear = (piece) => gaps[piece.label] <= JOIN * extent.union(piece.extent).size;
    const near = apart.filter(isNear);
    if (!near.length) break;
    joined = [...joined, ...near];
    apart = apart.filter((piece) => !near.includes(piece));
  }
  const largest = Math.max(...joined.map((piece) => piece.area));
  return { joined: joined.filter((piece) => piece.area >= SPECK_AREA * largest), apart };
}

/** Return each label's shortest distance to the pieces. */
function gapsTo(pieces, labels) {
  const distance = distancesTo(maskOf(pieces, labels)).data;
  const gaps = new Float32Array(labels.count + 1).fill(Infinity);
  labels.data.forEach((label, i) => (gaps[label] = Math.min(gaps[label], distance[i])));
  return gaps;
}

function distancesTo(mask) {
  return distances(map(mask, (isSet) => 1 - isSet, Uint8Array));
}

function lengthOf(pieces, labels) {
  const mask = maskOf(pieces, labels);
  return sum(mask.data) / meanWidth(mask);
}

/** Return the mean width of strokes: four times the mean depth, as for a long ribbon. */
function meanWidth(mask) {
  const depth = distances(padded(mask, 1)).data;
  let [total, area] = [0, 0];
  for (let i = 0; i < depth.length; i++) {
    if (!depth[i]) continue; // outside the mask
    total += depth[i];
    area++;
  }
  return Math.max(1, 4 * (total / area - 0.5));
}

/** Tell whether a column of paper separates the pieces into two digits side by side. */
function isPair(pieces, extent) {
  const ordered = [...pieces].sort((one, two) => one.extent.left - two.extent.left);
  return ordered.some(
    (_, n) => n && areBeside(around(ordered.slice(0, n)), around(ordered.slice(n)), extent)
  );
}

function areBeside(left, right, both) {
  const gap = right.left - left.right;
  return (
    gap > 0 &&
    Math.min(left.height, right.height) >= BESIDE * both.height &&
    (gap > APART * both.height || both.width > WIDE * both.height)
  );
}

/** Return the ink of the core and of connected pixels near it; 0 elsewhere. */
function strengthOf(ink, core, fringe) {
  const reach = Math.max(1.5, REACH * extentOf(core).size);
  const distance = distancesTo(core).data;
  const isNear = (value, i) => (value > fringe && distance[i] <= reach) || core.data[i];
  const kept = connected(map(ink, isNear, Uint8Array), core).data;
  return map(ink, (value, i) => (kept[i] ? clip(value, 0, 1) : 0));
}
