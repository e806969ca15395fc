"""Digits as people wrote them with a pen, and their strokes as a source of paths to draw."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinydigits.data.paths import POSITIONS, IntArray, Paths, Points, paths_of
from tinydigits.errors import InputError
from tinydigits.net.contract import CLASSES

CAP = 6  # digits of a label that a writer counts for at most: some wrote hundreds, most a few

Sampler = Callable[[IntArray, np.random.Generator], Paths]
"""Returns the path of a random digit for each label, (N,), in the unit box."""


class Written(NamedTuple):
    """A digit as somebody wrote it."""

    strokes: list[Points]
    """Each stroke's points, (points, 2): x to the right and y down, in the same unit."""
    label: int
    writer: str


def weights(digits: Sequence[Written]) -> npt.NDArray[np.float64]:
    """Return how much each digit counts, (N,): no writer counts for more than CAP of a label."""
    written = Counter((digit.writer, digit.label) for digit in digits)
    return np.array([min(1, CAP / written[digit.writer, digit.label]) for digit in digits])


def sampler(digits: Sequence[Written]) -> Sampler:
    """Return a function that chooses among the digits, by their weights.

    Raises:
        InputError: a label is missing, or a digit has too many strokes to draw.
    """
    longest = max(len(digit.strokes) for digit in digits)
    if 2 * longest > POSITIONS:
        raise InputError(f"a digit has {longest} strokes, expected at most {POSITIONS // 2}")
    points, stroke = paths_of(digit.strokes for digit in digits)
    weight = weights(digits)
    of_label = [
        np.array([index for index, digit in enumerate(digits) if digit.label == label], np.int64)
        for label in range(CLASSES)
    ]
    missing = [str(label) for label, found in enumerate(of_label) if not len(found)]
    if missing:
        raise InputError(f"the strokes have no digit {', '.join(missing)}: expected 0 to 9")

    def sample(labels: IntArray, rng: np.random.Generator) -> Paths:
        place = rng.random(len(labels))
        chosen = np.empty(len(labels), np.int64)
        for label, found in enumerate(of_label):
            ends = weight[found].cumsum()
            wanted = labels == label
            chosen[wanted] = found[np.searchsorted(ends, place[wanted] * ends[-1], side="right")]
        return Paths(points[chosen], stroke[chosen])

    return sample
