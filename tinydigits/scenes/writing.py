"""What is written in a scene: digits in rows, signs, and the lines drawn around digits."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from tinydigits.scenes import drawing
from tinydigits.scenes.drawing import Floats, Line, Points, Projection, Shape
from tinydigits.scenes.signs import SIGNS

BETWEEN = (0.06, 0.4)  # between neighbours in a word, in digit heights
ROOM = (0.15, 0.4)  # between digits and the sides of a form's field, in digit heights

Glyph = Sequence[Points] | Image.Image
"""A digit as strokes in the unit box around the origin, or as a picture of its ink, cropped."""

Source = Callable[[np.random.Generator], tuple[int, Glyph]]
"""Returns a random digit: its label and its glyph."""


class Mark(NamedTuple):
    """A digit, or another sign, in its place on the sheet."""

    label: int | None
    """None if it is no digit."""
    glyph: Glyph
    low: npt.NDArray[np.float64]
    """Its upper left corner, x and y in pixels."""
    high: npt.NDArray[np.float64]
    """Its lower right corner."""

    def moved(self, by: Points) -> "Mark":
        """Return the mark elsewhere."""
        return self._replace(low=self.low + by, high=self.high + by)

    def coverage(self, shape: Shape, width: float, flow: Points, projection: Projection) -> Floats:
        """Return what the mark covers, drawn with a pen of ``width`` pixels.

        ``flow`` is the relative width along the path, (points,), of any length.
        """
        if isinstance(self.glyph, Image.Image):
            (left, top), (right, bottom) = self.low, self.high
            corners = np.array(((left, top), (right, top), (right, bottom), (left, bottom)))
            return drawing.stamp(shape, self.glyph, corners, projection)
        centre, size = (self.low + self.high) / 2, (self.high - self.low).max()
        place = np.linspace(0, len(flow) - 1, max(len(stroke) for stroke in self.glyph))
        widths = width * np.interp(place, np.arange(len(flow)), flow)
        return drawing.lines(
            shape,
            [Line(stroke * size + centre, widths[: len(stroke)]) for stroke in self.glyph],
            projection,
        )


def digit(source: Source, size: float, rng: np.random.Generator) -> Mark:
    """Return a digit around the origin; its longer side has ``size`` pixels."""
    label, glyph = source(rng)
    return Mark(label, glyph, *_box(glyph, size))


def sign(size: float, rng: np.random.Generator) -> Mark:
    """Return a letter or sign around the origin."""
    strokes = SIGNS[sorted(SIGNS)[rng.integers(len(SIGNS))]]
    bent = [stroke + rng.normal(0, 0.03, stroke.shape) for stroke in strokes]
    return Mark(None, bent, *_box(bent, size))


def _box(glyph: Glyph, size: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if isinstance(glyph, Image.Image):
        extent = np.array(glyph.size) / max(glyph.size)
        return -extent * size / 2, extent * size / 2
    points = np.concatenate(list(glyph)).astype(np.float64)
    return points.min(axis=0) * size, points.max(axis=0) * size


def row(marks: Sequence[Mark], gaps: Sequence[float], rises: Sequence[float]) -> list[Mark]:
    """Return marks from left to right, around the origin.

    ``gaps`` are the distances between neighbours in pixels, ``rises`` how far each stands above
    the line on which the digits' lower ends lie.
    """
    placed, x = [], 0.0
    for mark, gap, rise in zip(marks, (0.0, *gaps), rises, strict=True):
        x += gap
        placed.append(mark.moved(np.array((x, -rise)) - (mark.low[0], mark.high[1])))
        x = placed[-1].high[0]
    return _centred(placed)


def _centred(marks: list[Mark]) -> list[Mark]:
    low, high = bounds(marks)
    return [mark.moved(-(low + high) / 2) for mark in marks]


def bounds(marks: Sequence[Mark]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the upper left and lower right corner of the box around all marks."""
    return (
        np.min([mark.low for mark in marks], axis=0),
        np.max([mark.high for mark in marks], axis=0),
    )


def word(size: float, rng: np.random.Generator) -> list[Mark]:
    """Return a row of letters and signs around the origin, about ``size`` pixels high."""
    count = int(rng.integers(3, 9))
    marks = [sign(size * float(np.exp(0.1 * rng.standard_normal())), rng) for _ in range(count)]
    return row(marks, (size * rng.uniform(*BETWEEN, count - 1)).tolist(), [0.0] * count)


def field(marks: Sequence[Mark], size: float, rng: np.random.Generator) -> Mark:
    """Return a form's field around a row of digits: one box, or a cell for each digit."""
    low, high = bounds(marks)
    left, top = low - size * rng.uniform(*ROOM, 2)
    right, bottom = high + size * rng.uniform(*ROOM, 2)
    walls = [left, right]
    if rng.random() < 0.5:
        walls += [(one.high[0] + other.low[0]) / 2 for one, other in pairwise(marks)]
    sides = [((left, y), (right, y)) for y in (top, bottom)]
    lines = np.array(sides + [((x, top), (x, bottom)) for x in walls])
    low, high = lines.min(axis=(0, 1)), lines.max(axis=(0, 1))
    return Mark(None, list((lines - (low + high) / 2) / (high - low).max()), low, high)


def underline(marks: Sequence[Mark], gap: float, rng: np.random.Generator) -> Points:
    """Return a line below the marks, ``gap`` pixels from them."""
    low, high = bounds(marks)
    size = high[1] - low[1]
    left = low[0] - size * rng.uniform(-0.05, 0.5)
    right = high[0] + size * rng.uniform(-0.05, 0.5)
    return _shaky(((left, high[1] + gap), (right, high[1] + gap)), 0.02 * size, rng)


def strike(marks: Sequence[Mark], rng: np.random.Generator) -> Points:
    """Return a line through the marks, level or rising."""
    low, high = bounds(marks)
    extent = high - low
    over = rng.uniform(0.05, 0.4, 2) * extent.max()
    slope = rng.uniform(-0.5, 0.5) * extent[1]
    y = low[1] + extent[1] * rng.uniform(0.3, 0.7)
    ends = ((low[0] - over[0], y + slope), (high[0] + over[1], y - slope))
    return _shaky(ends, 0.02 * extent.max(), rng)


def box(marks: Sequence[Mark], margin: float, rng: np.random.Generator) -> Points:
    """Return a frame around the marks, ``margin`` pixels from them."""
    low, high = bounds(marks)
    (left, top), (right, bottom) = low - margin, high + margin
    corners = ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))
    return _shaky(corners, rng.choice((0, 0.02)) * (high - low).max(), rng)


def circle(marks: Sequence[Mark], margin: float, rng: np.random.Generator) -> Points:
    """Return a ring around the marks, which may end beside its beginning."""
    low, high = bounds(marks)
    radius = (high - low) / 2 * np.sqrt(2) * 0.9 + margin
    angle = np.linspace(0, 2 * np.pi + rng.uniform(-0.3, 0.4), 40) + rng.uniform(0, 2 * np.pi)
    wobble = 1 + 0.04 * np.sin(angle * rng.integers(1, 4) + rng.uniform(0, 6)) * rng.random()
    drift = np.linspace(0, rng.normal(0, 0.04), len(angle))
    ring = np.stack((np.cos(angle), np.sin(angle)), axis=1) * (wobble + drift)[:, None]
    placed: npt.NDArray[np.float64] = (low + high) / 2 + ring * radius
    return placed


def _shaky(corners: Sequence[tuple[float, float]], by: float, rng: np.random.Generator) -> Points:
    """Return points along a line through the corners, moved as a hand moves."""
    ends = np.array(corners, np.float64)
    place = np.linspace(0, len(ends) - 1, 12 * (len(ends) - 1) + 1)
    points = np.stack([np.interp(place, np.arange(len(ends)), axis) for axis in ends.T], axis=1)
    wave = np.sin(place[:, None] * rng.uniform(1, 5, 2) + rng.uniform(0, 6, 2))
    moved: npt.NDArray[np.float64] = points + by * wave + rng.normal(0, by / 4, points.shape)
    return moved
