"""Labelled pictures: a folder with sub-folders named 0 to 9."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from tinydigits.data.dataset import Digits, digits
from tinydigits.errors import InputError, warn
from tinydigits.net.contract import CLASSES, SIDE
from tinydigits.reading import pictures
from tinydigits.reading.command import inputs_of

NAMES = [str(label) for label in range(CLASSES)]


def has_classes(folder: Path) -> bool:
    """Return whether a folder has a sub-folder that is named as a digit or another number is."""
    return any(each.name.isdecimal() and each.is_dir() for each in folder.iterdir())


def read(folder: Path, *, apart: Collection[str] = ()) -> Digits:
    """Return the digits of the pictures in and below the sub-folders 0 to 9.

    A picture that cannot be read as one digit gets a line on standard error and is left out, and so
    does a sub-folder with another name that contains pictures, unless it is ``apart``.

    Raises:
        InputError: a sub-folder is named as a number above 9.
    """
    for each in sorted(folder.iterdir()):
        if each.is_dir() and each.name not in NAMES and each.name.lower() not in apart:
            _refuse_class(each)
            if count := len(pictures.in_folder(each)):
                warn(f"left out: {count} pictures in {each}, which is not a digit's folder")
    return of_files(labels_of(folder))


def labels_of(folder: Path) -> dict[str, int]:
    """Return the pictures in and below the sub-folders 0 to 9, with their labels."""
    return {
        str(path): label
        for label, name in enumerate(NAMES)
        for path in pictures.in_folder(folder / name)
    }


def of_files(labels: dict[str, int]) -> Digits:
    """Return the pictures that can be read as one digit, with the labels given for them.

    Others get a line on standard error and are left out.
    """
    found = list(inputs_of(list(labels)))
    pixels = [image for _, image in found]
    return digits(
        np.stack(pixels) if pixels else np.empty((0, SIDE, SIDE), np.uint8),
        np.array([labels[file] for file, _ in found], np.uint8),
    )


def _refuse_class(folder: Path) -> None:
    if folder.name.isdecimal():
        raise InputError(
            f"{folder} is not a digit's folder: expected sub-folders named 0 to {CLASSES - 1}"
        )
