"""A net's layers as every export writes them and every ONNX file holds them, without PyTorch."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Convolution:
    """A convolution without padding, and the ReLU and pooling after it."""

    weight: Numbers
    """(out, in, kernel, kernel)."""
    bias: Numbers
    """(out,)."""
    side: int
    """Side of its output in pixels, before pooling."""
    relu: bool = False
    pool: Literal["max", "mean"] | None = None
    """The maximum of every 2x2 pixels, or the mean of all pixels."""


def largest(bits: int) -> int:
    """Return the largest signed integer of ``bits`` bits; the smallest used is its negative."""
    return (1 << (bits - 1)) - 1
