"""The pictures to label: each is identified by its content, so it may be moved and renamed."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinydigits.errors import InputError
from tinydigits.files import read_bytes
from tinydigits.reading import messages, pictures

KEY = 12  # hexadecimal digits of a key: two of 100,000 pictures share one in 1 of 50,000 sets


@dataclass(frozen=True)
class Scan:
    """A picture file to label."""

    file: Path
    name: str
    """Its path from the folder that was given."""
    key: str
    """The first 12 hexadecimal digits of its content's SHA-256."""

    def content(self) -> bytes:
        """Return the file's content.

        Raises:
            InputError: the file cannot be read, or has changed since it was found.
        """
        content = read_bytes(self.file)
        if key_of(content) != self.key:
            raise InputError(
                f"{self.file} has changed since the start: run the command again to label it"
            )
        return content


def key_of(content: bytes) -> str:
    """Return the key of a picture file with this content."""
    return hashlib.sha256(content).hexdigest()[:KEY]


def check_folders(folders: Sequence[Path], out: Path) -> None:
    """Check that ``folders`` can be read and that ``out`` is, or can be, a folder apart from them.

    Raises:
        InputError: a folder is missing, ``out`` is a file, or one is inside another.
    """
    if not folders:
        raise InputError("no folder given: expected one with pictures, such as scans")
    for folder in folders:
        if not folder.exists():
            raise InputError(f"there is no folder {folder}: expected one with pictures")
        if not folder.is_dir():
            raise InputError(f"{folder} is a file: expected a folder; type its folder's name")
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file: expected a folder; give another --out")
    for folder in folders:
        if not _are_apart(folder.resolve(), out.resolve()):
            raise InputError(
                f"--out {out} and the folder {folder} are one, or one is inside the other: "
                "give an --out beside it"
            )


def _are_apart(one: Path, other: Path) -> bool:
    return not (one.is_relative_to(other) or other.is_relative_to(one))


def found_in(folders: Iterable[Path]) -> list[tuple[Path, str]]:
    """Return the picture files in and below the folders, each with its path from its folder.

    Raises:
        InputError: a folder contains no pictures.
    """
    found = list[tuple[Path, str]]()
    for folder in folders:
        files = pictures.in_folder(folder)
        if not files:
            raise messages.empty_folder(str(folder))
        found += [(file, str(file.relative_to(folder))) for file in files]
    return found
