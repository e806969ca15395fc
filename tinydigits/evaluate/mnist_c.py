"""Digits that others damaged: a folder with a set for each kind of damage, as MNIST-C has it.

N. Mu and J. Gilmer (2019), "MNIST-C: A Robustness Benchmark for Computer Vision", arXiv:1906.02337.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinydigits.data.dataset import Digits
from tinydigits.errors import InputError
from tinydigits.evaluate.metrics import Tally
from tinydigits.sets import pairs

FILES = ("test_images.npy", "test_labels.npy")
UNDAMAGED = "identity"  # MNIST-C's name for the set without damage


@dataclass(frozen=True)
class Assessment:
    """How many digits of each kind are read right."""

    name: str
    tallies: dict[str, Tally]
    """By the name of the kind; ``UNDAMAGED`` may be among them."""
    left_out: int
    """Number of kinds that could not be read."""

    @property
    def damaged(self) -> dict[str, Tally]:
        """The kinds that are damage."""
        return {kind: tally for kind, tally in self.tallies.items() if kind != UNDAMAGED}

    @property
    def total(self) -> Tally:
        """All digits of all kinds together."""
        tallies = self.tallies.values()
        return Tally(sum(each.right for each in tallies), sum(each.total for each in tallies))

    @property
    def mean(self) -> float | None:
        """The mean accuracy over the kinds of damage, in per cent; None if there is none."""
        accuracies = [tally.accuracy for tally in self.damaged.values()]
        return sum(accuracies) / len(accuracies) if accuracies else None


def is_set(path: Path) -> bool:
    """Return whether this is a folder with test digits as NumPy's files in its sub-folders."""
    return any(each.is_file() for file in FILES for each in path.glob(f"*/{file}"))


def kinds_in(folder: Path) -> list[Path]:
    """Return the sub-folders, the undamaged digits first; hidden ones are left out."""
    kinds = (each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    return sorted(kinds, key=lambda kind: (kind.name != UNDAMAGED, kind.name))


def read(kind: Path) -> Digits:
    """Return the test digits of one kind.

    Raises:
        InputError: a file is missing, or the digits cannot be read (see ``pairs.read``).
    """
    missing = [file for file in FILES if not (kind / file).is_file()]
    if missing:
        raise InputError(f"no {' and no '.join(missing)} in {kind}: expected {' and '.join(FILES)}")
    return pairs.read([kind / file for file in FILES])


def figures(tested: Assessment) -> dict[str, Any]:
    """Return the figures as JSON shows them."""
    undamaged = tested.tallies.get(UNDAMAGED)
    return {
        "dataset": tested.name,
        "mean": tested.mean,
        "left_out": tested.left_out,
        "undamaged": undamaged.figures if undamaged else None,
        "kinds": {kind: tally.figures for kind, tally in tested.damaged.items()},
    }


def table(tested: Assessment) -> str:
    """Return the figures as text, with a row for each kind."""
    count = len(tested.damaged)
    width = max(map(len, (*tested.tallies, "kind")))
    lines = [f"{tested.name}: {count} kinds of damage"]
    if tested.left_out:
        lines.append(f"left out: {tested.left_out:,} kinds that could not be read")
    lines.append(f"{'kind':{width}}   digits  accuracy  95 % interval")
    lines += [_row(kind, tally, width) for kind, tally in tested.tallies.items()]
    if tested.mean is not None:
        lines.append(f"{'mean':{width}}  {'':7}  {tested.mean:6.2f} %")
    return "\n".join(lines)


def _row(kind: str, tally: Tally, width: int) -> str:
    low, high = tally.interval
    note = "  undamaged, not in the mean" if kind == UNDAMAGED else ""
    interval = f"{low:.2f}–{high:.2f} %"
    return f"{kind:{width}}  {tally.total:7,}  {tally.accuracy:6.2f} %  {interval}{note}"
