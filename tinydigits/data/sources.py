"""Sources of digits: values of ``--data``, ``--data-dir`` and ``--strokes``, and a warning.

Nothing here needs PyTorch, so ``--help`` appears at once.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from tinydigits.errors import InputError

Source = Literal["auto", "mnist", "synthetic"]
NAMED: tuple[Source, ...] = ("auto", "mnist", "synthetic")
MODEL = "model"  # the value of --strokes that stands for the package's model of shapes

EXACT = 1e-6  # by how much shares may miss 1

SYNTHETIC_WARNING = "SYNTHETIC digits, drawn by a program: these are not MNIST results"


class Wanted(NamedTuple):
    """A source of digits, and its share of the digits to train on, if one is wanted."""

    name: str
    """One of ``NAMED``, or a path."""
    share: float | None


def parse_sources(values: Sequence[str]) -> list[Wanted]:
    """Return the sources that values of ``--data`` such as ``mnist`` or ``mine=0.25`` name.

    Of a source that is named twice, the last share counts, as of every option: a recipe's can be
    changed.

    Raises:
        InputError: a share is not between 0 and 1.
    """
    wanted = [_source(value) for value in values or NAMED[:1]]
    # ``auto`` stands for MNIST: beside it, it would be the same digits once more.
    return list({"mnist" if each.name == "auto" else each.name: each for each in wanted}.values())


def check_shares(wanted: Sequence[Wanted]) -> None:
    """Check that the shares of sources make up the digits to train on.

    Raises:
        InputError: they leave nothing for the sources without one, or all have one and something is
            left.
    """
    shares = [each.share for each in wanted if each.share is not None]
    if len(shares) < len(wanted) and sum(shares) >= 1:
        raise InputError(f"the shares of --data add up to {sum(shares):g}: expected less than 1")
    if len(shares) == len(wanted) and abs(sum(shares) - 1) > EXACT:
        raise InputError(
            f"the shares of --data add up to {sum(shares):g}: add your own digits without a share, "
            "such as --data my-digits, or let the shares add up to 1"
        )


def _source(value: str) -> Wanted:
    name, _, share = value.rpartition("=")
    if not name or Path(value).exists():
        return Wanted(value, None)
    try:
        number = float(share)
    except ValueError:
        return Wanted(value, None)
    if not 0 < number <= 1:
        raise InputError(f"--data {value}: the share is {share}, but must be above 0, at most 1")
    return Wanted(name, number)


def mnist_folder() -> Path:
    """Return the default folder of the MNIST files: $TINYDIGITS_DATA if set, otherwise ``data``."""
    return Path(os.environ.get("TINYDIGITS_DATA") or "data")
