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
UNLIKELY = math.log(1e-5)  # a digit with less in a column begins nothing there
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
    probability = float(np.exp(_likelihoods(logarithms, [digits])[0]))
    return Reading(
        digits, probability, _certainties(logarithms, digits), _columns(logarithms, digits)
    )


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
        beam = dict(best)
    return max(beam, key=lambda text: _sum(*beam[text]))


def _sum(one: float, other: float) -> float:
    """Return the logarithm of the sum of two numbers, given by their logarithms."""
    most, least = (one, other) if one > other else (other, one)
    return most + math.log1p(math.exp(least - most))


def _likelihoods(logarithms: Floats, texts: Sequence[Sequence[int]] | Places) -> Floats:
    """Return the log-probability of each text, all of the same length."""
    states = np.full((len(texts), 2 * len(texts[0]) + 1), BLANK)
    states[:, 1::2] = texts
    alpha = np.full(states.shape, NEVER)
    alpha[:, 0] = 0.0
    # A digit may follow another without a blank between, unless it is the same.
    may_skip = np.zeros(states.shape, np.bool_)
    may_skip[:, 3::2] = states[:, 3::2] != states[:, 1:-2:2]
    for column in logarithms:
        before = np.pad(alpha, ((0, 0), (1, 0)), constant_values=NEVER)[:, :-1]
        skipped = np.pad(alpha, ((0, 0), (2, 0)), constant_values=NEVER)[:, :-2]
        reached = np.logaddexp(alpha, before)
        reached = np.where(may_skip, np.logaddexp(reached, skipped), reached)
        alpha = reached + column[states]
    ends = (
        alpha[:, -2:]
        if states.shape[1] > 1
        else np.pad(alpha, ((0, 0), (1, 0)), constant_values=NEVER)
    )
    likelihoods: Floats = np.logaddexp(ends[:, 0], ends[:, 1])
    return likelihoods


def _certainties(logarithms: Floats, digits: tuple[int, ...]) -> tuple[float, ...]:
    """Return how likely each digit is, among all digits in its place."""
    if not digits:
        return ()
    texts = np.repeat([digits], len(digits) * CLASSES, axis=0)
    places = np.repeat(np.arange(len(digits)), CLASSES)
    texts[np.arange(len(texts)), places] = np.tile(np.arange(CLASSES), len(digits))
    likelihoods = _likelihoods(logarithms, texts).reshape(len(digits), CLASSES)
    shares = np.exp(likelihoods - likelihoods.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return tuple(shares[np.arange(len(digits)), digits].tolist())


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
