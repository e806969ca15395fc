"""Printed text, from the fonts that Matplotlib brings along."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tinydigits.scenes import drawing, writing
from tinydigits.scenes.drawing import Floats, Projection, Shape
from tinydigits.scenes.writing import Mark

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif",
    "DejaVuSerif-Bold", "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic",
    "cmr10", "cmss10", "cmtt10", "cmti10",
)  # fmt: skip
SIZE = 32  # pixels at which text is set, before it is placed


def printed(
    shape: Shape, marks: Sequence[Mark], size: float, at: Projection, rng: np.random.Generator
) -> Floats:
    """Return the coverage by lines of words beside the marks; letters have ``size`` pixels."""
    text = _set(rng)
    low, high = writing.bounds(marks) if marks else (np.zeros(2), np.zeros(2))
    extent = np.array(text.size) * size / SIZE
    gap = size * rng.uniform(0.3, 1.5)
    middle = (low + high) / 2
    corner = [
        np.array((low[0] - gap - extent[0], middle[1] - extent[1] / 2)),
        np.array((high[0] + gap, middle[1] - extent[1] / 2)),
        np.array((middle[0] - extent[0] / 2, low[1] - gap - extent[1])),
        np.array((middle[0] - extent[0] / 2, high[1] + gap)),
    ][rng.integers(4)]
    (left, top), (right, bottom) = corner, corner + extent
    corners = np.array(((left, top), (right, top), (right, bottom), (left, bottom)))
    return drawing.stamp(shape, text, corners, at)


@cache
def digit(label: int, font: str) -> Image.Image:
    """Return the ink of a printed digit, cropped, white on black."""
    image = Image.new("L", (2 * SIZE, 2 * SIZE))
    ImageDraw.Draw(image).text((SIZE // 2, SIZE // 4), str(label), 255, _font(font))
    return image.crop(image.getbbox())


def _set(rng: np.random.Generator) -> Image.Image:
    """Return some lines of words, white on black."""
    most = 4 if rng.random() < 0.7 else 12  # a caption, or a page
    words, rows = rng.integers(1, min(most, 7)), rng.integers(1, most)
    lines = [" ".join(_word(rng) for _ in range(words)) for _ in range(rows)]
    text, font = "\n".join(lines), _font(FONTS[rng.integers(len(FONTS))])
    scratch = ImageDraw.Draw(Image.new("L", (1, 1)))
    left, top, right, bottom = scratch.multiline_textbbox((0, 0), text, font)
    image = Image.new("L", (round(right - left) + 2, round(bottom - top) + 2))
    ImageDraw.Draw(image).multiline_text((1 - left, 1 - top), text, 255, font)
    return image


def _word(rng: np.random.Generator) -> str:
    letters = "".join(LETTERS[index] for index in rng.integers(0, 26, rng.integers(3, 9)))
    return (str.lower, str.title, str.upper)[rng.integers(3)](letters)


@cache
def _font(name: str) -> ImageFont.FreeTypeFont:
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(folder / f"{name}.ttf", SIZE)
