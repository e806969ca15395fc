"""The part of a C header that turns a camera's frame into the net's picture, in integers only.

It does what ``reading`` does for a digit on plain paper, with the same measures; the finder, which
no microcontroller has room for, is replaced by rules.
"""

import numpy as np

from tinydigits.data.frame import CENTRE
from tinydigits.reading.image import THICKENED, THINNEST
from tinydigits.reading.ink import CORE, FAINT

PARTS = ("camera_paper.h", "camera_pieces.h", "camera_picture.h")
LOBES = 3  # of Lanczos' filter, as in Pillow
STEPS = 16  # in which a lobe is tabulated
SIXTEENTHS = 16


def values() -> dict[str, str]:
    """Return the numbers that the parts need, as C source."""
    return {
        "lanczos": ", ".join(map(str, _lanczos())),
        "core": str(round(128 * CORE)),
        "grain": str(round(255 * FAINT)),
        "thinnest": str(round(SIXTEENTHS * THINNEST)),
        "thickened": str(round(SIXTEENTHS * THICKENED)),
        "centre": str(CENTRE),
        "misframed": " | tinydigits_misframed(pixels, n < 14)",
    }


def _lanczos() -> list[int]:
    place = np.arange(LOBES * STEPS + 1) / STEPS
    weights: list[int] = np.rint(127 * np.sinc(place) * np.sinc(place / LOBES)).astype(int).tolist()
    return weights
