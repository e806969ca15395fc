"""Find and open picture files, and explain in one line why one cannot be opened."""

import glob
import io
import math
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from tinydigits.errors import InputError
from tinydigits.reading import messages

STDIN = "-"
# One picture in several layers or sizes, of which the first is complete. Phones write MPO.
LAYERED = frozenset({"MPO", "PSD", "ICO", "ICNS"})


def find(names: Iterable[str]) -> list[str]:
    """Return the files that the names stand for: files, folders, patterns and ``-``, in order.

    A folder stands for the pictures in and below it, recognised by suffix. A name that does not
    exist is kept: opening it reports the error.

    Raises:
        InputError: a folder contains no pictures, a pattern matches no file, or there are no names.
    """
    files = [file for name in names for file in _files(name)]
    if not files:
        raise InputError(messages.NO_NAMES)
    return files


def _files(name: str) -> list[str]:
    path = Path(name)
    if name == STDIN or path.is_file():
        return [name]
    if path.is_dir():
        found = in_folder(path)
        if not found:
            raise messages.empty_folder(name)
        return [str(each) for each in found]
    if glob.has_magic(name):
        matches = [Path(each) for each in glob.glob(name, recursive=True)]
        found = sorted((each for each in matches if each.is_file()), key=_by_number)
        if not found:
            raise messages.no_match(name)
        return [str(each) for each in found]
    return [name]


def in_folder(folder: Path) -> list[Path]:
    """Return the pictures in and below a folder, recognised by suffix, 9 before 10."""
    Image.init()
    known = Image.registered_extensions().items()
    suffixes = {suffix for suffix, form in known if form in Image.OPEN}
    found = (each for each in folder.rglob("*") if each.suffix.lower() in suffixes)
    return sorted(found, key=_by_number)


def _by_number(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", str(path))
    return [(int(part) if part.isdecimal() else -1, part) for part in parts]


def open_picture(name: str) -> Image.Image:
    """Return the picture in a file, or on standard input for ``-``, fully read.

    Raises:
        InputError: it cannot be read, is not a picture, is damaged, has several frames, or has more
            pixels than Pillow's limit.
    """
    with _explained(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        if name == STDIN:
            return _decode(io.BytesIO(sys.stdin.buffer.read()))
        with open(name, "rb") as file:
            return _decode(file)


def decode(content: bytes, *, formats: tuple[str, ...], most_pixels: int) -> Image.Image:
    """Return the picture in a file's bytes, fully read, if its format is one of ``formats``.

    ``formats`` are Pillow's names. Several threads can call it at once: unlike ``open_picture``, it
    changes no warning filters.

    Raises:
        InputError: it is not such a picture, is damaged, has several frames, or has more than
            ``most_pixels`` pixels.
    """
    with _explained():
        return _decode(io.BytesIO(content), formats=formats, most_pixels=most_pixels)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn any exception from opening a picture into a one-line ``InputError``."""
    try:
        yield
    except UnidentifiedImageError:
        raise InputError(messages.NO_PICTURE) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise messages.too_large(Image.MAX_IMAGE_PIXELS or 0) from None
    except OSError as error:
        raise messages.unreadable(error) from None
    except (
        SyntaxError,
        ValueError,
        TypeError,
        IndexError,
        KeyError,
        EOFError,
        OverflowError,
        AttributeError,
        ZeroDivisionError,
        MemoryError,
    ) as error:
        # On a damaged header, Pillow's readers raise whatever their arithmetic raises.
        raise messages.unreadable(error) from None


def _decode(
    file: BinaryIO, *, formats: tuple[str, ...] | None = None, most_pixels: float = math.inf
) -> Image.Image:
    image = Image.open(file, formats=formats)
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format not in LAYERED:
        raise messages.several_frames(frames)
    if image.width * image.height > most_pixels:
        raise messages.too_large(most_pixels)
    image.load()
    return image
