"""Tables of digits: a CSV file with a label and 784 pixels in each line, as Kaggle has them."""

import csv
import io
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinydigits.data.arrays import Stored
from tinydigits.errors import InputError
from tinydigits.files import read_bytes
from tinydigits.net.contract import SIDE

SUFFIX = ".csv"
COLUMNS = 1 + SIDE * SIDE
LABELS = {"label", "class", "target", "digit"}  # what tables call the label's column


def read(path: Path) -> tuple[Stored, Stored]:
    """Return the images and the labels of a CSV file, with a line of column names or without.

    The label is in the first column, or in that which is called so.

    Raises:
        InputError: the file cannot be read, a line is not of numbers, or a column is missing.
    """
    text = read_bytes(path).decode("utf-8-sig", errors="replace")
    first = next(csv.reader(io.StringIO(text)), [])
    header = [] if all(map(_is_number, first)) else [name.strip().lower() for name in first]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about files without lines
            values = np.loadtxt(
                io.StringIO(text), np.float32, delimiter=",", skiprows=int(bool(header)), ndmin=2
            )
    except ValueError as error:
        cause = str(error).split(";")[0].rstrip(".")
        raise InputError(
            f"cannot read {path}: {cause}; expected a label and {SIDE * SIDE} pixels in each line"
        ) from error
    if not len(values):
        raise InputError(f"{path} contains no digits: expected lines of {COLUMNS} numbers")
    if values.shape[1] != COLUMNS:
        raise InputError(
            f"{path} contains {len(values):,} lines of {values.shape[1]} numbers: expected "
            f"{COLUMNS}, a label and {SIDE * SIDE} pixels"
        )
    column = next((n for n, name in enumerate(header) if name in LABELS), 0)
    images = _smallest(np.delete(values, column, axis=1))
    return Stored(images, f"the pixels of {path}"), Stored(_smallest(values[:, column]), f"{path}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _smallest(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | npt.NDArray[np.uint8]:
    """Return values as bytes if that changes none."""
    inside = np.isfinite(values).all() and values.min() >= 0 and values.max() <= 255
    as_bytes = values.astype(np.uint8) if inside else None
    return as_bytes if as_bytes is not None and (as_bytes == values).all() else values
