"""Reading files, and writing them whole or not at all, or line by line."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tinydigits.errors import InputError

PART = ".part"  # suffix of unfinished files


def read_bytes(path: Path) -> bytes:
    """Return a file's content.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; give a readable file") from error


def read_if_there(path: Path) -> bytes:
    """Return a file's content; none if there is no such file.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check its permissions") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` in one step; neither a reader nor a crash sees half of it.

    The bytes go to a hidden temporary file in the same folder and are flushed to disk. The file is
    then renamed; an existing file at ``path`` stays whole until then. Missing folders are created.

    Raises:
        InputError: the folder cannot be written or the disk is full; no partial file remains.
    """
    try:
        _write(path, content)
    except OSError as error:
        raise _unwritable(path, error) from error


def _write(path: Path, content: bytes) -> None:
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


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by their paths in ``folder``; a new folder appears in one step, with all files.

    In an existing folder each file is written with ``write_atomically``; other files stay.

    Raises:
        InputError: ``folder`` cannot be written or the disk is full.
    """
    if folder.exists():
        for name, content in files.items():
            write_atomically(folder / name, content)
        return
    with scratch(folder) as beside:
        try:
            for name, content in files.items():
                _write(beside / "new" / name, content)
            folder.parent.mkdir(parents=True, exist_ok=True)
            os.replace(beside / "new", folder)
        except OSError as error:
            raise _unwritable(folder, error) from error


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON with ``write_atomically``.

    Raises:
        InputError: as for ``write_atomically``.
    """
    write_atomically(path, f"{json.dumps(content, indent=1)}\n".encode())


def whole_lines(path: Path) -> list[bytes]:
    """Return a file's lines; none if there is no such file.

    A last line without an end is what a crash left of it, and is left out.

    Raises:
        InputError: the file cannot be read.
    """
    *lines, _half = read_if_there(path).split(b"\n")
    return lines


def cut_half_line(path: Path) -> None:
    """Remove a last line without an end, which would become part of the next line.

    Raises:
        InputError: the file cannot be read or written.
    """
    whole, newline, half = read_if_there(path).rpartition(b"\n")
    if half:
        write_atomically(path, whole + newline)


def append_line(path: Path, line: str, advice: str) -> None:
    """Append a line to a file; return once it is on the disk.

    If that fails, nothing of the line stays, and the message ends with ``advice``.

    Raises:
        InputError: the file cannot be written, or the disk is full.
    """
    try:
        # Without a buffer: it would try to write the line again when it is closed.
        with path.open("ab", buffering=0) as file:
            size, left = file.tell(), f"{line}\n".encode()
            try:
                while left:
                    left = left[file.write(left) :]
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):  # a device
                    file.truncate(size)
                raise
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; {advice}") from error


@contextmanager
def sole_writer(directory: Path) -> Iterator[None]:
    """Lock a folder against other runs; create the folder if it is missing.

    The system releases the lock when the process ends, even after a crash. Unfinished files of a
    killed writer are removed.

    Raises:
        InputError: another run is writing to the folder, or it cannot be written.
    """
    lock = FileLock(directory / ".lock", blocking=False)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise InputError(
            f"another run is writing to {directory}: wait until it ends, or give another --out"
        ) from None
    except OSError as error:
        raise _unwritable(directory, error) from error
    try:
        for unfinished in directory.rglob(f".*{PART}"):
            unfinished.unlink()
        yield
    finally:
        lock.release()


@contextmanager
def scratch(directory: Path) -> Iterator[Path]:
    """Yield an empty folder beside what will be written to ``directory``; remove it at the end.

    ``directory`` need not exist and is not created.

    Raises:
        InputError: ``directory`` cannot be written.
    """
    try:
        there = next(each for each in (directory, *directory.parents) if each.exists())
        folder = tempfile.TemporaryDirectory(prefix=".scratch-", dir=there)
    except OSError as error:
        raise _unwritable(directory, error) from error
    with folder as path:
        yield Path(path)


def _unwritable(path: Path, error: OSError) -> InputError:
    reason = error.strerror or error
    return InputError(
        f"cannot write {path}: {reason}; give a writable folder with enough free space"
    )


def _umask() -> int:
    # mkstemp creates files that only their owner can read; results get the usual permissions.
    # The mask can only be read by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
