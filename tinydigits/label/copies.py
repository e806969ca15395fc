"""The labelled copies: a folder with sub-folders 0 to 9, which alone says what is labelled.

Each change is one atomic step of the file system, so a crash leaves a copy in one place or in none.
A copy that somebody moves by hand is labelled by its new folder, and a deleted one is not labelled.
"""

import os
import re
from pathlib import Path

from tinydigits.errors import InputError
from tinydigits.files import write_atomically
from tinydigits.label.scans import KEY, Scan
from tinydigits.net.contract import CLASSES

STEM = 50  # characters of the original's name: with key and suffix, it stays below 255 bytes
NAME = re.compile(rf".*-([0-9a-f]{{{KEY}}})\.[^.]+", re.DOTALL)  # of a copy


class Copies:
    """The copies in ``folder``; its sub-folders are created with their first copies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def labels(self) -> dict[str, int]:
        """Return the label of each copy by its key; copies from elsewhere are left out."""
        return {
            found[1]: label
            for label in range(CLASSES)
            for path in (self.folder / str(label)).glob("*")
            if (found := NAME.fullmatch(path.name))
        }

    def put(self, scan: Scan, label: int) -> None:
        """Copy a picture to the sub-folder ``label``, or move its copy there.

        Raises:
            InputError: the picture cannot be read, or the copy cannot be written.
        """
        target = self.folder / str(label) / _name(scan)
        existing = self._find(scan.key)
        if existing is None:
            write_atomically(target, scan.content())
            return
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(existing, target)
        except OSError as error:
            raise _unmoved(existing, error) from error

    def remove(self, scan: Scan) -> None:
        """Delete the copy of a picture, if there is one.

        Raises:
            InputError: the original is gone or has changed, or the copy cannot be deleted.
        """
        existing = self._find(scan.key)
        if existing is None:
            return
        scan.content()  # the copy may be the last one
        try:
            existing.unlink()
        except OSError as error:
            raise _unmoved(existing, error) from error

    def _find(self, key: str) -> Path | None:
        places = (self.folder / str(label) for label in range(CLASSES))
        return next((path for place in places for path in place.glob(f"*-{key}.*")), None)


def _name(scan: Scan) -> str:
    """Return a copy's file name, which is no other picture's, whatever its folder was."""
    return f"{scan.file.stem[:STEM]}-{scan.key}{scan.file.suffix}"


def _unmoved(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot move {path}: {error.strerror}; give a writable --out")
