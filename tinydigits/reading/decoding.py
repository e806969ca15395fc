"""Turn a strip net's answers into text: which digits are most likely, how likely, and where.

Connectionist temporal classification (Graves et al. 2006): each column of a strip is one of the
digits or BLANK; a text is what remains when repeated columns are merged and blanks left out. Its
probability is the sum over all ways to write it.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinydigits.net.contract import BLANK, CLASSES

Floats = npt.NDArray[np.floating]
Places = npt.NDArray[np.integer]

BEAM = 10  # beginnings of a text that are kept
UNLIKELY = math.log(
    1e-5
)  # a digit with less in a column, or a text with less than the best, is out
NEVER = -1e30  # logarithm of a probability of 0, which sums without warnings


class Reading(NamedTuple):
    """What a strip says."""

    digits: tuple[int, ...]
    probability: float
    """Of all digits together, 0 to 1."""
    certainties: tuple[float, ...]
    """Of each digit, if all others are right, 0 to 1."""
    columns: tuple[tuple[int, int], ...]
    """First and last column of each digit."""


def decode(logarithms: Floats) -> Reading:
    """Return the most likely reading of columns' log-probabilities (T, CLASSES + 1)."""
    digits = _likeliest(logarithms)
    probability, certainties = _probabilities(logarithms, digits)
    return Reading(digits, probability, certainties, _columns(logarithms, digits))


def _likeliest(logarithms: Floats) -> tuple[int, ...]:
    """Return the text that a beam search over beginnings of a text finds."""
    # For each beginning: log-probability of ending in a blank, and in its last digit.
    beam: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, NEVER)}
    for column in logarithms:
        likely = np.nonzero(column[:CLASSES] > UNLIKELY)[0].tolist()
        chances: list[float] = column.tolist()
        longer: defaultdict[tuple[int, ...], tuple[float, float]]
        longer = defaultdict(lambda: (NEVER, NEVER))
        for text, (in_blank, in_digit) in beam.items():
            either, last = _sum(in_blank, in_digit), text[-1] if text else None
            blank, same = longer[text]
            if last is not None:
                same = _sum(same, in_digit + chances[last])
            longer[text] = _sum(blank, either + chances[BLANK]), same
            for digit in likely:
                before = in_blank if digit == last else either
                blank, same = longer[(*text, digit)]
                longer[(*text, digit)] = blank, _sum(same, before + chances[digit])
        best = sorted(longer.items(), key=lambda each: -_sum(*each[1]))[:BEAM]
        least = _sum(*best[0][1]) + UNLIKELY
        beam = dict(each for each in best if _sum(*each[1]) > least)
    return max(beam, key=lambda text: _sum(*beam[text]))


def _sum(one: float, other: float) -> float:
    """Return the logarithm of the sum of two numbers, given by their logarithms."""
    most, least = (one, other) if one > other else (other, one)
    return most + math.log1p(math.exp(least - most))


def _likelihoods(logarithms: Floats, texts: Sequence[Sequence[int]] | Places) -> Floats:
    """Return the log-probability of each text, all of the same length."""
    states = np.full((len(texts), 2 * len(texts[0]) + 1), BLANK)
    states[:, 1::2] = texts
    # Two states before the first, which nothing reaches, so that each state has two before it.
    padded = np.full((len(states), states.shape[1] + 2), NEVER)
    padded[:, 2] = 0.0
    before_first, before, alpha = padded[:, :-2], padded[:, 1:-1], padded[:, 2:]
    # A digit may follow another without a blank between, unless it is the same.
    barred = np.full(states.shape, NEVER)
    barred[:, 3::2][states[:, 3::2] != states[:, 1:-2:2]] = 0.0
    for column in logarithms:
        reached = np.logaddexp(np.logaddexp(alpha, before), before_first + barred)
        alpha[:] = reached + column[states]
    ends = padded[:, -2:]
    likelihoods: Floats = np.logaddexp(ends[:, 0], ends[:, 1])
    return likelihoods


def _probabilities(logarithms: Floats, digits: tuple[int, ...]) -> tuple[float, tuple[float, ...]]:
    """Return how likely a text is, and how likely each digit is among all digits in its place."""
    likely = np.nonzero(logarithms[:, :CLASSES].max(axis=0) > UNLIKELY)[0]
    # The text itself comes first, then those with another digit in one place.
    others = [
        (*digits[:place], other, *digits[place + 1 :])
        for place, digit in enumerate(digits)
        for other in likely.tolist()
        if other != digit
    ]
    own, *rest = _likelihoods(logarithms, [digits, *others])
    places = np.repeat(np.arange(len(digits)), [sum(likely != digit) for digit in digits])
    ratios = np.bincount(places, np.exp(np.array(rest) - own), len(digits))
    return math.exp(own), tuple((1 / (1 + ratios)).tolist())


def _columns(logarithms: Floats, digits: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Return the columns of each digit on the likeliest way to write the text (Viterbi)."""
    states = np.full(2 * len(digits) + 1, BLANK)
    states[1::2] = digits
    score = np.full(len(states), NEVER)
    score[0] = 0.0
    steps = np.zeros((len(logarithms), len(states)), np.int64)
    may_skip = np.zeros(len(states), np.bool_)
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    for number, column in enumerate(logarithms):
        skipped = np.where(may_skip, np.pad(score, (2, 0), constant_values=NEVER)[:-2], NEVER)
        ways = np.stack((score, np.pad(score, (1, 0), constant_values=NEVER)[:-1], skipped))
        steps[number] = ways.argmax(axis=0)
        score = ways.max(axis=0) + column[states]
    state = len(states) - 1 if len(states) == 1 or score[-1] >= score[-2] else len(states) - 2
    path = []
    for number in range(len(logarithms) - 1, -1, -1):
        path.append(state)
        state -= steps[number, state]
    visited = np.array(path[::-1])
    found = [np.nonzero(visited == 2 * place + 1)[0] for place in range(len(digits))]
    return tuple((int(each[0]), int(each[-1])) for each in found)
