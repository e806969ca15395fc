"""The finder: a small net that marks the ink of digits in a view and tells whose ink it is.

It is a U-Net (Ronneberger et al. 2015) at a half to a sixteenth of the view: nothing is computed at
full size, since pixels are rearranged into channels at the start and back at the end.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from tinydigits.net.blocks import layer, unfold
from tinydigits.net.contract import CELL
from tinydigits.net.padded import FINDER, Floats, shipped

WIDTHS = (12, 16, 24)  # channels at a half, a quarter and less of the view
RARE = -2.5  # first logit of ink: most of a view is none


class Finder(nn.Module):
    """Marks digits' ink in views, and lets each cell of ink vote for its digit's middle.

    ``forward`` takes brightness (B, 1, H, W) on any scale; H and W are multiples of STEP. It
    returns logits of ink (B, 1, H, W), and votes (B, 4, H / CELL, W / CELL): how far the middle of
    the digit lies to the right and below, in digit sizes; the logarithm of the digit's size, which
    is the longer side of its box in UNITs; and how far it is turned clockwise, in TURNs.

    A folded finder has no batch normalisation; its convolutions have biases instead.
    """

    def __init__(self, *, folded: bool = False) -> None:
        super().__init__()
        half, quarter, rest = WIDTHS

        def block(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Sequential:
            return layer(inputs, outputs, size, stride=stride, folded=folded)

        def mixers(count: int) -> list[Mixer]:
            return [Mixer(rest, folded=folded) for _ in range(count)]

        self.enter = block(8, half)
        self.narrow = nn.Sequential(block(half, quarter, stride=2), block(quarter, quarter))
        self.eighth = nn.Sequential(block(quarter, rest, size=1), *mixers(2))
        self.sixteenth = nn.Sequential(*mixers(4))
        self.everywhere = nn.Conv2d(rest, rest, 1)
        self.back = Mixer(rest, folded=folded)
        self.to_quarter = nn.Conv2d(rest, quarter, 1, bias=False)
        self.at_quarter = block(quarter, quarter)
        self.to_half = nn.Conv2d(quarter, half, 1, bias=False)
        self.at_half = block(half, half)
        self.ink = nn.Conv2d(half, 4, 1)
        self.votes = nn.Conv2d(quarter, 4, 1)
        nn.init.constant_(self.ink.bias, RARE)  # type: ignore[arg-type]

    def forward(self, views: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of ink and votes for views, as described above."""
        half = self.enter(functional.pixel_unshuffle(standardised(views), 2))
        quarter = self.narrow(half)
        eighth = self.eighth(functional.max_pool2d(quarter, 2))
        last = self.sixteenth(functional.max_pool2d(eighth, 2))
        last = last + self.everywhere(last.mean((2, 3), keepdim=True))
        eighth = self.back(eighth + _doubled(last))
        quarter = self.at_quarter(quarter + _doubled(self.to_quarter(eighth)))
        half = self.at_half(half + _doubled(self.to_half(quarter)))
        return functional.pixel_shuffle(self.ink(half), 2), self.votes(quarter)


class Mixer(nn.Module):
    """A residual block: 5x5 pixels of each channel, then all channels of each pixel."""

    def __init__(self, channels: int, *, folded: bool) -> None:
        super().__init__()
        self.look = layer(channels, channels, 5, groups=channels, folded=folded)
        self.mix = layer(channels, channels, 1, relu=False, folded=folded)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the same shape."""
        return torch.relu(x + self.mix(self.look(x)))


def standardised(views: Tensor) -> Tensor:
    """Return views (B, 1, H, W) as two channels (B, 2, H, W).

    They are the brightness against that of the whole view, and against that nearby.
    """
    mean = views.mean((2, 3), keepdim=True)
    spread = views.std((2, 3), keepdim=True, correction=0) + 0.01
    near = _near(views)
    variance = (_near(views * views) - near * near).clamp_min(0)
    local = (views - near) / (variance + (0.15 * spread) ** 2 + 1e-4).sqrt()
    return torch.cat(((views - mean) / spread, local), 1)


def _near(views: Tensor) -> Tensor:
    """Return the mean of some 5x5 cells around each pixel."""
    cells = functional.pad(functional.avg_pool2d(views, CELL), (2, 2, 2, 2), mode="replicate")
    means = functional.avg_pool2d(cells, 5, stride=1)
    return functional.interpolate(means, scale_factor=CELL, mode="bilinear", align_corners=False)


def _doubled(maps: Tensor) -> Tensor:
    return functional.interpolate(maps, scale_factor=2, mode="nearest")


def as_function(net: Finder) -> Callable[[Floats], tuple[Floats, Floats]]:
    """Return a finder as a function of a view; see ``reading.finding.Finder``."""

    def find(view: Floats) -> tuple[Floats, Floats]:
        with torch.inference_mode():
            ink, votes = net(torch.from_numpy(view)[None, None])
        return ink[0, 0].sigmoid().numpy(), votes[0].numpy()

    return find


@cache
def finder() -> Callable[[Floats], tuple[Floats, Floats]]:
    """Return the package's finder as a function of a view."""
    return as_function(unfold(Finder(folded=True), shipped(FINDER)))
