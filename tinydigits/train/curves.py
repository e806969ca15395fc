"""A run's curves: loss and error by epoch, as a picture."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from tinydigits.evaluate.plots import MEASURED, NEUTRAL, WARNING, png
from tinydigits.train.loop import EpochResult


def curves(history: Sequence[EpochResult], warning: str | None) -> bytes:
    """Return a PNG of loss and error by epoch, with validation curves if digits are held out."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    if warning:
        figure.suptitle(warning, color=WARNING)
    loss, error = figure.subplots(1, 2)
    _curve(loss, "training (augmented)", [r.train_loss for r in history], NEUTRAL)
    _curve(loss, "validation", [r.validation_loss for r in history], MEASURED)
    _label(loss, "mean cross-entropy (nats)")
    _curve(error, "training (augmented)", [100 - r.train_accuracy for r in history], NEUTRAL)
    held_out = [r.validation_accuracy for r in history]
    _curve(error, "validation", [None if a is None else 100 - a for a in held_out], MEASURED)
    _label(error, "wrong (%)")
    return png(figure)


def _curve(axes: Axes, name: str, values: Sequence[float | None], colour: str) -> None:
    points = [(epoch, value) for epoch, value in enumerate(values) if value is not None]
    if points:
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, color=colour, label=name)


def _label(axes: Axes, quantity: str) -> None:
    # Logarithmic, since the first epoch is fifty times worse than the last.
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel(quantity)
    axes.grid(alpha=0.3, which="both")
    axes.legend()
