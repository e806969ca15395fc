"""Folded layers of the finder and of the strip net as they are shipped, in one JSON file each.

``layers`` holds for each convolution, by its name, the numbers of inputs, outputs and groups, the
size of its kernel and the stride; the size is one number for squares, else height and width.
``weights`` holds their kernels (outputs, inputs / groups, height, width), each followed by the
biases, as little-endian float16 in base64. The page reads the same files (web/layers.js). Nothing
here needs PyTorch.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinydigits.net.shipped import WEIGHTS

FINDER, FINDER_ONNX = WEIGHTS / "finder.json", WEIGHTS / "finder.onnx"
STRIP, STRIP_ONNX = WEIGHTS / "strip.json", WEIGHTS / "strip.onnx"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Padded:
    """A convolution padded with zeros: its maps keep their size, or ``stride`` halves it."""

    weight: Floats
    """(out, in / groups, height, width)."""
    bias: Floats
    """(out,)."""
    stride: int = 1
    groups: int = 1


def encode(layers: dict[str, Padded]) -> bytes:
    """Return the content of the file for these layers."""
    described = {
        name: {
            "inputs": layer.weight.shape[1] * layer.groups,
            "outputs": layer.weight.shape[0],
            "size": _size(layer.weight.shape[2:]),
            "stride": layer.stride,
            "groups": layer.groups,
        }
        for name, layer in layers.items()
    }
    numbers = [part.ravel() for layer in layers.values() for part in (layer.weight, layer.bias)]
    weights = base64.b64encode(np.concatenate(numbers).astype("<f2").tobytes()).decode()
    content = {"layers": described, "weights": weights}
    return json.dumps(content, separators=(",", ":")).encode()


def _size(shape: tuple[int, ...]) -> int | tuple[int, ...]:
    return shape[0] if shape[0] == shape[1] else shape


def decode(content: bytes) -> dict[str, Padded]:
    """Return the layers in the file's content."""
    told = json.loads(content)
    numbers = np.frombuffer(base64.b64decode(told["weights"]), "<f2").astype(np.float32)
    layers, start = {}, 0
    for name, each in told["layers"].items():
        size = each["size"] if isinstance(each["size"], list) else (each["size"], each["size"])
        shape = (each["outputs"], each["inputs"] // each["groups"], *size)
        middle = start + int(np.prod(shape))
        end = middle + each["outputs"]
        layers[name] = Padded(
            numbers[start:middle].reshape(shape),
            numbers[middle:end],
            each["stride"],
            each["groups"],
        )
        start = end
    return layers


def shipped(path: Path) -> dict[str, Padded]:
    """Return the layers of one of the package's nets."""
    return decode(path.read_bytes())
