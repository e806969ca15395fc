"""How well whole numbers are read: pictures that a CSV file lists, with what they say."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from tinydigits.errors import InputError
from tinydigits.evaluate.metrics import Tally
from tinydigits.evaluate.strings import digits_right
from tinydigits.files import read_bytes
from tinydigits.reading.page import Page
from tinydigits.reading.read_command import marked_copy

FILE, TEXT, KIND = "file", "text", "kind"  # columns
NUMBERS = re.compile(r"[0-9]+(\n[0-9]+)*")
SMALLEST_FONT = 16  # pixels, of a mistake's caption


@dataclass(frozen=True)
class Labelled:
    """A picture and what it says."""

    row: int
    """In the CSV file; row 1 holds the columns' names."""
    file: str
    """As the CSV file names it."""
    path: str
    """Where the file is; absolute."""
    text: str
    """Its digits, with a line feed between lines."""
    kind: str
    """Empty if none is given."""


@dataclass(frozen=True)
class Listed:
    """What a CSV file lists."""

    pictures: tuple[Labelled, ...]
    faults: tuple[str, ...]
    """Why each of the other rows cannot be used, in one line."""

    @property
    def total(self) -> int:
        """Number of rows."""
        return len(self.pictures) + len(self.faults)


@dataclass(frozen=True)
class Answer:
    """What is read in a picture."""

    picture: Labelled
    page: Page

    @property
    def is_right(self) -> bool:
        """Whether all digits and lines are as expected."""
        return self.page.text == self.picture.text


@dataclass(frozen=True)
class Assessment:
    """What is read in the pictures that a CSV file lists."""

    name: str
    answers: tuple[Answer, ...]
    left_out: int
    """Number of rows that cannot be used."""

    @property
    def by_kind(self) -> dict[str, tuple[Answer, ...]]:
        """The answers of each kind, in the order of the rows; empty if no picture has a kind."""
        kinds = dict.fromkeys(each.picture.kind for each in self.answers)
        if not any(kinds):
            return {}
        return {
            kind: tuple(each for each in self.answers if each.picture.kind == kind)
            for kind in kinds
        }


def listed(path: Path) -> Listed:
    r"""Return the pictures that a CSV file lists.

    Its columns are ``file``, a path from the CSV file's folder; ``text``, the digits, with a line
    feed between lines, also written as ``\n``; and, if wanted, ``kind``. Others are ignored.

    Raises:
        InputError: the file cannot be read, is not CSV, lacks a column, or lists no pictures.
    """
    header, *rows = _rows(path) or [[]]
    names = [" ".join(name.split()).lower() for name in header]
    if not {FILE, TEXT} <= set(names):
        raise InputError(
            f"{path} has the columns {', '.join(names) or '(none)'}: expected {FILE} and {TEXT}, "
            f"separated by a comma, and optionally {KIND}"
        )
    entries = [
        _entry(number, names, [cell.strip() for cell in row], path.absolute().parent)
        for number, row in enumerate(rows, 2)
        if any(cell.strip() for cell in row)
    ]
    if not entries:
        raise InputError(
            f"{path} lists no pictures: expected a row with {FILE} and {TEXT} for each"
        )
    return Listed(
        tuple(each for each in entries if isinstance(each, Labelled)),
        tuple(each for each in entries if isinstance(each, str)),
    )


def _rows(path: Path) -> list[list[str]]:
    try:
        text = read_bytes(path).decode("utf-8-sig")  # spreadsheets write a byte order mark
        # Strict: a quotation mark that is never closed would hide all rows below it.
        return list(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a CSV file in UTF-8: {error}") from error


def _entry(number: int, names: list[str], row: list[str], folder: Path) -> Labelled | str:
    """Return the picture of a row, or why the row cannot be used."""
    if any(row[len(names) :]):
        return f"row {number}: {len(row)} cells for {len(names)} columns: quote cells with commas"
    cells = dict.fromkeys(names, "") | dict(zip(names, row, strict=False))
    file, text = cells[FILE], _lines(cells[TEXT])
    if not file:
        return f"row {number}: no file: expected the path of a picture"
    if not NUMBERS.fullmatch(text):
        return f"row {number}: {file}: the text is {cells[TEXT]!r}: expected digits 0 to 9"
    return Labelled(number, file, str(folder / file), text, cells.get(KIND, ""))


def _lines(text: str) -> str:
    """Return a text with one line feed between lines, and no spaces around them."""
    lines = (line.strip() for line in text.replace("\\n", "\n").splitlines())
    return "\n".join(line for line in lines if line)


def wholes(answers: Sequence[Answer]) -> Tally:
    """Return in how many pictures all digits and lines are read right."""
    right = [each.is_right for each in answers]
    return Tally(sum(right), len(right))


def digits(answers: Sequence[Answer]) -> Tally:
    """Return how many digits are read right, by edit distance (see ``digits_right``)."""
    pairs = [(each.page.text, each.picture.text) for each in answers]
    right = sum(digits_right(read, expected) for read, expected in pairs)
    return Tally(right, sum(len(expected.replace("\n", "")) for _, expected in pairs))


def figures(tested: Assessment) -> dict[str, Any]:
    """Return the figures as JSON shows them; ``kinds`` only if a picture has a kind."""
    told = {"dataset": tested.name, "left_out": tested.left_out, **_both(tested.answers)}
    kinds = {kind: _both(answers) for kind, answers in tested.by_kind.items()}
    return told | ({"kinds": kinds} if kinds else {})


def _both(answers: Sequence[Answer]) -> dict[str, Any]:
    return {"whole": wholes(answers).figures, "digits": digits(answers).figures}


def table(tested: Assessment) -> str:
    """Return the figures as text, with a row for each kind."""
    rows = [("", "whole numbers right", "digits right"), _row("all", tested.answers)]
    rows += [_row(kind or "–", answers) for kind, answers in tested.by_kind.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"{tested.name}: pictures of numbers, with 95 % intervals"]
    if tested.left_out:
        lines.append(f"left out: {tested.left_out:,} rows that could not be used")
    for row in rows:
        cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _row(name: str, answers: Sequence[Answer]) -> tuple[str, str, str]:
    return name, str(wholes(answers)), str(digits(answers))


def mistake(answer: Answer) -> Image.Image:
    """Return a picture below what is expected and what is read, with a box for each digit read.

    Raises:
        InputError: the picture cannot be opened.
    """
    copy = marked_copy(answer.picture.path, answer.page)
    size = max(SMALLEST_FONT, copy.width // 40)
    read = _in_one_line(answer.page.text) or "no digit"
    caption = f"expected {_in_one_line(answer.picture.text)}\nread {read}"
    edges = ImageDraw.Draw(copy).multiline_textbbox((size, size), caption, font_size=size)
    width, height = (int(edge) + size for edge in edges[2:])
    image = Image.new("RGB", (max(width, copy.width), height + copy.height), "white")
    ImageDraw.Draw(image).multiline_text((size, size), caption, "black", font_size=size)
    image.paste(copy, (0, height))
    return image


def _in_one_line(text: str) -> str:
    return text.replace("\n", " / ")
