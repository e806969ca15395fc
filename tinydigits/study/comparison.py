"""Compare two studies seed by seed: which is better, and how certain that is."""

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinydigits.errors import InputError
from tinydigits.study import ledger
from tinydigits.study.ledger import Ledger
from tinydigits.study.student import Summary, pairs_needed, summarise

DIFFERENCES = (0.05, 0.02, 0.01)  # points: differences that a reader may want to detect


@dataclass(frozen=True)
class Comparison:
    """Two studies on the same digits that share at least two seeds."""

    a: Ledger
    b: Ledger

    @property
    def seeds(self) -> list[int]:
        """The seeds in both studies, ascending."""
        return sorted(self.a.accuracies.keys() & self.b.accuracies.keys())

    @property
    def means(self) -> tuple[float, float]:
        """Mean accuracy of A and of B over those seeds, in per cent."""
        mean_a, mean_b = (
            statistics.mean(study.accuracies[seed] for seed in self.seeds)
            for study in (self.a, self.b)
        )
        return mean_a, mean_b

    @property
    def difference(self) -> Summary:
        """B's accuracy minus A's over those seeds, in points, paired by seed."""
        # Rounded like the accuracies, so that equal decimals are equal in binary too.
        return summarise(
            [round(self.b.accuracies[seed] - self.a.accuracies[seed], 4) for seed in self.seeds]
        )

    @property
    def needed(self) -> dict[float, int]:
        """Number of seeds needed to find each of DIFFERENCES (see ``student.pairs_needed``).

        Empty if all seeds differ by the same amount: the spread is then unknown.
        """
        sd = self.difference.sd
        return {points: pairs_needed(points, sd) for points in DIFFERENCES} if sd else {}

    @property
    def options(self) -> dict[str, tuple[Any, Any]]:
        """The options in which the two differ, with A's and B's values."""
        return ledger.differing(self.a.config, self.b.config)


def comparison_of(a: Path, b: Path) -> Comparison:
    """Return the comparison of the studies in two folders.

    Raises:
        InputError: a folder contains no study, or the studies are on different digits or share
            fewer than two seeds.
    """
    compared = Comparison(ledger.read(a), ledger.read(b))
    if compared.a.dataset != compared.b.dataset:
        raise InputError(
            f"{a} is a study on {compared.a.dataset} and {b} on {compared.b.dataset}: give two "
            "studies on the same digits"
        )
    if len(compared.seeds) < 2:
        raise InputError(
            f"{a} and {b} share {len(compared.seeds)} seeds, expected at least 2: run the same "
            "seeds with tinydigits study --seeds"
        )
    return compared


def figures(compared: Comparison) -> dict[str, Any]:
    """Return a comparison's figures, ready for JSON."""
    difference = compared.difference
    mean_a, mean_b = compared.means
    return {
        "dataset": compared.a.dataset,
        "warning": compared.a.warning,
        "seeds": compared.seeds,
        "mean_a": mean_a,
        "mean_b": mean_b,
        "difference": difference.mean,
        "sd": difference.sd,
        "interval": difference.interval,
        "p": difference.p_value,
        "needed": {f"{points:g}": seeds for points, seeds in compared.needed.items()},
        "options": compared.options,
    }


def render(compared: Comparison, a: Path, b: Path) -> str:
    """Return a comparison as text; ``a`` and ``b`` are the folders."""
    n = len(compared.seeds)
    mean_a, mean_b = compared.means
    changed = [f"--{name} {old} → {new}" for name, (old, new) in compared.options.items()]
    lines = [
        f"A: mean {mean_a:.3f} % ({a})",
        f"B: mean {mean_b:.3f} % ({b})",
        f"B − A: {_difference(compared.difference)}",
        f"options: {', '.join(changed) or 'the same'}",
    ]
    lonely = [len(study.runs) - n for study in (compared.a, compared.b)]
    if any(lonely):
        lines.append(f"left out: {lonely[0]} seeds that only A has, {lonely[1]} that only B has")
    if compared.needed:
        lines.append("seeds that find a difference (80 % power, two-sided test at 5 %):")
    for points, needed in compared.needed.items():
        more = f"{needed - n:,} more" if needed > n else "enough are here"
        lines.append(f"  {points:.2f} points: {needed:,} ({more})")
    return "\n".join(lines)


def _difference(difference: Summary) -> str:
    if not difference.interval:
        return (
            f"{difference.mean:+.3f} points for each of {difference.n} seeds: no spread, so "
            "no interval and no test"
        )
    low, high = difference.interval
    return (
        f"{difference.mean:+.3f} points (n = {difference.n} pairs, 95 % interval {low:+.3f} to "
        f"{high:+.3f}, p = {difference.p_value:.2g})"
    )
