"""The net as seven convolutions on raw pixels: the basis of every export.

Normalisation and batch normalisation are linear, so they are folded into the weights and biases of
the adjacent convolutions; dropout does nothing outside training. 12,712 weights and 114 biases
remain. The convolutions have no padding, so folding the normalisation is exact.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tinydigits.net.contract import MEAN, SIDE, STD
from tinydigits.net.layers import Convolution, Numbers
from tinydigits.net.model import Net


def fold(net: Net) -> list[Convolution]:
    """Return the convolutions that give the net's logits for raw pixels, 0 to 255."""
    side, folded = SIDE, list[Convolution]()
    for module in net.layers:
        match module:
            case nn.Conv2d():
                side -= module.kernel_size[0] - 1
                folded.append(Convolution(_numbers(module.weight), _numbers(module.bias), side))
            case nn.BatchNorm2d():
                folded[-1] = _normalised(folded[-1], module)
            case nn.ReLU():
                folded[-1] = replace(folded[-1], relu=True)
            case nn.MaxPool2d():
                side //= 2
                folded[-1] = replace(folded[-1], pool="max")
            case nn.AdaptiveAvgPool2d():
                side = 1
                folded[-1] = replace(folded[-1], pool="mean")
    return [_on_pixels(folded[0]), *folded[1:]]


def activations(layers: list[Convolution], pixels: Tensor) -> Iterator[Tensor]:
    """Yield each convolution's output, before its pooling, for pixels uint8 (N, 28, 28).

    In float64: in whatever order a processor sums, the results agree when rounded to float32.
    """
    x = pixels.unsqueeze(1).double()
    for layer in layers:
        x = functional.conv2d(x, torch.from_numpy(layer.weight), torch.from_numpy(layer.bias))
        if layer.relu:
            x = x.relu()
        yield x
        if layer.pool == "mean":
            x = x.mean(dim=(2, 3), keepdim=True)
        elif layer.pool == "max":
            x = functional.max_pool2d(x, 2)


def logits(layers: list[Convolution], pixels: Tensor) -> Tensor:
    """Return float64 logits (N, 10) for pixels uint8 (N, 28, 28)."""
    *_, last = activations(layers, pixels)
    return last[:, :, 0, 0]


def _numbers(values: Tensor | None) -> Numbers:
    assert values is not None
    return values.detach().cpu().double().numpy()


def _normalised(layer: Convolution, norm: nn.BatchNorm2d) -> Convolution:
    """Return the convolution with the batch normalisation after it folded in."""
    scale = _numbers(norm.weight) / np.sqrt(_numbers(norm.running_var) + norm.eps)
    return replace(
        layer,
        weight=layer.weight * scale[:, None, None, None],
        bias=(layer.bias - _numbers(norm.running_mean)) * scale + _numbers(norm.bias),
    )


def _on_pixels(layer: Convolution) -> Convolution:
    """Return the first convolution with the ``net.model.normalise`` before it folded in."""
    weight = layer.weight / (255 * STD)
    return replace(layer, weight=weight, bias=layer.bias - 255 * MEAN * weight.sum(axis=(1, 2, 3)))
