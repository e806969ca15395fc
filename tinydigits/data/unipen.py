"""UNIPEN files: digits as pen strokes, in the text format of Guyon et al. (ICPR 1994).

A file is a list of statements: a dot and a keyword, then its arguments up to the next one. The
points of a ``.PEN_DOWN`` or ``.PEN_UP`` statement are a component. Components are numbered from 0;
a ``.SEGMENT`` says which of them are a digit, and which digit. ``.INCLUDE`` inserts another file.

    .VERSION 1.0
    .COORD X Y
    .SEGMENT DIGIT 0-1 ? "4"
    .PEN_DOWN
    31 90
    20 44
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np

from tinydigits.data.paths import Points
from tinydigits.data.written import Written
from tinydigits.errors import InputError
from tinydigits.files import read_bytes
from tinydigits.net.contract import CLASSES

SUFFIXES = (".dat", ".tra", ".tes")  # of UNIPEN's files and of Pendigits'
VERSION = "1.0"
LEVELS = ("CHARACTER", "DIGIT")  # of segments; words, lines and pages are left out
MOST_COMPONENTS = 1000  # in a range; a digit has up to ten
PER_INCH = {"POINTS_PER_INCH": 1.0, "POINTS_PER_MM": 25.4}

_KEYWORD = re.compile(r"^[ \t]*\.([A-Z][A-Z_]*)", re.MULTILINE)
_SEGMENT = re.compile(r'\s*(\S+)\s+(\S+)\s+(\S+)\s+"(.*)"\s*', re.DOTALL)
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


class Statement(NamedTuple):
    """A keyword and its arguments, with the file and the line they stand in."""

    keyword: str
    arguments: str
    file: Path
    line: int

    def refuse(self, found: str, expected: str) -> NoReturn:
        """Raise an InputError that names the place."""
        raise InputError(f"{self.file}, line {self.line}: {found}, expected {expected}")


class Component(NamedTuple):
    """What a pen did between two lifts: its points, and who moved it."""

    points: Points
    is_down: bool
    writer: str


@dataclass
class Segment:
    """A digit: the numbers of its components, and its label."""

    statement: Statement
    components: list[int]
    label: int
    writer: str | None = None  # named beside the segment; otherwise that of the components


@dataclass
class Recording:
    """What a file's statements say."""

    source: str
    writer: str = ""
    axes: list[str] = field(default_factory=lambda: ["X", "Y"])
    per_inch: dict[str, float] = field(default_factory=dict)
    components: list[Component] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # included files that are not there


def read_strokes(path: Path) -> list[Written]:
    """Return the digits of a UNIPEN file, or of all such files in a folder, in alphabetical order.

    Segments that the donor calls ``BAD`` are left out.

    Raises:
        InputError: a file is unreadable or broken, a label is not a digit, or there are no digits.
    """
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    digits = [digit for file in files for digit in _digits(file)]
    if not digits:
        raise InputError(
            f"no digits in {path}: expected a UNIPEN file with lines such as .SEGMENT DIGIT 0-1 ? "
            f'"4", or a folder of them ({", ".join(SUFFIXES)})'
        )
    return digits


def _digits(file: Path) -> Iterator[Written]:
    recording = Recording(source=file.stem)
    _record(recording, file, inside=())
    for segment in recording.segments:
        yield _written(segment, recording)


def _record(recording: Recording, file: Path, inside: tuple[Path, ...]) -> None:
    """Add a file's statements to the recording; ``inside`` are the files that include it."""
    previous = None
    for statement in _statements(file):
        match statement.keyword:
            case "VERSION":
                _check_version(statement)
            case "INCLUDE":
                _include(recording, statement, (*inside, file.resolve()))
            case "DATA_SOURCE":
                recording.source = statement.arguments.strip() or recording.source
            case "WRITER_ID":
                recording.writer = statement.arguments.strip()
            case "COORD":
                recording.axes = statement.arguments.split()
            case "PEN_DOWN" | "PEN_UP":
                _add_component(recording, statement)
            case "SEGMENT":
                _add_segment(recording, statement)
            case "COMMENT" if previous == "SEGMENT" and recording.segments:
                _name_writer(recording, statement)
            case keyword if keyword[2:] in PER_INCH:
                _set_unit(recording, statement)
        previous = statement.keyword


def _statements(file: Path) -> Iterator[Statement]:
    text = read_bytes(file).decode("latin-1")  # free text was written in many countries
    keywords = list(_KEYWORD.finditer(text))
    ends = [*(keyword.start() for keyword in keywords[1:]), len(text)]
    line, counted = 1, 0
    for keyword, end in zip(keywords, ends, strict=False):  # an empty file has an end, too
        line += text.count("\n", counted, keyword.start(1))
        counted = keyword.start(1)
        yield Statement(keyword[1], text[keyword.end() : end], file, line)


def _check_version(statement: Statement) -> None:
    version = statement.arguments.strip()
    if version != VERSION:
        statement.refuse(f".VERSION {version}", f"{VERSION}, the only one that this reads")


def _include(recording: Recording, statement: Statement, inside: tuple[Path, ...]) -> None:
    """Add an included file; descriptions of pads are often missing, so a missing file is noted."""
    name = statement.arguments.strip()
    for folder in inside[0].parents:
        for file in (folder / name, folder / "include" / name):
            if file.is_file():
                if file.resolve() in inside:
                    statement.refuse(f"{name} includes itself", "another file")
                _record(recording, file, inside)
                return
    recording.missing.append(name)


def _add_component(recording: Recording, statement: Statement) -> None:
    rows = [line.split() for line in statement.arguments.splitlines() if line.strip()]
    if not rows:
        return  # the pen was lifted, and nothing was recorded until it came down
    try:
        values = np.array(rows, np.float64)
        points = values[:, [recording.axes.index(axis) for axis in "XY"]]
    except (ValueError, IndexError):
        statement.refuse("points that are not numbers, or not alike", " ".join(recording.axes))
    if not np.isfinite(points).all():
        statement.refuse("points that are not finite", "numbers")
    is_down = statement.keyword == "PEN_DOWN"
    recording.components.append(Component(points, is_down, recording.writer))


def _add_segment(recording: Recording, statement: Statement) -> None:
    match = _SEGMENT.fullmatch(statement.arguments)
    if not match:
        statement.refuse(f".SEGMENT{statement.arguments.rstrip()}", '.SEGMENT DIGIT 0-1 ? "4"')
    level, components, quality, label = match.groups()
    if level not in LEVELS or quality == "BAD":
        return
    if label not in map(str, range(CLASSES)):
        statement.refuse(f'the label "{label}"', "a digit from 0 to 9")
    numbers: list[int] = []
    for part in components.split(","):
        ends = _RANGE.fullmatch(part)
        first, last = (int(ends[1]), int(ends[2] or ends[1])) if ends else (1, 0)
        if not 0 <= last - first < MOST_COMPONENTS:
            statement.refuse(f"the components {components}", "numbers such as 3 or 0-1")
        numbers += range(first, last + 1)
    recording.segments.append(Segment(statement, numbers, int(label)))


def _name_writer(recording: Recording, statement: Statement) -> None:
    """Take the writer from the comment below a segment: Pendigits has label, writer and number."""
    words = statement.arguments.split()
    segment = recording.segments[-1]
    if len(words) == 3 and words[0] == str(segment.label):
        segment.writer = words[1]


def _set_unit(recording: Recording, statement: Statement) -> None:
    axis, unit = statement.keyword[0], statement.keyword[2:]
    try:
        value = float(statement.arguments)
    except ValueError:
        value = 0.0
    if not 0 < value < np.inf:
        statement.refuse(f"{value:g} points", "a number above 0")
    recording.per_inch[axis] = value * PER_INCH[unit]


def _written(segment: Segment, recording: Recording) -> Written:
    """Return a segment's digit; both axes get the same unit, and y points down."""
    parts = []
    for number in segment.components:
        if number >= len(recording.components):
            missing = f" ({', '.join(recording.missing)} not found)" if recording.missing else ""
            segment.statement.refuse(
                f"component {number} of {len(recording.components)}{missing}",
                "components with points before the end of the file",
            )
        parts.append(recording.components[number])
    per_inch = [recording.per_inch.get(axis, 1.0) for axis in "XY"]
    scale = np.array((per_inch[1] / per_inch[0], -1))
    strokes = [part.points * scale for part in parts if part.is_down]
    if not any(len(np.unique(stroke, axis=0)) > 1 for stroke in strokes):
        segment.statement.refuse("a segment without ink", "components with two points or more")
    writer = segment.writer or parts[0].writer
    return Written(strokes, segment.label, f"{recording.source}/{writer}")
