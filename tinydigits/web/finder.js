// The finder: a net that marks the ink of digits in a view; a port of net/finder.py, folded.

const CELL = 4; // pixels on a side of the squares that vote
const STEP = 16; // a view's sides are multiples of this

/**
 * Return a function that takes a view, a grid of brightness 0 to 1 whose sides are multiples of
 * STEP, and returns {ink, votes}: the probability of digits' ink, a grid, and four maps.
 * @param description as for `convolutionsOf`
 */
function makeFinder(description) {
  const conv = convolutionsOf(description);
  return (view) => marked(view, conv);
}

function marked(view, conv) {
  const layer = (maps, name) => rectified(conv[name](maps));
  const mixer = mixersOf(conv);
  const half = layer(unshuffled(standardised(view)), "enter");
  const quarter = layer(layer(half, "narrow.0"), "narrow.1");
  const eighth = ["eighth.1", "eighth.2"].reduce(mixer, layer(halved(quarter), "eighth.0"));
  const names = ["sixteenth.0", "sixteenth.1", "sixteenth.2", "sixteenth.3"];
  const last = names.reduce(mixer, halved(eighth));
  const lifted = plus(last, stretched(conv.everywhere(meansOf(last)), last));
  const finer = mixer(plus(eighth, doubled(lifted)), "back");
  const low = layer(plus(quarter, doubled(conv.to_quarter(finer))), "at_quarter");
  const high = layer(plus(half, doubled(conv.to_half(low))), "at_half");
  const ink = map(shuffled(conv.ink(high)), (logit) => 1 / (1 + Math.exp(-logit)));
  return { ink, votes: conv.votes(low) };
}

/** Return maps in which each 2x2 pixels became four channels. */
function unshuffled({ channels, width, height, data }) {
  return drawnMaps(4 * channels, width / 2, height / 2, (n, x, y) =>
    data[((n >> 2) * height + 2 * y + ((n >> 1) & 1)) * width + 2 * x + (n & 1)]
  );
}

/** Return a grid in which four channels became each 2x2 pixels. */
function shuffled({ width, height, data }) {
  return drawnMaps(1, 2 * width, 2 * height, (_, x, y) =>
    data[((2 * (y & 1) + (x & 1)) * height + (y >> 1)) * width + (x >> 1)]
  );
}

/** Return two maps: brightness against that of the whole view, and against that nearby. */
function standardised(view) {
  const mean = sum(view.data) / view.data.length;
  const off = map(view, (value) => value - mean);
  const spread = Math.sqrt(sum(off.data.map((x) => x * x)) / off.data.length) + 0.01;
  const near = nearby(view).data;
  const squares = nearby(map(view, (value) => value * value)).data;
  const least = (0.15 * spread) ** 2 + 1e-4;
  return drawnMaps(2, view.width, view.height, (channel, x, y) => {
    const i = y * view.width + x;
    if (!channel) return off.data[i] / spread;
    return (view.data[i] - near[i]) / Math.sqrt(Math.max(0, squares[i] - near[i] ** 2) + least);
  });
}

/** Return the mean of some 5x5 cells around each pixel of a grid. */
function nearby(view) {
  const all = [0, 0, view.width, view.height];
  const cells = resize(view, view.width / CELL, view.height / CELL, AREA, all);
  const means = [0, 1].reduce(
    (part, axis) =>
      alongAxis(part, axis, 2, (line, out) => {
        for (let i = 0; i < out.length; i++) out[i] = sum(line.subarray(i, i + 5)) / 5;
      }),
    cells
  );
  return resize(means, view.width, view.height, BILINEAR, [0, 0, means.width, means.height]);
}
