"""Plot the records: accuracy against training time, and accuracy against parameters.

Each recipe is shown with its seeds and its mean with the 95 % interval, from the ``runs.jsonl`` of
its record. Public results are published figures, each with its source in ``anchors.py``; most are
single runs.

    python benchmarks/figures.py --records records --out docs
"""

import argparse
import statistics
import sys
from pathlib import Path

from anchors import ANCHORS, Anchor  # beside this file
from matplotlib.axes import Axes
from matplotlib.figure import Figure

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.errors import exit_code
from tinydigits.study import ledger
from tinydigits.study.ledger import Ledger
from tinydigits.study.student import summarise
from tinydigits.train.recipes import RECIPES

PARAMETERS = 13_034
# One per recipe, in order. The markers are hollow, so that equal means do not hide each other.
COLOURS = ("#555555", "#d62728", "#1f77b4", "#2ca02c")
MARKERS = ("s", "o", "^", "D")
BAR = 99.40  # per cent
DPI = 120


def studies(records: Path) -> dict[str, Ledger]:
    """Return the newest record of each recipe that has one."""
    found: dict[str, Ledger] = {}
    for recipe in RECIPES:
        folders = sorted(path.parent for path in records.glob(f"*-{recipe}/{ledger.CONFIG}"))
        if folders:
            found[recipe] = ledger.read(folders[-1])
    return found


def accuracy_against_time(recipes: dict[str, Ledger]) -> Figure:
    """Return the figure of each run's accuracy (%) against its seconds on one core."""
    figure, axes = _figure()
    for (name, study), colour, marker in zip(recipes.items(), COLOURS, MARKERS, strict=False):
        seconds = [run.seconds_training for run in study.runs]
        accuracies = list(study.accuracies.values())
        axes.scatter(seconds, accuracies, s=9, alpha=0.35, color=colour, linewidths=0)
        _mean(axes, statistics.median(seconds), accuracies, name, colour, marker)
    for anchor in ANCHORS:
        if anchor.seconds:
            _anchor(axes, anchor.seconds, anchor)
    _finish(axes, "training time of a seed on one core, two seeds side by side (s)", (0.3, 1000))
    return figure


def accuracy_against_parameters(recipes: dict[str, Ledger]) -> Figure:
    """Return the figure of the recipes' means and the public results (%) against the net's size."""
    figure, axes = _figure()
    for (name, study), colour, marker in zip(recipes.items(), COLOURS, MARKERS, strict=False):
        _mean(axes, PARAMETERS, list(study.accuracies.values()), name, colour, marker)
    for anchor in ANCHORS:
        if anchor.parameters:
            _anchor(axes, anchor.parameters, anchor)
    _finish(axes, "parameters", (100, 3e7))
    return figure


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.axhline(BAR, color="0.8", linewidth=1, zorder=0)
    axes.set_ylabel("MNIST test accuracy (%)")
    return figure, axes


def _mean(
    axes: Axes, x: float, accuracies: list[float], name: str, colour: str, marker: str
) -> None:
    told = summarise(accuracies)
    low, high = told.interval or (told.mean, told.mean)
    axes.errorbar(
        [x],
        [told.mean],
        yerr=[[told.mean - low], [high - told.mean]],
        fmt=marker,
        fillstyle="none",
        color=colour,
        capsize=4,
        label=f"{name}: {told.mean:.2f} % (n = {told.n})",
    )


def _anchor(axes: Axes, x: float, anchor: Anchor) -> None:
    axes.plot([x], [anchor.accuracy], "x", color="black")
    # Labels point away from the recipes, whose nets all have PARAMETERS.
    left = anchor.parameters is not None and anchor.parameters < PARAMETERS
    axes.annotate(
        f"{anchor.label}\n{anchor.runs}",
        (x, anchor.accuracy),
        xytext=(-7 if left else 7, 0),
        textcoords="offset points",
        fontsize=7,
        ha="right" if left else "left",
        va="center",
    )


def _finish(axes: Axes, label: str, limits: tuple[float, float]) -> None:
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    axes.margins(y=0.1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.set_xlabel(label)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)


def main() -> None:
    """Draw both figures and write them to ``--out``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=Path, default=ROOT / "records")
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    options = parser.parse_args()

    recipes = studies(options.records)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, draw in (
        ("time", accuracy_against_time),
        ("parameters", accuracy_against_parameters),
    ):
        path = options.out / f"accuracy-{name}.png"
        draw(recipes).savefig(path, dpi=DPI)
        print(f"wrote {path}")


if __name__ == "__main__":
    sys.exit(exit_code(main))
