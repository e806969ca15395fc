"""Whether pixels look like MNIST's, 0 to 255 and white on black, or like a common mistake."""

from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from tinydigits.net.contract import SIDE

DARK = 32  # a picture without brighter pixels has another scale: all of MNIST's digits reach 254
BORDER = np.pad(np.zeros((SIDE - 4, SIDE - 4), np.bool_), 2, constant_values=True)  # 2 pixels
PAPER = 0.8  # at least this share of the border is bright if the ink is dark


def fault(pixels: npt.NDArray[Any]) -> str | None:
    """Return what is probably wrong with pixels (N, 28, 28), or None.

    The message names the first picture with a smaller scale than 0 to 255 or with dark ink on light
    paper, and says how to correct it. Blank pictures are accepted.
    """
    brightest = pixels.max(axis=(1, 2))
    for number in np.flatnonzero((brightest > 0) & (brightest <= DARK)):
        white = ceil(brightest[number])
        return (
            f"picture {number}: its pixels look like 0 to {white}, expected 0 to 255; multiply "
            f"them by {255 / white:g}"
        )
    for number in np.flatnonzero(is_dark_on_light(pixels)):
        return (
            f"picture {number}: it looks like dark ink on light paper, expected white on black; "
            "subtract its pixels from 255"
        )
    return None


def is_dark_on_light(pixels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return for each picture of (N, 28, 28) whether its border is bright, (N,)."""
    middle = (pixels.min(axis=(1, 2)).astype(float) + pixels.max(axis=(1, 2))) / 2
    found: npt.NDArray[np.bool_] = (pixels[:, BORDER] > middle[:, None]).mean(axis=1) >= PAPER
    return found
