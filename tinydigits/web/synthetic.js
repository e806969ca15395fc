// Synthetic digits, drawn from a small model of how people write: data/synthetic.py in short.

const FARTHEST = 2.5; // standard deviations of a way's variations
const COEFFICIENT = 1 / 127; // unit of the stored coefficients, in digit heights
const HAND = { lean: 0.08, slant: 0.1, aspect: 0.06, rotation: 0.04, taper: 0.1, balance: 0.1, warp: 0.02, drift: 0.01 };
const PEN_TIP = { width: 2.4, spread: 0.28, least: 0.8, most: 4.8, pressure: 0.15, fading: 0.4 };

/** Return a function that returns random numbers from 0 to 1, the same ones for a seed (mulberry32). */
function randomFrom(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let bits = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), 61 | bits);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Return a standard normal number (Box and Muller, 1958). */
function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/**
 * Return a function (label, random) that draws a digit: 784 bytes, white on black.
 * @param description {terms, ways, numbers: base 91}; ways holds for each digit its ways of
 *   writing, [per cent, positions of each stroke ...]; numbers holds for each way the coefficients
 *   (strokes, terms, x and y) of its mean, then those of its variations, as signed bytes,
 *   compressed by zlib
 */
async function makeDrawer({ terms, ways, numbers }) {
  const coefficients = new Int8Array(await inflated(numbers));
  const strokes = sum(ways.flat().map(([, ...positions]) => positions.length));
  const variations = coefficients.length / (2 * terms * strokes);
  let start = 0;
  const ready = ways.map((own) =>
    own.map(([share, ...positions]) => {
      const size = positions.length * terms * 2;
      const rows = Array.from({ length: variations }, () =>
        coefficients.subarray(start, (start += size))
      );
      return { share, positions, rows };
    })
  );
  return (label, random) => {
    const way = chosenWay(ready[label], random());
    return inked(varied(newStrokes(way, terms, random), random), random);
  };
}

/** Return one of a digit's ways: `place`, 0 to 1, lies in its share. */
function chosenWay(ways, place) {
  let left = place * sum(ways.map(({ share }) => share));
  return ways.find(({ share }) => (left -= share) < 0) ?? ways[0];
}

/** Return the strokes of a new digit, each a list of points [x, y] around the origin. */
function newStrokes({ positions, rows: [mean, ...variations] }, terms, random) {
  const amounts = variations.map(() => clip(normal(random), -FARTHEST, FARTHEST));
  const series = Float32Array.from(mean, (value, n) =>
    COEFFICIENT * amounts.reduce((total, amount, k) => total + amount * variations[k][n], value)
  );
  return positions.map((count, stroke) =>
    Array.from({ length: count }, (_, n) => {
      const point = [0, 0];
      for (let term = 0; term < terms; term++) {
        const cosine = Math.cos((Math.PI * term * n) / (count - 1));
        point[0] += cosine * series[2 * (stroke * terms + term)];
        point[1] += cosine * series[2 * (stroke * terms + term) + 1];
      }
      return point;
    })
  );
}

/** Return strokes as another hand writes them. */
function varied(strokes, random) {
  const amount = (name) => HAND[name] * normal(random);
  const [taper, balance, slant, turn] = ["taper", "balance", "slant", "rotation"].map(amount);
  const [wide, lean] = [Math.exp(amount("aspect")), HAND.lean + slant];
  const [cosine, sine] = [Math.cos(turn), Math.sin(turn)];
  const waves = Array.from({ length: 3 }, () => ({
    along: [5 * normal(random), 5 * normal(random), 2 * Math.PI * random()],
    by: [amount("warp") / Math.sqrt(3), amount("warp") / Math.sqrt(3)],
  }));
  return strokes.map((points) => {
    const [right, down] = [amount("drift"), amount("drift")];
    return points.map(([x, y]) => {
      let [u, v] = [(x + right) * (1 + 2 * taper * y), y + down + balance * (0.25 - y * y)];
      const bends = waves.map(({ along: [a, b, c] }) => Math.sin(a * u + b * v + c));
      waves.forEach(({ by }, n) => ([u, v] = [u + bends[n] * by[0], v + bends[n] * by[1]]));
      u = wide * u - lean * v;
      return [cosine * u - sine * v, sine * u + cosine * v];
    });
  });
}

/** Return strokes as 784 bytes in MNIST's frame, inked by a random pen. */
function inked(strokes, random) {
  const tip = PEN_TIP;
  const median = tip.width * Math.exp(tip.spread * normal(random));
  const [wave, dry] = [tip.pressure * normal(random), tip.fading * Math.max(0, 2 * random() - 1)];
  const [rate, phase] = [0.5 + 1.5 * random(), 2 * Math.PI * random()];
  const points = strokes.flat();
  const swing = points.map((_, n) => Math.sin((2 * Math.PI * rate * n) / points.length + phase));
  const widths = swing.map((by) => clip(median * (1 + wave * by), tip.least, tip.most));
  const ink = new Float32Array(BOX * BOX);
  inBox(points, Math.max(...widths) / 2 + 0.5).forEach(([x, y], n) =>
    dab(ink, x, y, widths[n] / 2, 1 - (dry * (1 + swing[n])) / 2)
  );
  return inFrame(ink);
}

/** Return points in pixels, so that ink that reaches `reach` beyond them fills the box. */
function inBox(points, reach) {
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  const edges = [xs, ys].map((values) => [Math.min(...values), Math.max(...values)]);
  const scale = (BOX - 2 * reach) / Math.max(...edges.map(([low, high]) => high - low), 1e-3);
  const [right, down] = edges.map(([low, high]) => (BOX - 1) / 2 - (scale * (low + high)) / 2);
  return points.map(([x, y]) => [scale * x + right, scale * y + down]);
}

/** Mark a point. Ink falls off around it as in data/pen.py: a stroke has exactly its width of ink. */
function dab(ink, x, y, radius, most) {
  const thick = Math.max(radius, 2 / 3);
  const outer = (thick + Math.sqrt(thick ** 2 - 1 / 3)) / 2 + 0.5;
  const peak = most * Math.min(radius * 1.5, 1);
  const steep = (peak * outer ** 2) / (2 * outer - 1);
  for (let row = Math.max(0, Math.ceil(y - outer)); row <= Math.min(BOX - 1, y + outer); row++) {
    for (let column = Math.max(0, Math.ceil(x - outer)); column <= Math.min(BOX - 1, x + outer); column++) {
      const far = ((column - x) ** 2 + (row - y) ** 2) / outer ** 2;
      const value = Math.min(peak, steep * (1 - far));
      if (value > ink[row * BOX + column]) ink[row * BOX + column] = value;
    }
  }
}

/** Return ink in MNIST's frame: its centre of mass is in the middle. */
function inFrame(ink) {
  let [mass, x, y] = [0, 0, 0];
  ink.forEach((value, n) => {
    mass += value;
    x += value * (n % BOX);
    y += value * Math.trunc(n / BOX);
  });
  const [left, upper] = [x, y].map((moment) => clip(rint(14 - moment / mass), 0, SIDE - BOX));
  const pixels = new Uint8Array(SIDE * SIDE);
  ink.forEach((value, n) => {
    pixels[(Math.trunc(n / BOX) + upper) * SIDE + (n % BOX) + left] = rint(255 * value);
  });
  return pixels;
}
