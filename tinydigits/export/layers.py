"""The layers of the integer exports, without PyTorch."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tinydigits.net.layers import Numbers, largest


@dataclass(frozen=True)
class IntegerConvolution:
    """An integer convolution, and the rescaling and pooling after it."""

    weight: npt.NDArray[np.int8]
    """(out, in, kernel, kernel), in units of ``weight_scale``."""
    bits: int
    """Of a weight: 8 or 4. A multiplier has four times as many."""
    bias: npt.NDArray[np.int32]
    """(out,), in units of input scale times weight scale, like the sums."""
    weight_scale: Numbers
    """(out,): what one unit of each channel's weights stands for."""
    input_scale: float
    """What one unit of the input stands for."""
    output_scale: float
    """What one unit of the output stands for."""
    side: int
    """Side of its output in pixels, before pooling."""
    pool: Literal["max", "mean"] | None
    """The maximum of every 2x2 pixels, or the sum of all: the next input scale makes it a mean."""

    @property
    def factor(self) -> Numbers:
        """The factor from sums to units of the output, (out,)."""
        return self.input_scale * self.weight_scale / self.output_scale

    @property
    def shift(self) -> int:
        """Bits by which sums times ``multiplier`` are shifted right."""
        return math.floor(math.log2(largest(4 * self.bits) / self.factor.max()))

    @property
    def multiplier(self) -> npt.NDArray[np.int32]:
        """The factor in fixed point, (out,), as precise as its bits allow."""
        return np.rint(self.factor * 2.0**self.shift).astype(np.int32)
