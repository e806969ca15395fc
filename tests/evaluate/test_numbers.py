"""``tinydigits evaluate LABELS.csv``: how many whole numbers are read."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from tests.pictures import drawn
from tinydigits.cli import main
from tinydigits.evaluate.strings import digits_right

Row = tuple[str, ...]
COLUMNS = ("file", "text")
RED = (220, 40, 40)  # of boxes


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def number(text: str) -> Image.Image:
    """Return a drawing that says this: as clear as numbers can be written."""
    lines = text.split("\n")
    size = (40 + 70 * max(map(len, lines)), 40 + 130 * len(lines))
    image = np.full(size[::-1], 255, np.uint8)
    for row, line in enumerate(lines):
        for column, digit in enumerate(line):
            box = (30 + 70 * column, 30 + 130 * row, 50, 80)
            image = np.minimum(image, np.asarray(drawn(int(digit), size=size, box=box, pen=8)))
    return Image.fromarray(image)


@pytest.fixture
def pictures() -> None:
    """Pictures named after what they say, and one that says nothing."""
    for name, text in {"27": "27", "907": "907", "40815": "40815", "31-592": "31\n592"}.items():
        number(text).save(f"{name}.png")
    Image.new("L", (60, 40), 255).save("blank.png")


def write(*rows: Row, columns: Row = COLUMNS, file: str = "labels.csv") -> None:
    with open(file, "w", newline="", encoding="utf-8") as labels:
        csv.writer(labels).writerows((columns, *rows))


def figures(capsys: pytest.CaptureFixture[str], file: str = "labels.csv", code: int = 0) -> Any:
    assert main(["evaluate", file, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def figure(right: int, total: int) -> dict[str, Any]:
    """Return what JSON says of a count, with the interval of SciPy."""
    low, high = stats.binomtest(right, total).proportion_ci(method="wilson")
    return {
        "accuracy": pytest.approx(100 * right / total),
        "wrong": total - right,
        "total": total,
        "interval": [pytest.approx(100 * low, abs=1e-4), pytest.approx(100 * high, abs=1e-4)],
    }


@pytest.mark.parametrize(
    ("read", "expected", "right"),
    [
        ("1234", "1234", 4),
        ("1284", "1234", 3),
        ("124", "1234", 3),
        ("12934", "1234", 3),  # one is invented
        ("2341", "1234", 2),  # left out at one end, invented at the other
        ("", "1234", 0),
        ("567890", "12", 0),  # never less than none
        ("12\n34", "1234", 4),  # line feeds are no digits
        ("1234", "12\n34", 4),
    ],
)
def test_digits_are_right_less_the_edits_that_correct_the_text(
    read: str, expected: str, right: int
) -> None:
    assert digits_right(read, expected) == right


@pytest.mark.usefixtures("pictures")
def test_numbers_and_digits_are_counted_by_kind(capsys: pytest.CaptureFixture[str]) -> None:
    rows = (
        ("27.png", "27", "short"),
        ("40815.png", "40815", "long"),
        ("907.png", "901", "short"),
        ("31-592.png", "31\n592", "long"),
        ("40815.png", "15", "long"),  # more mistakes than digits
    )
    write(*rows, columns=("file", "text", "kind"))
    assert figures(capsys) == {
        "dataset": "labels.csv",
        "left_out": 0,
        "whole": figure(3, 5),
        "digits": figure(14, 17),
        "kinds": {
            "short": {"whole": figure(1, 2), "digits": figure(4, 5)},
            "long": {"whole": figure(2, 3), "digits": figure(10, 12)},
        },
    }


@pytest.mark.usefixtures("pictures")
def test_without_kinds_there_is_only_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    write(("27.png", "27"), ("907.png", "907"))
    assert set(figures(capsys)) == {"dataset", "left_out", "whole", "digits"}
    write(("27.png", "27", " "), ("907.png", "907", ""), columns=("file", "text", "kind"))
    assert "kinds" not in figures(capsys)


@pytest.mark.usefixtures("pictures")
def test_the_table_shows_counts_shares_and_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    rows = (("27.png", "27", "all"), ("907.png", "901", "slim"), ("907.png", "907", ""))
    write(*rows, ("gone.png", "7", "slim"), columns=("file", "text", "kind"))
    assert main(["evaluate", "labels.csv"]) == 1
    first, left_out, columns, *lines = capsys.readouterr().out.splitlines()
    assert first == "labels.csv: pictures of numbers, with 95 % intervals"
    assert left_out == "left out: 1 rows that could not be used"
    assert columns.split("  ")[-1] == "digits right"
    assert [line.split()[0] for line in lines] == ["all", "all", "slim", "–"]
    low, high = (100 * edge for edge in stats.binomtest(2, 3).proportion_ci(method="wilson"))
    assert f"2 of 3, 66.67 % ({low:.2f}–{high:.2f} %)  " in lines[0]
    assert "  7 of 8, 87.50 % (" in lines[0]
    assert "  2 of 3, 66.67 % (" in lines[2]
    counts = zip(lines, ("7 of", "2 of", "2 of", "3 of"), strict=True)
    places = {line.rindex(count) for line, count in counts}
    assert places == {columns.index("digits right")}


@pytest.mark.parametrize(
    "content",
    [
        'file,text\n31-592.png,"31\n592"\n',
        'file,text\r\n31-592.png,"31\r\n592\r\n"\r\n',
        "file,text\n31-592.png,31\\n592\n",
        "\ufefffile,text\n31-592.png,31\\n592\n",
        'File, Text\n31-592.png, "31 \\n\n 592"\n',
        'note,text,file\n,31\\n592,31-592.png\n\n"a, b",31\\n592,31-592.png,\n',
    ],
    ids=["line feed", "Windows", "backslash", "byte order mark", "spaces", "more columns"],
)
@pytest.mark.usefixtures("pictures")
def test_lines_are_written_in_several_ways(
    capsys: pytest.CaptureFixture[str], content: str
) -> None:
    Path("labels.csv").write_bytes(content.encode())
    told = figures(capsys)
    assert told["whole"]["wrong"] == 0
    assert told["digits"]["total"] == 5 * told["whole"]["total"]


@pytest.mark.usefixtures("pictures")
def test_paths_start_at_the_folder_of_the_csv_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("scans/old").mkdir(parents=True)
    Path("907.png").rename("scans/old/907.png")
    rows = (("old/907.png", "907"), ("../27.png", "27"), (str(tmp_path / "40815.png"), "40815"))
    write(*rows, file="scans/labels.CSV")
    assert figures(capsys, "scans/labels.CSV")["whole"] == figure(3, 3)
    monkeypatch.chdir("scans/old")
    assert figures(capsys, "../labels.CSV")["whole"] == figure(3, 3)


@pytest.mark.usefixtures("pictures")
def test_a_picture_without_a_digit_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    write(("blank.png", "123"), ("27.png", "27"))
    told = figures(capsys)
    assert (told["whole"], told["digits"]) == (figure(1, 2), figure(2, 5))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("gone.png", "12"), "gone.png: No such file or directory; expected a complete picture"),
        (("labels.csv", "12"), "labels.csv: not a picture in a readable format"),
        ((".", "12"), ".: Is a directory"),
        (("27.png", "twelve"), "27.png: the text is 'twelve': expected digits 0 to 9"),
        (("27.png", "2 7"), "27.png: the text is '2 7': expected digits"),
        (("27.png", "2.7"), "27.png: the text is '2.7': expected digits"),
        (("27.png", "٢٧"), "27.png: the text is '٢٧': expected digits"),
        (("27.png", ""), "27.png: the text is '': expected digits"),
        (("27.png",), "27.png: the text is '': expected digits"),
        (("", "27"), "no file: expected the path of a picture"),
        (("27.png", "2", "7"), "3 cells for 2 columns: quote cells with commas"),
    ],
)
@pytest.mark.usefixtures("pictures")
def test_a_wrong_row_gets_one_line_and_the_rest_is_evaluated(
    capsys: pytest.CaptureFixture[str], row: Row, message: str
) -> None:
    write(("31-592.png", "31\n592"), (), row, ("907.png", "907"))
    assert main(["evaluate", "labels.csv", "--json"]) == 1
    printed, complained = capsys.readouterr()
    assert complained.startswith(f"error: labels.csv, row 4: {message}")
    assert complained.count("\n") == 1
    told = json.loads(printed)
    assert (told["left_out"], told["whole"]) == (1, figure(2, 2))


def test_standard_input_is_no_picture_of_a_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # reading it would raise another error
    write(("-", "12"))
    assert main(["evaluate", "labels.csv"]) == 2
    assert "row 2: -: No such file" in capsys.readouterr().err


def test_if_nothing_is_left_the_command_fails(capsys: pytest.CaptureFixture[str]) -> None:
    write(("gone.png", "12"), ("gone.png", "twelve"))
    assert main(["evaluate", "labels.csv"]) == 2
    printed, complained = capsys.readouterr()
    assert printed == ""
    assert len(complained.splitlines()) == 3
    assert complained.endswith(
        "error: no picture is left of the 2 in labels.csv: correct its rows\n"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"file,kind\n27.png,a\n", "labels.csv has the columns file, kind: expected file and text"),
        (b"text\n27\n", "labels.csv has the columns text: expected file and text"),
        (b"file;text\n27.png;27\n", "labels.csv has the columns file;text: expected file and text"),
        (b"", "labels.csv has the columns (none): expected file and text"),
        (b"file,text\n\n , \n", "labels.csv lists no pictures: expected a row"),
        (b"\x89PNG", "labels.csv is not a CSV file in UTF-8: 'utf-8' codec can't decode"),
        # Read leniently, this is one row, and the second picture is lost.
        (b'file,text\n27.png,"27\n907.png,907\n', "labels.csv is not a CSV file in UTF-8: unexp"),
    ],
)
@pytest.mark.usefixtures("pictures")
def test_files_that_are_no_such_table_get_one_line(
    capsys: pytest.CaptureFixture[str], content: bytes, message: str
) -> None:
    Path("labels.csv").write_bytes(content)
    assert main(["evaluate", "labels.csv"]) == 2
    printed, complained = capsys.readouterr()
    assert printed == ""
    assert complained.startswith(f"error: {message}")
    assert complained.count("\n") == 1


def test_a_missing_table_gets_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "gone.csv"]) == 2
    assert capsys.readouterr().err == (
        "error: cannot read gone.csv: No such file or directory; give a readable file\n"
    )


@pytest.mark.parametrize(
    "option", [["--model", "best"], ["--corruptions"], ["--invert"], ["--transpose"]], ids=" ".join
)
@pytest.mark.usefixtures("pictures")
def test_options_for_single_digits_are_errors(
    capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    write(("27.png", "27"))
    assert main(["evaluate", "labels.csv", *option]) == 2
    printed, complained = capsys.readouterr()
    assert (printed, complained) == (
        "",
        f"error: {option[0]} is for single digits, but labels.csv lists whole numbers: "
        "leave it out\n",
    )


def test_a_folder_may_be_named_like_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.csv/1").mkdir(parents=True)
    drawn(1).save("mine.csv/1/one.png")
    assert figures(capsys, "mine.csv")["total"] == 1


@pytest.mark.usefixtures("pictures")
def test_every_mistake_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    rows = (("27.png", "27"), ("907.png", "901"), ("31-592.png", "31\n597"), ("blank.png", "4"))
    write(*rows)
    assert main(["evaluate", "labels.csv", "--plots", "wrong"]) == 0
    assert capsys.readouterr().err == "wrote 3 mistakes to wrong\n"
    written = sorted(path.name for path in Path("wrong").iterdir())
    assert written == ["0003-907.png", "0004-31-592.png", "0005-blank.png"]
    for name, boxes in zip(written, (3, 5, 0), strict=True):
        with Image.open(f"wrong/{name}") as mistake, Image.open(name[5:]) as picture:
            caption = mistake.height - picture.height
            drawing = np.asarray(mistake)[caption:, : picture.width]
            assert (drawing == RED).all(-1).any() == bool(boxes)
            grey = drawing.max(-1)
            assert (np.asarray(picture) < 100).sum() == pytest.approx((grey < 100).sum(), rel=0.1)
            text = np.asarray(mistake)[:caption].min(-1) < 100
            # Two lines of text that end before the edges.
            rows_with_text = text.any(1)
            assert np.diff(rows_with_text.astype(int)).clip(0).sum() >= 2
            assert not text[:, -1].any()
            assert not rows_with_text[-1]


@pytest.mark.usefixtures("pictures")
def test_the_caption_of_a_mistake_says_what_is_expected_and_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    captions = []
    original = "PIL.ImageDraw.ImageDraw.multiline_text"
    monkeypatch.setattr(original, lambda _, __, text, *___, **____: captions.append(text))
    write(("31-592.png", "31\n597"), ("blank.png", "4"))
    assert main(["evaluate", "labels.csv", "--plots", "wrong"]) == 0
    assert captions == ["expected 31 / 597\nread 31 / 592", "expected 4\nread no digit"]


@pytest.mark.usefixtures("pictures")
def test_without_mistakes_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    write(("27.png", "27"))
    assert main(["evaluate", "labels.csv", "--plots", "wrong"]) == 0
    assert capsys.readouterr().err == "wrote 0 mistakes to wrong\n"
    assert not Path("wrong").exists()


@pytest.mark.usefixtures("pictures")
def test_mistakes_that_cannot_be_written_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("wrong").write_text("a file")
    write(("27.png", "21"))
    assert main(["evaluate", "labels.csv", "--plots", "wrong"]) == 2
    assert "cannot write wrong/0002-27.png" in capsys.readouterr().err
