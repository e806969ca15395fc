"""The finder as an ONNX file, written node by node.

Input ``view``: float32 (H, W), brightness 0 to 1, whose sides are multiples of 16. Outputs ``ink``,
the probability of digits' ink (H, W), and ``votes`` (4, H / 4, W / 4): how far the middle of a
digit lies to the right and below, in digit sizes; the logarithm of its size in units of 32 pixels;
and its turn clockwise in units of 45 degrees.
"""

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto, helper

from tinydigits.export.onnx import Graph
from tinydigits.net.contract import CELL
from tinydigits.net.padded import Padded


def onnx_of(layers: dict[str, Padded]) -> bytes:
    """Return the ONNX file of a finder's folded layers."""
    return _Writer(layers).file()


class _Writer:
    """Writes the graph in the order of ``net.finder.Finder.forward``."""

    def __init__(self, layers: dict[str, Padded]) -> None:
        self.layers, self.graph = layers, Graph()
        self.add = self.graph.add

    def file(self) -> bytes:
        """Return the ONNX file."""
        add, conv, layer = self.add, self._conv, self._layer
        half = layer(add("SpaceToDepth", self._standardised(), blocksize=2), "enter")
        quarter = layer(layer(half, "narrow.0"), "narrow.1")
        eighth = layer(self.graph.max_pool(quarter), "eighth.0")
        eighth = self._mixers(eighth, ["eighth.1", "eighth.2"])
        last = self.graph.max_pool(eighth)
        last = self._mixers(last, [f"sixteenth.{number}" for number in range(4)])
        last = add("Add", last, conv(add("GlobalAveragePool", last), "everywhere"))
        eighth = self._mixers(add("Add", eighth, self._doubled(last)), ["back"])
        quarter = add("Add", quarter, self._doubled(conv(eighth, "to_quarter")))
        quarter = layer(quarter, "at_quarter")
        half = layer(add("Add", half, self._doubled(conv(quarter, "to_half"))), "at_half")
        ink = add("DepthToSpace", conv(half, "ink"), blocksize=2, mode="CRD")
        add("Squeeze", add("Sigmoid", ink), np.array([0, 1]), output="ink")
        add("Squeeze", conv(quarter, "votes"), np.array([0]), output="votes")
        sides: dict[str, list[str | int | None]] = {
            "view": ["H", "W"],
            "ink": ["H", "W"],
            "votes": [4, "rows", "columns"],
        }
        view, *found = (
            helper.make_tensor_value_info(name, TensorProto.FLOAT, each)
            for name, each in sides.items()
        )
        return self.graph.file([view], found)

    def _standardised(self) -> str:
        """Add ``net.finder.standardised``."""
        add, number = self.add, np.float32
        view = add("Unsqueeze", "view", np.array([0, 1]))
        off = add("Sub", view, add("ReduceMean", view, axes=[2, 3], keepdims=1))
        variance = add("ReduceMean", add("Mul", off, off), axes=[2, 3], keepdims=1)
        spread = add("Add", add("Sqrt", variance), number(0.01))
        near = self._near(view)
        variance = add("Sub", self._near(add("Mul", view, view)), add("Mul", near, near))
        least = add("Mul", add("Mul", spread, spread), number(0.15**2))
        variance = add("Add", add("Add", add("Relu", variance), least), number(1e-4))
        local = add("Div", add("Sub", view, near), add("Sqrt", variance))
        return add("Concat", add("Div", off, spread), local, axis=1)

    def _near(self, x: str) -> str:
        cells = self.add("AveragePool", x, kernel_shape=[CELL, CELL], strides=[CELL, CELL])
        cells = self.add("Pad", cells, np.array([0, 0, 2, 2, 0, 0, 2, 2]), mode="edge")
        means = self.add("AveragePool", cells, kernel_shape=[5, 5], strides=[1, 1])
        return self._resized(means, CELL, mode="linear")

    def _mixers(self, x: str, names: Sequence[str]) -> str:
        for name in names:
            mixed = self._conv(self._layer(x, f"{name}.look"), f"{name}.mix")
            x = self.add("Relu", self.add("Add", x, mixed))
        return x

    def _layer(self, x: str, name: str) -> str:
        return self.add("Relu", self._conv(x, name))

    def _conv(self, x: str, name: str) -> str:
        layer = self.layers[name]
        weight, size = layer.weight, layer.weight.shape[-1]
        if name == "enter":  # ONNX puts the channels behind the pixels of a square
            weight = weight.reshape(len(weight), -1, 4, size, size).swapaxes(1, 2)
            weight = weight.reshape(layer.weight.shape)
        return self.graph.padded(x, layer, weight)

    def _doubled(self, x: str) -> str:
        return self._resized(x, 2, mode="nearest")

    def _resized(self, x: str, times: int, *, mode: str) -> str:
        scales = np.array([1, 1, times, times], np.float32)
        # Half pixels and the floor are what PyTorch does; for whole factors they are also exact.
        way = {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_floor"}
        if mode == "nearest":
            way = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.add("Resize", x, "", scales, mode=mode, **way)
