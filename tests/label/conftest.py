"""A folder of pictures, and a session that labels them without a net."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.pictures import drawn, side_by_side
from tinydigits.label.copies import Copies
from tinydigits.label.scans import Scan, found_in, key_of
from tinydigits.label.session import Session
from tinydigits.label.suggestions import Suggestion
from tinydigits.reading.prediction import Prediction

SURE = {"a/1.png": 0.9, "b/1.png": 0.6, "b/7.png": 0.8}  # probability of the digit in the name


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Three digits, two of them with the same file name, and a picture without one."""
    folder = tmp_path / "scans"
    for name, digit in (("a/1", 1), ("b/1", 2), ("b/7", 7)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        drawn(digit, size=(60, 60), pen=5).save(folder / f"{name}.png")
    side_by_side(3, 4, 60).resize((95, 50)).save(folder / "two.png")
    return folder


def suggested(scan: Scan) -> Suggestion:
    """Read the digit from the file's name."""
    if scan.name not in SURE:
        return Suggestion(None, "there is more than one digit")
    sure = SURE[scan.name]
    shares = [(1 - sure) / 9] * 10
    shares[int(scan.file.stem)] = sure
    return Suggestion(Prediction(tuple(shares), np.zeros((28, 28), np.uint8)))


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


