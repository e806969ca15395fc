"""Views for training the finder: a mixture of scenes, in the sizes at which it sees pictures."""

from dataclasses import replace

import numpy as np

from tinydigits.scenes import writing
from tinydigits.scenes.settings import anything, cluttered
from tinydigits.scenes.staging import Scene, scene
from tinydigits.scenes.writing import Mark, Source

NOISE = 0.02  # share of the views that show nothing but noise
TIGHT = (0.8, 0.9)  # of the view's side: digits that fill what is shown of it


def view(source: Source, side: int, rng: np.random.Generator) -> Scene:
    """Return a random scene of ``side`` x ``side`` pixels."""
    if rng.random() < NOISE:
        return _noise(side, rng)
    chosen = anything(rng)
    size = _size(side, rng)
    marks = _marks(source, size, side, rng)
    if not marks and rng.random() < 0.5:
        chosen = replace(chosen, **cluttered(rng))
    return scene(marks, chosen, (side, side), size, _centre(marks, size, side, rng), rng, source)


def _centre(
    marks: list[Mark], size: float, side: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Return where the middle of the marks is: one of them, or all, stand in the view."""
    if not marks:
        off = rng.uniform(-0.3, 0.3, 2) * side
    else:
        one = [marks[rng.integers(len(marks))]] if rng.random() < 0.4 else marks
        low, high = writing.bounds(one)
        over = 0.3 * size * (rng.random() < 0.2)  # beyond the edge of the view
        room = np.maximum(side - (high - low), 0) / 2 + over
        if TIGHT[0] * side < size < TIGHT[1] * side and rng.random() < 0.7:
            room *= 0.2
        off = rng.uniform(-1, 1, 2) * np.minimum(room, 0.5 * side) - (low + high) / 2
    x, y = off + side / 2
    return float(x), float(y)


def _noise(side: int, rng: np.random.Generator) -> Scene:
    """Return grain and nothing else: grey or black and white, fine or coarse."""
    coarse = int(rng.choice((1, 1, 2, 4, 8)))
    shape = (-(-side // coarse),) * 2
    grain = rng.standard_normal(shape) if rng.random() < 0.5 else rng.uniform(-1, 1, shape)
    if rng.random() < 0.4:
        grain = np.sign(grain - rng.choice((0, 0, 0.9)))
    light = rng.uniform(0.2, 0.9) + grain * np.exp(rng.uniform(np.log(0.01), np.log(0.6)))
    grey = np.rint(255 * np.kron(light, np.ones((coarse, coarse)))[:side, :side].clip(0, 1))
    picture = np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
    return Scene(picture, np.zeros((side, side), np.float32), np.zeros((side, side), np.uint8), ())


def _size(side: int, rng: np.random.Generator) -> float:
    """Return the height of digits in pixels: most as in a closer look, some of any size."""
    ranges = ((0.4, 0.75), TIGHT, (0.05, 0.98))
    least, most = ranges[rng.choice(len(ranges), p=(0.48, 0.13, 0.39))]
    return float(np.exp(rng.uniform(np.log(least), np.log(most)))) * side


def _marks(source: Source, size: float, side: int, rng: np.random.Generator) -> list[Mark]:
    """Return what is written: one digit, several close together, or none."""
    layout = rng.random()
    if layout < 0.11:
        return []
    if layout < 0.21:
        return [writing.sign(size, rng)]
    if layout < 0.54:
        return [writing.digit(source, size, rng)]
    if layout < 0.67:
        return _with_smaller(source, size, rng)
    if layout < 0.75:
        return _with_signs(source, size, rng)
    most = int(np.clip(1.6 * side / size, 2, 7))
    return _row(source, size, int(rng.integers(2, most + 1)), rng)


def _gaps(count: int, size: float, rng: np.random.Generator) -> list[float]:
    least, most = (-0.08, 0.15) if rng.random() < 0.6 else (0.05, 0.6)
    gaps: list[float] = (size * rng.uniform(least, most, count)).tolist()
    return gaps


def _row(source: Source, size: float, count: int, rng: np.random.Generator) -> list[Mark]:
    differ = rng.uniform(0, 0.25)
    sizes = size * np.exp(differ * rng.standard_normal(count)).clip(0.4, 1.3)
    if rng.random() < 0.35:
        sizes[rng.integers(count)] *= rng.uniform(0.35, 0.9)
    marks = [writing.digit(source, float(each), rng) for each in sizes]
    rises = (size * 0.08 * rng.standard_normal(count)).tolist()
    placed = writing.row(marks, _gaps(count - 1, size, rng), rises)
    if rng.random() < 0.25:  # another line
        below = _row(source, size, count, rng)
        gap = size * rng.uniform(1.0, 2.0)
        placed += [mark.moved(np.array((rng.normal(0, size), gap))) for mark in below]
    return placed


def _with_smaller(source: Source, size: float, rng: np.random.Generator) -> list[Mark]:
    second = size * rng.uniform(0.28, 0.75)
    marks = [writing.digit(source, size, rng), writing.digit(source, second, rng)]
    heights = {
        "power": size * rng.uniform(0.4, 1),
        "index": -second * rng.uniform(0.2, 0.6),
        "beside": size * rng.uniform(-0.1, 0.3),
    }
    rise = heights[rng.choice(list(heights), p=(0.6, 0.2, 0.2))]
    return writing.row(marks, [size * rng.uniform(-0.02, 0.3)], [0.0, rise])


def _with_signs(source: Source, size: float, rng: np.random.Generator) -> list[Mark]:
    """Return digits with letters or signs before, between or after them."""
    count = int(rng.integers(2, 5))
    marks = [
        writing.digit(source, size * rng.uniform(0.8, 1.1), rng)
        if rng.random() < 0.55
        else writing.sign(size * rng.uniform(0.3, 1), rng)
        for _ in range(count)
    ]
    rises = (size * rng.uniform(0, 0.3, count)).tolist()
    return writing.row(marks, (size * rng.uniform(0.05, 0.4, count - 1)).tolist(), rises)
