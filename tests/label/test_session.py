"""Decisions: what is copied, what is asked next, and what a later session knows."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.label.conftest import labelled, names
from tinydigits.errors import InputError
from tinydigits.label import journal
from tinydigits.label.copies import Copies
from tinydigits.label.scans import Scan, check_folders, found_in, key_of
from tinydigits.label.session import OutdatedError, Session

Begin = Callable[[], Session]
ORDER = ["two.png", "b/1.png", "b/7.png", "a/1.png"]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def key(session: Session, name: str) -> str:
    (found,) = (each.key for each in session.scans.values() if each.name == name)
    return found


def test_the_doubtful_pictures_come_first_and_those_without_an_answer_before(begin: Begin) -> None:
    session = begin()
    assert names(session, session.left) == ORDER


def test_a_decision_copies_the_picture_and_leaves_the_original(
    begin: Begin, scans: Path, out: Path
) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in scans.rglob("*.png")}
    session = begin()
    session.decide(key(session, "a/1.png"), 1, None)
    session.decide(key(session, "b/1.png"), 1, None)  # another picture of the same name
    first, second = (scans / "a" / "1.png", scans / "b" / "1.png")
    assert sorted(labelled(out)) == ["1/1"]
    contents = {path.read_bytes() for path in (out / "1").iterdir()}
    assert contents == {first.read_bytes(), second.read_bytes()}
    assert names(session, session.left) == ["two.png", "b/7.png"]
    now = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in scans.rglob("*.png")}
    assert now == before


def test_changing_ones_mind_moves_the_copy(begin: Begin, out: Path) -> None:
    session = begin()
    seven = key(session, "b/7.png")
    session.decide(seven, 7, None)
    session.decide(seven, 1, 7)
    assert list(labelled(out)) == ["1/7"]
    session.decide(seven, "none", 1)
    assert labelled(out) == {}
    assert (session.count("none"), session.count(1)) == (1, 0)
    session.decide(seven, None, "none")
    assert names(session, session.left)[0] == "b/7.png"  # asked next
    labels = [each.label for each in journal.read(out)]
    assert labels == [7, 1, "none", None]


def test_a_postponed_picture_comes_last(begin: Begin) -> None:
    session = begin()
    session.postpone(session.left[0])
    assert names(session, session.left) == [*ORDER[1:], ORDER[0]]


@pytest.mark.parametrize(("label", "was"), [(3, None), (None, None), (3, "none"), (7, 1)])
def test_a_decision_on_outdated_knowledge_changes_nothing(
    begin: Begin, out: Path, label: int | None, was: journal.Label | None
) -> None:
    session = begin()
    seven = key(session, "b/7.png")
    session.decide(seven, 7, None)
    written = (out / journal.FILE).read_bytes()
    with pytest.raises(OutdatedError):
        session.decide(seven, label, was)
    with pytest.raises(OutdatedError):
        session.postpone(seven)
    with pytest.raises(OutdatedError):
        session.decide("unknown", label, None)
    assert list(labelled(out)) == ["7/7"]
    assert (out / journal.FILE).read_bytes() == written


def test_a_later_session_goes_on(begin: Begin, scans: Path) -> None:
    session = begin()
    labels: dict[str, journal.Label] = {"b/1.png": 2, "two.png": "none", "a/1.png": 1}
    for name, label in labels.items():
        session.decide(key(session, name), label, None)
    session.decide(key(session, "b/1.png"), 3, 2)
    (scans / "a").rename(scans / "moved")  # a picture is its content
    later = begin()
    assert later.decided == session.decided
    assert names(later, later.recent(2)) == ["b/1.png", "moved/1.png"]
    assert names(later, later.left) == ["b/7.png"]


def test_copies_moved_or_deleted_by_hand_count_as_they_lie(begin: Begin, out: Path) -> None:
    session = begin()
    for name, label in (("b/1.png", 2), ("b/7.png", 7)):
        session.decide(key(session, name), label, None)
    (two,), (seven,) = ((out / each).iterdir() for each in "27")
    (out / "5").mkdir()
    two.rename(out / "5" / two.name)
    seven.unlink()
    (out / "5" / "mine.png").write_bytes(b"")  # no copy of ours
    later = begin()
    assert later.decided == {key(later, "b/1.png"): 5}
    later.decide(key(later, "b/1.png"), 1, 5)
    assert sorted(str(path.relative_to(out))[:4] for path in out.glob("*/*")) == ["1/1-", "5/mi"]


def test_a_copy_without_its_line_is_labelled(begin: Begin, out: Path) -> None:
    """A crash between the two steps of a decision."""
    session = begin()
    seven = key(session, "b/7.png")
    Copies(out).put(session.scans[seven], 7)
    later = begin()
    assert later.decided == {seven: 7}
    later.decide(seven, 1, 7)
    assert list(labelled(out)) == ["1/7"]


@pytest.mark.parametrize("half", [b'{"time": "2026', b"\0\0"])
def test_a_half_written_line_is_cut_off(begin: Begin, out: Path, half: bytes) -> None:
    session = begin()
    session.decide(key(session, "two.png"), "none", None)
    with (out / journal.FILE).open("ab") as file:
        file.write(half)
    later = begin()
    assert later.count("none") == 1
    later.decide(key(later, "b/7.png"), 7, None)
    assert [each.label for each in journal.read(out)] == ["none", 7]


@pytest.mark.parametrize(
    "line", ["oops", "[]", "{}", '{"key": "a"}', "label 10", "label true", "key 7"]
)
def test_a_damaged_line_is_named(begin: Begin, out: Path, line: str) -> None:
    session = begin()
    session.decide(key(session, "b/7.png"), 7, None)
    whole = json.loads((out / journal.FILE).read_text())
    name, _, value = line.partition(" ")
    if name in whole:
        line = json.dumps(whole | {name: json.loads(value)})
    with (out / journal.FILE).open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(InputError, match=r"labels.jsonl line 2 is damaged: .* delete the line"):
        begin()


def test_a_full_disk_leaves_no_half_copy_and_the_picture_is_asked_again(
    begin: Begin, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = begin()
    seven = key(session, "b/7.png")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        for label in (7, "none"):
            with pytest.raises(InputError, match="No space left on device"):
                session.decide(seven, label, None)
    assert labelled(out) == {}
    assert journal.read(out) == []
    session.decide(seven, 7, None)
    assert list(labelled(out)) == ["7/7"]


def test_the_last_copy_of_a_picture_is_not_deleted(begin: Begin, scans: Path, out: Path) -> None:
    session = begin()
    seven = key(session, "b/7.png")
    session.decide(seven, 7, None)
    (scans / "b" / "7.png").unlink()
    with pytest.raises(InputError, match=r"cannot read .*7.png: No such file"):
        session.decide(seven, None, 7)
    session.decide(seven, 1, 7)  # which needs no original
    assert list(labelled(out)) == ["1/7"]


def test_a_picture_that_has_changed_is_not_copied(begin: Begin, scans: Path, out: Path) -> None:
    session = begin()
    (scans / "b" / "7.png").write_bytes(b"another")
    with pytest.raises(InputError, match=r"7.png has changed since the start: run the command ag"):
        session.decide(key(session, "b/7.png"), 7, None)
    assert labelled(out) == {}


def test_long_names_are_cut_and_hidden_pictures_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / ("中" * 80 + ".png")).write_bytes(b"one")
    (folder / ".hidden.png").write_bytes(b"two")
    (found,) = found_in([folder])
    Copies(tmp_path / "out").put(Scan(*found, key_of(b"one")), 3)
    (copy,) = (tmp_path / "out" / "3").iterdir()
    assert copy.name == f"{'中' * 50}-{key_of(b'one')}.png"
    assert Copies(tmp_path / "out").labels() == {key_of(b"one"): 3}


@pytest.mark.parametrize(
    ("folders", "out", "message"),
    [
        ("", "out", "no folder given: expected one with pictures"),
        ("gone", "out", "there is no folder gone: expected one with pictures"),
        ("scans/two.png", "out", "scans/two.png is a file: expected a folder"),
        ("scans", "scans", "are one, or one is inside the other: give an --out beside it"),
        ("scans", "scans/out", "are one, or one is inside the other"),
        ("scans/a", "scans", "are one, or one is inside the other"),
        ("scans", "link", "are one, or one is inside the other"),
        ("scans", "file", "--out file is a file: expected a folder; give another --out"),
    ],
)
def test_folders_that_cannot_be_used_are_named(
    scans: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folders: str,
    out: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_bytes(b"")
    Path("link").symlink_to(scans / "a")
    with pytest.raises(InputError, match=message):
        check_folders([Path(each) for each in folders.split()], Path(out))
    check_folders([Path("scans")], Path("scans-labelled"))
