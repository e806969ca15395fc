"""Hands: paths varied as handwriting varies, in the space of the strokes and before any ink."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from tinydigits.data.paths import FloatArray, IntArray, Paths

WAVES = 3  # smooth bends per digit: enough to make every digit's bends different
WAVE_FREQUENCY = 5.0  # radians per digit height, about one bend per digit
OVERRUN_LIMITS = (-0.15, 0.3)  # shares of a stroke's length
HURRY_ROUNDS = 6  # of smoothing: at full strength, corners are rounded over 5 positions


@dataclass(frozen=True)
class Hand:
    """How far paths depart from their models; every digit draws its own departures.

    Lengths are in digit heights. All are standard deviations, unless noted; 0 changes nothing.
    """

    slant: float = 0.0
    """Of the tangent of the slant."""
    lean: float = 0.0
    """Mean of the same tangent; above 0, digits lean to the right."""
    aspect: float = 0.0
    """Of the logarithm of the width."""
    rotation: float = 0.0
    """In radians."""
    taper: float = 0.0
    """Of the relative difference in width between the middle and the top; the bottom has the
    opposite difference."""
    balance: float = 0.0
    """Of the middle's downward shift, in quarters of a height."""
    warp: float = 0.0
    """Of the shift by smooth bends across the plane."""
    drift: float = 0.0
    """Of the shift of whole strokes: joins open, and strokes cross."""
    overrun: float = 0.0
    """Of the length by which a stroke's ends overshoot; below 0 the stroke ends early."""
    hurry: float = 0.0
    """Largest share of its corners that a fast pen cuts, from 0 to 1."""


def vary(paths: Paths, hand: Hand, rng: np.random.Generator) -> Paths:
    """Return the paths of the same strokes, each digit varied by its own random values.

    ``paths`` lie in the unit box around the origin; strokes have at least two positions.
    """
    points, stroke = paths
    points = _overrun(points, stroke, hand, rng)
    points = _hurry(points, stroke, hand, rng)
    points = _drift(points, stroke, hand, rng)
    points = _proportion(points, hand, rng)
    points = _bend(points, hand, rng)
    return Paths(_transform(points, hand, rng), stroke)


def _overrun(
    points: FloatArray, stroke: IntArray, hand: Hand, rng: np.random.Generator
) -> FloatArray:
    """Move both ends of each stroke along its direction, and its positions in proportion."""
    number = np.arange(stroke.max() + 1)
    belongs = stroke[:, :, None] == number
    first, size = belongs.argmax(axis=1), belongs.sum(axis=1)
    steps = np.linalg.norm(np.diff(points, axis=1), axis=2)[:, :, None]
    length = (steps * (belongs[:, 1:] & belongs[:, :-1])).sum(axis=1)
    ends = hand.overrun * rng.standard_normal((2, *length.shape), np.float32)
    before, after = np.clip(ends / np.maximum(length, 1e-3), *OVERRUN_LIMITS)
    first, size, before, after = (
        np.take_along_axis(values, stroke, axis=1) for values in (first, size, before, after)
    )
    share = (np.arange(points.shape[1]) - first) / (size - 1)
    place = (share * (1 + before + after) - before) * (size - 1)
    # Beyond its ends, a stroke continues in the direction of its last step.
    low = np.clip(np.floor(place).astype(np.int64), 0, size - 2)
    part = (place - low).astype(np.float32)[:, :, None]
    start, end = (
        np.take_along_axis(points, (first + low + step)[:, :, None], axis=1) for step in (0, 1)
    )
    moved: FloatArray = start + part * (end - start)
    return moved


def _hurry(
    points: FloatArray, stroke: IntArray, hand: Hand, rng: np.random.Generator
) -> FloatArray:
    """Round the corners between the ends of each stroke, as a fast pen does."""
    weight = hand.hurry / 4 * rng.random((len(points), 1, 1), np.float32)
    inside = (stroke[:, 2:] == stroke[:, :-2])[:, :, None]
    points = points.copy()
    for _ in range(HURRY_ROUNDS):
        bend = points[:, 2:] - 2 * points[:, 1:-1] + points[:, :-2]
        points[:, 1:-1] += weight * bend * inside
    return points


def _drift(
    points: FloatArray, stroke: IntArray, hand: Hand, rng: np.random.Generator
) -> FloatArray:
    """Shift whole strokes."""
    shift = hand.drift * rng.standard_normal((len(points), stroke.max() + 1, 2), np.float32)
    drifted: FloatArray = points + np.take_along_axis(shift, stroke[:, :, None], axis=1)
    return drifted


def _proportion(points: FloatArray, hand: Hand, rng: np.random.Generator) -> FloatArray:
    """Change the relative heights of the two halves and the relative widths of the two ends."""
    x, y = points[:, :, 0], points[:, :, 1]
    taper = hand.taper * rng.standard_normal((len(points), 1), np.float32)
    balance = hand.balance * rng.standard_normal((len(points), 1), np.float32)
    return np.stack((x * (1 + taper * 2 * y), y + balance * (0.25 - y * y)), axis=2)


def _bend(points: FloatArray, hand: Hand, rng: np.random.Generator) -> FloatArray:
    """Bend the paths with a few smooth waves across the plane."""
    normal = partial(rng.standard_normal, dtype=np.float32)
    direction = WAVE_FREQUENCY * normal((len(points), 2, WAVES))
    phase = rng.uniform(0, 2 * np.pi, (len(points), 1, WAVES)).astype(np.float32)
    amplitude = hand.warp / np.float32(np.sqrt(WAVES)) * normal((len(points), WAVES, 2))
    bent: FloatArray = points + np.sin(points @ direction + phase) @ amplitude
    return bent


def _transform(points: FloatArray, hand: Hand, rng: np.random.Generator) -> FloatArray:
    """Stretch, slant and rotate the paths."""
    normal = partial(rng.standard_normal, dtype=np.float32)
    aspect = np.exp(hand.aspect * normal(len(points)))
    slant = hand.lean + hand.slant * normal(len(points))
    angle = hand.rotation * normal(len(points))
    cosine, sine = np.cos(angle), np.sin(angle)
    # Applied to row vectors: stretch and slant, then rotate.
    shear = np.stack((aspect, np.zeros_like(aspect), -slant, np.ones_like(aspect)), axis=1)
    rotation = np.stack((cosine, sine, -sine, cosine), axis=1)
    moved: FloatArray = points @ shear.reshape(-1, 2, 2) @ rotation.reshape(-1, 2, 2)
    return moved
