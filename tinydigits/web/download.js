// Files of a taught net: a copy of the page, and a checkpoint that Python reads.

const TAUGHT = ", taught"; // after the name of a net that was taught
const EPSILON = 1e-5; // that batch norms add to a variance
const DIGITS = Array.from({ length: 94 }, (_, n) => String.fromCharCode(33 + n))
  .filter((character) => !'"<\\'.includes(character));

/** Return bytes as text that `bytesOf` reads. */
function textOf(bytes) {
  let [text, held, bits] = ["", 0, 0];
  for (const byte of bytes) {
    held |= byte << bits;
    bits += 8;
    if (bits < 13) continue;
    text += DIGITS[(held & 8191) % 91] + DIGITS[Math.trunc((held & 8191) / 91)];
    held >>>= 13;
    bits -= 13;
  }
  if (bits) text += DIGITS[held % 91];
  return bits > 6 ? text + DIGITS[Math.trunc(held / 91)] : text;
}

/** Return a page's source with another net in it, and a name that says so. */
function taughtPage(source, net, isTaught) {
  const copy = new DOMParser().parseFromString(source, "text/html");
  copy.getElementById("net").textContent = JSON.stringify(net);
  const name = element("name").textContent;
  const ending = isTaught && !name.endsWith(TAUGHT) ? TAUGHT : "";
  copy.getElementById("name").textContent = name + ending;
  return `<!doctype html>\n${copy.documentElement.outerHTML}\n`;
}

/** Return a safetensors file of `Net`: as in net/formats.py, batch norms change nothing. */
function safetensors(layers, numbers) {
  const [header, parts] = [{ __metadata__: { format: "pt", made_by: "tinydigits' page" } }, []];
  let [from, end] = [0, 0];
  const add = (name, shape, values) => {
    header[`layers.${name}`] = { dtype: "F32", shape, data_offsets: [end, (end += 4 * values.length)] };
    parts.push(Float32Array.from(values));
  };
  layers.forEach(({ inputs, outputs, kernel }, n) => {
    const size = inputs * kernel ** 2;
    const weight = numbers.slice(from, (from += outputs * size));
    const bias = numbers.slice(from, (from += outputs));
    if (!n) bias.forEach((_, k) => (bias[k] += PIXEL.mean * sum(weight.subarray(k * size, (k + 1) * size))));
    add(`conv${n + 1}.weight`, [outputs, inputs, kernel, kernel], n ? weight : weight.map((value) => value * PIXEL.deviation));
    add(`conv${n + 1}.bias`, [outputs], bias);
    if (n === layers.length - 1) return;
    const norm = { weight: 1, bias: 0, running_mean: 0, running_var: 1 - EPSILON };
    for (const [name, value] of Object.entries(norm)) {
      add(`bn${n + 1}.${name}`, [outputs], new Float32Array(outputs).fill(value));
    }
  });
  const told = new TextEncoder().encode(JSON.stringify(header).padEnd(8 * Math.ceil(JSON.stringify(header).length / 8)));
  return new Blob([BigUint64Array.of(BigInt(told.length)), told, ...parts]);
}

/** Let the browser save a file. */
function save(name, content) {
  const link = Object.assign(document.createElement("a"), { download: name, href: URL.createObjectURL(content) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
