"""NumPy's files of arrays, ``.npy`` and ``.npz``, read without unpickling Python objects."""

import io
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinydigits.errors import InputError
from tinydigits.files import read_bytes

SUFFIXES = frozenset({".npy", ".npz"})
MAGIC = (b"\x93NUMPY", b"PK")  # of .npy files, and of the zip archives that .npz files are
SINGLE = ""  # the name of the array in an .npy file
Pair = tuple[str, str]  # names of images and of labels
# Images and labels as Keras, MNIST-C and MedMNIST, and as numpy.savez name them.
PAIRS = (
    ("x_test", "y_test"),
    ("test_images", "test_labels"),
    ("images", "labels"),
    ("x", "y"),
    ("arr_0", "arr_1"),
)
TRAINING_PAIRS = (("x_train", "y_train"), ("train_images", "train_labels"))
# On a damaged header, NumPy and zipfile raise whatever their parsers raise.
DAMAGED = (
    ValueError,
    TypeError,
    SyntaxError,
    EOFError,
    MemoryError,
    RuntimeError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


class Stored(NamedTuple):
    """An array in a file."""

    values: npt.NDArray[Any]
    place: str
    """The file, and the array's name if the file has names."""


def is_numpy(path: Path) -> bool:
    """Return whether a file's name ends as those of NumPy's files do."""
    return path.suffix.lower() in SUFFIXES


def read_single(path: Path) -> Stored:
    """Return the only array in an ``.npy`` or ``.npz`` file.

    Raises:
        InputError: the file cannot be read, is damaged, holds Python objects, or holds several
            arrays or none.
    """
    with _opened(path) as arrays:
        if len(arrays) != 1:
            raise InputError(
                f"{path} contains the arrays {_listed(arrays)}: expected a single one, of images "
                "or of labels"
            )
        (name,) = arrays
        return _stored(arrays, name, path)


def read_pair(path: Path) -> tuple[Stored, Stored]:
    """Return the arrays of images and of labels in an ``.npz`` file, found by their usual names.

    Only these two are read. The names are those in ``PAIRS``, in capitals or small letters.

    Raises:
        InputError: the file cannot be read, is damaged, holds Python objects, or holds no such
            pair or several.
    """
    with _opened(path) as arrays:
        return _only_pair(arrays, path)


def read_parts(path: Path) -> tuple[tuple[Stored, Stored], tuple[Stored, Stored] | None]:
    """Return images and labels to train on and to test with in an ``.npz`` file.

    If the file names none to train on, its only pair is that, and there are none to test with.

    Raises:
        InputError: as for ``read_pair``.
    """
    with _opened(path) as arrays:
        train, test = _known(arrays, TRAINING_PAIRS), _known(arrays, PAIRS)
        if not train:
            return _only_pair(arrays, path), None
        return _stored_pair(arrays, train[0], path), _only_pair(arrays, path) if test else None


def _only_pair(arrays: Mapping[str, Any], path: Path) -> tuple[Stored, Stored]:
    if len(arrays) == 1:
        raise InputError(
            f"{path} contains a single array: give images and labels, as in tinydigits "
            "evaluate images.npy labels.npy"
        )
    found = _known(arrays, PAIRS)
    if len(found) != 1:
        raise InputError(
            f"{path} contains the arrays {_listed(arrays)}: expected one pair of images and "
            f"labels named {_alternatives()}"
        )
    return _stored_pair(arrays, found[0], path)


def _known(arrays: Mapping[str, Any], pairs: Sequence[Pair]) -> list[Pair]:
    """Return those of the pairs that a file has, with its names."""
    names = {name.lower(): name for name in arrays}
    return [(names[a], names[b]) for a, b in pairs if {a, b} <= names.keys()]


def _stored_pair(arrays: Mapping[str, Any], names: Pair, path: Path) -> tuple[Stored, Stored]:
    images, labels = (_stored(arrays, name, path) for name in names)
    return images, labels


def _alternatives() -> str:
    *most, last = (f"{images} and {labels}" for images, labels in PAIRS)
    return f"{', '.join(most)}, or {last}"


def _listed(names: Sequence[str] | Mapping[str, Any]) -> str:
    return ", ".join(names) or "(none)"


def _stored(arrays: Mapping[str, Any], name: str, path: Path) -> Stored:
    return Stored(np.asarray(arrays[name]), f"{name} of {path}" if name else str(path))


@contextmanager
def _opened(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield a file's arrays by name; each is read when it is taken.

    NumPy fills the memory of an array while it reads: a header that promises more than the file
    holds costs no memory.
    """
    raw = read_bytes(path)
    if not raw.startswith(MAGIC):
        raise InputError(
            f"{path} is not a NumPy file: it begins with {raw[:6]!r}; expected a file that "
            "numpy.save or numpy.savez wrote"
        )
    try:
        loaded = np.load(io.BytesIO(raw), allow_pickle=False)
        yield {SINGLE: loaded} if isinstance(loaded, np.ndarray) else loaded
    except DAMAGED as error:
        cause = " ".join(str(error).split())
        raise InputError(
            f"cannot read {path}: {cause}; expected a complete file of numbers that numpy.save or "
            "numpy.savez wrote"
        ) from error
