"""Find the lines of digits in a grey picture, and show each as a strip of ink of one height.

The finder's votes place each digit. Digits that follow each other at the same height are a line,
whatever its tilt. Each line is looked at again, level and at the size on which the finder was
trained most.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image
from PIL.Image import Resampling

from tinydigits.net.contract import STRIP
from tinydigits.reading.finding import (
    TURNED,
    Box,
    Digit,
    Finder,
    Floats,
    Look,
    look,
    look_at,
    turned,
    view_of,
)
from tinydigits.reading.ink import measured

FIRST = 128  # pixels of a picture's longer side in the first survey ...
LARGEST = 1280  # ... and at most
WANTED = 48  # pixels that most digits shall have in the next survey
CLOSER = (1.6, 2.5)  # times as large as a survey the next one is, at least and at most
LEGIBLE = 20  # pixels of a digit in a survey: as large, it can be told from a piece of one
LARGE = 40  # pixels: as large, none can
HEIGHT = 56  # pixels of a digit in the view of a line
MARGIN = 0.7  # of a digit's size: what is seen of the picture around a line
BAND = 0.6  # of a digit's size: digits whose middle is this far from the line are of another
REACH = 2.4  # of a digit's size: from the middle of one to that of the next in a line
DRIFT = 0.35  # of a digit's size: how far the next may stand above or below ...
SLOPE = 0.3  # ... and of the distance between the two
ALIKE = 0.45  # least ratio of two sizes in a line
LEVEL = 1.0  # degrees: a line turned less is seen as it is
LOOKS = 8  # at a line, at most: each may show a digit more of it than the one before
SETTLED = 0.4  # of a digit's size: a line that changes less is seen well enough

SAME = 0.5  # of a digit's size: two that are closer are one
TRACE = 0.2  # as likely is ink that the strip net sees, though the finder makes no digit of it
BESIDE = 1.0  # of a digit's size: how far beside the first and last digit such ink is looked for

SIZE = 22  # pixels of digits in a strip
EDGE = 4  # pixels beside the first and last digit


class Line(NamedTuple):
    """Where digits stand in a line in a picture."""

    middle: tuple[float, float]
    """In pixels of the picture."""
    turn: float
    """How far it is turned clockwise, in degrees."""
    length: float
    """From the first digit's left edge to the last one's right edge, in pixels of the picture."""
    size: float
    """Longer side of most of its digits, in pixels of the picture."""


class Strip(NamedTuple):
    """A line's ink, level and at one height."""

    ink: Floats
    """(STRIP, W), 0 to 1."""
    seen: Look
    """The view it is taken from."""
    corner: tuple[float, float]
    """Where its upper left corner lies in the view, x and y in pixels of the view."""
    scale: float
    """Pixels of the strip per pixel of the view."""

    def place(self, box: tuple[float, float, float, float]) -> Box:
        """Return where a box (left, upper, right, lower) of the strip lies in the picture."""
        x, y = (np.array(box[axis::2]) / self.scale + self.corner[axis] for axis in range(2))
        height, width = self.seen.view.shape
        off = np.array([(a - width / 2, b - height / 2) for a in x for b in y]) / self.seen.scale
        cosine, sine = np.cos(np.deg2rad(self.seen.turn)), np.sin(np.deg2rad(self.seen.turn))
        left, upper, right, lower = self.seen.part
        across = off @ (cosine, -sine) + (left + right) / 2
        down = off @ (sine, cosine) + (upper + lower) / 2
        return (
            math.floor(across.min()),
            math.floor(down.min()),
            math.ceil(across.max()),
            math.ceil(down.max()),
        )


class _Found(NamedTuple):
    line: Line
    digits: list[Digit]
    """Of the view, in the line."""
    seen: Look


def strips_of(picture: Image.Image, finder: Finder) -> list[Strip]:
    """Return the lines of digits in a grey picture as strips, from top to bottom."""
    survey = _survey(picture, finder)
    turn = _common_turn(survey.digits)
    left = list(survey.digits)
    found: list[_Found] = []
    while left:
        group = max(_groups(left, turn), key=len)
        line, seen = _completed(picture, _line(group, survey, turn), finder)
        left = [
            each
            for each in left
            if not any(each is member for member in group) and not _covers(line, survey, each)
        ]
        new = _Found(line, _in_band(line, seen), seen)
        if not new.digits:
            continue
        same = [each for each in found if _is_same(new, each)]
        if len(new.digits) > max((len(each.digits) for each in same), default=0):
            found = [each for each in found if not any(each is other for other in same)]
            found.append(new)
    found.sort(key=lambda each: _levelled(each.line.middle, turn)[1])
    return [strip_of(each.seen, each.digits) for each in found]


def _is_same(one: _Found, other: _Found) -> bool:
    """Return whether more than half of the digits of the shorter line are those of the other."""
    places, others = (
        np.array([_in_picture(_middle(digit), found.seen) for digit in found.digits])
        for found in (one, other)
    )
    apart = np.hypot(*(places[:, None] - others[None]).transpose(2, 0, 1))
    near = apart < SAME * max(one.line.size, other.line.size)
    common = near.any(axis=1 if len(places) <= len(others) else 0)
    return 2 * int(common.sum()) > len(common)


def _completed(picture: Image.Image, line: Line, finder: Finder) -> tuple[Line, Look]:
    """Return a line, and its view, that begins and ends where its digits do."""
    for _ in range(LOOKS):
        seen = _level_view(picture, line, finder)
        digits = _in_band(line, seen)
        if not digits:
            break
        better = _line(digits, seen, 0.0)
        gain = max(abs(better.length - line.length), math.dist(better.middle, line.middle))
        is_settled = gain < SETTLED * line.size and abs(better.turn - line.turn) < 2
        line = better
        if is_settled:
            break
    return line, seen


def _covers(line: Line, survey: Look, digit: Digit) -> bool:
    """Return whether a digit of a survey stands in a line."""
    x, y = (at / survey.scale + low for at, low in zip(_middle(digit), survey.part, strict=False))
    across, down = _levelled((x - line.middle[0], y - line.middle[1]), line.turn)
    size = max(line.size, digit.size / survey.scale)
    return abs(down) < BAND * size and abs(across) < line.length / 2 + MARGIN * line.size


def _in_band(line: Line, seen: Look) -> list[Digit]:
    """Return the digits of a line's view that stand in it."""
    return digits_near(_in_view(line, seen)[1], line.size * seen.scale, seen)


def digits_near(y: float, size: float, seen: Look) -> list[Digit]:
    """Return the digits of a level view, about ``size`` pixels long, in the line at a height."""
    return [
        digit
        for digit in seen.digits
        if abs(_middle(digit)[1] - y) < BAND * size and digit.size > ALIKE * size
    ]


def _in_view(line: Line, seen: Look) -> tuple[float, float]:
    """Return where a line's middle lies in a view."""
    left, upper, right, lower = seen.part
    off = line.middle[0] - (left + right) / 2, line.middle[1] - (upper + lower) / 2
    x, y = _levelled(off, seen.turn)
    return x * seen.scale + seen.view.shape[1] / 2, y * seen.scale + seen.view.shape[0] / 2


def _survey(picture: Image.Image, finder: Finder) -> Look:
    """Return the survey in which most digits are legible, until no more come."""
    whole = (0, 0, *picture.size)
    longest, most = FIRST, min(LARGEST, 4 * max(picture.size))
    best = look(picture, whole, longest, finder)
    while longest < most and _usual_size(best) < LARGE:
        longest = min(most, _next_longest(longest, best))
        survey = look(picture, whole, longest, finder)
        if _found(survey) > _found(best):
            best = survey
        elif _usual_size(best) >= LEGIBLE:
            break
    return best


def _next_longest(longest: int, best: Look) -> int:
    """Return how many pixels long the survey after one is, so that its digits have WANTED."""
    closest = CLOSER[1] * longest
    if best.digits:
        closest = min(closest, max(best.view.shape) * WANTED / _usual_size(best))
    return round(max(CLOSER[0] * longest, closest))


def _found(seen: Look) -> tuple[int, int]:
    """Return how many digits are legible, and how many there are: small ones may be pieces."""
    return sum(digit.size >= LEGIBLE for digit in seen.digits), len(seen.digits)


def _usual_size(seen: Look) -> float:
    """Return the size of most digits in pixels; 0 if there is none."""
    return float(np.median([digit.size for digit in seen.digits])) if seen.digits else 0.0


def _common_turn(digits: Sequence[Digit]) -> float:
    """Return how far most digits' ink is turned, in degrees; 0 if hardly."""
    ink = sum(digit.ink for digit in digits)
    turn = sum(digit.turn * digit.ink for digit in digits) / ink if ink else 0.0
    return turn if abs(turn) >= TURNED else 0.0


def _levelled(point: tuple[float, float], turn: float) -> tuple[float, float]:
    """Return where a point would lie if the picture were turned back."""
    cosine, sine = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    return cosine * point[0] + sine * point[1], cosine * point[1] - sine * point[0]


def _middle(digit: Digit) -> tuple[float, float]:
    return (digit.box[0] + digit.box[2]) / 2, (digit.box[1] + digit.box[3]) / 2


def _groups(digits: Sequence[Digit], turn: float) -> Iterator[list[Digit]]:
    """Yield the digits that follow each other, each group from left to right."""
    ordered = sorted(digits, key=lambda digit: _levelled(_middle(digit), turn)[0])
    followers = [_next(ordered, number, turn) for number in range(len(ordered))]
    started = [number for number in range(len(ordered)) if number not in followers]
    for first in started:
        group: list[Digit] = []
        number: int | None = first
        while number is not None:
            group.append(ordered[number])
            number = followers[number]
        yield group


def _next(ordered: Sequence[Digit], number: int, turn: float) -> int | None:
    """Return the digit that follows one in its line; None if it is the last."""
    digit = ordered[number]
    x, y = _levelled(_middle(digit), turn)
    best, least = None, math.inf
    for other in range(number + 1, len(ordered)):
        size = max(digit.size, ordered[other].size)
        across, down = (
            a - b for a, b in zip(_levelled(_middle(ordered[other]), turn), (x, y), strict=True)
        )
        if across > REACH * size:
            continue
        alike = min(digit.size, ordered[other].size) > ALIKE * size
        if (
            alike
            and abs(down) < DRIFT * size + SLOPE * across
            and math.hypot(across, 2 * down) < least
        ):
            best, least = other, math.hypot(across, 2 * down)
    return best


def _line(group: Sequence[Digit], seen: Look, turn: float) -> Line:
    """Return the line that digits of a view stand in; ``turn`` is roughly its turn in the view."""
    places = np.array([_levelled(_middle(digit), turn) for digit in group])
    size = float(np.median([digit.size for digit in group]))
    slope = 0.0
    if np.ptp(places[:, 0]) > size:
        slope = float(np.polyfit(places[:, 0], places[:, 1], 1)[0])
    turn += math.degrees(math.atan(slope))
    edges = np.array([_levelled(_middle(digit), turn)[0] for digit in group])
    widths = np.array([digit.box[2] - digit.box[0] for digit in group])
    first, last = float((edges - widths / 2).min()), float((edges + widths / 2).max())
    y = float(np.median([_levelled(_middle(digit), turn)[1] for digit in group]))
    middle = _in_picture(_levelled(((first + last) / 2, y), -turn), seen)
    return Line(middle, turn + seen.turn, (last - first) / seen.scale, size / seen.scale)


def _in_picture(point: tuple[float, float], seen: Look) -> tuple[float, float]:
    """Return where a point of a view lies in the picture."""
    height, width = seen.view.shape
    x, y = _levelled(
        ((point[0] - width / 2) / seen.scale, (point[1] - height / 2) / seen.scale), -seen.turn
    )
    left, upper, right, lower = seen.part
    return x + (left + right) / 2, y + (upper + lower) / 2


def strip_of(seen: Look, digits: Sequence[Digit]) -> Strip:
    """Return the ink of a level view in the line in which digits stand.

    Ink too faint for a digit of its own is seen too: a thin 1 may be no more.
    """
    boxes = np.array([each.box for each in digits])
    size = float(np.median((boxes[:, 2:] - boxes[:, :2]).max(axis=1)))
    middle = float(np.median(boxes[:, [1, 3]].mean(axis=1)))
    upper, height = middle - STRIP / SIZE * size / 2, STRIP / SIZE * size
    own = _ink_of_line(seen, digits, (upper, upper + height))
    left, right = _ends(own, float(boxes[:, 0].min()), float(boxes[:, 2].max()), BESIDE * size)
    ink = measured(seen.view, own, seen.ink, size).ink
    scale = SIZE / size
    left, right = left - EDGE / scale, right + EDGE / scale
    return Strip(_cut(ink, (left, upper, right, upper + height)), seen, (left, upper), scale)


def _ink_of_line(seen: Look, digits: Sequence[Digit], rows: tuple[float, float]) -> Floats:
    """Return a view's ink within rows, and that of the digits, without other digits'."""
    own = np.logical_or.reduce([each.mask for each in digits])
    others = [each.mask for each in seen.digits if not any(each is digit for digit in digits)]
    band = np.zeros_like(own)
    band[max(0, round(rows[0])) : max(0, round(rows[1]))] = True
    ink: Floats = seen.ink * (own | (band & ~np.logical_or.reduce(others, axis=0)))
    return ink


def _ends(ink: Floats, left: float, right: float, beside: float) -> tuple[float, float]:
    """Return where a line's ink begins and ends, at most ``beside`` pixels further than digits."""
    columns = np.nonzero(ink.max(axis=0) > TRACE)[0]
    near = columns[(columns >= left - beside) & (columns < right + beside)]
    if not len(near):
        return left, right
    return min(left, float(near[0])), max(right, float(near[-1] + 1))


def _level_view(picture: Image.Image, line: Line, finder: Finder) -> Look:
    """Return a view of a line, turned level."""
    half = np.array((line.length / 2 + MARGIN * line.size, (0.5 + MARGIN) * line.size))
    cosine, sine = abs(math.cos(math.radians(line.turn))), abs(math.sin(math.radians(line.turn)))
    reach = np.array(((cosine, sine), (sine, cosine))) @ half
    part = (
        max(0, math.floor(line.middle[0] - reach[0])),
        max(0, math.floor(line.middle[1] - reach[1])),
        min(picture.width, math.ceil(line.middle[0] + reach[0])),
        min(picture.height, math.ceil(line.middle[1] + reach[1])),
    )
    longest = max(part[2] - part[0], part[3] - part[1]) * HEIGHT / line.size
    view = view_of(picture, part, longest)
    if abs(line.turn) < LEVEL:
        return look_at(part, view, finder)
    return look_at(part, turned(view, line.turn), finder, line.turn)


def _cut(ink: Floats, box: tuple[float, float, float, float]) -> Floats:
    """Return a part of a view's ink, STRIP pixels high; there is none beyond the view."""
    left, upper, _, lower = box
    scale = STRIP / (lower - upper)
    width = max(1, round((box[2] - left) * scale))
    width += width % 2
    right = left + width / scale
    room = math.ceil(max(0, -left, -upper, right - ink.shape[1], lower - ink.shape[0]))
    part = (left + room, upper + room, right + room, lower + room)
    reducing = Resampling.BOX if scale < 1 else Resampling.BILINEAR
    field = Image.fromarray(np.pad(ink, room))
    strip: Floats = np.asarray(field.resize((width, STRIP), reducing, box=part)).clip(0, 1)
    return strip
