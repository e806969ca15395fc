"""The finder: a small net that marks the ink of digits in a view and tells whose ink it is.

It is a U-Net (Ronneberger et al. 2015) at a half to a sixteenth of the view: nothing is computed at
full size, since pixels are rearranged into channels at the start and back at the end.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from tinydigits.net.contract import CELL
from tinydigits.net.finding import Floats, Padded, shipped

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

        def layer(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Sequential:
            return _layer(inputs, outputs, size, stride=stride, folded=folded)

        def mixers(count: int) -> list[Mixer]:
            return [Mixer(rest, folded=folded) for _ in range(count)]

        self.enter = layer(8, half)
        self.narrow = nn.Sequential(layer(half, quarter, stride=2), layer(quarter, quarter))
        self.eighth = nn.Sequential(layer(quarter, rest, size=1), *mixers(2))
        self.sixteenth = nn.Sequential(*mixers(4))
        self.everywhere = nn.Conv2d(rest, rest, 1)
        self.back = Mixer(rest, folded=folded)
        self.to_quarter = nn.Conv2d(rest, quarter, 1, bias=False)
        self.at_quarter = layer(quarter, quarter)
        self.to_half = nn.Conv2d(quarter, half, 1, bias=False)
        self.at_half = layer(half, half)
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
        self.look = _layer(channels, channels, 5, groups=channels, folded=folded)
        self.mix = _layer(channels, channels, 1, relu=False, folded=folded)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the same shape."""
        return torch.relu(x + self.mix(self.look(x)))


def _layer(
    inputs: int,
    outputs: int,
    size: int,
    *,
    stride: int = 1,
    groups: int = 1,
    relu: bool = True,
    folded: bool,
) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=folded)
    parts: dict[str, nn.Module] = {"conv": conv}
    if not folded:
        parts["norm"] = nn.BatchNorm2d(outputs)
    if relu:
        parts["relu"] = nn.ReLU()
    return nn.Sequential(OrderedDict(parts))


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


def fold(net: Finder) -> dict[str, Padded]:
    """Return the convolutions by name, with batch normalisation folded into them."""
    weights = {name: value.detach().clone() for name, value in net.state_dict().items()}
    for name, norm in net.named_modules():
        if isinstance(norm, nn.BatchNorm2d):
            conv = name.removesuffix("norm") + "conv"
            mean, variance = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
            scale = weights[f"{name}.weight"] * (variance + norm.eps).rsqrt()
            weights[f"{conv}.weight"] *= scale.view(-1, 1, 1, 1)
            weights[f"{conv}.bias"] = weights[f"{name}.bias"] - mean * scale
    folded = {}
    for name, conv in _convolutions(net).items():
        weight = weights[f"{conv}.weight"].numpy()
        bias = weights.get(f"{conv}.bias", torch.zeros(len(weight))).numpy()
        module = net.get_submodule(conv)
        assert isinstance(module, nn.Conv2d)
        folded[name] = Padded(weight, bias, module.stride[0], module.groups)
    return folded


def unfolded(layers: dict[str, Padded]) -> Finder:
    """Return a folded finder with these layers, in evaluation mode."""
    net = Finder(folded=True)
    weights = {}
    for name, conv in _convolutions(net).items():
        weights[f"{conv}.weight"] = torch.from_numpy(layers[name].weight)
        weights[f"{conv}.bias"] = torch.from_numpy(layers[name].bias)
    net.load_state_dict({name: weights[name] for name in net.state_dict()})
    return net.eval()


def _convolutions(net: Finder) -> dict[str, str]:
    """Return the path of each convolution in the net, by its name in files."""
    paths = [name for name, module in net.named_modules() if isinstance(module, nn.Conv2d)]
    return {path.removesuffix(".conv"): path for path in paths}


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
    return as_function(unfolded(shipped()))
