"""Plots of a net's answers; each function returns the bytes of a PNG."""

import io
import math
import statistics
from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional

from tinydigits.evaluate.metrics import BINS, Report, wilson

NEUTRAL, MEASURED, WARNING = "#7f7f7f", "#1f77b4", "#d62728"
ERRORS = LinearSegmentedColormap.from_list("errors", ["white", WARNING]).with_extremes(bad="0.88")
DPI = 120
WIDTH = 7.0  # inches
# A mistake's cell, in the digit's pixels: margins around it and two lines of text below.
MARGIN, CAPTION = 3, 11
CELL_WIDTH, CELL_HEIGHT = 28 + 2 * MARGIN, 28 + MARGIN + CAPTION
PIXELS_AN_INCH = CELL_WIDTH  # a cell is an inch wide
LARGEST = 10_000  # pixels a side: even the plot of a net that is always wrong can be opened


def confusion(report: Report, name: str) -> bytes:
    """Return the confusion matrix: the count of each answer to each label, errors in colour.

    ``name`` identifies the net and the digits in the title, in up to 70 characters; it must say if
    the digits are synthetic. The same holds for the plots below.
    """
    figure = _titled(name, str(report), height=7.2)
    axes = figure.subplots()
    counts = report.confusion
    # The diagonal is a thousand times larger: on one scale with it, all errors would be white.
    errors = counts.float().fill_diagonal_(math.nan)
    most = max(1.0, errors.nan_to_num().max().item())
    axes.imshow(errors.numpy(), cmap=ERRORS, vmin=0, vmax=most)
    for label, row in enumerate(counts.tolist()):
        for answer, count in enumerate(row):
            error = 0 if label == answer else count
            colour = "white" if error > 0.6 * most else "black" if count else "0.75"
            axes.text(answer, label, f"{count:,}", color=colour, ha="center", va="center")
    axes.set_xticks(range(len(counts)))
    axes.set_yticks(range(len(counts)))
    axes.set_xlabel("answer")
    axes.set_ylabel("label")
    return png(figure)


def mistakes(report: Report, images: Tensor, name: str) -> bytes:
    """Return every wrong digit with its label, the answer and its probability, and its index.

    The most confident mistakes come first: they teach the most, or their labels are disputed.
    ``images`` are the report's digits, uint8 (N, 28, 28).

    Raises:
        ValueError: the images are not as many as the report's digits, or a logit is not finite.
    """
    if len(images) != report.total:
        raise ValueError(f"{len(images)} images for a report on {report.total} digits")
    indices = _surest_first(report)
    columns = max(1, math.ceil(math.sqrt(len(indices))))
    rows = [indices[first : first + columns] for first in range(0, len(indices), columns)]
    legend = "label → answer, its probability" if rows else "no mistakes"
    figure, axes = _mosaic_figure(columns, max(1, len(rows)), f"{name}\n{report}\n{legend}")
    for number, row in enumerate(rows):
        _tiles(axes, number * CELL_HEIGHT, images[row], [_caption(report, i) for i in row])
    return png(figure, dpi=min(DPI, LARGEST / max(figure.get_size_inches())))


def _surest_first(report: Report) -> list[int]:
    wrong = torch.tensor(report.wrong_indices, dtype=torch.long)
    surest = report.probabilities.amax(dim=1)[wrong].argsort(descending=True, stable=True)
    indices: list[int] = wrong[surest].tolist()
    return indices


def _caption(report: Report, index: int) -> str:
    label, answer = int(report.labels[index]), int(report.answers[index])
    probability = 100 * report.probabilities[index, answer].item()
    return f"{label} → {answer}  {probability:.0f} %\n#{index}"


def _mosaic_figure(columns: int, rows: int, title: str) -> tuple[Figure, Axes]:
    """Return a figure with axes for a grid of cells, in the digits' pixels, y downwards."""
    titled = 0.8  # inches above the cells
    width, height = columns * CELL_WIDTH, rows * CELL_HEIGHT
    inches = max(WIDTH, width / PIXELS_AN_INCH), height / PIXELS_AN_INCH + titled
    # No constrained layout: it would draw everything twice, even 10,000 captions.
    figure = Figure(figsize=inches)
    axes = figure.add_axes((0, 0, 1, 1 - titled / inches[1]))
    axes.set(xlim=(0, width), ylim=(height, 0), autoscale_on=False, aspect="equal", title=title)
    axes.axis("off")
    return figure, axes


def _tiles(axes: Axes, top: int, images: Tensor, captions: Sequence[str]) -> None:
    """Draw one row of mistakes: images (n, 28, 28), each with its caption below."""
    frame = (MARGIN, MARGIN, MARGIN, CAPTION)
    strip = functional.pad(images, frame, value=255).transpose(0, 1).flatten(1)
    height, width = strip.shape
    # Row by row: enlarging 10,000 digits as one image takes 7 GB, as 100 images next to nothing.
    axes.imshow(strip.numpy(), cmap="gray", vmin=0, vmax=255, extent=(0, width, top + height, top))
    for column, caption in enumerate(captions):
        x, y = (column + 0.5) * CELL_WIDTH, top + MARGIN + 28.5
        axes.text(x, y, caption, size=8, ha="center", va="top")


def reliability(report: Report, name: str) -> bytes:
    """Return accuracy against confidence in bins, and the number of digits in each bin.

    Bars are 95 % intervals, so a bin of three digits looks as uncertain as it is.

    Raises:
        ValueError: a logit is not finite.
    """
    headline = f"{report}, expected calibration error {report.ece:.4f}"
    figure = _titled(name, headline, height=7)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    _accuracies(above, report)
    _counts(below, report)
    below.set_xlabel("confidence (probability of the answer)")
    below.set_xlim(0, 1)
    return png(figure)


def _accuracies(axes: Axes, report: Report) -> None:
    bins = report.calibration
    intervals = [wilson(b.right, b.count) for b in bins]
    spans = [
        (b.accuracy - low / 100, high / 100 - b.accuracy)
        for b, (low, high) in zip(bins, intervals, strict=True)
    ]
    axes.plot([0, 1], [0, 1], color=NEUTRAL, linestyle="--", label="perfectly calibrated")
    axes.errorbar(
        [b.confidence for b in bins],
        [b.accuracy for b in bins],
        yerr=list(zip(*spans, strict=True)),
        fmt="o",
        color=MEASURED,
        capsize=3,
        label="measured, with 95 % interval",
        clip_on=False,
    )
    axes.set_ylim(0, 1)
    axes.set_ylabel("accuracy")
    axes.grid(alpha=0.3)
    _legend_above(axes)


def _counts(axes: Axes, report: Report) -> None:
    bins = report.calibration
    bars = axes.bar(
        [b.lower for b in bins], [b.count for b in bins], 1 / BINS, align="edge", color=MEASURED
    )
    axes.bar_label(bars, [f"{b.count:,}" for b in bins], size=8, padding=1)
    # Logarithmic: nearly all digits are in the last bin.
    axes.set_yscale("log")
    axes.set_ylim(0.5, 5 * report.total)
    axes.set_ylabel("digits")


def corruptions(accuracies: Mapping[str, float], clean: float, name: str) -> bytes:
    """Return the accuracy under each kind of damage beside ``clean``, all in per cent.

    The bars are in the mapping's order, so that the plots of two nets can be compared.
    """
    mean = statistics.mean(accuracies.values())
    headline = f"mean of {len(accuracies)} kinds of damage {mean:.2f} %, clean {clean:.2f} %"
    figure = _titled(name, headline, height=1.5 + 0.28 * len(accuracies))
    axes = figure.subplots()
    axes.barh(list(accuracies), list(accuracies.values()), color=MEASURED)
    axes.axvline(clean, color="black", linestyle="--", label="clean")
    # In a column: at the bars' ends, most would overlap the line.
    beside = axes.get_yaxis_transform()
    for row, accuracy in enumerate(accuracies.values()):
        axes.text(1.1, row, f"{accuracy:.2f}", transform=beside, ha="right", va="center")
    axes.invert_yaxis()
    axes.margins(y=0.02)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(0, 100)
    axes.set_xlabel("accuracy (%)")
    _legend_above(axes)
    return png(figure)


def _titled(name: str, headline: str, height: float) -> Figure:
    """Return a figure ``height`` inches high, titled with the net and its figures."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    figure.suptitle(f"{name}\n{headline}")
    return figure


def _legend_above(axes: Axes) -> None:
    # Anywhere inside the axes it would hide some net's figures.
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)


def png(figure: Figure, *, dpi: float = DPI) -> bytes:
    """Return the figure as the bytes of a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()
