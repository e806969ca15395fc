"""MNIST's four files: locate them, download missing ones, and verify every byte on every run.

The uncompressed bytes are verified, since mirrors may recompress the files. MNIST is by Y. LeCun,
C. Cortes and C. Burges.
"""

import gzip
import hashlib
import http.client
import io
import os
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import IO, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from tinydigits.data import idx
from tinydigits.data.finding import named, similar
from tinydigits.errors import InputError
from tinydigits.files import write_atomically

Bytes = npt.NDArray[np.uint8]
Part = Literal["train", "test"]
PARTS: tuple[Part, Part] = ("train", "test")


class File(NamedTuple):
    """One of the four files: its name, and its uncompressed size in bytes and SHA-256."""

    name: str
    size: int
    sha256: str


IMAGES: dict[Part, File] = {
    "train": File(
        "train-images-idx3-ubyte",
        47_040_016,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "test": File(
        "t10k-images-idx3-ubyte",
        7_840_016,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
}
LABELS: dict[Part, File] = {
    "train": File(
        "train-labels-idx1-ubyte",
        60_008,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "test": File(
        "t10k-labels-idx1-ubyte",
        10_008,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}
# Test digits, counted from 0, whose label most human annotators rejected: C. G. Northcutt,
# A. Athalye and J. Mueller (2021), "Pervasive Label Errors in Test Sets Destabilize Machine
# Learning Benchmarks", arXiv:2103.14749. A net that read every digit correctly would score 99.85 %.
DISPUTED_TEST_LABELS: tuple[int, ...] = (
    947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729,
)  # fmt: skip
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://sagemaker-sample-files.s3.amazonaws.com/datasets/image/MNIST/",
)
TIMEOUT = 10.0  # seconds without data before the next mirror is tried
SLOWEST = 5_000  # bytes a second; the next mirror is tried if fewer come in TIMEOUT
GZIP = 1_000  # bytes by which a gzip may exceed its content
DAMAGED = (gzip.BadGzipFile, EOFError, zlib.error)  # what a damaged gzip raises


class UnavailableError(Exception):
    """MNIST is not in the folder and cannot be downloaded."""


def load(part: Part, directory: Path) -> tuple[Bytes, Bytes]:
    """Return one part of MNIST: verified images (N, 28, 28) and labels (N,), both uint8.

    Reads the originals, raw or gzip, under any of their usual names in ``directory``, its
    sub-folders and the folder above it, and downloads missing files to ``directory``.

    Raises:
        InputError: there is a file with an original's name in ``directory`` or
            ``directory/MNIST/raw`` that is not the original or cannot be read, and no original
            elsewhere, or ``directory`` is a file.
        UnavailableError: a file is missing and no mirror provides it, or the download cannot be
            saved.
    """
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory} is a file: give --data-dir a folder for the MNIST files")
    if directory.exists() and not os.access(directory, os.R_OK | os.X_OK):
        raise InputError(f"cannot read {directory}: check its permissions, or give --data-dir")
    images = idx.parse(_content(IMAGES[part], directory))
    labels = idx.parse(_content(LABELS[part], directory))
    return images, labels


def _content(file: File, directory: Path) -> bytes:
    for path in chain(named(file.name, directory), similar(file.name, directory)):
        with suppress(InputError):  # another file may be the original
            return _original(path, file)
    damaged = next(named(file.name, directory), None)
    path = damaged or directory / f"{file.name}.gz"
    if not damaged:
        _download(file, path)
    return _original(path, file)


def _original(path: Path, file: File) -> bytes:
    """Return the uncompressed bytes of a file, which must be the original's."""
    try:
        with path.open("rb") as stream:
            raw = _uncompressed(stream, file)
    except DAMAGED as error:
        raise InputError(
            f"{path} is damaged: {error}; expected the gzip of {file.name}; "
            "delete it and run again to download it"
        ) from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check its permissions") from error
    fault = _fault(raw, file)
    if fault:
        raise InputError(
            f"{path} is damaged: {fault}; expected the original MNIST file of {file.size:,} bytes; "
            "delete it and run again to download it"
        )
    return raw


def _uncompressed(stream: IO[bytes], file: File) -> bytes:
    """Return a stream's bytes, decompressed if they are gzip, whatever the file's name.

    One byte beyond the expected size shows that a file is too long, whatever its length.
    """
    is_gzip = stream.read(2) == b"\x1f\x8b"
    stream.seek(0)
    if not is_gzip:
        return stream.read(file.size + 1)
    with gzip.open(stream) as uncompressed:
        return uncompressed.read(file.size + 1)


def _fault(raw: bytes, file: File) -> str | None:
    """Return the most informative fault in the uncompressed bytes, or None if there is none."""
    if len(raw) < file.size:
        return f"it holds {len(raw):,} bytes"
    if len(raw) > file.size:
        return f"it holds more than {file.size:,} bytes"
    if hashlib.sha256(raw).hexdigest() == file.sha256:
        return None
    try:
        idx.parse(raw)
    except ValueError as error:
        return str(error)
    return f"its SHA-256 is not {file.sha256[:12]}…"


def _download(file: File, path: Path) -> None:
    faults = []
    for mirror in MIRRORS:
        try:
            compressed = _fetch(mirror + path.name, most=file.size + GZIP)
            fault = _fault(_uncompressed(io.BytesIO(compressed), file), file)
        except (OSError, http.client.HTTPException, *DAMAGED) as error:
            fault = str(getattr(error, "reason", error))
        if fault is None:
            _keep(path, compressed)
            return
        faults.append(fault)
    raise UnavailableError(
        f"{file.name} is not in {path.parent} and none of the {len(MIRRORS)} mirrors provides it "
        f"({faults[-1]}); put the four MNIST files into {path.parent}, or name their folder with "
        "--data-dir"
    )


def _fetch(url: str, most: int) -> bytes:
    name, content = url.rpartition("/")[2], bytearray()
    with (
        urllib.request.urlopen(url, timeout=TIMEOUT) as response,
        # disable=None: no progress bar unless standard error is a terminal.
        tqdm(total=response.length, desc=name, unit="B", unit_scale=True, disable=None) as bar,
    ):
        for chunk in _steady(response):
            content += chunk
            bar.update(len(chunk))
            if len(content) > most:
                raise OSError(f"the mirror sends more than {most:,} bytes")
    return bytes(content)


def _steady(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield what comes, as it comes.

    Raises:
        TimeoutError: nothing comes, or too little to ever end.
    """
    began, received = monotonic(), 0
    while chunk := response.read1(1 << 16):
        yield chunk
        received += len(chunk)
        seconds = monotonic() - began
        if seconds > TIMEOUT:
            if received < SLOWEST * seconds:
                raise TimeoutError(f"the mirror sends fewer than {SLOWEST:,} bytes a second")
            began, received = monotonic(), 0


def _keep(path: Path, compressed: bytes) -> None:
    try:
        write_atomically(path, compressed)
    except InputError as error:
        raise UnavailableError(f"{error} as --data-dir") from error
