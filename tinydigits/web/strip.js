// The strip net: reads a line of digits without cutting it apart; a port of net/strip.py, folded.

const STRIP = 32; // pixels of a strip's height
const BLANK = 10; // a column between digits

/**
 * Return a function that takes a strip, a grid of ink 0 to 1 of even width and STRIP pixels high,
 * and returns an array of the eleven log-probabilities of each second column.
 * @param description as for `convolutionsOf`
 */
function makeReader(description) {
  const conv = convolutionsOf(description);
  const layer = (maps, name) => rectified(conv[name](maps));
  const names = Object.keys(description.layers).filter((name) => name.endsWith(".mix"));
  return (strip) => {
    const half = halved(layer({ channels: 1, ...strip }, "at_full"));
    const quarter = lowered(layer(half, "at_half"));
    const eighth = lowered(layer(quarter, "at_quarter"));
    // Rows become channels, so that a column is one pixel.
    const columns = { ...eighth, channels: eighth.channels * eighth.height, height: 1 };
    const mixed = names
      .map((name) => name.slice(0, -".mix".length))
      .reduce(mixersOf(conv), layer(columns, "column"));
    return logProbabilities(conv.answer(mixed));
  };
}

function logProbabilities({ channels, width, data }) {
  return Array.from({ length: width }, (_, column) => {
    const scores = Array.from({ length: channels }, (_, n) => data[n * width + column]);
    const most = Math.max(...scores);
    const total = most + Math.log(sum(scores.map((score) => Math.exp(score - most))));
    return scores.map((score) => score - total);
  });
}
