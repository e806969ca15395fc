"""The files that a net is read from: PyTorch's, safetensors and ONNX, told apart by their suffix.

Whatever the file, the result is a ``Net`` with weights in float32 that are numbers.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from tinydigits.errors import InputError, extra
from tinydigits.files import read_bytes
from tinydigits.net import checkpoint
from tinydigits.net.contract import MEAN, SIDE, STD
from tinydigits.net.inference import infer
from tinydigits.net.layers import Convolution
from tinydigits.net.model import Net
from tinydigits.net.shipped import ONNX, SAFETENSORS

BLACK_AND_WHITE = torch.tensor([0, 255]).view(2, 1, 1).expand(2, SIDE, SIDE)


def load_net(path: Path | str) -> Net:
    """Return the net in a file, on the CPU, in evaluation mode.

    The file is a checkpoint, a ``state_dict`` of ``Net`` that PyTorch saved, a ``.safetensors``
    file, or a ``.onnx`` file from ``tinydigits export onnx`` without ``--int8``.

    Raises:
        InputError: the file cannot be read, could run code or holds another net, its weights are
            not numbers, or the package that reads it is missing.
    """
    net = Net()
    net.load_state_dict(_weights(Path(path)))
    if not infer(net, BLACK_AND_WHITE).isfinite().all():
        raise InputError(
            f"{path} cannot be used, its weights are so large that the net's answers are not "
            "finite: its training diverged; give another net"
        )
    return net.eval()


def _weights(path: Path) -> dict[str, Tensor]:
    suffix = path.suffix.lower()
    if suffix == ONNX:
        with extra("onnx", "an ONNX file"):
            from tinydigits.net import graph
        return checkpoint.fitting(path, unfolded(path, graph.layers_of(read_bytes(path), path)))
    if suffix == SAFETENSORS:
        return checkpoint.fitting(path, from_safetensors(path, read_bytes(path)))
    return checkpoint.weights(path)


def from_safetensors(path: Path, content: bytes) -> dict[str, Tensor]:
    """Return the tensors in a safetensors file's content.

    Raises:
        InputError: safetensors is not installed, or the file is damaged.
    """
    with extra("safetensors", "a safetensors file"):
        from safetensors import SafetensorError
        from safetensors.torch import load
    try:
        return load(content)
    except (SafetensorError, KeyError) as error:
        raise InputError(f"{path} is not a whole safetensors file: {error}") from error


def unfolded(path: Path, layers: list[Convolution]) -> dict[str, Tensor]:
    """Return the weights with which ``Net`` computes what the layers do on raw pixels.

    The first convolution undoes the normalisation of pixels and batch norms change nothing, so
    answers are the same up to rounding. Statistics for further training are not in such a file.

    Raises:
        InputError: the layers are in another order than the net's.
    """
    if _order(layers) != _order_of_net():
        raise InputError(
            f"{path} holds another net: its layers are in another order; give a file from "
            "tinydigits export onnx"
        )
    first, *others = layers
    weight = first.weight * (255 * STD)
    bias = first.bias + 255 * MEAN * first.weight.sum(axis=(1, 2, 3))
    arrays = [(weight, bias), *((layer.weight, layer.bias) for layer in others)]
    weights = _unchanging_norms()
    for number, (weight, bias) in enumerate(arrays, start=1):
        weights[f"layers.conv{number}.weight"] = torch.from_numpy(weight)
        weights[f"layers.conv{number}.bias"] = torch.from_numpy(bias)
    return weights


def _unchanging_norms() -> dict[str, Tensor]:
    """Return batch norms that change nothing: 1 - epsilon is the variance that they divide by 1."""
    net = Net()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_var is not None
            module.running_var -= module.eps
    return {name: value for name, value in net.state_dict().items() if ".bn" in name}


def _order(layers: list[Convolution]) -> list[str]:
    steps = (("convolution", "relu" if layer.relu else None, layer.pool) for layer in layers)
    return [step for group in steps for step in group if step]


def _order_of_net() -> list[str]:
    names = {
        nn.Conv2d: "convolution",
        nn.ReLU: "relu",
        nn.MaxPool2d: "max",
        nn.AdaptiveAvgPool2d: "mean",
    }
    return [names[type(module)] for module in Net().layers if type(module) in names]
