"""Layers of the finder and of the strip net, and how they are folded for use elsewhere."""

from collections import OrderedDict
from typing import TypeVar

import torch
from torch import nn

from tinydigits.net.padded import Padded

FoldedNet = TypeVar("FoldedNet", bound=nn.Module)


def layer(
    inputs: int,
    outputs: int,
    size: int | tuple[int, int],
    *,
    stride: int = 1,
    groups: int = 1,
    relu: bool = True,
    folded: bool,
) -> nn.Sequential:
    """Return a convolution padded with zeros, batch normalisation unless it is folded, and ReLU."""
    height, width = size if isinstance(size, tuple) else (size, size)
    padding = (height // 2, width // 2)
    conv = nn.Conv2d(inputs, outputs, (height, width), stride, padding, groups=groups, bias=folded)
    parts: dict[str, nn.Module] = {"conv": conv}
    if not folded:
        parts["norm"] = nn.BatchNorm2d(outputs)
    if relu:
        parts["relu"] = nn.ReLU()
    return nn.Sequential(OrderedDict(parts))


def fold(net: nn.Module) -> dict[str, Padded]:
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


def unfold(net: FoldedNet, layers: dict[str, Padded]) -> FoldedNet:
    """Return a folded net with these layers, in evaluation mode."""
    weights = {}
    for name, conv in _convolutions(net).items():
        weights[f"{conv}.weight"] = torch.from_numpy(layers[name].weight)
        weights[f"{conv}.bias"] = torch.from_numpy(layers[name].bias)
    net.load_state_dict({name: weights[name] for name in net.state_dict()})
    return net.eval()


def _convolutions(net: nn.Module) -> dict[str, str]:
    """Return the path of each convolution in the net, by its name in files."""
    paths = [name for name, module in net.named_modules() if isinstance(module, nn.Conv2d)]
    return {path.removesuffix(".conv"): path for path in paths}
