"""A folder of pictures, and a session that labels them without a net."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.pictures import drawn, side_by_side
from tinydigits.label.copies import Copies
from tinydigits.label.scans import Scan, found_in, key_of
from tinydigits.label.session import Session
from tinydigits.label.suggestions import Answer, Suggestion
from tinydigits.reading.pictures import png

SURE = {"a/1.png": 0.9, "b/1.png": 0.6, "b/7.png": 0.8}  # probability of the digit in the name


@pytest.fixture(scope="session")
def files() -> dict[str, bytes]:
    """Three digits, two of them with the same file name, and a picture with two."""
    pictures = {
        f"{name}.png": drawn(digit, size=(60, 60), pen=5)
        for name, digit in (("a/1", 1), ("b/1", 2), ("b/7", 7))
    }
    pictures["two.png"] = side_by_side(3, 4, 60).resize((95, 50))
    return {name: png(picture) for name, picture in pictures.items()}


@pytest.fixture
def scans(files: dict[str, bytes], tmp_path: Path) -> Path:
    """The folder with these files."""
    folder = tmp_path / "scans"
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def suggested(scan: Scan) -> Suggestion:
    """Read the digit from the file's name."""
    if scan.name not in SURE:
        return Suggestion(None, "there is more than one digit")
    pixels = np.zeros((28, 28), np.uint8)
    return Suggestion(Answer(int(scan.file.stem), SURE[scan.name], pixels))


@pytest.fixture
def begin(scans: Path, tmp_path: Path) -> Callable[[], Session]:
    """A function that begins a session with all pictures, or goes on with the last one."""

    def begun() -> Session:
        found = [Scan(*each, key_of(each[0].read_bytes())) for each in found_in([scans])]
        (tmp_path / "out").mkdir(exist_ok=True)
        session = Session({each.key: each for each in found}, Copies(tmp_path / "out"), suggested)
        session.sort()
        return session

    return begun


def names(session: Session, keys: list[str]) -> list[str]:
    """Return the pictures' names."""
    return [session.scans[key].name for key in keys]


def labelled(out: Path) -> dict[str, bytes]:
    """Return the copies: sub-folder and stem of the original's name, with their contents."""
    files = (path for path in out.glob("*/*") if path.is_file())
    return {f"{path.parent.name}/{path.stem[:-13]}": path.read_bytes() for path in files}
