"""The journal: a line for each decision, in the order in which they were made."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from tinydigits.errors import InputError
from tinydigits.files import append_line, cut_half_line, whole_lines
from tinydigits.net.contract import CLASSES

FILE = "labels.jsonl"

Label = int | Literal["none"]
"""A digit, or ``none`` for a picture that is no digit."""


@dataclass(frozen=True)
class Decision:
    """What was decided about a picture."""

    time: str
    """In ISO format."""
    key: str
    """Of the picture: see ``Scan``."""
    file: str
    """Its path from the folder that was given."""
    label: Label | None
    """None if an earlier decision was taken back."""
    suggested: int | None
    """The net's answer; None without one."""
    probability: float | None
    """That of the answer, 0 to 1; None without one."""


def now() -> str:
    """Return the time for a decision."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def is_label(value: object) -> bool:
    """Return whether a value is a label."""
    is_digit = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < CLASSES
    return is_digit or value == "none"


def read(folder: Path) -> list[Decision]:
    """Return the decisions in a folder's journal, without a half-written last line.

    Raises:
        InputError: the journal cannot be read, or a line is damaged.
    """
    path = folder / FILE
    return list(_decisions(path))


def _decisions(path: Path) -> Iterator[Decision]:
    for number, line in enumerate(whole_lines(path), 1):
        try:
            decision = Decision(**json.loads(line))
        except (ValueError, TypeError):
            decision = None
        if decision is None or not _is_plausible(decision):
            raise InputError(
                f"{path} line {number} is damaged: {line[:40]!r}, expected a decision; delete the "
                "line: labelled pictures stay where they are"
            )
        yield decision


def _is_plausible(decision: Decision) -> bool:
    return isinstance(decision.key, str) and (decision.label is None or is_label(decision.label))


def begin(folder: Path) -> None:
    """Prepare a folder's journal for ``append``: cut off a half-written line.

    Raises:
        InputError: the journal cannot be written.
    """
    cut_half_line(folder / FILE)


def append(folder: Path, decision: Decision) -> None:
    """Append a decision to a folder's journal; return once it is on the disk.

    Raises:
        InputError: the journal cannot be written, or the disk is full.
    """
    advice = "make room on the disk, then decide again"
    append_line(folder / FILE, json.dumps(asdict(decision)), advice)
