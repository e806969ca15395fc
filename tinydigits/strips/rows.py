"""Rows to train the strip net on: lines of digits as the reading shows them to it.

Some are seen by the finder in scenes. That takes ten times as long as to draw ink at once, so most
are drawn, with the faults that the finder leaves in ink: holes, remains of lines, specks. Some rows
are letters that the finder takes for digits, and say nothing.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.Image import Resampling
from scipy import ndimage

from tinydigits.finder.views import source
from tinydigits.net.contract import STRIP
from tinydigits.net.finder import finder
from tinydigits.reading.finding import Digit, Floats, Look, look_at
from tinydigits.reading.image import grey
from tinydigits.reading.lines import HEIGHT, SIZE, digits_near, strip_of
from tinydigits.scenes import drawing, scene, writing
from tinydigits.scenes.drawing import Line, Points, Projection
from tinydigits.scenes.settings import anything, texted
from tinydigits.scenes.writing import Mark, Source
from tinydigits.seeds import derive
from tinydigits.workers import local

BLOCK = 400  # rows drawn at a time
AHEAD = 2  # blocks
MOST = 10  # digits in a row
WIDEST = 900  # pixels of a view
SPREAD = 0.15  # standard deviation of the logarithm of digits' height
SCENES = 0.2  # share of the rows that are seen in scenes
WORDS = 0.5  # share of those scenes without a digit: in most of them, none is found
PRINTED = 0.3  # share of the scenes without a digit with printed words in any case
FIELDS = 0.12  # share of the scenes with digits that have them in a form's field, ...
UNDERLINED = 0.1  # ... or underlined so closely that lines touch
LOST = 0.3  # of a digit's height: if as much of a row's ends is not found, it is no example

Bytes = npt.NDArray[np.uint8]


class Row(NamedTuple):
    """A strip of ink, and what it says."""

    ink: Bytes
    """(STRIP, W), 0 to 255."""
    digits: tuple[int, ...]


def stream(seed: int, data_dir: Path | None, first: int = 0) -> Iterator[list[Row]]:
    """Yield the endless blocks of rows for ``seed`` from block ``first`` on, drawn by a process.

    Block i depends on the seed and i only.

    Raises:
        InputError: the process died.
    """
    calls = ((seed, number, data_dir) for number in count(first))
    with local(1, go_on="add --resume to continue from the last state saved") as pool:
        yield from pool.in_order(block, calls, AHEAD)


def block(seed: int, number: int, data_dir: Path | None) -> list[Row]:
    """Return a block of the stream."""
    rng = np.random.default_rng(derive(seed, "rows", number))
    digits = source(data_dir)
    rows: list[Row] = []
    while len(rows) < BLOCK:
        row = _seen(digits, rng) if rng.random() < SCENES else _drawn(digits, rng)
        if row:
            rows.append(row)
    return rows


def _seen(digits: Source, rng: np.random.Generator) -> Row | None:
    """Return a row in a scene as the reading shows it; None if it does not show all of it."""
    size = HEIGHT * float(np.exp(rng.normal(0, SPREAD)))
    marks = writing.word(size, rng) if rng.random() < WORDS else row_of(digits, size, rng)
    low, high = writing.bounds(marks)
    width = int(high[0] - low[0] + 2 * size * rng.uniform(0.3, 0.9))
    if width > WIDEST:
        return None
    view = _view(marks, size, width, digits, rng)
    seen = look_at((0, 0, *view.shape[::-1]), view, finder())
    real = [mark for mark in marks if mark.label is not None]
    found = digits_near(view.shape[0] / 2, size, seen) if real else _supposed(seen, rng)
    if not found:
        return None
    left, right = min(each.box[0] for each in found), max(each.box[2] for each in found)
    if real and (
        left > width / 2 + real[0].low[0] + LOST * size
        or right < width / 2 + real[-1].high[0] - LOST * size
    ):
        return None
    strip = strip_of(seen, found)
    labels = tuple(mark.label for mark in real if mark.label is not None)
    return Row(np.rint(255 * strip.ink).astype(np.uint8), labels)


def _supposed(seen: Look, rng: np.random.Generator) -> list[Digit]:
    """Return what the finder takes for a line of digits where there is none."""
    if not seen.digits:
        return []
    one = seen.digits[int(rng.integers(len(seen.digits)))]
    return digits_near((one.box[1] + one.box[3]) / 2, one.size, seen)


def _view(
    marks: list[Mark], size: float, width: int, digits: Source, rng: np.random.Generator
) -> Floats:
    """Return a scene with a row in its middle, and in some another row above or below."""
    setting = replace(anything(rng), turn=float(rng.normal(0, 1)))
    if setting.pixels:
        setting = replace(setting, pixels=int(max(28, width * rng.uniform(0.25, 0.8))))
    every = list(marks)
    has_digits = any(mark.label is not None for mark in marks)
    around = rng.random()
    if has_digits and around < FIELDS:
        every.append(writing.field(marks, size, rng))
    elif has_digits and around < FIELDS + UNDERLINED:
        setting = replace(setting, underline=float(rng.uniform(-0.1, 0.1)))
    elif not has_digits and around < PRINTED:
        setting = replace(setting, **texted(rng))
    if has_digits and rng.random() < 0.3:
        away = np.array((rng.normal(0, size), rng.choice((-1, 1)) * size * rng.uniform(1.3, 1.8)))
        every += [mark.moved(away) for mark in row_of(digits, size, rng)]
    shape = (round(2.4 * size), width)
    centre = (width / 2, shape[0] / 2 + rng.normal(0, 0.05) * size)
    picture = scene(every, setting, shape, size, centre, rng, digits).picture
    light = grey(Image.fromarray(picture)).resize(shape[::-1], Resampling.BILINEAR)
    view = np.asarray(light, np.float32) / np.float32(255)
    return 1 - view if rng.random() < 0.3 else view


def _drawn(digits: Source, rng: np.random.Generator) -> Row:
    """Return a row drawn as a strip."""
    size = SIZE * float(np.exp(rng.normal(0, 0.1)))
    marks = row_of(digits, size, rng)
    low, high = writing.bounds(marks)
    before, after = rng.uniform(2, 14, 2)
    width = int(high[0] - low[0] + before + after)
    shape = (STRIP, width + -width % 4)
    centre = (before + (high[0] - low[0]) / 2, STRIP / 2 + rng.normal(0, 1.2))
    at = Projection.of(centre, rng.normal(0, 0.03))
    pen = size * float(np.exp(rng.normal(np.log(0.1), 0.35)).clip(0.04, 0.25))
    flow = 1 + rng.uniform(0, 0.2) * rng.standard_normal(6).clip(-2, 2)
    covers = [
        mark.coverage(shape, max(0.8, pen), flow, at) for mark in marks if mark.label is not None
    ]
    ink = np.maximum.reduce(covers)
    if rng.random() < 0.15:
        line = writing.underline(marks, rng.uniform(-0.05, 0.2) * size, rng)
        cover = drawing.lines(shape, [Line(line, max(1.0, pen * rng.uniform(0.4, 1)))], at)
        kept = ndimage.gaussian_filter(rng.standard_normal(shape), (0.1, 4))
        ink = np.maximum(ink, cover * (kept > rng.uniform(-0.3, 0.25)) * rng.uniform(0.4, 1))
    if rng.random() < 0.15:
        walls = [Line(wall, max(1.0, pen * rng.uniform(0.4, 1))) for wall in _walls(marks, rng)]
        ink = np.maximum(ink, drawing.lines(shape, walls, at) * rng.uniform(0.5, 1))
    labels = tuple(mark.label for mark in marks if mark.label is not None)
    return Row(np.rint(255 * _spoiled(ink, rng)).astype(np.uint8), labels)


def _walls(marks: list[Mark], rng: np.random.Generator) -> Iterator[Points]:
    """Yield sides of a frame around the marks, or of cells for each; all are higher than digits."""
    places = [marks[0].low[0] - rng.uniform(2, 10), marks[-1].high[0] + rng.uniform(2, 10)]
    if rng.random() < 0.3:
        places += [(one.high[0] + other.low[0]) / 2 for one, other in pairwise(marks)]
    low, high = writing.bounds(marks)
    shake = rng.choice((0.0, 0.5, 1.0))
    for x in places:
        if rng.random() < 0.8:
            ends = low[1] - rng.uniform(2, 8), high[1] + rng.uniform(2, 8)
            y = np.linspace(*ends, 10)
            lean = rng.normal(0, 0.04) * (y - y.mean())
            yield np.stack((x + lean + shake * rng.standard_normal(10), y), axis=1)


def _spoiled(ink: npt.NDArray[np.floating[Any]], rng: np.random.Generator) -> Floats:
    """Return ink (H, W), 0 to 1, with holes, specks, softer edges, and darker or with grain."""
    if rng.random() < 0.1:
        hole = ndimage.gaussian_filter(rng.standard_normal(ink.shape), 2) > rng.uniform(0.12, 0.25)
        ink = ink * (1 - hole * rng.uniform(0.5, 1))
    if rng.random() < 0.12:
        rows, columns = np.ogrid[: ink.shape[0], : ink.shape[1]]
        for _ in range(rng.integers(1, 4)):
            away = np.hypot(columns - rng.uniform(0, ink.shape[1]), rows - rng.uniform(4, 30))
            ink = np.maximum(ink, np.clip(rng.uniform(1, 2.3) - away, 0, 1))
    if rng.random() < 0.5:
        ink = ndimage.gaussian_filter(ink, rng.uniform(0.2, 0.9))
    if rng.random() < 0.5:
        ink = ink * rng.uniform(1, 1.6)
    if rng.random() < 0.2:
        ink = np.asarray(ink + rng.normal(0, 0.03, ink.shape), np.float32)
    spoiled: Floats = np.clip(ink, 0, 1).astype(np.float32)
    return spoiled


def row_of(digits: Source, size: float, rng: np.random.Generator) -> list[Mark]:
    """Return a row of digits around the origin, in some with letters or signs among or beside."""
    differ = rng.uniform(0, 0.15)
    sizes = size * np.exp(differ * rng.standard_normal(int(rng.integers(1, MOST + 1))))
    marks = [
        writing.digit(digits, float(each), rng) for each in sizes.clip(0.6 * size, 1.35 * size)
    ]
    if rng.random() < 0.12:
        sign = writing.sign(size * rng.uniform(0.2, 1), rng)
        marks.insert(int(rng.integers(len(marks) + 1)), sign)
    elif rng.random() < 0.06:
        signs = [writing.sign(size * rng.uniform(0.7, 1.1), rng) for _ in range(rng.integers(2, 5))]
        marks = [*signs, *marks] if rng.random() < 0.5 else [*marks, *signs]
    rises = (0.07 * size * rng.standard_normal(len(marks))).tolist()
    return writing.row(marks, (size * _gaps(len(marks) - 1, rng)).tolist(), rises)


def _gaps(number: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return distances between neighbours in digit heights: close, wide, or some touching."""
    layout = rng.random()
    if layout < 0.35:
        return rng.uniform(-0.08, 0.2, number)
    if layout < 0.8:
        return rng.uniform(0.05, 0.6, number)
    touching = rng.random(number) < 0.35
    return np.where(touching, rng.uniform(-0.15, 0.02, number), rng.uniform(0.05, 0.4, number))
