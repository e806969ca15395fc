"""Learning the shapes of digits from people's pen strokes.

The digits of a label with the same number of strokes fall into groups that are written alike, by
k-means. Strokes have no fixed order and direction: a digit is compared with a group in every order
and direction, and the nearest counts. Each group is a way of writing: its mean and its principal
components, weighted so that no writer counts for much more than others.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, permutations, product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinydigits.data.paths import POSITIONS, Points, evenly, in_unit_box, length, shares
from tinydigits.data.shapes import TERMS, Shapes, cosines
from tinydigits.data.written import Written, weights
from tinydigits.net.contract import CLASSES

Floats = npt.NDArray[np.float64]

WAYS = 40  # of a label, in proportion to how often each number of strokes occurs
STROKES = 3  # at most: one digit in two thousand has more
VARIATIONS = 16  # of a way
FEWEST = 6  # digits of a way; groups with fewer are left out
EVENING = 0.7  # power of the shares: rare ways are drawn more often than they are written
ROUNDS = 15  # of k-means
SAMPLES = 64  # points along a stroke, to which its series is fitted by least squares

# A stroke's series by least squares, times this, has distances like those of the curves (Parseval).
_SCALE = np.sqrt(np.where(np.arange(TERMS) == 0, 1, 0.5))[:, None]
_FIT = _SCALE * np.linalg.pinv(cosines(np.linspace(0, 1, SAMPLES)))


class Group(NamedTuple):
    """N digits with the same label and number of strokes, in all O orders and directions."""

    label: int
    strokes: int
    series: Floats  # (N, O, strokes * TERMS * 2), scaled
    weight: Floats  # (N,)


class Way(NamedTuple):
    """A way of writing a label, with its share of the label's digits."""

    label: int
    share: float
    mean: Floats  # (strokes, TERMS, 2)
    variations: Floats  # (V, strokes, TERMS, 2)


def learn(digits: Iterable[Written], *, seed: int = 0) -> Shapes:
    """Return the shapes of people's digits.

    Raises:
        ValueError: a label has fewer than FEWEST digits with the same number of strokes.
    """
    rng = np.random.default_rng(seed)
    of_label = defaultdict(list)
    for digit in digits:
        of_label[digit.label].append(digit)
    return _joined(
        [way for label in range(CLASSES) for way in _of_label(label, of_label[label], rng)]
    )


def _of_label(label: int, digits: Sequence[Written], rng: np.random.Generator) -> list[Way]:
    """Return the ways of writing a label's digits; their shares add up to 1."""
    groups = list(_groups(digits))
    if not groups:
        raise ValueError(f"{len(digits)} digits of {label} are too few to learn its shapes from")
    total = sum(group.weight.sum() for group in groups)
    ways: list[Way] = []
    for group in groups:
        share = group.weight.sum() / total
        wanted = round(WAYS * share**EVENING)
        ways += _ways_of(group, max(1, min(wanted, len(group.weight) // (2 * FEWEST))), rng)
    evened = np.array([way.share for way in ways]) ** EVENING
    shares_of_ways = evened / evened.sum()
    return [way._replace(share=each) for way, each in zip(ways, shares_of_ways, strict=True)]


def _groups(digits: Sequence[Written]) -> Iterator[Group]:
    """Yield a label's digits by their number of strokes, but for numbers that are rare."""
    strokes, weight = np.array([len(digit.strokes) for digit in digits]), weights(digits)
    for count in range(1, STROKES + 1):
        members = np.flatnonzero(strokes == count).tolist()
        if len(members) >= FEWEST:
            series = np.stack([_in_every_order(digits[member].strokes) for member in members])
            yield Group(digits[members[0]].label, count, series, weight[members])


def _in_every_order(strokes: Sequence[Points]) -> Floats:
    """Return a digit's scaled series in every order and direction, (O, strokes * TERMS * 2)."""
    curves = [evenly(stroke, SAMPLES) for stroke in in_unit_box(strokes)]
    both = [(_FIT @ curve, _FIT @ curve[::-1]) for curve in curves]
    orders = chain.from_iterable(product(*order) for order in permutations(both))
    return np.stack([np.ravel(order) for order in orders])


def _ways_of(group: Group, count: int, rng: np.random.Generator) -> Iterator[Way]:
    """Yield the ways of a group; groups of fewer than FEWEST digits are left out."""
    series, nearest = _cluster(group, count, rng)
    shape = (group.strokes, TERMS, 2)
    for number in range(count):
        members = nearest == number
        if members.sum() < FEWEST:
            continue
        weight = group.weight[members]
        mean = np.average(series[members], axis=0, weights=weight)
        spread = np.sqrt(weight / weight.sum())[:, None] * (series[members] - mean)
        _, deviations, components = np.linalg.svd(spread, full_matrices=False)
        variations = (deviations[:, None] * components)[:VARIATIONS].reshape(-1, *shape)
        yield Way(group.label, weight.sum(), mean.reshape(shape) / _SCALE, variations / _SCALE)


def _cluster(
    group: Group, count: int, rng: np.random.Generator
) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Return the series in the order nearest to their way, (N, ...), and that way's number, (N,).

    This is k-means, begun as k-means++ (Arthur and Vassilvitskii 2007).
    """
    rows = np.arange(len(group.weight))
    chance = group.weight
    centres: list[Floats] = []
    for _ in range(count):
        centres.append(group.series[rng.choice(rows, p=chance / chance.sum()), 0])
        chance = group.weight * _distances(group, np.stack(centres)).min(axis=(0, 2))
        if not chance.any():  # fewer different digits than ways
            break
    for _ in range(ROUNDS):
        distances = _distances(group, np.stack(centres))
        nearest = distances.min(axis=2).argmin(axis=0)
        order = distances[nearest, rows].argmin(axis=1)
        series = group.series[rows, order]
        for number in np.unique(nearest):
            members = nearest == number
            centres[number] = np.average(series[members], axis=0, weights=group.weight[members])
    return series, nearest


def _distances(group: Group, centres: Floats) -> Floats:
    """Return squared distances (centres, N, O)."""
    return np.stack([((group.series - centre) ** 2).sum(axis=2) for centre in centres])


def _joined(ways: Sequence[Way]) -> Shapes:
    """Return the ways as one model, padded with zeros to the same numbers of strokes."""
    mean = np.zeros((len(ways), STROKES, TERMS, 2), np.float32)
    variations = np.zeros((len(ways), VARIATIONS, STROKES, TERMS, 2), np.float32)
    positions = np.zeros((len(ways), STROKES), np.uint8)
    for row, way in enumerate(ways):
        curves = cosines(np.linspace(0, 1, SAMPLES)) @ way.mean
        positions[row, : len(way.mean)] = shares([length(curve) for curve in curves], POSITIONS)
        mean[row, : len(way.mean)] = way.mean
        variations[row, : len(way.variations), : len(way.mean)] = way.variations
    return Shapes(
        label=np.array([way.label for way in ways], np.uint8),
        share=np.array([way.share for way in ways], np.float32),
        positions=positions,
        mean=mean,
        variations=variations,
    )
