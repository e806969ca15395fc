"""Read all digits in a picture: ``tinydigits.read``.

Lines are found and shown as strips (`lines`), the strip net says what each column of a strip is,
and `decoding` turns its answers into text. Boxes are in the picture's own pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

from tinydigits.errors import InputError
from tinydigits.reading import messages
from tinydigits.reading.decoding import Reading, decode
from tinydigits.reading.finding import Box, Finder, Floats
from tinydigits.reading.image import is_blank, prepared
from tinydigits.reading.lines import Strip, strips_of

Reader = Callable[[Floats], Floats]
"""Takes a strip (STRIP, W), 0 to 1; W is even. Returns log-probabilities (W / 2, CLASSES + 1)."""

REACH = 16  # pixels of a strip: the first digit begins, the last ends, as far from its middle
INKED = 0.4  # of a strip's ink: as much belongs to a digit's box
LIKELY = 0.6  # probability of each digit of a line, in the geometric mean: with less it is none
MOST_LINES, MOST_DIGITS = 100, 200  # in a picture


@dataclass(frozen=True)
class ReadDigit:
    """One digit of a line."""

    digit: int
    probability: float
    """That it is this digit, 0 to 1."""
    box: Box
    """Left, upper, right and lower edge, in pixels of the picture."""


@dataclass(frozen=True)
class ReadLine:
    """A line of digits, from left to right."""

    digits: tuple[ReadDigit, ...]
    probability: float
    """That all of them are right, 0 to 1."""

    @property
    def text(self) -> str:
        """Its digits."""
        return "".join(str(each.digit) for each in self.digits)

    @property
    def box(self) -> Box:
        """The box around its digits, in pixels of the picture."""
        edges = np.array([each.box for each in self.digits])
        left, upper = edges[:, :2].min(axis=0).tolist()
        right, lower = edges[:, 2:].max(axis=0).tolist()
        return left, upper, right, lower


@dataclass(frozen=True)
class Page:
    """What a picture says."""

    lines: tuple[ReadLine, ...]
    """From top to bottom."""

    @property
    def text(self) -> str:
        """Its lines, with a line feed between them; empty if there is no digit."""
        return "\n".join(line.text for line in self.lines)


def page_of(image: Image.Image, finder: Finder, reader: Reader) -> Page:
    """Return all digits in a picture of any Pillow mode.

    Raises:
        InputError: there are more than MOST_LINES lines or MOST_DIGITS digits.
    """
    picture = prepared(image)
    strips = [] if is_blank(picture) else strips_of(picture, finder)
    if len(strips) > MOST_LINES:
        raise InputError(messages.too_many_lines(len(strips), MOST_LINES))
    lines = (_line(strip, decode(reader(strip.ink))) for strip in strips)
    found = tuple(line for line in lines if _is_number(line))
    digits = sum(len(line.digits) for line in found)
    if digits > MOST_DIGITS:
        raise InputError(messages.too_many_digits(digits, MOST_DIGITS))
    return Page(found)


def _is_number(line: ReadLine) -> bool:
    """Return whether a line's digits are likely enough, on average, to be digits at all."""
    return bool(line.digits) and line.probability >= LIKELY ** len(line.digits)


def _line(strip: Strip, reading: Reading) -> ReadLine:
    boxes = [strip.place(box) for box in _boxes(strip.ink, reading)] if reading.digits else []
    told = zip(reading.digits, reading.certainties, boxes, strict=True)
    return ReadLine(tuple(ReadDigit(*each) for each in told), reading.probability)


def _boxes(ink: Floats, reading: Reading) -> list[tuple[float, float, float, float]]:
    """Return the box of each digit in a strip, left, upper, right and lower edge.

    Between two digits, the border is where there is least ink between their columns.
    """
    middles = [first + last + 1 for first, last in reading.columns]  # in pixels: a column has two
    profile = ink.sum(axis=0)
    borders = [max(0, middles[0] - REACH)]
    for one, other in pairwise(middles):
        between = profile[one : other + 1]
        least = np.nonzero(between <= between.min() + 1e-6)[0]
        borders.append(one + int(least[len(least) // 2]))
    borders.append(min(ink.shape[1], middles[-1] + REACH))
    return [_box(ink, left, right) for left, right in pairwise(borders)]


def _box(ink: Floats, left: int, right: int) -> tuple[float, float, float, float]:
    """Return the box around the ink between two columns."""
    rows, columns = np.nonzero(ink[:, left:right] > INKED)
    if not len(rows):
        return left, 0, right, ink.shape[0]
    return (
        left + int(columns.min()),
        int(rows.min()),
        left + int(columns.max()) + 1,
        int(rows.max()) + 1,
    )
