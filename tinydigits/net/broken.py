"""The rule for the weights in a file, whatever its format; nothing here needs PyTorch."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tinydigits.errors import InputError


def refuse_broken(what: str, weights: Mapping[str, npt.NDArray[Any]]) -> None:
    """Reject weights that no net can compute with; ``what`` names them in the message.

    Raises:
        InputError: a number is not finite, or a running variance is negative.
    """
    for name, values in weights.items():
        if not np.isfinite(values).all():
            fault = "contains numbers that are not finite: its training diverged"
        elif name.endswith("running_var") and (values < 0).any():
            fault = "contains negative numbers, which no variance is: the file is damaged"
        else:
            continue
        raise InputError(f"{what} cannot be used, {name} {fault}; give another net")
