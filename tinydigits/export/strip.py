"""The strip net as an ONNX file, written node by node.

Input ``strip``: float32 (32, W), ink 0 to 1; W is even. Output ``answers``: log-probabilities
(W / 2, 11) of the ten digits and, last, of the blank between them.
"""

import numpy as np
from onnx import TensorProto, helper

from tinydigits.export.onnx import Graph
from tinydigits.net.contract import CLASSES, STRIP
from tinydigits.net.padded import Padded


def onnx_of(layers: dict[str, Padded]) -> bytes:
    """Return the ONNX file of a strip net's folded layers, in the order of its ``forward``."""
    graph = Graph()

    def layer(x: str, name: str) -> str:
        return graph.add("Relu", graph.padded(x, layers[name]))

    x = graph.add("Unsqueeze", "strip", np.array([0, 1]))
    x = graph.max_pool(layer(x, "at_full"))
    x = graph.max_pool(layer(x, "at_half"), 2, 1)
    x = graph.max_pool(layer(x, "at_quarter"), 2, 1)
    rows = len(layers["at_quarter"].bias) * STRIP // 8
    x = layer(graph.add("Reshape", x, np.array([1, rows, 1, -1])), "column")
    for name in sorted(each.removesuffix(".mix") for each in layers if each.endswith(".mix")):
        mixed = graph.padded(layer(x, f"{name}.look"), layers[f"{name}.mix"])
        x = graph.add("Relu", graph.add("Add", x, mixed))
    x = graph.add("Squeeze", graph.padded(x, layers["answer"]), np.array([0, 2]))
    graph.add("LogSoftmax", graph.add("Transpose", x, perm=[1, 0]), axis=1, output="answers")
    strip = helper.make_tensor_value_info("strip", TensorProto.FLOAT, [STRIP, "W"])
    answers = helper.make_tensor_value_info("answers", TensorProto.FLOAT, ["T", CLASSES + 1])
    return graph.file([strip], [answers])
