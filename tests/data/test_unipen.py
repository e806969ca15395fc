from pathlib import Path

import numpy as np
import pytest

from tinydigits.data import unipen
from tinydigits.errors import InputError

# Pendigits: no version, the writer in a comment, a description that is not published.
PENDIGITS = """ .INCLUDE dene.doc
.LEXICON "0" "1" "2"
.HIERARCHY DIGIT
.SEGMENT DIGIT 0 ? "1"
.COMMENT 1 17 201
.PEN_DOWN
 250  400
 248  300
 251  180
.PEN_UP
.DT 100
.SEGMENT DIGIT 1-2 ? "4"
.COMMENT 4 18 202
.PEN_DOWN
 10 90
 20 40
 60 42
.PEN_UP
.DT 100
.PEN_DOWN
 50 95
 50 5
.PEN_UP
.DT 100
"""

# UNIPEN: segments in one file, the pen's movements in another.
SEGMENTS = """.VERSION 1.0
.INCLUDE abc/abc.doc
.INCLUDE abc/data/jane.dat
.SEGMENT CHARACTER 1 OK "7"
.SEGMENT CHARACTER 3-5 ? "5"
.SEGMENT CHARACTER 6 BAD "2"
"""
PAD = """.VERSION 1.0
.DATA_SOURCE\tinstitute
.PAD
        Machine name: a tablet; .COORD in free text is no keyword
.X_POINTS_PER_INCH\t200
.Y_POINTS_PER_MM   4.0
.COORD T Y X P
"""
MOVEMENTS = """.COMMENT  movements between strokes count, too: .SEGMENT CHARACTER 9 OK "9"
.WRITER_ID jane
.PEN_UP
0 1 2 0
.PEN_DOWN
0 100 10 9
1 100 30 9
2 50 20 9
.PEN_UP
.DT 20
.PEN_UP
0 8 9 0
1 8 9 0
.PEN_DOWN
0 0 0 1
1 10 0 1
.PEN_UP
0 8 9 0
.PEN_DOWN
0 0 0 1
1 0 20 1
.PEN_DOWN
0 0 0 1
1 5 5 1
"""


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A folder laid out as UNIPEN's release."""
    for name, text in (
        ("data/1a/abc/jane.dat", SEGMENTS),
        ("include/abc/abc.doc", PAD),
        ("include/abc/data/jane.dat", MOVEMENTS),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.fixture
def pendigits(tmp_path: Path) -> Path:
    path = tmp_path / "pendigits-orig.tra"
    path.write_text(PENDIGITS)
    return path


def test_pendigits_are_read_with_their_writers(pendigits: Path) -> None:
    one, four = unipen.read_strokes(pendigits)
    assert (one.label, one.writer) == (1, "pendigits-orig/17")
    assert (four.label, four.writer) == (4, "pendigits-orig/18")
    # y points down.
    assert one.strokes[0].tolist() == [[250, -400], [248, -300], [251, -180]]
    assert [len(stroke) for stroke in four.strokes] == [3, 2]


def test_included_files_are_found_and_put_together(collection: Path) -> None:
    seven, five = unipen.read_strokes(collection / "data/1a/abc/jane.dat")
    assert (seven.label, seven.writer) == (7, "institute/jane")
    assert (five.label, len(five.strokes)) == (5, 2)  # the movement in between leaves no ink


def test_axes_are_found_by_name_and_get_the_same_unit(collection: Path) -> None:
    seven = unipen.read_strokes(collection / "data")[0]
    # 200 points per inch across and 4 * 25.4 down.
    across = 4 * 25.4 / 200
    assert seven.strokes[0] == pytest.approx(
        np.array(((10 * across, -100), (30 * across, -100), (20 * across, -50)))
    )


def test_a_folder_is_read_file_by_file(collection: Path, pendigits: Path) -> None:
    (collection / "data/notes.txt").write_text("not strokes")
    pendigits.rename(collection / "data/digits.tes")
    assert [digit.label for digit in unipen.read_strokes(collection / "data")] == [7, 5, 1, 4]


def test_line_ends_of_other_systems_are_read(pendigits: Path) -> None:
    before = unipen.read_strokes(pendigits)
    pendigits.write_bytes(PENDIGITS.replace("\n", "\r\n").encode())
    assert all(
        np.array_equal(a.strokes[0], b.strokes[0])
        for a, b in zip(before, unipen.read_strokes(pendigits), strict=True)
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (('0 ? "1"', '0 ? "a"'), r'line 4: the label "a", expected a digit from 0 to 9'),
        (('0 ? "1"', '0 ? "10"'), r'line 4: the label "10", expected a digit from 0 to 9'),
        (("1-2", "1-3"), r"line 12: component 3 of 3 \(dene.doc not found\), expected components"),
        (("1-2", "2-1"), r"line 12: the components 2-1, expected numbers such as 3 or 0-1"),
        (("1-2", "x"), r"line 12: the components x, expected numbers such as 3 or 0-1"),
        (("1-2", "0-99999999999"), r"line 12: the components 0-99999999999, expected"),
        (('? "4"', "4"), r'line 12: .SEGMENT DIGIT 1-2 4, expected .SEGMENT DIGIT 0-1 \? "4"'),
        ((" 248  300\n", " 248\n"), r"line 6: points that are not numbers, or not alike, expected"),
        (("248", "inf"), r"line 6: points that are not finite, expected numbers"),
        (("248", "24b"), r"line 6: points that are not numbers, or not alike, expected X Y"),
        ((" 248  300\n 251  180\n", ""), r"line 4: a segment without ink, expected"),
        ((".LEXICON", ".VERSION 2.0\n.LEXICON"), r"line 2: .VERSION 2.0, expected 1.0, the only"),
        ((".LEXICON", ".COORD T P\n.LEXICON"), r"line 7: points that are not numbers"),
        ((".LEXICON", ".X_POINTS_PER_INCH 0\n.LEXICON"), r"line 2: 0 points, expected a number"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(
    pendigits: Path, changes: tuple[str, str], message: str
) -> None:
    assert changes[0] in PENDIGITS
    pendigits.write_text(PENDIGITS.replace(*changes, 1))
    with pytest.raises(InputError, match=f"^{pendigits}, {message}") as caught:
        unipen.read_strokes(pendigits)
    assert "\n" not in str(caught.value)


def test_files_that_include_each_other_are_refused(collection: Path) -> None:
    with (collection / "include/abc/abc.doc").open("a") as file:
        file.write(".INCLUDE abc/abc.doc\n")
    with pytest.raises(InputError, match=r"abc\.doc, line 8: abc/abc\.doc includes itself"):
        unipen.read_strokes(collection / "data")


@pytest.mark.parametrize("content", [b"", b"no statements\n", bytes(range(256)), b".PEN_DOWN\n1 2"])
def test_files_without_digits_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "empty.dat"
    path.write_bytes(content)
    for given in (path, tmp_path):
        with pytest.raises(InputError, match=rf"no digits in {given}: expected a UNIPEN file"):
            unipen.read_strokes(given)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        unipen.read_strokes(tmp_path / "none.dat")
