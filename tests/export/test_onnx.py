"""ONNX files: small, clean, and the same answers in onnxruntime and OpenCV."""

import cv2
import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import Tensor

from tests.conftest import ROOT
from tinydigits import InputError, infer, load, report
from tinydigits.data.dataset import Dataset, Digits
from tinydigits.export.folded import fold
from tinydigits.export.layers import IntegerConvolution
from tinydigits.export.onnx import in_floats, in_integers
from tinydigits.export.quantised import LOGIT, quantise
from tinydigits.net.graph import layers_of
from tinydigits.net.inference import infer_onnx

# What readers such as OpenCV and burn require, and nothing that they do not know.
POOL = {"kernel_shape", "strides", "pads"}
CONVOLUTION = POOL | {"dilations", "group"}
REQUIRED = {"Conv": CONVOLUTION, "QLinearConv": CONVOLUTION, "MaxPool": POOL}


@pytest.fixture(scope="module")
def floats() -> bytes:
    return in_floats(fold(load()))


@pytest.fixture(scope="module")
def integers(drawn: Dataset) -> bytes:
    return in_integers(quantise(fold(load()), drawn.train.images[:200]))


def test_files_are_small(floats: bytes, integers: bytes) -> None:
    assert len(floats) <= 60_000
    assert len(integers) <= 26_000


@pytest.mark.parametrize("form", ["floats", "integers"])
def test_files_tell_nothing_of_the_machine(form: str, request: pytest.FixtureRequest) -> None:
    content = request.getfixturevalue(form)
    model = onnx.load_from_string(content)
    assert not model.metadata_props
    assert not model.doc_string
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    assert str(ROOT).encode() not in content
    assert (model.producer_name, model.ir_version) == ("tinydigits", 8)


@pytest.mark.parametrize("form", ["floats", "integers"])
def test_any_number_of_pictures_is_taken(form: str, request: pytest.FixtureRequest) -> None:
    content = request.getfixturevalue(form)
    pixels = torch.randint(0, 256, (7, 28, 28), generator=torch.Generator().manual_seed(0))
    pixels = pixels.to(torch.uint8)
    together = infer_onnx(content, pixels)
    assert together.shape == (7, 10)
    assert torch.equal(together, infer_onnx(content, pixels, batch_size=1))


def test_float_file_says_the_same_to_the_reference(floats: bytes, drawn: Dataset) -> None:
    pixels = drawn.test.images[:2].numpy()
    (found,) = ReferenceEvaluator(onnx.load_from_string(floats)).run(None, {"pixels": pixels})
    np.testing.assert_allclose(np.asarray(found), infer(load(), drawn.test.images[:2]), atol=1e-4)


def test_float_file_gives_every_answer_of_the_net(
    floats: bytes, tested: Digits, net_logits: Tensor
) -> None:
    found = infer_onnx(floats, tested.images)
    assert torch.equal(found.argmax(dim=1), net_logits.argmax(dim=1))
    assert (found - net_logits).abs().max() < 1e-3


def test_integer_file_is_nearly_exact(
    tested: Digits,
    calibrated: list[IntegerConvolution],
    integer_logits: Tensor,
    net_logits: Tensor,
) -> None:
    found = infer_onnx(in_integers(calibrated), tested.images)
    # onnxruntime rescales in float32, which now and then rounds an activation the other way.
    assert (found - integer_logits * LOGIT)[:1000].abs().max() < 0.2
    accuracy = report(net_logits, tested.labels).accuracy
    assert report(found, tested.labels).accuracy >= accuracy - 0.05


@pytest.mark.parametrize("engine", [cv2.dnn.ENGINE_CLASSIC, cv2.dnn.ENGINE_NEW])  # OpenCV 4, 5
@pytest.mark.parametrize("form", ["floats", "integers"])
def test_opencv_gives_the_same_answers(
    form: str, engine: int, drawn: Dataset, request: pytest.FixtureRequest
) -> None:
    content = request.getfixturevalue(form)
    net = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8), engine)
    for images in (drawn.test.images, drawn.test.images[:1]):
        net.setInput(cv2.dnn.blobFromImages(list(images.numpy()), ddepth=cv2.CV_8U))
        found, expected = torch.from_numpy(net.forward()), infer_onnx(content, images)
        assert torch.equal(found.argmax(dim=1), expected.argmax(dim=1))
        # Each rounds int8 activations in its own way.
        assert (found - expected).abs().max() < (1e-3 if form == "floats" else 0.2)


@pytest.mark.parametrize("form", ["floats", "integers"])
def test_no_attribute_is_left_to_its_default(form: str, request: pytest.FixtureRequest) -> None:
    nodes = onnx.load_from_string(request.getfixturevalue(form)).graph.node
    windows = [node for node in nodes if node.op_type in REQUIRED]
    assert {node.op_type for node in windows} >= {"Conv", "MaxPool"}
    for node in windows:
        assert {each.name for each in node.attribute} == REQUIRED[node.op_type]


def test_layers_are_read_from_files_of_earlier_versions(floats: bytes) -> None:
    earlier = onnx.load_from_string(floats)
    first, second = earlier.graph.node[:2]
    axes = onnx.numpy_helper.from_array(np.array([1]), "axes")
    earlier.graph.initializer.append(axes)
    second.CopyFrom(onnx.helper.make_node("Unsqueeze", [*first.output, "axes"], second.output))
    for node in earlier.graph.node:
        if node.op_type == "Conv":
            node.ClearField("attribute")
    found = (layers_of(each, "x.onnx") for each in (earlier.SerializeToString(), floats))
    for old, new in zip(*found, strict=True):
        np.testing.assert_array_equal(old.weight, new.weight)
        assert (old.side, old.relu, old.pool) == (new.side, new.relu, new.pool)


def test_other_files_are_refused(floats: bytes) -> None:
    pixels = torch.zeros(1, 28, 28, dtype=torch.uint8)
    with pytest.raises(InputError, match="onnxruntime cannot run the net"):
        infer_onnx(b"nonsense", pixels)
    other = onnx.load_from_string(floats)
    other.graph.input[0].name = other.graph.node[0].input[0] = "image"
    with pytest.raises(InputError, match=r"takes .*image.* expected pixels, uint8"):
        infer_onnx(other.SerializeToString(), pixels)
