// Reads all digits in a picture: a port of reading/page.py.

const BOX_REACH = 16; // pixels of a strip: first and last digit end as far from their middle
const LIKELY = 0.6; // probability of each digit of a line, in the geometric mean: less is none
const INKED = 0.4; // of a strip's ink: as much belongs to a digit's box

/**
 * Return what a picture says, a line each: {digits: [{digit, probability, box}], probability}.
 * @param picture a grey grid of bytes
 * @param largest how many pixels long the picture is seen at most, to find its lines
 */
function linesIn(picture, finder, reader, largest) {
  if (isBlank(picture)) return [];
  const strips = stripsOf(picture, finder, largest);
  const lines = strips.map((strip) => lineFrom(strip, decode(reader(strip.ink))));
  return lines.filter(isNumber);
}

/** Return whether a line's digits are likely enough, on average, to be digits at all. */
function isNumber({ digits, probability }) {
  return digits.length > 0 && probability >= LIKELY ** digits.length;
}

function lineFrom(strip, { digits, certainties, columns, probability }) {
  const boxes = digitBoxes(strip.ink, columns).map((box) => placeInPicture(strip, box));
  const told = digits.map((digit, n) => ({ digit, probability: certainties[n], box: boxes[n] }));
  return { digits: told, probability };
}

/** Return the box of each digit in a strip: between two, the border is where least ink is. */
function digitBoxes(ink, columns) {
  const middles = columns.map(([first, last]) => first + last + 1); // a column has two pixels
  const profile = Array.from({ length: ink.width }, (_, x) => {
    let total = 0;
    for (let y = 0; y < ink.height; y++) total += ink.data[y * ink.width + x];
    return total;
  });
  const borders = [Math.max(0, middles[0] - BOX_REACH)];
  for (let n = 1; n < middles.length; n++) {
    const between = profile.slice(middles[n - 1], middles[n] + 1);
    const least = Math.min(...between) + 1e-6;
    const places = between.map((_, x) => x).filter((x) => between[x] <= least);
    borders.push(middles[n - 1] + places[places.length >> 1]);
  }
  borders.push(Math.min(ink.width, middles.at(-1) + BOX_REACH));
  return middles.map((_, n) => inkBox(ink, borders[n], borders[n + 1]));
}

/** Return the box around the ink between two columns. */
function inkBox({ width, height, data }, left, right) {
  const [columns, rows] = [[], []];
  for (let y = 0; y < height; y++) {
    for (let x = left; x < right; x++) {
      if (data[y * width + x] > INKED) {
        columns.push(x);
        rows.push(y);
      }
    }
  }
  if (!rows.length) return [left, 0, right, height];
  return [Math.min(...columns), Math.min(...rows), Math.max(...columns) + 1, Math.max(...rows) + 1];
}
