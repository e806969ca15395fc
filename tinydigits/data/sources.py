"""Sources of digits: the values of ``--data`` and ``--data-dir``, and the synthetic-data warning.

Nothing here needs PyTorch, so ``--help`` appears at once.
"""

import os
from pathlib import Path
from typing import Literal

Source = Literal["auto", "mnist", "synthetic"]

SYNTHETIC_WARNING = "SYNTHETIC digits, drawn by a program: these are not MNIST results"


def mnist_folder() -> Path:
    """Return the default folder of the MNIST files: $TINYDIGITS_DATA if set, otherwise ``data``."""
    return Path(os.environ.get("TINYDIGITS_DATA") or "data")
