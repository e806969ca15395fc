import os
import stat
from pathlib import Path

import pytest

from tinydigits.errors import InputError
from tinydigits.files import sole_writer, write_atomically


def test_content_arrives_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    write_atomically(path, b"digits")
    assert path.read_bytes() == b"digits"
    assert os.listdir(path.parent) == ["file"]


def test_others_may_read_the_file_as_they_may_any_other(tmp_path: Path) -> None:
    plain, atomic = tmp_path / "plain", tmp_path / "atomic"
    plain.write_bytes(b"")
    write_atomically(atomic, b"")
    assert stat.S_IMODE(atomic.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(InputError, match=r"cannot write .*file: No space left on device"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot write"):
        write_atomically(tmp_path / "file" / "below", b"")


def test_a_folder_has_one_writer_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "here"
    with sole_writer(folder):
        with pytest.raises(InputError, match="another run is writing to"), sole_writer(folder):
            pytest.fail("two write to one folder")
        with sole_writer(tmp_path / "elsewhere"):
            pass
    with sole_writer(folder):
        pass


def test_what_a_killed_writer_began_is_removed_and_nothing_else(tmp_path: Path) -> None:
    kept = [tmp_path / name for name in ("last.pth", ".hidden", "mine.part")]
    begun = [tmp_path / ".last.pth.x7.part", tmp_path / "final" / ".report.json.a.part"]
    (tmp_path / "final").mkdir()
    for path in (*kept, *begun):
        path.touch()
    with sole_writer(tmp_path):
        assert [path.exists() for path in kept] == [True, True, True]
        assert [path.exists() for path in begun] == [False, False]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    file = tmp_path / "file"
    with pytest.raises(InputError, match=r"cannot write .*: File exists"), sole_writer(file):
        pytest.fail("there is no such folder")
