"""What else lies in a picture: specks, blots, hairs, and dark edges."""

from collections.abc import Callable

import numpy as np

from tinydigits.scenes import drawing
from tinydigits.scenes.drawing import Floats, Line, Projection, Shape

FLAT = Projection.of((0, 0))


def specks(shape: Shape, size: float, rng: np.random.Generator) -> Floats:
    """Return small dots everywhere."""
    where = rng.uniform(0, 1, (rng.integers(3, 40), 2)) * shape[::-1]
    largest = max(0.8, size * rng.uniform(0.01, 0.05))
    dots = [Line(point + np.zeros((2, 2)), rng.uniform(0.3, 1) * largest) for point in where]
    return drawing.lines(shape, dots, FLAT)


def blot(shape: Shape, size: float, rng: np.random.Generator) -> Floats:
    """Return a disc, an ellipse or a polygon."""
    corners = 40 if rng.random() < 0.5 else int(rng.integers(3, 7))
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False) + rng.uniform(0, 2 * np.pi)
    radius = size * np.exp(rng.normal(-1, 0.5)) * rng.uniform(0.4, 1, 2)
    ring = np.stack((np.cos(angle), np.sin(angle)), axis=1) * radius
    return drawing.area(shape, ring + rng.uniform(0, 1, 2) * shape[::-1], FLAT)


def hair(shape: Shape, size: float, rng: np.random.Generator) -> Floats:
    """Return long lines, straight or bent a little: scratches, folds, hairs."""
    rows = []
    for _ in range(rng.integers(1, 3)):
        ends = rng.uniform(-0.2, 1.2, (2, 2)) * shape[::-1]
        place = np.linspace(0, 1, 20)[:, None]
        bend = np.sin(np.pi * place) * rng.normal(0, 0.1, 2) * max(shape)
        rows.append(
            Line(ends[0] + place * (ends[1] - ends[0]) + bend, size * rng.uniform(0.01, 0.1))
        )
    return drawing.lines(shape, rows, FLAT)


def frame(shape: Shape, _: float, rng: np.random.Generator) -> Floats:
    """Return a frame along the edges of the picture."""
    height, width = shape
    corners = np.array(((0, 0), (width, 0), (width, height), (0, height), (0, 0)), np.float64)
    return drawing.lines(shape, [Line(corners, max(shape) * rng.uniform(0.01, 0.14))], FLAT)


def edge(shape: Shape, _: float, rng: np.random.Generator) -> Floats:
    """Return what lies beyond a straight line along one side or across a corner."""
    side = max(shape)
    corners = np.array(((-2, 0), (2, 0), (2, 3), (-2, 3))) * side
    away = rng.uniform(0.25, 0.7) * side
    turned = Projection.of((shape[1] / 2, shape[0] / 2), rng.uniform(0, 2 * np.pi))
    return drawing.area(shape, corners + np.array((0, away)), turned)


CLUTTER: dict[str, Callable[[Shape, float, np.random.Generator], Floats]] = {
    "specks": specks,
    "blot": blot,
    "hair": hair,
    "frame": frame,
    "edge": edge,
}
"""Each returns the coverage of a picture of ``shape``; ``size`` is the height of a digit."""
