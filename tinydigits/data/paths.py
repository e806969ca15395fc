"""Paths of a pen: digits as strokes, each a row of positions from its start to its end."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
Points = npt.NDArray[np.floating]

POSITIONS = 72  # per digit: closer than a pen's radius even on the longest path


class Paths(NamedTuple):
    """The paths of N digits, all with the same number of positions."""

    points: FloatArray
    """Pen positions (N, POSITIONS, 2): x to the right and y down, in digit heights or pixels."""
    stroke: IntArray
    """The number of each position's stroke, (N, POSITIONS), ascending from 0."""


def length(stroke: Points) -> float:
    """Return the length of a stroke (points, 2), in its own unit."""
    return float(np.linalg.norm(np.diff(stroke, axis=0), axis=1).sum())


def evenly(stroke: Points, count: int) -> Points:
    """Return points (count, 2), evenly spaced along a stroke from its start to its end."""
    steps = np.linalg.norm(np.diff(stroke, axis=0), axis=1)
    place = np.concatenate(([0.0], np.cumsum(steps)))
    wanted = np.linspace(0, place[-1], count)
    return np.stack([np.interp(wanted, place, axis) for axis in stroke.T], axis=1)


def in_unit_box(strokes: Sequence[Points]) -> list[Points]:
    """Return the strokes around the origin, scaled so that their longer side is 1.

    A single dot stays a dot.
    """
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    side = (high - low).max() or 1.0
    return [(stroke - (low + high) / 2) / side for stroke in strokes]


def shares(lengths: Sequence[float] | Points, count: int) -> IntArray:
    """Return how many of ``count`` positions each stroke gets: by length, but at least two.

    Raises:
        ValueError: there are more than ``count / 2`` strokes.
    """
    if 2 * len(lengths) > count:
        raise ValueError(f"{len(lengths)} strokes do not fit in {count} positions")
    weights = np.asarray(lengths, np.float64) + 1e-9
    # Two for each stroke; the rest by largest remainder.
    ideal = weights / weights.sum() * (count - 2 * len(weights))
    given: IntArray = np.floor(ideal).astype(np.int64)
    largest = np.argsort(given - ideal, kind="stable")[: count - 2 * len(weights) - given.sum()]
    given[largest] += 1
    given += 2
    return given


def paths_of(digits: Iterable[Sequence[Points]]) -> Paths:
    """Return the paths of digits given as strokes, each in the unit box; there is at least one.

    Raises:
        ValueError: a digit has more than POSITIONS / 2 strokes.
    """
    parts = zip(*map(path_of, digits), strict=True)
    return Paths(*(np.concatenate(part) for part in parts))


def path_of(strokes: Sequence[Points]) -> Paths:
    """Return a digit's strokes as the paths of one digit, in the unit box.

    Raises:
        ValueError: there are more than POSITIONS / 2 strokes.
    """
    boxed = in_unit_box(strokes)
    counts = shares([length(stroke) for stroke in boxed], POSITIONS)
    points = [evenly(stroke, count) for stroke, count in zip(boxed, counts, strict=True)]
    return Paths(
        np.concatenate(points)[None].astype(np.float32),
        np.repeat(np.arange(len(strokes)), counts)[None],
    )
