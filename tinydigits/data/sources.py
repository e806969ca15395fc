"""Where digits come from: what ``--data`` and ``--data-dir`` say, and what must be said of it.

Nothing here needs PyTorch, so that ``--help`` answers at once.
"""

import os
from pathlib import Path
from typing import Literal

Source = Literal["auto", "mnist", "synthetic"]

SYNTHETIC_WARNING = "SYNTHETIC digits, drawn by a program: these are not MNIST results"


def mnist_folder() -> Path:
    """Return the folder of the MNIST files where none is given: $TINYDIGITS_DATA, or ``data``."""
    return Path(os.environ.get("TINYDIGITS_DATA") or "data")
