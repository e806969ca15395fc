"""Images and their labels in files: IDX, raw or gzip, ``.npy`` and ``.npz``."""

import gzip
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinydigits.data import idx
from tinydigits.data.arrays import Stored, is_numpy, read_pair, read_single
from tinydigits.data.dataset import Digits, digits
from tinydigits.data.likeness import DARK
from tinydigits.errors import InputError
from tinydigits.files import read_bytes
from tinydigits.net.contract import CLASSES, SIDE
from tinydigits.reading.image import eight_bits

QMNIST = 8  # numbers of a label, of which the first is the class
SHAPES = ((SIDE, SIDE), (SIDE, SIDE, 1), (1, SIDE, SIDE), (SIDE * SIDE,))  # of one image


def are_pair(paths: Sequence[Path]) -> bool:
    """Return whether paths name images and labels: two files, or one of NumPy's."""
    return len(paths) == 2 or (len(paths) == 1 and is_numpy(paths[0]) and not paths[0].is_dir())


def read(paths: Sequence[Path]) -> Digits:
    """Return the digits in two files of images and labels, in either order, or in one ``.npz``.

    Images are (N, 28, 28), (N, 28, 28, 1), (N, 1, 28, 28) or (N, 784). Bytes are taken as they are,
    0 to 255; other numbers are on any scale (see ``image.from_array``), the same for all images.
    Labels are integers 0 to 9, (N,) or (N, 1).

    Raises:
        InputError: a file cannot be read, or its array has another shape, type or values.
    """
    if len(paths) == 1:
        images, labels = read_pair(paths[0])
    else:
        images, labels = sorted(map(_stored, paths), key=_numbers_each, reverse=True)
    return checked(images, labels)


def checked(images: Stored, labels: Stored) -> Digits:
    """Return the digits of two arrays, in one of the forms that ``read`` accepts.

    Raises:
        InputError: an array has another shape, type or values.
    """
    _check_shapes(images, labels)
    return digits(_pixels(images), _labels(labels))


def _stored(path: Path) -> Stored:
    return read_single(path) if is_numpy(path) else Stored(_idx(path), str(path))


def _idx(path: Path) -> npt.NDArray[Any]:
    raw = read_bytes(path)
    try:
        values = idx.parse(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
        return values[:, 0] if values.shape[1:] == (QMNIST,) else values
    except (gzip.BadGzipFile, EOFError, zlib.error, ValueError) as error:
        raise InputError(f"{path} is not an IDX file: {error}") from error


def _numbers_each(stored: Stored) -> int:
    """Return how many numbers an array has for each digit: one is a label."""
    return math.prod(stored.values.shape[1:])


def _check_shapes(images: Stored, labels: Stored) -> None:
    shape, count = images.values.shape, labels.values.shape
    are_images = shape[1:] in SHAPES and shape[0] > 0
    are_labels = count[1:] in ((), (1,)) and count != ()
    if not are_images or not are_labels:
        raise InputError(
            f"{images.place} and {labels.place} contain arrays of shape {shape} and {count}: "
            f"expected images (N, {SIDE}, {SIDE}) and labels (N,)"
        )
    if shape[0] != count[0]:
        raise InputError(
            f"{images.place} contains {shape[0]:,} images and {labels.place} {count[0]:,} labels: "
            "expected one label for each image"
        )


def _pixels(images: Stored) -> npt.NDArray[np.uint8]:
    values = images.values.reshape(-1, SIDE, SIDE)
    if values.dtype.kind not in "buif":
        raise InputError(f"the images in {images.place} are {values.dtype}: expected numbers")
    # Bytes are not stretched: their low contrast may be the damage that is to be measured.
    pixels = values if values.dtype == np.uint8 else eight_bits(values)
    if pixels.max() <= DARK:
        raise InputError(
            f"the images in {images.place} have no pixel above {pixels.max()}: expected pixels "
            "from 0 to 255"
        )
    return pixels


def _labels(labels: Stored) -> npt.NDArray[np.uint8]:
    values: npt.NDArray[Any] = labels.values.reshape(-1)
    if values.dtype.kind not in "iu":
        raise InputError(f"the labels in {labels.place} are {values.dtype}: expected integers")
    for wrong in values[(values < 0) | (values >= CLASSES)][:1]:
        raise InputError(f"label {wrong} in {labels.place}: expected 0 to {CLASSES - 1}")
    return values.astype(np.uint8)
