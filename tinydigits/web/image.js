// Converts any picture of a digit to MNIST's format: a port of reading/image.py and data/frame.py.

const SIDE = 28; // pixels of a picture
const BOX = 20; // pixels of a digit's longer side
const CENTRE = 14; // index of the centre of mass, to within half a pixel

const LEAST_SIZE = 4; // pixels of the smallest digit: less could be a dot ...
const LEAST_SHARE = 0.02; // ... and as a share of the picture's longer side: less is a speck

const THINNEST = 1.6; // pixels, for a digit of 20: 97 % of MNIST's strokes are wider
const THICKENED = 2.2; // pixels: new width of thinner strokes

/**
 * Return the digit in a grey picture as MNIST would show it: 784 bytes, white on black.
 * @param surveys how many pixels long the picture is seen, until a digit is found
 * @throws NoDigit, SeveralDigits
 */
function toMnist(picture, finder, surveys) {
  if (isBlank(picture)) throw new NoDigit("the picture is blank");
  const seen = onlyDigit(picture, finder, surveys);
  refuseDots(seen, picture);
  return fitted(thickened(strokesOf(picture, seen)));
}

/**
 * Return a grey picture, a grid of bytes.
 * @param pixels bytes, row by row: one per pixel (grey) or four (RGBA)
 */
function prepared(pixels, width, height) {
  const isGrey = pixels.length === width * height;
  return isGrey ? { width, height, data: pixels } : grey(onPaper(pixels), width, height);
}

/** Return whether a picture is the same everywhere. */
function isBlank({ data }) {
  return data.every((value) => value === data[0]);
}

/**
 * Return RGBA bytes laid on paper: their own, or white or black, whichever their ink contrasts with.
 * A picture with more content than not has paper of its own, and the rest was cut off.
 */
function onPaper(rgba) {
  const alpha = channelOf(rgba, 3);
  if (!alpha.some((value) => value < 255)) return rgba;
  const least = maximum(alpha) / 2;
  const seen = (values) => values.filter((_, i) => alpha[i] >= least);
  const lights = seen(alpha.map((_, i) => brightness(rgba, 4 * i)));
  const inked = median(lights) < 128 ? 255 : 0;
  const paper = [0, 1, 2].map((channel) =>
    lights.length > alpha.length / 2 ? Math.trunc(median(seen(channelOf(rgba, channel)))) : inked
  );
  return rgba.map((value, i) => {
    const cover = alpha[i >> 2];
    return i % 4 === 3 ? 255 : Math.round((value * cover + paper[i % 4] * (255 - cover)) / 255);
  });
}

/** Return one channel of RGBA bytes. */
function channelOf(rgba, channel) {
  const bytes = new Uint8Array(rgba.length / 4);
  for (let i = 0; i < bytes.length; i++) bytes[i] = rgba[4 * i + channel];
  return bytes;
}

/** Return the brightness of a colour, 0 to 255, as Pillow computes it. */
function brightness(rgba, i) {
  return (rgba[i] * 19595 + rgba[i + 1] * 38470 + rgba[i + 2] * 7471 + 32768) >> 16;
}

/** Return one channel, along the direction in which the picture's colours vary most. */
function grey(rgba, width, height) {
  const [red, green, blue] = colourAxis(rgba, width, height).map(Math.fround);
  const darkest = 255 * (Math.min(red, 0) + Math.min(green, 0) + Math.min(blue, 0));
  const data = new Uint8Array(width * height);
  for (let i = 0; i < data.length; i++) {
    const j = 4 * i;
    const value = red * rgba[j] + green * rgba[j + 1] + blue * rgba[j + 2] - darkest;
    data[i] = clip(value + 0.5, 0, 255);
  }
  return { width, height, data };
}

/** Return the weights of red, green and blue in the first principal component of the colours. */
function colourAxis(rgba, width, height) {
  const centred = [0, 1, 2].map((channel) => {
    const plane = { width, height, data: channelOf(rgba, channel) };
    const small = Float64Array.from(resize(plane, 64, 64, AREA, [0, 0, width, height]).data);
    const mean = sum(small) / small.length;
    return small.map((value) => value - mean);
  });
  const covariance = centred.map((one) => centred.map((two) => dot(one, two)));
  const axis = eigen(covariance)[2][1];
  const total = axis.reduce((length, part) => length + Math.abs(part), 0);
  const sign = Math.sign(sum(axis)) || 1;
  return axis.map((part) => (sign * part) / total);
}

function refuseDots({ digits: [{ box }], scale }, picture) {
  const size = longerSide(box) / scale;
  if (size < LEAST_SIZE || size < LEAST_SHARE * Math.max(picture.width, picture.height)) {
    throw new NoDigit("only a speck was found");
  }
}

/** Return the ink, its strokes thickened if they are thinner than MNIST's. */
function thickened({ ink, core }) {
  const pixel = extentOf(core) / BOX; // a pixel of the result, in pixels of the view
  const width = meanWidth(core) / pixel;
  if (width >= THINNEST) return ink;
  const more = ((THICKENED - width) / 2) * pixel;
  const room = Math.ceil(more) + 1;
  const outside = map(padded(core, room), (isSet) => 1 - isSet, Uint8Array);
  const distance = distances(outside).data;
  const grown = (value, i) => Math.max(value, clip(more + 1 - distance[i], 0, 1));
  return map(padded(ink, room), grown);
}

/** Return the longer side of the box around what is not 0 in a grid. */
function extentOf(grid) {
  const used = [grid, transposed(grid)].map((each) => [...mostInColumns(each).entries()]);
  return Math.max(...used.map((all) => {
    const places = all.filter(([, value]) => value > 0).map(([place]) => place);
    return places.at(-1) - places[0] + 1;
  }));
}

/** Return the ink in MNIST's frame: 784 bytes. */
function fitted(ink) {
  const pixel = extentOf(ink) / BOX; // a pixel of the result, in pixels of the view
  const [top, bottom] = ends(mostInColumns(transposed(ink)), pixel);
  const [left, right] = ends(mostInColumns(ink), pixel);
  const scale = BOX / Math.max(bottom - top, right - left);
  const [width, height] = [right - left, bottom - top].map((s) => Math.max(1, rint(s * scale)));
  // Lanczos restores some of the sharpness lost to enlarging or blur.
  const small = resize(ink, width, height, LANCZOS, [left, top, right, bottom]);
  // Full ink becomes white: Lanczos overshoots it, and a hairline stays below it.
  const white = Math.min(1, maximum(small.data));
  return centred(map(small, (value) => rint(Math.fround(255 * clip(value / white, 0, 1)))));
}

function mostInColumns({ width, height, data }) {
  const most = new Float32Array(width);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) if (most[x] < data[i]) most[x] = data[i];
  }
  return most;
}

/** Return where the ink begins and ends along an axis, in fractions of a view's pixel. */
function ends(values, pixel) {
  return [startOf(values, pixel), values.length - startOf([...values].reverse(), pixel)];
}

/** Return where the ink reaches half its strength half a pixel of the result further in. */
function startOf(values, pixel) {
  const further = Math.max(pixel / 2 - 0.5, 0);
  const share = (i) => clip(values[i] / Math.max(between(values, i + further), 1e-6), 0, 1);
  const first = Math.max(0, [...values].findIndex((_, i) => share(i) >= 0.5));
  const before = first ? share(first - 1) : 0;
  return first + 0.5 - (share(first) - 0.5) / (share(first) - before);
}

/** Return the value at a fractional index. */
function between(values, place) {
  const last = values.length - 1;
  const below = Math.min(Math.floor(place), last);
  const above = Math.min(below + 1, last);
  return values[below] + (values[above] - values[below]) * (place - below);
}

/** Return a digit of at most BOX x BOX pixels in the frame, centred by its centre of mass. */
function centred(digit) {
  const { width, height, data } = digit;
  const mass = sum(data);
  const start = (size, place) => {
    const offset = (BOX - size) >> 1;
    const centre = dot(data, data.map((_, i) => place(i))) / mass + offset;
    return offset + clip(rint(CENTRE - centre), 0, SIDE - BOX);
  };
  const left = start(width, (i) => i % width);
  const top = start(height, (i) => Math.trunc(i / width));
  const field = new Uint8Array(SIDE * SIDE);
  data.forEach((value, i) => {
    field[(top + Math.trunc(i / width)) * SIDE + left + (i % width)] = value;
  });
  return field;
}
