"""Views to train the finder on: random scenes as it sees them, drawn by a process of their own."""

from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.Image import Resampling

from tinydigits.data import mnist
from tinydigits.reading.image import grey
from tinydigits.scenes import glyphs
from tinydigits.scenes.mixture import view
from tinydigits.scenes.writing import Source
from tinydigits.seeds import derive
from tinydigits.workers import local

SIDE = 144  # pixels: a little more than is shown at a time
BLOCK = 500  # views drawn at a time
AHEAD = 2  # blocks
MOST = 32  # digits in a view, and 1
IMAGES = 0.35  # share of the digits that come from MNIST, if there is one
BLOCKY = 0.2  # share of small pictures that are enlarged without smoothing
PRINTED = 0.07  # share of the digits that come from fonts

Bytes = npt.NDArray[np.uint8]


class Views(NamedTuple):
    """N views of SIDE x SIDE pixels."""

    light: Bytes
    """(N, SIDE, SIDE)"""
    ink: Bytes
    """Share of each pixel that digits' ink covers, 0 to 255, (N, SIDE, SIDE)."""
    owner: Bytes
    """The number of the digit whose ink it is, from 1, (N, SIDE, SIDE)."""
    place: npt.NDArray[np.float32]
    """Middle x, middle y and longer side of each digit in pixels, and how far its sheet is turned
    clockwise in degrees, by its number, (N, MOST, 4)."""


def stream(seed: int, data_dir: Path | None, first: int = 0) -> Iterator[Views]:
    """Yield the endless blocks of views for ``seed`` from block ``first`` on, drawn by a process.

    Block i depends on the seed and i only. Digits come from the model of shapes, from fonts and,
    where ``data_dir`` is given, from MNIST's training digits in it.

    Raises:
        InputError: the process died.
    """
    calls = ((seed, number, data_dir) for number in count(first))
    with local(1, go_on="add --resume to continue from the last state saved") as pool:
        yield from pool.in_order(block, calls, AHEAD)


def block(seed: int, number: int, data_dir: Path | None) -> Views:
    """Return a block of the stream."""
    rng = np.random.default_rng(derive(seed, "views", number))
    digits = source(data_dir)
    return Views(*map(np.stack, zip(*(_seen(digits, rng) for _ in range(BLOCK)), strict=True)))


def source(data_dir: Path | None) -> Source:
    """Return digits of the model of shapes, of fonts and, with its folder, of MNIST."""
    drawn, printed = glyphs.from_shapes(), glyphs.from_fonts()
    if data_dir is None:
        return glyphs.mixed((drawn, printed), (1 - PRINTED, PRINTED))
    photographed = glyphs.from_images(*_mnist(data_dir))
    shares = (1 - IMAGES - PRINTED, IMAGES, PRINTED)
    return glyphs.mixed((drawn, photographed, printed), shares)


@cache
def _mnist(data_dir: Path) -> tuple[Bytes, Bytes]:
    return mnist.load("train", data_dir)


def _seen(
    source: Source, rng: np.random.Generator
) -> tuple[Bytes, Bytes, Bytes, npt.NDArray[np.float32]]:
    """Return a view as the finder sees it: small pictures are enlarged."""
    while True:
        scene = view(source, SIDE, rng)
        if len(scene.labels) < MOST:
            break
    size = (SIDE, SIDE)
    enlarging = Resampling.NEAREST if rng.random() < BLOCKY else Resampling.BILINEAR
    light = grey(Image.fromarray(scene.picture)).resize(size, enlarging)
    ink = Image.fromarray(np.rint(255 * scene.ink).astype(np.uint8)).resize(
        size, Resampling.BILINEAR
    )
    owner = Image.fromarray(scene.owner).resize(size, Resampling.NEAREST)
    arrays = np.asarray(light), np.asarray(ink), np.asarray(owner)
    return *arrays, _places(arrays[1], arrays[2], len(scene.labels), scene.turn)


def _places(ink: Bytes, owner: Bytes, digits: int, turn: float) -> npt.NDArray[np.float32]:
    places = np.zeros((MOST, 4), np.float32)
    for number in range(1, digits + 1):
        rows, columns = np.nonzero((owner == number) & (ink >= 77))
        if len(rows):
            low, high = (rows.min(), columns.min()), (rows.max() + 1, columns.max() + 1)
            places[number] = (
                (low[1] + high[1]) / 2,
                (low[0] + high[0]) / 2,
                max(high[0] - low[0], high[1] - low[1]),
                turn,
            )
    return places
