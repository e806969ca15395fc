import os
import stat
from pathlib import Path

import pytest

from tinydigits.errors import InputError
from tinydigits.files import (
    append_line,
    cut_half_line,
    sole_writer,
    whole_lines,
    write_atomically,
    write_folder,
)


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


FILES = {"README.md": b"text", "src/net.h": b"net"}


def held(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_new_folder_holds_the_files_and_an_old_one_keeps_its_others(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    write_folder(folder, FILES)
    assert held(tmp_path) == {f"new/folder/{name}": content for name, content in FILES.items()}
    (folder / "mine").write_bytes(b"")
    write_folder(folder, {"README.md": b"other"})
    assert held(folder) == FILES | {"mine": b"", "README.md": b"other"}
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(folder.parent.stat().st_mode)


@pytest.mark.parametrize("last", [2, 3])  # the second file, and the folder itself
def test_a_new_folder_that_cannot_be_finished_leaves_nothing(
    last: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, calls = os.replace, []

    def full(*names: Path) -> None:
        calls.append(names)
        if len(calls) == last:
            raise OSError(28, "No space left on device")
        replace(*names)

    monkeypatch.setattr(os, "replace", full)
    folder = tmp_path / "folder"
    with pytest.raises(InputError, match=f"cannot write {folder}: No space left on device"):
        write_folder(folder, FILES)
    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize("half", [b"", b"seco", b"\0\0"])
def test_a_half_line_is_left_out_and_cut_off(tmp_path: Path, half: bytes) -> None:
    path = tmp_path / "lines"
    append_line(path, "first", "")
    with path.open("ab") as file:
        file.write(half)
    assert whole_lines(path) == [b"first"]
    cut_half_line(path)
    append_line(path, "second", "")
    assert path.read_bytes() == b"first\nsecond\n"


def test_a_line_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lines"
    append_line(path, "first", "")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"cannot write .*lines: No space left on device; do so"):
        append_line(path, "second", "do so")
    assert path.read_bytes() == b"first\n"
    assert whole_lines(tmp_path / "missing") == []
