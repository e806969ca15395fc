// Turns the strip net's answers into digits: a port of reading/decoding.py.

const BEAM = 10; // beginnings of a text that are kept
const UNLIKELY = Math.log(1e-5); // digits with less in a column are out, and texts with less than the best
const NEVER = -1e30; // logarithm of a probability of 0

/** Return {digits, probability, certainties, columns} for columns' log-probabilities. */
function decode(logarithms) {
  const digits = likeliest(logarithms);
  const [likely, own] = [likelyIn(logarithms), likelihood(logarithms, digits)];
  return {
    digits,
    probability: Math.exp(own),
    certainties: digits.map((_, place) => certainty(logarithms, digits, place, likely, own)),
    columns: columnsOf(logarithms, digits),
  };
}

/** Return the text that a beam search over beginnings of a text finds. */
function likeliest(logarithms) {
  let beam = [{ text: [], inBlank: 0, inDigit: NEVER }];
  for (const column of logarithms) {
    const longer = new Map();
    const at = (text) => {
      const key = text.join("");
      if (!longer.has(key)) longer.set(key, { text, inBlank: NEVER, inDigit: NEVER });
      return longer.get(key);
    };
    const likely = likelyIn([column]);
    for (const { text, inBlank, inDigit } of beam) {
      const [either, last] = [logSum(inBlank, inDigit), text.at(-1)];
      const same = at(text);
      same.inBlank = logSum(same.inBlank, either + column[BLANK]);
      if (last !== undefined) same.inDigit = logSum(same.inDigit, inDigit + column[last]);
      for (const digit of likely) {
        const more = at([...text, digit]);
        const before = digit === last ? inBlank : either;
        more.inDigit = logSum(more.inDigit, before + column[digit]);
      }
    }
    beam = bestOf([...longer.values()]);
  }
  return beam[0].text;
}

/** Return the likeliest beginnings of a text, the best first. */
function bestOf(beginnings) {
  const chance = ({ inBlank, inDigit }) => logSum(inBlank, inDigit);
  const best = beginnings.sort((one, two) => chance(two) - chance(one)).slice(0, BEAM);
  return best.filter((each) => chance(each) > chance(best[0]) + UNLIKELY);
}

/** Return the logarithm of the sum of two numbers, given by their logarithms. */
function logSum(one, other) {
  const [most, least] = one > other ? [one, other] : [other, one];
  return most + Math.log1p(Math.exp(least - most));
}

/** Return what each place of a text may be: blanks, with its digits between them. */
function statesOf(digits) {
  return [BLANK, ...digits.flatMap((digit) => [digit, BLANK])];
}

/** A digit may follow another without a blank between, unless it is the same. */
function maySkip(states, n) {
  return n > 1 && states[n] !== BLANK && states[n] !== states[n - 2];
}

/** Return the log-probability of a text. */
function likelihood(logarithms, digits) {
  const states = statesOf(digits);
  let alpha = states.map((_, n) => (n ? NEVER : 0));
  for (const column of logarithms) {
    alpha = states.map((state, n) => {
      let reached = n ? logSum(alpha[n], alpha[n - 1]) : alpha[n];
      if (maySkip(states, n)) reached = logSum(reached, alpha[n - 2]);
      return reached + column[state];
    });
  }
  return states.length > 1 ? logSum(alpha.at(-1), alpha.at(-2)) : alpha[0];
}

/** Return how likely a digit is, among all digits in its place, if all others are right. */
function certainty(logarithms, digits, place, likely, own) {
  const others = likely.filter((digit) => digit !== digits[place]);
  const ratios = others.map((other) => {
    const changed = digits.map((digit, n) => (n === place ? other : digit));
    return Math.exp(likelihood(logarithms, changed) - own);
  });
  return 1 / (1 + sum(ratios));
}

/** Return the digits that are not unlikely in every column. */
function likelyIn(logarithms) {
  const all = [...Array(BLANK).keys()];
  return all.filter((digit) => logarithms.some((column) => column[digit] > UNLIKELY));
}

/** Return the first and last column of each digit on the likeliest way to write the text. */
function columnsOf(logarithms, digits) {
  const states = statesOf(digits);
  let score = states.map((_, n) => (n ? NEVER : 0));
  const steps = logarithms.map((column) => {
    const before = score;
    const back = states.map((_, n) => {
      const ways = [before[n], n ? before[n - 1] : NEVER];
      if (maySkip(states, n)) ways.push(before[n - 2]);
      return ways.indexOf(Math.max(...ways));
    });
    score = states.map((state, n) => before[n - back[n]] + column[state]);
    return back;
  });
  let state = states.length - 1;
  if (state && score[state] < score[state - 1]) state--;
  const found = digits.map(() => [Infinity, -Infinity]);
  for (let column = steps.length - 1; column >= 0; column--) {
    if (state % 2) {
      const [first, last] = found[(state - 1) / 2];
      found[(state - 1) / 2] = [Math.min(first, column), Math.max(last, column)];
    }
    state -= steps[column][state];
  }
  return found;
}
