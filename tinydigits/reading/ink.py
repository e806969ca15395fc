"""How strong a digit's ink is: the finder says where it is, and brightness how dark.

Around the digit, what is not ink is paper. Its brightness under the ink is that of the paper
nearby, weighted by a bell curve, so it may change across the digit. Ink is what differs from it.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.Image import Resampling
from scipy import ndimage

from tinydigits.reading.finding import Floats, Look, Mask, view_of

FRINGE = 0.06  # of the digit's size: how far beyond marked ink its faint edges reach
NEARBY = 0.25  # of the digit's size: standard deviation of the weights of paper
FULL = 0.8  # quantile of the ink's contrast that counts as full ink
FAINT = 0.08  # of full ink: less is grain
CORE = 0.45  # of full ink: as much makes a stroke


class Strokes(NamedTuple):
    """One digit's ink, (H, W)."""

    ink: Floats
    """Its strength, 0 to 1; 0 elsewhere."""
    core: Mask
    """Where it is strong."""


def strokes_of(picture: Image.Image, seen: Look) -> Strokes:
    """Return the ink of a view's first digit.

    A view that is larger than its part of the picture holds no more detail than it: then the
    part's own pixels are measured, unless the view is turned.
    """
    digit = seen.digits[0]
    near = ndimage.binary_dilation(digit.mask, np.ones((3, 3)), iterations=2)
    marked, others = seen.ink * near, seen.ink
    view = seen.view
    if seen.scale > 1 and not seen.turn:
        view = view_of(picture, seen.part, max(seen.view.shape) / seen.scale)
        marked, others = (_resized(each, view.shape) for each in (marked, others))
    size = (max(digit.box[2] - digit.box[0], digit.box[3] - digit.box[1])) / seen.view.shape[0]
    return measured(view, marked, others, size * view.shape[0])


def _resized(values: Floats, shape: tuple[int, ...]) -> Floats:
    height, width = shape
    return np.asarray(Image.fromarray(values).resize((width, height), Resampling.BOX))


def measured(view: Floats, marked: Floats, others: Floats, size: float) -> Strokes:
    """Return the ink in a view (H, W) of a digit of ``size`` pixels.

    ``marked`` is the probability of its ink, ``others`` that of any digit's.
    """
    reach = max(1, round(FRINGE * size))
    bare = 1 - np.clip(2 * _grown(others, reach), 0, 1)
    contrast = view - _nearby(view, bare, max(2.0, NEARBY * size))
    contrast *= np.sign((contrast * marked).sum()) or 1
    core = marked >= min(0.5, 0.7 * marked.max())
    full = max(float(np.quantile(contrast[core], FULL)), 1e-3)
    ink = np.clip(contrast / full, 0, 1) * np.clip(2 * _grown(marked, max(1, reach // 2)), 0, 1)
    ink[ink < FAINT] = 0
    return Strokes(ink.astype(np.float32), ink > CORE)


def _nearby(view: Floats, weight: Floats, spread: float) -> Floats:
    """Return the weighted mean of the brightness around each pixel."""
    total = ndimage.gaussian_filter(weight, spread, mode="nearest")
    mean = ndimage.gaussian_filter(view * weight, spread, mode="nearest") / np.maximum(total, 1e-3)
    nearby: Floats = np.where(total > 1e-3, mean, np.median(view)).astype(np.float32)
    return nearby


def _grown(values: Floats, reach: int) -> Floats:
    """Return the maximum within ``reach`` pixels, across and down."""
    grown: Floats = ndimage.maximum_filter(values, 2 * reach + 1, mode="nearest")
    return grown


def mean_width(mask: npt.NDArray[np.bool_]) -> float:
    """Return the mean stroke width in pixels: four times the mean depth, as in a long ribbon."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return max(1.0, 4 * float(depth[mask].mean() - 0.5))
