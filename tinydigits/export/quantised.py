"""The net in integers: 8-bit or 4-bit weights, 8-bit activations, 32-bit sums.

Each output channel has its own weight scale. Activations follow a ReLU, so none is negative: they
are unsigned and need no zero point, which gives them twice the resolution of signed ones. An
integer multiplication, a rounding shift and a clip bring a sum to the next layer's scale, as in
Jacob et al. (2018), "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", section 2.2.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tinydigits.export.folded import activations
from tinydigits.export.layers import IntegerConvolution
from tinydigits.net.grid import in_units, scale_of
from tinydigits.net.layers import Convolution

Integers = npt.NDArray[np.int64]

LOGIT = 2.0**-16  # what one unit of the integer logits stands for
ACTIVATIONS = 255  # largest activation
COARSER = 8  # units of a sum in one of an activation, at least: the shift is above 32 bits


def quantise(layers: list[Convolution], pixels: Tensor, bits: int = 8) -> list[IntegerConvolution]:
    """Return the folded net in integers, calibrated on pixels uint8 (N, 28, 28).

    Weights span -127 to 127 in each output channel, or with 4 ``bits`` -7 to 7. 255 stands for a
    layer's largest activation in the float net on ``pixels``, unless that is next to nothing. These
    are training digits, so the test digits decide nothing.
    """
    input_scale, quantised = 1.0, list[IntegerConvolution]()
    for layer, x in zip(layers, activations(layers, pixels), strict=True):
        is_last = layer is layers[-1]
        kernel = torch.from_numpy(layer.weight)
        weight_scale = scale_of(kernel, bits).numpy()
        finest = COARSER * input_scale * float(weight_scale.max())
        quantised.append(
            IntegerConvolution(
                weight=in_units(kernel, bits).round().numpy().astype(np.int8),
                bits=bits,
                bias=np.rint(layer.bias / (input_scale * weight_scale)).astype(np.int32),
                weight_scale=weight_scale,
                input_scale=input_scale,
                output_scale=LOGIT
                if is_last
                else max((x.max().item() or 1.0) / ACTIVATIONS, finest),
                side=layer.side,
                pool=layer.pool,
            )
        )
        input_scale = quantised[-1].output_scale
        if layer.pool == "mean":
            input_scale /= layer.side**2
    return quantised


def off_grid(layers: list[Convolution], bits: int) -> float:
    """Return how far a weight lies at most from its channel's grid, from 0 to half a unit."""
    units = [in_units(torch.from_numpy(layer.weight), bits) for layer in layers]
    return max((each - each.round()).abs().max().item() for each in units)


def logits(layers: list[IntegerConvolution], pixels: npt.NDArray[np.uint8]) -> Integers:
    """Return int64 logits (N, 10) in units of ``LOGIT``, which every integer export must match.

    ``pixels`` are uint8 (N, 28, 28).
    """
    x = pixels[:, None].astype(np.int64)
    *inner, last = layers
    for layer in inner:
        sums = _sums(layer, x)
        if layer.pool == "max":
            n, channels, side, _ = sums.shape
            sums = sums.reshape(n, channels, side // 2, 2, side // 2, 2).max(axis=(3, 5))
        x = _rescaled(layer, sums).clip(0, ACTIVATIONS)
        if layer.pool == "mean":
            x = x.sum(axis=(2, 3), keepdims=True)
    found: Integers = _rescaled(last, _sums(last, x))[:, :, 0, 0]
    return found


def _sums(layer: IntegerConvolution, x: Integers) -> Integers:
    kernel = layer.weight.shape[2:]
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(2, 3))
    # In float32: its matrix products are fast, and exact for these integers below 2^24.
    sums = np.einsum(
        "nchwij,ocij->nohw",
        windows.astype(np.float32),
        layer.weight.astype(np.float32),
        optimize=True,
    )
    biased: Integers = sums.astype(np.int64) + layer.bias[:, None, None]
    return biased


def _rescaled(layer: IntegerConvolution, sums: Integers) -> Integers:
    """Return the sums in units of the output, rounded to nearest, halves up."""
    product = sums * layer.multiplier[:, None, None].astype(np.int64)
    rescaled: Integers = (product + (1 << (layer.shift - 1))) >> layer.shift
    return rescaled
