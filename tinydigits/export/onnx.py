"""ONNX: the folded net as a graph, written node by node.

Input ``pixels``: uint8 (N, 28, 28), 0 to 255, white on black. Output ``logits``: float32 (N, 10).
Nothing is traced, so the file contains nothing from PyTorch or the machine. The opset is old on
purpose: it has all that is needed, and every runtime of recent years reads it.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper

from tinydigits import __version__
from tinydigits.errors import InputError
from tinydigits.export.layers import Convolution, IntegerConvolution
from tinydigits.net.contract import SIDE

OPSET, IR = 13, 8


def in_floats(layers: list[Convolution]) -> bytes:
    """Return the ONNX file of a float32 net."""
    graph = _Graph()
    x = graph.add("Cast", "pixels", to=TensorProto.FLOAT)
    x = graph.add("Unsqueeze", x, np.array([1]))
    for layer in layers:
        weight, bias = layer.weight.astype(np.float32), layer.bias.astype(np.float32)
        x = graph.add("Conv", x, weight, bias)
        if layer.relu:
            x = graph.add("Relu", x)
        if layer.pool == "max":
            x = graph.max_pool(x)
        if layer.pool == "mean":
            x = graph.add("GlobalAveragePool", x)
    return graph.file(x, len(layers[-1].bias))


def in_integers(layers: list[IntegerConvolution]) -> bytes:
    """Return the ONNX file of an int8 net.

    Its weights are uint8 around 128: processors without dot products of bytes add pairs of products
    in 16 bits, which overflow if activations are unsigned and weights are signed.
    """
    *inner, last = layers
    graph = _Graph()
    x = graph.add("Unsqueeze", "pixels", np.array([1]))
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
        )
        if layer.pool == "max":
            x = graph.max_pool(x)
    # A 1x1 kernel on the sum of 2x2 pixels is a 2x2 kernel on the pixels: exact in integers.
    side = inner[-1].side
    weight = np.tile(last.weight, (1, 1, side, side))
    x = graph.add("ConvInteger", x, _unsigned(weight), np.uint8(0), np.uint8(128))
    x = graph.add("Cast", x, to=TensorProto.FLOAT)
    scale = (last.input_scale * last.weight_scale).astype(np.float32).reshape(-1, 1, 1)
    x = graph.add("Mul", x, scale)
    x = graph.add("Add", x, last.bias.reshape(-1, 1, 1).astype(np.float32) * scale)
    return graph.file(x, len(last.bias))


def layers_of(content: bytes) -> list[Convolution]:
    """Return the layers in a file that ``in_floats`` wrote.

    Raises:
        InputError: the file is not one of those.
    """
    try:
        return _layers(onnx.load_from_string(content).graph)
    except (DecodeError, LookupError, ValueError) as error:
        raise InputError(
            "not a float ONNX model of tinydigits: expected a file from tinydigits export onnx "
            "without --int8"
        ) from error


def _layers(graph: onnx.GraphProto) -> list[Convolution]:
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    side, layers = SIDE, list[Convolution]()
    first, second, *nodes, last = graph.node
    if (first.op_type, second.op_type, last.op_type) != ("Cast", "Unsqueeze", "Flatten"):
        raise ValueError
    for node in nodes:
        match node.op_type:
            case "Conv":
                weight, bias = (constants[name].astype(np.float64) for name in node.input[1:])
                side -= weight.shape[-1] - 1
                layers.append(Convolution(weight, bias, side))
            case "Relu":
                layers[-1] = replace(layers[-1], relu=True)
            case "MaxPool":
                side //= 2
                layers[-1] = replace(layers[-1], pool="max")
            case "GlobalAveragePool":
                layers[-1] = replace(layers[-1], pool="mean")
            case _:
                raise ValueError(node.op_type)
    return layers


def _unsigned(weight: Any) -> Any:
    return (weight.astype(np.int16) + 128).astype(np.uint8)


class _Graph:
    """Nodes and constants, each named by its number."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, *inputs: Any, **attributes: Any) -> str:
        """Add a node and return its output's name; arrays among its inputs become constants."""
        names = [each if isinstance(each, str) else self._constant(each) for each in inputs]
        output = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [output], **attributes))
        return output

    def max_pool(self, x: str) -> str:
        """Add the maximum of every 2x2 pixels and return its output's name."""
        return self.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])

    def _constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def file(self, x: str, classes: int) -> bytes:
        """Return the ONNX file of the graph, with ``x`` (N, classes, 1, 1) flattened to logits."""
        self.nodes.append(helper.make_node("Flatten", [x], ["logits"]))
        pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", SIDE, SIDE])
        logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])
        graph = helper.make_graph(self.nodes, "tinydigits", [pixels], [logits], self.constants)
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
