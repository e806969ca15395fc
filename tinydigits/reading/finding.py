"""Find the digits in a grey picture: the finder marks their ink, and its votes tell them apart.

A picture is first seen as a whole, in a view of few pixels; then each digit that was found is seen
more closely, at the size on which the finder was trained most, and turned upright. In each view the
finder gives the probability of digits' ink, and every cell of ink votes for the middle, the size
and the turn of its digit. The votes of one digit fall on one place: digits are counted by counting
these places.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.Image import Resampling
from scipy import ndimage

from tinydigits.errors import NoDigit, SeveralDigits
from tinydigits.net.contract import CELL, STEP, TURN, UNIT
from tinydigits.reading import messages

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Box = tuple[int, int, int, int]  # left, upper, right and lower edge, as Pillow counts

Finder = Callable[[Floats], tuple[Floats, Floats]]
"""Takes a view's brightness (H, W), 0 to 1; H and W are multiples of STEP. Returns the probability
of digits' ink (H, W), and votes (4, H / CELL, W / CELL) as ``net.finder.Finder`` gives them."""

SURVEYS = (128, 200, 320, 640)  # pixels of a picture's longer side; the next if nothing is found
LOOK = 128  # pixels of a closer view ...
WHOLE = 72  # ... and of the digit in it
LOOKS = 4  # at a digit, at most: each is centred better than the one before
SETTLED = 0.8  # ratio of two views' sizes from which the second is no better
TURNED = 10  # degrees: a digit that leans less is read as it stands
CANDIDATES = 4  # in a picture, that are looked at more closely

INK = 0.4  # probability
FRAME = 0.5  # of marked ink's contrast: a ring or frame has as much all along
FRAMED = 0.15  # of a frame's marked ink: as much inside it tells it from a 0
GAP = 2  # pixels beside a frame: it is closed if its ends come this close
SIZES = (0.1, 12.0)  # smallest and largest size of a digit, in UNITs
BIN = 0.1  # of a digit's size: votes that fall into 3 x 3 of such bins agree
APART = 0.3  # of a digit's size: votes this far from its middle may be for another
FAR = 0.6  # of a digit's size: votes this far from every middle are for nothing
LEAST = 4.0  # pixels of ink in these bins: less is a speck
PART = 1.2  # times as large as its ink by its votes: ink that is part of another digit ...
UNION = 1.3  # ... which with it is at most this much larger than by its votes
PEAK = 0.05  # of the most votes for a middle: as many are another digit's
RIVAL = 0.06  # of a digit's ink: another with as much beside it is a second digit ...
SMALL = 0.35  # ... and so is one elsewhere in the picture with this share of its size


class Digit(NamedTuple):
    """A digit's ink in a view."""

    mask: Mask
    """(H, W)"""
    ink: float
    """Sum of its pixels' probabilities."""
    size: float
    """Longer side of the digit by its votes, in pixels of the view."""
    turn: float
    """How far it is turned clockwise by its votes, in degrees."""
    box: Box
    """Around its ink, in pixels of the view."""


class Look(NamedTuple):
    """What is found in a view."""

    part: Box
    """The part of the picture that is seen."""
    view: Floats
    """Its brightness, (H, W), 0 to 1."""
    ink: Floats
    """Probability of digits' ink, (H, W)."""
    digits: list[Digit]
    """Those with most ink first."""
    turn: float = 0.0
    """How far the view is turned clockwise against the picture, in degrees."""

    @property
    def scale(self) -> float:
        """Pixels of the view per pixel of the picture."""
        return float(max(self.view.shape) / max(_sides(self.part)))

    def place(self, digit: Digit) -> tuple[float, ...]:
        """Return a digit's box in pixels of the picture; the view must not be turned."""
        corner = (*self.part[:2], *self.part[:2])
        return tuple(edge / self.scale + at for edge, at in zip(digit.box, corner, strict=True))


def only_digit(picture: Image.Image, finder: Finder) -> Look:
    """Return a closer view of the only digit in a grey picture: the first of the view's digits.

    Raises:
        NoDigit: there is no digit.
        SeveralDigits: there is more than one.
    """
    survey, found = _first(picture, finder)
    main = found.digits[0]
    if any(other.ink >= RIVAL * main.ink for other in found.digits[1:]):
        raise SeveralDigits(messages.SEVERAL)
    known = found.place(main)
    least = SMALL * _size(known)
    for seen, other in _beside(survey, found, least):
        near = closer(picture, seen, other, finder)
        if near and _is_other(near.place(near.digits[0]), known, least):
            raise SeveralDigits(messages.SEVERAL)
    return upright(found, finder)


def _first(picture: Image.Image, finder: Finder) -> tuple[Look, Look]:
    """Return the survey and the closer view in which the most prominent digit is found."""
    whole = (0, 0, *picture.size)
    for longest in SURVEYS:
        survey = look(picture, whole, longest, finder)
        for digit in survey.digits[:CANDIDATES]:
            found = closer(picture, survey, digit, finder)
            if found:
                return survey, found
    raise NoDigit(messages.NONE)


def _beside(survey: Look, found: Look, least: float) -> Iterator[tuple[Look, Digit]]:
    """Yield what may be digits too: those not seen in the closer view, or cut off by its edge."""
    for digit in found.digits[1:]:
        if _is_cut(digit.box, found.view.shape):
            yield found, digit
    for digit in survey.digits[:CANDIDATES]:
        place = survey.place(digit)
        if _size(place) >= least and not _is_inside(place, found.part):
            yield survey, digit


def look(picture: Image.Image, part: Box, longest: int, finder: Finder) -> Look:
    """Return what is found in a part of a grey picture, seen ``longest`` pixels long."""
    return look_at(part, view_of(picture, part, longest), finder)


def look_at(part: Box, view: Floats, finder: Finder, turn: float = 0.0) -> Look:
    """Return what is found in a view of a part of a picture, turned clockwise by ``turn``."""
    height, width = view.shape
    padded = np.pad(view, ((0, -height % STEP), (0, -width % STEP)), mode="edge")
    ink, votes = finder(padded)
    ink = _unframed(ink[:height, :width], view)
    pieces, _ = ndimage.label(ink > INK, np.ones((3, 3)))
    digits = _joined(sorted(_digits(ink, votes), key=lambda digit: -digit.ink), pieces)
    return Look(part, view, ink, digits, turn)


def _unframed(ink: Floats, view: Floats) -> Floats:
    """Return ink without what runs around other ink, as rings and frames do: no digit does."""
    marked = ink > INK
    if not marked.any():
        return ink
    contrast = view - np.median(view)
    contrast *= np.sign(contrast[marked].sum()) or 1
    as_dark = contrast > FRAME * np.median(contrast[marked])
    pieces, _ = ndimage.label(as_dark | marked, np.ones((3, 3)))
    bare = ink.copy()
    for number, place in enumerate(ndimage.find_objects(pieces), 1):
        own = pieces[place] == number
        line = int(marked[place][own].sum())
        if line and marked[place][_enclosed(own)].sum() > FRAMED * line:
            bare[place][own] = 0
    return bare


def _enclosed(mask: Mask) -> Mask:
    """Return what a mask's pixels run around, even if they leave a small gap."""
    room = GAP + 1
    closed = ndimage.maximum_filter(np.pad(mask, room), 2 * GAP + 1)
    areas, _ = ndimage.label(~closed, np.ones((3, 3)))  # the first is outside
    enclosed: Mask = areas[room:-room, room:-room] > 1
    return enclosed


def view_of(picture: Image.Image, part: Box, longest: float) -> Floats:
    """Return a part of a grey picture as brightness 0 to 1, ``longest`` pixels long."""
    scale = longest / max(_sides(part))
    width, height = (max(1, round(side * scale)) for side in _sides(part))
    reducing = Resampling.BOX if scale < 1 else Resampling.BILINEAR
    view = picture.resize((width, height), reducing, box=part)
    brightness: Floats = np.asarray(view, np.float32) / np.float32(255)
    return brightness


def closer(picture: Image.Image, seen: Look, digit: Digit, finder: Finder) -> Look | None:
    """Return a view in which a digit is WHOLE pixels long; None if it is no digit after all.

    The digit is the first of the view's, unless another with more ink stands beside it.
    """
    for _ in range(LOOKS):
        part = _around(seen, digit, picture.size)
        ratio = max(_sides(part)) / max(_sides(seen.part))
        is_close = max(seen.view.shape) == LOOK
        if is_close and (part == seen.part or SETTLED < ratio < 1 / SETTLED):
            break
        place = seen.place(digit)
        seen = _followed(look(picture, part, LOOK, finder), place)
        if not seen.digits:
            return None
        digit = seen.digits[0]
    return seen


def _followed(seen: Look, place: tuple[float, ...]) -> Look:
    """Return a view whose first digit is the one that covers most of a place."""

    def common(digit: Digit) -> float:
        box = seen.place(digit)
        sides = (
            min(box[2 + axis], place[2 + axis]) - max(box[axis], place[axis]) for axis in range(2)
        )
        return math.prod(max(0, side) for side in sides)

    return seen._replace(digits=sorted(seen.digits, key=common, reverse=True))


def _around(seen: Look, digit: Digit, size: tuple[int, int]) -> Box:
    """Return the part of the picture in which the digit will be WHOLE of LOOK pixels long."""
    left, upper, right, lower = seen.place(digit)
    half = max(right - left, lower - upper, digit.size / seen.scale) * LOOK / WHOLE / 2
    x, y = (left + right) / 2, (upper + lower) / 2
    return (
        max(0, math.floor(x - half)),
        max(0, math.floor(y - half)),
        min(size[0], math.ceil(x + half)),
        min(size[1], math.ceil(y + half)),
    )


def upright(seen: Look, finder: Finder) -> Look:
    """Return a closer view, turned so that its first digit stands upright."""
    turn = seen.digits[0].turn
    if abs(turn) < TURNED:
        return seen
    found = look_at(seen.part, turned(seen.view, turn), finder, turn)
    return found if found.digits else seen


def turned(view: Floats, turn: float) -> Floats:
    """Return a view turned counterclockwise by ``turn`` degrees around its middle."""
    cosine, sine = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    matrix = np.array(((cosine, sine), (-sine, cosine)))
    middle = (np.array(view.shape) - 1) / 2
    level: Floats = ndimage.affine_transform(
        view, matrix, middle - matrix @ middle, order=1, mode="nearest"
    )
    return level


def _digits(ink: Floats, votes: Floats) -> Iterator[Digit]:
    """Yield the digits for whose middles the cells of ink vote."""
    rows, columns = np.nonzero(ink > INK)
    right, down, logarithm, turn = votes[:, rows // CELL, columns // CELL]
    size = UNIT * np.exp(logarithm).clip(*SIZES)
    x = (columns // CELL + 0.5) * CELL + right * size
    y = (rows // CELL + 0.5) * CELL + down * size
    voters = np.stack((x, y, size, ink[rows, columns]))
    middles = np.array(list(_middles(voters)))
    if not len(middles):
        return
    off = voters[:2, :, None] - middles.T[:2, None, :]
    distance = np.hypot(*off) / middles[:, 2]
    nearest = np.where(distance.min(axis=1) < FAR, distance.argmin(axis=1), -1)
    for number in range(len(middles)):
        own = nearest == number
        mask = np.zeros(ink.shape, np.bool_)
        mask[rows[own], columns[own]] = True
        yield Digit(
            mask,
            ink=float(voters[3, own].sum()),
            size=float(np.median(size[own])),
            turn=TURN * float(turn[own].mean()),
            box=_box(rows[own], columns[own]),
        )


def _joined(digits: list[Digit], pieces: npt.NDArray[np.int32]) -> list[Digit]:
    """Return digits, those with most ink first, with a stroke that sticks out made part of one."""
    joined: list[Digit] = []
    for digit in digits:
        for number, whole in enumerate(joined):
            if _is_part(digit, whole) and _piece(digit, pieces) == _piece(whole, pieces):
                ink, box = whole.ink + digit.ink, _union(whole.box, digit.box)
                joined[number] = whole._replace(mask=whole.mask | digit.mask, ink=ink, box=box)
                break
        else:
            joined.append(digit)
    return joined


def _is_part(digit: Digit, whole: Digit) -> bool:
    """Return whether ink that touches a digit's, and belongs to a larger one by its votes, is its.

    A long stroke such as that of a 4 may look like a 1 to itself, but it votes for a size that
    only the whole 4 has.
    """
    return digit.size > PART * _size(digit.box) and _size(
        _union(digit.box, whole.box)
    ) < UNION * max(digit.size, whole.size)


def _piece(digit: Digit, pieces: npt.NDArray[np.int32]) -> int:
    """Return the connected piece of ink that most of a digit is in."""
    return int(np.bincount(pieces[digit.mask]).argmax())


def _union(one: Box, two: Box) -> Box:
    return (*np.minimum(one[:2], two[:2]).tolist(), *np.maximum(one[2:], two[2:]).tolist())


def _middles(voters: Floats) -> Iterator[tuple[float, float, float]]:
    """Yield x, y and size of the middles with most votes (x, y, size, weight; N)."""
    least = LEAST
    while voters.shape[1]:
        near = _agreeing(voters)
        x, y, size, weight = voters[:, near]
        if weight.sum() < least:
            break
        least = max(least, PEAK * float(weight.sum()))
        middle = np.average((x, y), axis=1, weights=weight)
        reach = float(np.median(size))
        yield float(middle[0]), float(middle[1]), reach
        distance = np.hypot(voters[0] - middle[0], voters[1] - middle[1])
        voters = voters[:, ~near & (distance >= APART * reach)]


def _agreeing(voters: Floats) -> Mask:
    """Return which votes fall into those 3 x 3 bins that hold most of them."""
    x, y, size, weight = voters
    side = max(2.0, float(np.median(size)) * BIN)
    column, row = (((place - place.min()) // side).astype(np.int64) for place in (x, y))
    votes = np.zeros((row.max() + 3, column.max() + 3))
    np.add.at(votes, (row + 1, column + 1), weight)
    rows = votes[:-2] + votes[1:-1] + votes[2:]
    sums = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    top, left = np.unravel_index(sums.argmax(), sums.shape)
    agreeing: Mask = (np.abs(row - top) <= 1) & (np.abs(column - left) <= 1)
    return agreeing


def _box(rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> Box:
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def _sides(part: Box) -> tuple[int, int]:
    return part[2] - part[0], part[3] - part[1]


def _size(place: tuple[float, ...]) -> float:
    return max(place[2] - place[0], place[3] - place[1])


def _is_cut(box: Box, shape: tuple[int, ...]) -> bool:
    """Return whether a box reaches the edge of a view."""
    return min(box[:2]) == 0 or box[2] == shape[1] or box[3] == shape[0]


def _is_inside(place: tuple[float, ...], part: Box) -> bool:
    """Return whether a place is in a part of the picture as a whole."""
    low, high = place[:2], place[2:]
    return all(low[axis] >= part[axis] and high[axis] <= part[2 + axis] for axis in range(2))


def _is_other(place: tuple[float, ...], known: tuple[float, ...], least: float) -> bool:
    """Return whether a digit of some size is at a place, and not the known one."""
    return _size(place) >= least and math.dist(_middle(place), _middle(known)) > least


def _middle(place: tuple[float, ...]) -> tuple[float, float]:
    return (place[0] + place[2]) / 2, (place[1] + place[3]) / 2
