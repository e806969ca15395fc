"""Pens: ink along paths, as pictures in MNIST's frame.

A pen has an elliptical tip that marks the paper wherever it passes. The tip's size follows the
pressure, its axes and angle stay the same for a digit, and its ink may fade along the way.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinydigits.data import frame
from tinydigits.data.frame import BOX
from tinydigits.data.paths import FloatArray, Paths
from tinydigits.net.contract import SIDE

EDGE = 0.5  # pixels over which ink fades on either side of its edge, as in a scan
LIMITS = (0.8, 4.8)  # pixels: thinner strokes break up, thicker ones fill every loop
OUTLINED = 3.6  # pixels: width of the narrowest hollow strokes
LINE = 1.2  # pixels: width of their outline
AT_ONCE = 8  # digits inked together: few enough for the cache

PIXELS = np.arange(BOX, dtype=np.float32) + np.float32((1 - BOX) / 2)  # from the box's middle

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Pen:
    """A distribution of pens: every digit draws its own. By default, all pens are the same."""

    width: float = 2.0
    """Median width of the strokes, in pixels; a digit's longer side has 20."""
    spread: float = 0.0
    """Standard deviation of the width's logarithm."""
    flatness: float = 0.0
    """Standard deviation of the logarithm of the ratio between the tip's axes; 0 is a round tip.
    The axes may have any angle."""
    pressure: float = 0.0
    """Standard deviation of the relative change in width along the path, in a slow wave."""
    roughness: float = 0.0
    """Standard deviation of the relative change in width from position to position."""
    fading: float = 0.0
    """Largest share of ink lost where the pen is driest, in a slow wave along the path. Half of the
    pens do not run dry at all."""
    hollow: float = 0.0
    """Share of the digits that are outlined: their strokes are wide, and empty inside."""


class Tips(NamedTuple):
    """The pen's tip at each position: an ellipse that ends where its ink does."""

    axes: FloatArray  # (N, POSITIONS, 2): half axes, in pixels
    direction: FloatArray  # (N, 1, 2): cosine and sine of the first axis's angle
    ink: FloatArray  # (N, POSITIONS): from 0 to 1 of black
    is_hollow: npt.NDArray[np.bool_]  # (N, 1)

    def of(self, digits: slice | npt.NDArray[np.bool_]) -> "Tips":
        """Return the tips of some digits."""
        axes, direction, ink, is_hollow = self
        return Tips(axes[digits], direction[digits], ink[digits], is_hollow[digits])


def draw(paths: Paths, pen: Pen, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return pictures of the paths, uint8 (N, 28, 28), white (255) on black (0), in MNIST's frame.

    Each digit is scaled and moved, so the paths may have any unit and origin.
    """
    images = np.empty((len(paths.points), SIDE, SIDE), np.uint8)
    count, positions, _ = paths.points.shape
    tips = _choose(pen, count, positions, rng)
    points = _fit_to_box(paths.points, _reach(tips))
    for start in range(0, len(images), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        ink = _inked(points[some], tips.of(some))
        images[some] = frame.centre(np.rint(255 * ink).astype(np.uint8))
    return images


def _slow_wave(count: int, positions: int, rng: np.random.Generator) -> FloatArray:
    """Return values (count, positions) from -1 to 1: a wave of half to two periods in each row."""
    along = np.linspace(0, 2 * np.pi, positions, dtype=np.float32)
    rate = rng.uniform(0.5, 2.0, (count, 1)).astype(np.float32)
    phase = rng.uniform(0, 2 * np.pi, (count, 1)).astype(np.float32)
    wave: FloatArray = np.sin(rate * along + phase)
    return wave


def _choose(pen: Pen, count: int, positions: int, rng: np.random.Generator) -> Tips:
    """Choose every digit's pen, and where it is pressed and runs dry."""
    normal = partial(rng.standard_normal, dtype=np.float32)
    median = pen.width * np.exp(pen.spread * normal((count, 1)))
    wave = pen.pressure * normal((count, 1)) * _slow_wave(count, positions, rng)
    rough = pen.roughness * normal((count, positions))
    is_hollow = rng.random((count, 1)) < pen.hollow
    median = np.where(is_hollow, median.clip(min=OUTLINED), median)
    width = np.clip(median * (1 + wave + rough), *LIMITS)
    ratio = np.exp(pen.flatness / 2 * normal((count, 1)))
    angle = rng.uniform(0, np.pi, (count, 1)).astype(np.float32)
    dryness = pen.fading * (2 * rng.random((count, 1), np.float32) - 1).clip(min=0)
    fading = dryness * (1 + _slow_wave(count, positions, rng)) / 2
    outer, ink = _profile(width / 2)
    axes = np.stack((outer * ratio, outer / ratio), axis=2)
    direction = np.stack((np.cos(angle), np.sin(angle)), axis=2)
    parts = (axes, direction, ink * (1 - fading))
    axes, direction, ink = (part.astype(np.float32) for part in parts)
    return Tips(axes, direction, ink, is_hollow)


def _profile(radius: Floats) -> tuple[Floats, Floats]:
    """Return the outer radii and the peaks of ink that give strokes exactly their width of ink.

    Across a stroke, ink rises from 0 at M + EDGE to its peak at M - EDGE, linearly in the squared
    distance. The integral over the distance is M + EDGE^2 / (3 M), which is solved for M. Strokes
    too thin for that have M = EDGE and a lower peak: they stay grey, as in a scan.
    """
    thinnest = 4 / 3 * EDGE
    thick = np.maximum(radius, thinnest)
    middle = (thick + np.sqrt(thick**2 - 4 / 3 * EDGE**2)) / 2
    return middle + EDGE, np.minimum(radius / thinnest, 1)


def _reach(tips: Tips) -> FloatArray:
    """Return how far the ink extends from each position along x and along y, (N, POSITIONS, 2)."""
    (a, b), (cosine, sine) = np.moveaxis(tips.axes, 2, 0), np.moveaxis(tips.direction, 2, 0)
    return np.stack((np.hypot(a * cosine, b * sine), np.hypot(a * sine, b * cosine)), axis=2)


def _fit_to_box(points: FloatArray, reach: FloatArray) -> FloatArray:
    """Scale the paths so that their ink's longer side is BOX pixels, and centre the ink at 0, 0."""
    scale = np.full((len(points), 1, 1), BOX, np.float32)
    low, high = _extent(points, np.zeros_like(reach))
    slope = np.maximum((high - low).max(axis=2, keepdims=True), 1e-3)  # a dot has no size
    for _ in range(3):  # Newton's method: the ink's side is nearly linear in the scale
        low, high = _extent(points * scale, reach)
        scale += (BOX - (high - low).max(axis=2, keepdims=True)) / slope
    low, high = _extent(points * scale, reach)
    fitted: FloatArray = points * scale - (low + high) * np.float32(0.5)
    return fitted


def _extent(points: FloatArray, reach: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the ink's smallest and largest coordinates, each (N, 1, 2)."""
    return (points - reach).min(axis=1, keepdims=True), (points + reach).max(axis=1, keepdims=True)


def _inked(points: FloatArray, tips: Tips) -> FloatArray:
    """Return ink from 0 to 1, (N, BOX, BOX); ``points`` are seen from the box's middle."""
    ink = _ink(points, tips)
    hollow = tips.is_hollow[:, 0]
    if hollow.any():
        inner = tips.of(hollow)
        inner = inner._replace(axes=(inner.axes - LINE).clip(min=2 * EDGE))
        ink[hollow] *= 1 - _ink(points[hollow], inner)
    return ink


def _ink(points: FloatArray, tips: Tips) -> FloatArray:
    """Return the ink of full strokes.

    Around each position, ink falls off with the squared distance, measured in half axes of the tip.
    A pixel is as dark as the darkest position makes it.
    """
    x, y = np.moveaxis(points, 2, 0)
    (a, b), (cosine, sine) = np.moveaxis(tips.axes, 2, 0), np.moveaxis(tips.direction, 2, 0)
    outer = np.sqrt(a * b)
    steepness = (tips.ink * outer**2 / (4 * EDGE * (outer - EDGE)))[:, :, None]
    to_x, to_y = PIXELS - x[:, :, None], PIXELS - y[:, :, None]
    xx, xy, yy = (
        form[:, :, None]
        for form in (
            (cosine / a) ** 2 + (sine / b) ** 2,
            2 * cosine * sine * (1 / a**2 - 1 / b**2),
            (sine / a) ** 2 + (cosine / b) ** 2,
        )
    )
    # steepness * (1 - xx to_x^2 - xy to_x to_y - yy to_y^2), for every position, row and column
    ink = (steepness * -xy * to_y)[..., None] * to_x[:, :, None, :]
    ink += (steepness * (1 - yy * to_y**2))[..., None]
    ink -= (steepness * xx * to_x**2)[:, :, None, :]
    np.minimum(ink, tips.ink[:, :, None, None], out=ink)
    darkest: FloatArray = ink.max(axis=1).clip(min=0)
    return darkest
