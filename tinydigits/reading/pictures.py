"""Find and open picture files, and explain in one line why one cannot be opened."""

import glob
import io
import math
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from tinydigits.errors import InputError
from tinydigits.reading import messages

with suppress(ImportError):  # the extra "heic"
    from pillow_heif import register_heif_opener

    register_heif_opener()
Image.init()

STDIN = "-"
# One picture in several layers or sizes, of which the first is complete. Phones write MPO.
LAYERED = frozenset({"MPO", "PSD", "ICO", "ICNS", "HEIF"})
HEIC = rb"....ftyp(hei|hev|mif1|msf1)"  # how such a file begins: ISO/IEC 23008-12
# Photographs that Pillow alone may not read: HEIC, AVIF, JPEG XL and cameras' raw files.
PHOTOS = {
    ".heic", ".heif", ".hif", ".avif", ".jxl",
    ".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".orf", ".raf", ".rw2", ".pef", ".srw", ".raw",
}  # fmt: skip


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
    """Return the pictures in and below a folder, recognised by suffix, 9 before 10.

    Formats that cannot be read here are included, so that their files are reported. Files and
    folders whose names begin with a dot are left out: programs keep their own copies there.
    """
    known = Image.registered_extensions().items()
    suffixes = {suffix for suffix, form in known if form in Image.OPEN} | PHOTOS
    found = (each for each in folder.rglob("*") if each.suffix.lower() in suffixes)
    shown = (each for each in found if not _is_hidden(each.relative_to(folder)))
    return sorted(shown, key=_by_number)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _by_number(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", str(path))
    return [(int(part) if part.isdecimal() else -1, part) for part in parts]


def numbered(folder: Path, file: str, number: int) -> Path:
    """Return a PNG's name in the folder, numbered in case two pictures have the same name."""
    return folder / f"{number:04}-{'stdin' if file == STDIN else Path(file).stem}.png"


def open_picture(name: str) -> Image.Image:
    """Return the picture in a file, or on standard input for ``-``, fully read.

    Raises:
        InputError: it cannot be read, is not a picture, is damaged, has several frames, or has more
            pixels than Pillow's limit.
    """
    if name == STDIN:
        return open_content(sys.stdin.buffer.read())
    with _explained(), _bombs_are_errors(), open(name, "rb") as file:
        return _decode(file)


def open_content(content: bytes) -> Image.Image:
    """Return the picture in a file's bytes, as ``open_picture`` does.

    Raises:
        InputError: as for ``open_picture``.
    """
    with _explained(), _bombs_are_errors():
        return _decode(io.BytesIO(content))


@contextmanager
def _bombs_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def decode(content: bytes, *, formats: tuple[str, ...], most_pixels: int) -> Image.Image:
    """Return the picture in a file's bytes, fully read, if its format is one of ``formats``.

    ``formats`` are Pillow's names; those that are not available here are left out. Several threads
    can call it at once: unlike ``open_picture``, it changes no warning filters.

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
        RuntimeError,
    ) as error:
        # On a damaged header, Pillow's readers raise whatever their arithmetic raises.
        raise messages.unreadable(error) from None


def _decode(
    file: BinaryIO, *, formats: tuple[str, ...] | None = None, most_pixels: float = math.inf
) -> Image.Image:
    available = [name for name in formats if name in Image.OPEN] if formats else None
    try:
        image = Image.open(file, formats=available)
    except UnidentifiedImageError:
        raise InputError(_unknown(file)) from None
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format not in LAYERED:
        raise messages.several_frames(frames)
    if image.width * image.height > most_pixels:
        raise messages.too_large(most_pixels)
    image.load()
    return image


def _unknown(file: BinaryIO) -> str:
    """Return why a file's format is not read."""
    file.seek(0)
    is_heic = re.match(HEIC, file.read(16), re.DOTALL)
    return messages.HEIC if is_heic and "HEIF" not in Image.OPEN else messages.NO_PICTURE


def png(image: Image.Image) -> bytes:
    """Return a picture as the bytes of a PNG."""
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()
