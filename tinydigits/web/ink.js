// How strong a digit's ink is, and how wide its strokes are: a port of reading/ink.py.

const FRINGE = 0.06; // of the digit's size: how far its faint edges reach beyond marked ink
const NEARBY = 0.25; // of the digit's size: standard deviation of the weights of paper
const FULL = 0.8; // quantile of the ink's contrast that counts as full ink
const FAINT = 0.08; // of full ink: less is grain
const CORE = 0.45; // of full ink: as much makes a stroke

/** Return {ink, core}: the strength of the ink of a view's first digit, and where it is strong. */
function strokesOf(picture, { part, view, ink, digits: [digit], turn, scale }) {
  const near = grown(map(digit.mask, Number), 2).data;
  let own = map(ink, (value, i) => value * near[i]);
  let all = ink;
  let light = view;
  if (scale > 1 && !turn) {
    light = viewOf(picture, part, Math.max(view.width, view.height) / scale);
    const same = [light.width, light.height, AREA, [0, 0, view.width, view.height]];
    [own, all] = [own, all].map((each) => resize(each, ...same));
  }
  const size = longerSide(digit.box) / view.height;
  return measured(light, own, all, size * light.height);
}

/** Return the ink in a view of a digit of `size` pixels. */
function measured(view, own, all, size) {
  const reach = Math.max(1, rint(FRINGE * size));
  const bare = map(grown(all, reach), (value) => 1 - clip(2 * value, 0, 1));
  const paper = paperNear(view, bare, Math.max(2, NEARBY * size)).data;
  const off = map(view, (value, i) => value - paper[i]);
  const sign = Math.sign(dot(off.data, own.data)) || 1;
  const least = Math.min(0.5, 0.7 * maximum(own.data));
  const contrast = map(off, (value) => sign * value);
  const strong = contrast.data.filter((_, i) => own.data[i] >= least);
  const full = Math.max(quantile(strong, FULL), 1e-3);
  const gate = grown(own, Math.max(1, reach >> 1)).data;
  const ink = map(contrast, (value, i) => {
    const strength = clip(value / full, 0, 1) * clip(2 * gate[i], 0, 1);
    return strength < FAINT ? 0 : strength;
  });
  return { ink, core: map(ink, (value) => value > CORE, Uint8Array) };
}

/** Return the weighted mean of the brightness around each pixel. */
function paperNear(view, weight, spread) {
  const total = gaussian(weight, spread).data;
  const bright = gaussian(map(view, (value, i) => value * weight.data[i]), spread).data;
  const middle = median(view.data);
  return map(view, (_, i) => (total[i] > 1e-3 ? bright[i] / total[i] : middle));
}

/** Return the mean stroke width in pixels: four times the mean depth, as in a long ribbon. */
function meanWidth(mask) {
  const depths = distances(padded(mask, 1)).data.filter((depth) => depth > 0);
  return Math.max(1, 4 * (sum(depths) / depths.length - 0.5));
}
