"""Scenes: pictures of digits as people make them, drawn from pen strokes.

A digit stands somewhere in a larger picture, in any size: drawn with a mouse or a finger on a
canvas, written with a pen on paper and photographed, or written with chalk on a board.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage

from tinydigits.data.paths import Points, in_unit_box

__all__ = ["KINDS", "scene"]

Floats = npt.NDArray[np.float64]

SIZES = (32, 320)  # pixels of a digit's longer side, smallest and largest
MARGINS = (0.15, 0.8)  # around the digit, in digit sizes
WIDTHS = (0.05, 0.15)  # of the pen, in digit sizes: 1 to 3 of 20 pixels
FINER = 4  # strokes are drawn this much larger, then reduced: their edges become smooth


def scene(strokes: Sequence[Points], kind: str, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return a picture of the strokes, uint8 (height, width); ``kind`` is one of ``KINDS``."""
    size = float(np.exp(rng.uniform(*np.log(SIZES))))
    left, right, top, bottom = size * rng.uniform(*MARGINS, 4)
    boxed = in_unit_box(strokes)
    extent = np.ptp(np.concatenate(boxed), axis=0) * size
    width, height = np.ceil(extent + np.array((left + right, top + bottom))).astype(int).tolist()
    moved = [stroke * size + extent / 2 + np.array((left, top)) for stroke in boxed]
    light = KINDS[kind](_inked(moved, (width, height), size * rng.uniform(*WIDTHS)), rng)
    if kind in PHOTOGRAPHED:
        light = _photographed(light, size, rng)
    picture: npt.NDArray[np.uint8] = np.rint(255 * light.clip(0, 1)).astype(np.uint8)
    return picture


def _inked(strokes: Sequence[Points], shape: tuple[int, int], width: float) -> Floats:
    """Return the share of each pixel that a round pen covers, (height, width)."""
    image = Image.new("L", (shape[0] * FINER, shape[1] * FINER))
    draw = ImageDraw.Draw(image)
    radius = width * FINER / 2
    for stroke in strokes:
        points = [(x * FINER, y * FINER) for x, y in stroke]
        if len(points) > 1:
            draw.line(points, fill=255, width=max(1, round(2 * radius)), joint="curve")
        for x, y in (points[0], points[-1]):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image.reduce(FINER), np.float64) / 255


def _canvas(ink: Floats, rng: np.random.Generator) -> Floats:
    """Return a drawing of one dark colour on white."""
    return 1 - ink * rng.uniform(0.6, 1)


def _paper(ink: Floats, rng: np.random.Generator) -> Floats:
    """Return ink on paper, in daylight."""
    paper, black = rng.uniform(0.55, 0.95), rng.uniform(0.05, 0.4)
    return paper * _daylight(ink.shape, rng) * (1 - ink * (1 - black))


def _board(ink: Floats, rng: np.random.Generator) -> Floats:
    """Return chalk, which leaves gaps, on a dark board in daylight."""
    chalk = ink * (1 - 0.5 * rng.random(ink.shape))
    board = rng.uniform(0.08, 0.3)
    return (board + chalk * rng.uniform(0.4, 0.65)) * _daylight(ink.shape, rng)


def _daylight(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Return light that falls off to one side, and a soft shadow in one picture of three."""
    y, x = (np.linspace(-1, 1, side) for side in shape)
    angle = rng.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y[:, None] * np.sin(angle)
    light: Floats = 1 - rng.uniform(0, 0.15) * (1 + along)
    if rng.random() < 1 / 3:
        light *= 1 - rng.uniform(0.1, 0.35) / (1 + np.exp(-8 * (along - rng.uniform(-1, 1))))
    return light


def _photographed(light: Floats, size: float, rng: np.random.Generator) -> Floats:
    """Return the light as a camera takes it: out of focus, and grainy."""
    blurred: Floats = ndimage.gaussian_filter(light, size * rng.uniform(0, 0.015))
    return blurred + rng.normal(0, rng.uniform(0.003, 0.02), light.shape)


KINDS: dict[str, Callable[[Floats, np.random.Generator], Floats]] = {
    "canvas": _canvas,
    "paper": _paper,
    "board": _board,
}
PHOTOGRAPHED = ("paper", "board")
