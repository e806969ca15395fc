"""Sources of digits: values of ``--data``, ``--data-dir`` and ``--strokes``, and a warning.

Nothing here needs PyTorch, so ``--help`` appears at once.
"""

import os
from pathlib import Path
from typing import Literal

Source = Literal["auto", "mnist", "synthetic"]
MODEL = "model"  # the value of --strokes that stands for the package's model of shapes

SYNTHETIC_WARNING = "SYNTHETIC digits, drawn by a program: these are not MNIST results"


def mnist_folder() -> Path:
    """Return the default folder of the MNIST files: $TINYDIGITS_DATA if set, otherwise ``data``."""
    return Path(os.environ.get("TINYDIGITS_DATA") or "data")
