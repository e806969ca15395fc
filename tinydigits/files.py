"""Files that are either whole or not there."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tinydigits.errors import InputError

PART = ".part"  # ends the names of files that are not whole yet


def read_bytes(path: Path) -> bytes:
    """Return what a file holds.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; give a file") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` so that no reader and no crash ever sees half of it.

    The bytes go to a hidden temporary file of the same folder, reach the disk, and take the name in
    one step; an older file of that name stays whole until then. Missing folders are made.

    Raises:
        InputError: the folder cannot be written or the disk is full; nothing is left behind.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(PART, f".{path.name}.", path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unwritable(path, error) from error


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON, the way ``write_atomically`` does.

    Raises:
        InputError: as there.
    """
    write_atomically(path, f"{json.dumps(content, indent=1)}\n".encode())


@contextmanager
def sole_writer(directory: Path) -> Iterator[None]:
    """Keep other runs from writing to a folder, which is made where it is missing.

    The system drops the lock when the process ends, however it ends; what a killed writer had begun
    to write is removed.

    Raises:
        InputError: another run writes to it, or it cannot be written.
    """
    lock = FileLock(directory / ".lock", blocking=False)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise InputError(
            f"another run is writing to {directory}: wait until it has ended, or give another --out"
        ) from None
    except OSError as error:
        raise _unwritable(directory, error) from error
    try:
        for begun in directory.rglob(f".*{PART}"):
            begun.unlink()
        yield
    finally:
        lock.release()


def _unwritable(path: Path, error: OSError) -> InputError:
    reason = error.strerror or error
    return InputError(
        f"cannot write {path}: {reason}; give a folder that can be written and has room"
    )


def _umask() -> int:
    # mkstemp makes files for their owner only; a result file deserves the rights of any other.
    # The mask can only be read by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
