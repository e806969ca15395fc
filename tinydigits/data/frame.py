"""MNIST's frame: 20 pixels along the digit's longer side, centre of mass in a field of 28 by 28.

Both figures were measured on all 70,000 digits; the shift is by whole pixels, so that the digit's
anti-aliasing stays as it was drawn.
"""

import numpy as np
import numpy.typing as npt

from tinydigits.net.contract import SIDE

BOX = 20  # pixels of a digit's longer side
CENTRE = 14  # index of the centre of mass, to within half a pixel


def centre(ink: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return (N, 28, 28) pictures of digits (N, 20, 20), none of them empty."""
    mass = ink.sum(axis=(1, 2), dtype=np.float64)
    index = np.arange(BOX)
    rows = _shifted(ink.sum(axis=2) @ index / mass)
    columns = _shifted(ink.sum(axis=1) @ index / mass)
    images = np.zeros((len(ink), SIDE, SIDE), np.uint8)
    images[np.arange(len(ink))[:, None, None], rows[:, :, None], columns[:, None, :]] = ink
    return images


def _shifted(centre_of_mass: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Indices in the field of each digit's BOX pixels along one axis, (N, BOX)."""
    shift = np.clip(np.rint(CENTRE - centre_of_mass), 0, SIDE - BOX).astype(np.int64)
    return shift[:, None] + np.arange(BOX)
