"""ONNX: the folded net as a graph, written node by node.

Input ``pixels``: uint8 (N, 28, 28), 0 to 255, white on black. Output ``logits``: float32 (N, 10).
Nothing is traced, so the file contains nothing from PyTorch or the machine. The opset is old on
purpose: it has all that is needed, and every runtime of recent years reads it. Attributes are
written even where they equal ONNX's defaults, because some readers require them; for the same
reason the graph has only operators that OpenCV reads.
"""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tinydigits import __version__
from tinydigits.export.layers import IntegerConvolution
from tinydigits.net.contract import SIDE
from tinydigits.net.layers import Convolution, Numbers
from tinydigits.net.padded import Floats, Padded

OPSET, IR = 16, 8


def in_floats(layers: list[Convolution]) -> bytes:
    """Return the ONNX file of a float32 net."""
    graph = Graph()
    x = graph.pixels()
    for layer in layers:
        x = graph.convolution(x, layer.weight, layer.bias)
        if layer.relu:
            x = graph.add("Relu", x)
        if layer.pool == "max":
            x = graph.max_pool(x)
        if layer.pool == "mean":
            x = graph.add("GlobalAveragePool", x)
    return graph.logits(x, len(layers[-1].bias))


def in_integers(layers: list[IntegerConvolution]) -> bytes:
    """Return the ONNX file of an int8 net.

    Its weights are uint8 around 128: processors without dot products of bytes add pairs of products
    in 16 bits, which overflow if activations are unsigned and weights are signed.
    """
    *inner, last = layers
    graph = Graph()
    x = graph.add("QuantizeLinear", graph.pixels(), np.float32(1), np.uint8(0))
    for layer in inner:
        x = graph.add(
            "QLinearConv",
            x,
            np.float32(layer.input_scale),
            np.uint8(0),
            _unsigned(layer.weight),
            layer.weight_scale.astype(np.float32),
            np.full(len(layer.weight), 128, np.uint8),
            np.float32(layer.output_scale),
            np.uint8(0),
            layer.bias,
            **_convolution(layer.weight),
        )
        if layer.pool == "max":
            x = graph.max_pool(x)
    # Logits are not rounded to 8 bits, so the last layer is computed in floats.
    x = graph.add("DequantizeLinear", x, np.float32(inner[-1].output_scale), np.uint8(0))
    x = graph.add("GlobalAveragePool", x)
    weight = last.weight * last.weight_scale[:, None, None, None]
    x = graph.convolution(x, weight, last.bias * last.input_scale * last.weight_scale)
    return graph.logits(x, len(last.bias))


def _unsigned(weight: Any) -> Any:
    return (weight.astype(np.int16) + 128).astype(np.uint8)


def _window(side: int, stride: int) -> dict[str, Any]:
    return {"kernel_shape": [side, side], "strides": [stride, stride], "pads": [0, 0, 0, 0]}


def _convolution(weight: Any) -> dict[str, Any]:
    return {**_window(weight.shape[-1], 1), "dilations": [1, 1], "group": 1}


class Graph:
    """Nodes and constants, each named by its number."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, *inputs: Any, output: str | None = None, **attributes: Any) -> str:
        """Add a node and return its output's name; arrays among its inputs become constants."""
        names = [each if isinstance(each, str) else self._constant(each) for each in inputs]
        output = output or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [output], **attributes))
        return output

    def pixels(self) -> str:
        """Add the input as floats (N, 1, 28, 28) and return its name."""
        x = self.add("Cast", "pixels", to=TensorProto.FLOAT)
        # Not Unsqueeze, for which OpenCV 4 takes the number of pictures to be fixed.
        return self.add("Reshape", x, np.array([-1, 1, SIDE, SIDE]))

    def convolution(self, x: str, weight: Numbers, bias: Numbers) -> str:
        """Add a convolution in float32 and return its output's name."""
        numbers = weight.astype(np.float32), bias.astype(np.float32)
        return self.add("Conv", x, *numbers, **_convolution(weight))

    def padded(self, x: str, layer: Padded, weight: Floats | None = None) -> str:
        """Add a convolution of the finder or the strip net and return its output's name."""
        height, width = layer.weight.shape[2:]
        return self.add(
            "Conv",
            x,
            layer.weight if weight is None else weight,
            layer.bias,
            kernel_shape=[height, width],
            strides=[layer.stride] * 2,
            pads=[height // 2, width // 2] * 2,
            dilations=[1, 1],
            group=layer.groups,
        )

    def max_pool(self, x: str, height: int = 2, width: int = 2) -> str:
        """Add the maximum of every 2x2 or other pixels and return its output's name."""
        size = [height, width]
        return self.add("MaxPool", x, kernel_shape=size, strides=size, pads=[0, 0, 0, 0])

    def _constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def logits(self, x: str, classes: int) -> bytes:
        """Return the ONNX file of the graph, with ``x`` (N, classes, 1, 1) flattened to logits."""
        self.add("Flatten", x, output="logits", axis=1)
        pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", SIDE, SIDE])
        logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])
        return self.file([pixels], [logits])

    def file(self, inputs: list[Any], outputs: list[Any]) -> bytes:
        """Return the ONNX file of the graph with these inputs and outputs."""
        graph = helper.make_graph(self.nodes, "tinydigits", inputs, outputs, self.constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR,
            producer_name="tinydigits",
            producer_version=__version__,
        )
        onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString()
        return content
