"""A set of one's own: its digits to train on and to test with, in whatever files it comes."""

import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import torch

from tinydigits.data.arrays import is_numpy, read_parts
from tinydigits.data.dataset import Digits
from tinydigits.errors import InputError
from tinydigits.net.contract import CLASSES
from tinydigits.seeds import derive
from tinydigits.sets import folders, pairs, table

TRAIN, TEST = ("train", "training"), ("test", "t10k", "testing")
ROLES = {"images": "labels", "image": "label", "imgs": "labels", "x": "y", "idx3": "idx1"}
# Words of files' names that do not tell one set from another.
SHARED = {*TRAIN, *TEST, *ROLES, *ROLES.values(), "targets", "idx2", "ubyte", "int", "gz", ""}
LABELS = {"labels", "label", "targets", "y"}
HELD_OUT = 6  # without digits to test with, every sixth of each class is held out, as in MNIST's 7
FEWEST = 10  # digits of a set
IDX = r"(?i)idx\d|ubyte"  # in the names of IDX files
EXPECTED = (
    f"sub-folders of pictures named 0 to {CLASSES - 1}, IDX or .npy files of images and labels, an "
    ".npz file of both, or a .csv file of labels and pixels"
)


class Own(NamedTuple):
    """A set's digits."""

    train: Digits
    test: Digits
    is_held_out: bool
    """Whether the digits to test with were taken from those to train on."""
    is_prepared: bool
    """Whether they were pictures, which are prepared as ``predict`` prepares them."""


class _File(NamedTuple):
    """What a file's name says of it: the set's name, and what of the set it holds."""

    words: tuple[str, ...]
    is_test: bool
    is_label: bool


def read(path: Path) -> Own:
    """Return the digits of a folder of pictures, of files of arrays, or of a table.

    What is called ``test`` (or ``t10k``), a folder or a file, holds the digits to test with. Where
    there is none, a seeded sixth of each class is held out.

    Raises:
        InputError: there is no such file or set, a file is damaged or of another kind, or there are
            too few digits or a single class.
    """
    if not path.exists():
        raise InputError(f"there is no {path}: expected mnist, synthetic, or a path of {EXPECTED}")
    pictures = _pictures(path)
    train, test = pictures or _arrays(_set_of(path))
    _check(path, train)
    if test is not None and len(test):
        return Own(train, test, is_held_out=False, is_prepared=bool(pictures))
    return Own(*_held_out(train), is_held_out=True, is_prepared=bool(pictures))


Parts = tuple[Digits, Digits | None]  # to train on and, if there are any, to test with


def _pictures(path: Path) -> Parts | None:
    """Return the digits of a folder of pictures; None for another folder or a file."""
    if not path.is_dir():
        return None
    inside = {each.name.lower(): each for each in path.iterdir() if each.is_dir()}
    train = next((inside[name] for name in TRAIN if name in inside), path)
    test = next((inside[name] for name in TEST if name in inside), None)
    if not folders.has_classes(train):
        return None
    return folders.read(train, apart=TEST), folders.read(test) if test else None


def _set_of(path: Path) -> dict[_File, Path]:
    """Return the files of the only set in a folder, or of the set of which a file is a part.

    The files of a set are in one folder and have the same name but for words such as ``train``,
    ``test``, ``images`` and ``labels``.
    """
    folder = path if path.is_dir() else path.parent
    sets = defaultdict[tuple[str, ...], dict[_File, Path]](dict)
    for each in sorted(folder.iterdir(), reverse=True):  # a file comes after its compressed copy
        if each.is_file() and _is_data(each):
            sets[_told(each).words][_told(each)] = each
    if path.is_file():
        return sets[_told(path).words] | {_told(path): path}
    if not sets:
        raise InputError(f"no digits in {path}: expected {EXPECTED}")
    if len(sets) > 1:
        one = [min(files.values()) for files in sets.values()]
        names = " or ".join(str(file) for file in sorted(one))
        raise InputError(f"{path} contains several sets: give a file of the one to use, {names}")
    return next(iter(sets.values()))


def _is_data(path: Path) -> bool:
    return is_numpy(path) or path.suffix.lower() == table.SUFFIX or bool(re.search(IDX, path.name))


def _told(path: Path) -> _File:
    words = re.split(r"[^a-z0-9]+", path.name.lower())
    return _File(
        words=tuple(word for word in words if word not in SHARED),
        is_test=any(word in TEST for word in words),
        is_label=any(word in LABELS for word in words),
    )


def _arrays(files: dict[_File, Path]) -> Parts:
    """Return the digits in a set's files."""
    images = {file.is_test: path for file, path in files.items() if not file.is_label}
    labels = {file.is_test: path for file, path in files.items() if file.is_label}
    if not images:
        path = min(labels.values())
        raise InputError(f"{path} contains labels: the images are missing beside it")
    parts = dict[bool, Digits]()
    for is_test, path in images.items():
        parts |= _read(path, labels.get(is_test), is_test)
    # A set that is called a test is one, too.
    return (parts[False], parts.get(True)) if False in parts else (parts[True], None)


def _read(images: Path, labels: Path | None, is_test: bool) -> dict[bool, Digits]:
    """Return digits by whether they are to test with."""
    if images.suffix.lower() == table.SUFFIX:
        return {is_test: pairs.checked(*table.read(images))}
    if labels:
        return {is_test: pairs.read([images, labels])}
    if images.suffix.lower() == ".npz":
        train, test = read_parts(images)
        ours = {is_test: pairs.checked(*train)}
        return ours | {True: pairs.checked(*test)} if test else ours
    words = re.split(r"([^A-Za-z0-9]+)", images.name)
    wanted = "".join(ROLES.get(word.lower(), word) for word in words)
    if wanted == images.name:
        raise InputError(f"{images} is not a set of digits: expected {EXPECTED}")
    raise InputError(f"{images} contains images: expected their labels in {images.parent / wanted}")


def _check(path: Path, found: Digits) -> None:
    classes = sorted(set(found.labels.tolist()))
    if len(found) < FEWEST:
        raise InputError(
            f"{path} has {len(found)} digits that can be read: expected at least {FEWEST}"
        )
    if len(classes) < 2:
        raise InputError(f"{path} has {classes[0]}s only: expected at least two different digits")


def _held_out(found: Digits) -> tuple[Digits, Digits]:
    """Return the digits without and with a sixth of each class, the same ones every time."""
    order = torch.randperm(
        len(found), generator=torch.Generator().manual_seed(derive(0, "own test"))
    )
    place = torch.empty(len(found), dtype=torch.int64)  # of each digit within its class
    for label in range(CLASSES):
        members = order[found.labels[order] == label]
        place[members] = torch.arange(len(members)) + 1
    is_test = place % HELD_OUT == 0
    return found[~is_test], found[is_test]
