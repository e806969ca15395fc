"""Surfaces that a sheet lies on, or that digits are written on: their brightness, before light.

All are float32 (height, width) around 1.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats = npt.NDArray[np.float32]
Shape = tuple[int, int]


def plain(shape: Shape, _: np.random.Generator) -> Floats:
    """Return a surface without a pattern."""
    return np.ones(shape, np.float32)


def paper(shape: Shape, rng: np.random.Generator) -> Floats:
    """Return paper: a little cloudy, as fibres are."""
    return 1 + clouds(shape, rng.uniform(0.5, 4), rng) * np.float32(rng.uniform(0, 0.015))


def wood(shape: Shape, rng: np.random.Generator) -> Floats:
    """Return planks: long fibres, year rings along them and, in some, joints."""
    fibres = _stretched(shape, rng.uniform(0.3, 1.2), rng.uniform(8, 40), rng)
    broad = _stretched(shape, rng.uniform(2, 8), rng.uniform(30, 120), rng)
    y = np.arange(shape[0], dtype=np.float32)[:, None]
    period = rng.uniform(4, 30)
    rings = np.sin(2 * np.pi * (y / period + broad * rng.uniform(0.2, 1.5)))
    light = 1 + rng.uniform(0.01, 0.1) * fibres + rng.uniform(0, 0.12) * rings + 0.04 * broad
    if rng.random() < 0.4:
        plank = rng.uniform(0.3, 1) * shape[0]
        light *= np.where((y + rng.uniform(0, plank)) % plank < rng.uniform(0.7, 2.5), 0.55, 1)
    return np.asarray(light if rng.random() < 0.6 else _transposed(light, shape), np.float32)


def cloth(shape: Shape, rng: np.random.Generator) -> Floats:
    """Return woven threads, plain, checked or striped."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(2, 9)
    u = (x * np.cos(angle) + y * np.sin(angle)) * (2 * np.pi / period)
    v = (y * np.cos(angle) - x * np.sin(angle)) * (2 * np.pi / period)
    light = 1 + rng.uniform(0.02, 0.15) * np.sin(u) * np.sin(v)
    wide = rng.uniform(3, 12)
    if rng.random() < 0.5:  # stripes, or checks
        light *= 1 - rng.uniform(0, 0.4) * (np.sin(u / wide) > rng.uniform(-0.5, 0.9))
        if rng.random() < 0.5:
            light *= 1 - rng.uniform(0, 0.4) * (np.sin(v / wide) > rng.uniform(-0.5, 0.9))
    return np.asarray(light + 0.03 * clouds(shape, 0.8, rng), np.float32)


def stone(shape: Shape, rng: np.random.Generator) -> Floats:
    """Return speckles and clouds of all sizes."""
    light = sum(clouds(shape, size, rng) for size in (0.6, 2, 6, 20))
    return np.asarray(1 + light * rng.uniform(0.02, 0.08), np.float32)


def clouds(shape: Shape, size: float, rng: np.random.Generator) -> Floats:
    """Return smooth noise of unit variance, with details of ``size`` pixels."""
    return _normal(ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), size))


def _stretched(shape: Shape, across: float, along: float, rng: np.random.Generator) -> Floats:
    noise = rng.standard_normal(shape, np.float32)
    return _normal(ndimage.gaussian_filter(noise, (across, along), mode="wrap"))


def _transposed(light: Floats, shape: Shape) -> Floats:
    side = max(shape)
    square = np.pad(light, ((0, side - shape[0]), (0, side - shape[1])), "reflect")
    return square.T[: shape[0], : shape[1]]


def _normal(values: Floats) -> Floats:
    normal: Floats = (values - values.mean()) / max(float(values.std()), 1e-6)
    return normal


DESKS: dict[str, Callable[[Shape, np.random.Generator], Floats]] = {
    "plain": plain,
    "wood": wood,
    "cloth": cloth,
    "stone": stone,
}
