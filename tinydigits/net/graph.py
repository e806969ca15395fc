"""Reading ONNX files, above all those of ``tinydigits export onnx``; without PyTorch."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from tinydigits.errors import InputError
from tinydigits.net.contract import SIDE
from tinydigits.net.layers import Convolution

Constants = dict[str, npt.NDArray[Any]]


def constants_of(content: bytes) -> Constants:
    """Return the constants in an ONNX file by their names: weights, biases, scales, shapes.

    Raises:
        ValueError: this is no ONNX file.
    """
    return _constants(_graph(content))


def layers_of(content: bytes, file: Path | str) -> list[Convolution]:
    """Return the layers in a float ONNX file that tinydigits wrote; ``file`` is its path.

    Raises:
        InputError: the file is not one of those.
    """
    try:
        return _layers(_graph(content))
    except (LookupError, ValueError) as error:
        raise InputError(
            f"{file} is not a float ONNX model of tinydigits: expected a file from tinydigits "
            "export onnx without --int8"
        ) from error


def _graph(content: bytes) -> onnx.GraphProto:
    try:
        return onnx.load_from_string(content).graph
    except DecodeError as error:
        raise ValueError(str(error)) from error


def _constants(graph: onnx.GraphProto) -> Constants:
    return {each.name: numpy_helper.to_array(each) for each in graph.initializer}


def _layers(graph: onnx.GraphProto) -> list[Convolution]:
    constants = _constants(graph)
    side, layers = SIDE, list[Convolution]()
    first, second, *nodes, last = graph.node
    if (first.op_type, last.op_type) != ("Cast", "Flatten"):
        raise ValueError
    if second.op_type not in {"Reshape", "Unsqueeze"}:  # Unsqueeze in files of earlier versions
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
