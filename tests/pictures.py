"""Pictures of digits for the tests: strokes drawn with a pen, and digits on any paper."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

# The pen's paths in hundredths of a box, with y pointing down; 4 and 5 have two strokes.
WAYS = {
    0: ["50,2 28,10 18,35 20,68 34,94 54,98 74,86 82,55 76,22 60,4 48,2"],
    1: ["40,14 54,2 52,50 50,98"],
    2: ["20,24 32,6 56,2 76,16 74,38 54,62 30,84 18,96 46,94 84,95"],
    3: ["20,12 40,2 66,6 72,24 60,42 40,48 64,54 78,72 66,92 42,98 18,88"],
    4: ["34,4 24,30 16,58 48,60 86,58", "64,8 62,50 60,98"],
    5: ["32,6 28,42 52,38 74,50 78,72 62,94 38,98 18,88", "32,5 54,5 78,3"],
    6: ["66,2 42,20 26,50 24,80 42,97 66,92 76,72 62,54 40,58 26,76"],
    7: ["16,6 50,5 84,4 64,40 48,72 42,98"],
    8: ["68,16 50,2 30,12 32,32 54,46 72,66 66,90 44,98 26,86 32,64 56,44 72,28 66,12"],
    9: ["72,22 54,4 32,12 26,34 42,50 62,42 74,20 72,56 66,98"],
}

Colour = int | float | tuple[int, ...]
Points = npt.NDArray[np.float64]


def drawn(
    digit: int,
    *,
    size: tuple[int, int] = (400, 400),
    box: tuple[float, float, float, float] | None = None,
    pen: int = 24,
    ink: Colour = 0,
    paper: Colour = 255,
    mode: str = "L",
    lifted: float = 0,
) -> Image.Image:
    """Return a digit drawn with a round pen into ``box`` (left, top, width, height).

    ``lifted`` moves the second stroke of 4 and 5 away, as a share of the box.
    """
    image = Image.new(mode, size, paper)
    left, top, width, height = box or tuple(
        side * share for side, share in zip((*size, *size), (0.2, 0.15, 0.6, 0.7), strict=True)
    )
    for number, way in enumerate(strokes(digit)):
        points = way + number * lifted * np.array([0.3, -1])
        _stroke(ImageDraw.Draw(image), points * (width, height) + (left, top), pen, ink)
    return image


def strokes(digit: int) -> list[Points]:
    """Return the pen's paths, 0 to 1 of a box."""
    return [_smooth(_points(way)) for way in WAYS[digit]]


def _points(way: str) -> Points:
    return np.array([[int(value) / 100 for value in pair.split(",")] for pair in way.split()])


def _smooth(points: Points) -> Points:
    """Return a smooth curve through the points (Catmull-Rom)."""
    p = np.concatenate([points[:1], points, points[-1:]])
    t = np.linspace(0, 1, 12, endpoint=False)[:, None]
    spans = [
        b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
    ]
    return np.concatenate([*spans, points[-1:]])


def _stroke(draw: ImageDraw.ImageDraw, points: Points, pen: int, ink: Any) -> None:
    for start, end in pairwise(points.tolist()):
        draw.line([tuple(start), tuple(end)], fill=ink, width=pen)
    if pen > 2:
        for x, y in points.tolist():
            draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=ink)


def side_by_side(left: int, right: int, gap: int) -> Image.Image:
    """Return two digits, 280 pixels high, ``gap`` pixels between their boxes."""
    size = (760, 400)
    first = drawn(left, size=size, box=(80, 60, 200, 280))
    second = drawn(right, size=size, box=(280 + gap, 60, 200, 280))
    return Image.fromarray(np.minimum(np.asarray(first), np.asarray(second)))


def pasted(
    digit: npt.NDArray[np.uint8], rng: np.random.Generator, *, largest: float = 10
) -> Image.Image:
    """Return a (28, 28) digit enlarged, somewhere on a larger field, inverted half the time."""
    side = round(28 * rng.uniform(2, largest))
    filters = [
        Image.Resampling.NEAREST,
        Image.Resampling.BILINEAR,
        Image.Resampling.BICUBIC,
        Image.Resampling.LANCZOS,
    ]
    tile = Image.fromarray(digit).resize((side, side), filters[rng.integers(4)])
    width, height = (round(side * rng.uniform(1, 3)) for _ in range(2))
    field = Image.new("L", (width, height))
    place = int(rng.integers(width - side + 1)), int(rng.integers(height - side + 1))
    field.paste(tile, place)
    return Image.fromarray(255 - np.asarray(field)) if rng.random() < 0.5 else field


Light = Callable[[Points, Points], Points]
EVEN: Light = lambda x, y: np.ones_like(x + y)  # noqa: E731 - a table of one-line functions
LIGHTS: dict[str, Light] = {
    "even": EVEN,
    "from the left": lambda x, y: 1 - 0.6 * x + 0 * y,
    "from below": lambda x, y: 0.4 + 0.6 * y + 0 * x,
    "a lamp": lambda x, y: 1 - 0.6 * ((x - 0.3) ** 2 + (y - 0.2) ** 2),
    "a soft shadow": lambda x, y: 1 - 0.45 / (1 + np.exp(-20 * (x + y - 1.1))),
    "a hard shadow": lambda x, y: np.where(x + 0.2 * y > 0.6, 0.55, 1.0),
}


def photo(
    digit: npt.NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    light: str = "even",
    ink: float = 0.2,
    paper: float = 0.85,
    noise: float = 0.02,
) -> npt.NDArray[np.float64]:
    """Return a picture (480, 640) of a (28, 28) digit on paper, brightness about 0 to 1.

    ``ink`` and ``paper`` are the shares of light that they reflect.
    """
    side = round(rng.uniform(0.3, 0.7) * 480)
    cover = np.zeros((480, 640))
    left, top = rng.integers(640 - side), rng.integers(480 - side)
    tile = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    cover[top : top + side, left : left + side] = np.asarray(tile) / 255
    y, x = np.mgrid[0:1:480j, 0:1:640j]
    seen: npt.NDArray[np.float64] = (paper + (ink - paper) * cover) * LIGHTS[light](x, y)
    return seen + noise * rng.standard_normal(seen.shape)


def as_image(brightness: npt.NDArray[np.float64]) -> Image.Image:
    """Return brightness 0 to 1 as a grey picture."""
    return Image.fromarray(np.rint(255 * brightness.clip(0, 1)).astype(np.uint8))


def row(text: str, *, size: tuple[int, int] | None = None, top: int = 30) -> Image.Image:
    """Return digits, 64 pixels high, beside each other on white paper with room around."""
    size = size or (60 * len(text) + 60, 124)
    digits = [
        drawn(int(digit), size=size, box=(40 + 60 * number, top, 40, 64), pen=7)
        for number, digit in enumerate(text)
    ]
    return Image.fromarray(np.min([np.asarray(each) for each in digits], axis=0))


def page(*lines: str) -> Image.Image:
    """Return rows of digits below each other, each 124 pixels high."""
    image = Image.new("L", (60 * max(map(len, lines)) + 60, 124 * len(lines)), 255)
    for number, line in enumerate(lines):
        image.paste(row(line), (0, 124 * number))
    return image
