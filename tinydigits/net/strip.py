"""The strip net: reads a line of digits without cutting it apart.

A convolutional net looks at a strip of ink 32 pixels high; every second column of it becomes
one of the ten digits or a blank, which is what connectionist temporal classification trains.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from tinydigits.net.blocks import layer, unfold
from tinydigits.net.contract import CLASSES
from tinydigits.net.padded import STRIP, Floats, shipped

WIDTHS = (16, 32, 48)  # channels at 32, 16 and 8 rows
COLUMN = 64  # channels of a column
MIXERS, REACH = 4, 9  # blocks that mix columns, and how many each sees
DROPOUT = 0.1


class StripNet(nn.Module):
    """Reads strips of ink.

    ``forward`` takes ink (B, 1, 32, W), 0 to 1; W is even. It returns log-probabilities (W / 2, B,
    CLASSES + 1) of the digits and, last, of BLANK.

    A folded net has no batch normalisation; its convolutions have biases instead.
    """

    def __init__(self, *, folded: bool = False) -> None:
        super().__init__()
        full, half, quarter = WIDTHS
        self.at_full = layer(1, full, 3, folded=folded)
        self.at_half = layer(full, half, 3, folded=folded)
        self.at_quarter = layer(half, quarter, 3, folded=folded)
        self.column = layer(4 * quarter, COLUMN, 1, folded=folded)
        self.mixers = nn.Sequential(*(Mixer(folded=folded) for _ in range(MIXERS)))
        self.dropout = nn.Dropout(DROPOUT)
        self.answer = nn.Conv2d(COLUMN, CLASSES + 1, 1)

    def forward(self, strips: Tensor) -> Tensor:
        """Return log-probabilities for strips, as described above."""
        x = functional.max_pool2d(self.at_full(strips), 2)
        x = functional.max_pool2d(self.at_half(x), (2, 1))
        x = functional.max_pool2d(self.at_quarter(x), (2, 1))
        x = self.mixers(self.column(x.flatten(1, 2).unsqueeze(2)))
        answers: Tensor = self.answer(self.dropout(x))[:, :, 0].permute(2, 0, 1)
        return answers.log_softmax(2)


class Mixer(nn.Module):
    """A residual block: REACH columns of each channel, then all channels of each column."""

    def __init__(self, *, folded: bool) -> None:
        super().__init__()
        self.look = layer(COLUMN, COLUMN, (1, REACH), groups=COLUMN, folded=folded)
        self.mix = layer(COLUMN, COLUMN, 1, relu=False, folded=folded)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the same shape."""
        return torch.relu(x + self.mix(self.look(x)))


def as_function(net: StripNet) -> Callable[[Floats], Floats]:
    """Return a net as a function of a strip; see ``reading.lines.Reader``."""

    def read(strip: Floats) -> Floats:
        with torch.inference_mode():
            answers: Floats = net(torch.from_numpy(strip)[None, None])[:, 0].numpy()
        return answers

    return read


@cache
def reader() -> Callable[[Floats], Floats]:
    """Return the package's strip net as a function of a strip."""
    return as_function(unfold(StripNet(folded=True), shipped(STRIP)))
