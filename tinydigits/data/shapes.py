"""The shapes of handwritten digits: a statistical model of how people write them.

For each digit, the model has its ways of writing. A way is a mean digit and its main variations, to
be scaled by standard normal numbers. A stroke is a cosine series: its position ``t``, from 0 to 1
along its length, is the sum of ``coefficient[k] * cos(pi * k * t)`` over ``k``.

``shapes.npz`` was learned by ``benchmarks/shapes.py`` from the strokes of 180 people in nine
countries: UNIPEN train_r01_v07 (Guyon et al. 1994, CC BY 4.0) and "Pen-Based Recognition of
Handwritten Digits" (Alpaydin and Alimoglu 1996, CC BY 4.0).
"""

import io
from dataclasses import dataclass, fields
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinydigits.data.paths import POSITIONS, FloatArray, IntArray, Paths
from tinydigits.net.contract import CLASSES

FILE = Path(__file__).with_name("shapes.npz")
TERMS = 16  # of a cosine series: 0.13 of 20 pixels from a real stroke, on average
STEP = 1 / 256  # precision of the stored coefficients: a thirteenth of a pixel
FARTHEST = 2.5  # standard deviations; beyond, digits are unlike any that people write


@dataclass(frozen=True, eq=False)
class Shapes:
    """The ways of writing digits, in ascending order of their labels.

    There are W ways with up to S strokes and V variations. Coefficients are in the unit box around
    the origin, x to the right and y down, and 0 where a way has fewer strokes or variations.
    """

    label: npt.NDArray[np.uint8]  # (W,)
    share: FloatArray  # (W,): the way's share of its label's digits
    positions: npt.NDArray[np.uint8]  # (W, S): number of positions on each stroke of a path
    mean: FloatArray  # (W, S, TERMS, 2)
    variations: FloatArray  # (W, V, S, TERMS, 2)

    @cached_property
    def stroke(self) -> IntArray:
        """The number of each position's stroke, (W, POSITIONS)."""
        ends = self.positions.cumsum(axis=1)
        numbers: IntArray = (np.arange(POSITIONS)[:, None] >= ends[:, None, :]).sum(axis=2)
        return numbers

    @cached_property
    def series(self) -> FloatArray:
        """Weight of each coefficient of the strokes at each position, (W, POSITIONS, S * TERMS)."""
        first = np.cumsum(self.positions, axis=1) - self.positions
        t = (np.arange(POSITIONS)[:, None] - first[:, None, :]) / np.maximum(
            self.positions[:, None, :] - 1.0, 1
        )
        there = self.stroke[:, :, None] == np.arange(self.positions.shape[1])
        weights = (cosines(t) * there[..., None]).astype(np.float32)
        joined: FloatArray = weights.reshape(*self.stroke.shape, -1)
        return joined


def sample(shapes: Shapes, labels: IntArray, rng: np.random.Generator) -> Paths:
    """Return the path of a new digit for each label, (N,), in the unit box."""
    way = _choose_ways(shapes, labels, rng)
    size = (len(way), shapes.variations.shape[1])
    amounts = np.clip(rng.standard_normal(size, np.float32), -FARTHEST, FARTHEST)
    varied = np.einsum("nv,nvstx->nstx", amounts, shapes.variations[way])
    coefficients = (shapes.mean[way] + varied).reshape(len(way), -1, 2)
    return Paths(shapes.series[way] @ coefficients, shapes.stroke[way])


def _choose_ways(shapes: Shapes, labels: IntArray, rng: np.random.Generator) -> IntArray:
    """Return the index of a way for each label, drawn in proportion to the shares."""
    ends = np.cumsum(shapes.share, dtype=np.float64)
    last = np.searchsorted(shapes.label, np.arange(CLASSES), side="right") - 1
    ends[last] = np.arange(CLASSES) + 1  # exactly: the shares of each label add up to 1
    return np.searchsorted(ends, labels + rng.random(len(labels)), side="right")


def cosines(t: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return the terms of the series at positions ``t``, (..., TERMS)."""
    terms: npt.NDArray[np.float64] = np.cos(np.pi * np.arange(TERMS) * np.asarray(t)[..., None])
    return terms


def packed(shapes: Shapes) -> bytes:
    """Return the model as a NumPy archive, with its coefficients rounded to STEP."""
    stored = {item.name: getattr(shapes, item.name) for item in fields(shapes)}
    for name, kind in ("mean", np.int16), ("variations", np.int8):
        limits = np.iinfo(kind)
        rounded = np.clip(np.rint(stored[name] / STEP), limits.min, limits.max).astype(kind)
        # Coefficient by coefficient: neighbours are then alike, and the archive becomes smaller.
        stored[name] = np.moveaxis(rounded, 0, -1)
    archive = io.BytesIO()
    np.savez_compressed(archive, **stored)
    return archive.getvalue()


@cache
def learned() -> Shapes:
    """Return the model in the package."""
    with np.load(FILE) as archive:
        stored = dict(archive)
    for name in "mean", "variations":
        stored[name] = np.moveaxis(stored[name], -1, 0) * np.float32(STEP)
    return Shapes(**stored)
