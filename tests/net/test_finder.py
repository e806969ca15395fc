from typing import TypeVar

import numpy as np
import pytest
import torch

from tinydigits.net import padded
from tinydigits.net.blocks import fold, unfold
from tinydigits.net.contract import CELL
from tinydigits.net.finder import Finder, as_function, finder
from tinydigits.net.model import parameter_count

pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install onnxruntime")

from tinydigits.export.finding import onnx_of
from tinydigits.net import runtime

SHAPES = [(128, 128), (96, 128), (320, 240), (16, 64)]


Module = TypeVar("Module", bound=torch.nn.Module)


def views() -> list[padded.Floats]:
    rng = np.random.default_rng(0)
    return [rng.random(shape, np.float32) for shape in SHAPES]


def trained() -> Finder:
    torch.manual_seed(0)
    return with_statistics(Finder())


def with_statistics(net: Module) -> Module:
    """The net in evaluation mode, as if its batch normalisation had seen something."""
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.1)
            module.running_mean = 0.1 * torch.randn(module.num_features)
            module.running_var = 0.5 + torch.rand(module.num_features)
    return net.eval()


def test_it_has_at_most_20_000_parameters() -> None:
    assert parameter_count(Finder()) == 19_272 <= 20_000


@pytest.mark.parametrize("shape", SHAPES)
def test_it_gives_ink_for_each_pixel_and_four_votes_for_each_cell(shape: tuple[int, int]) -> None:
    ink, votes = finder()(np.zeros(shape, np.float32))
    assert ink.shape == shape
    assert votes.shape == (4, shape[0] // CELL, shape[1] // CELL)
    assert ink.max() < 0.5


def test_folding_changes_nothing_but_rounding() -> None:
    net = trained()
    folded = unfold(Finder(folded=True), fold(net))
    for view in views():
        for one, two in zip(as_function(net)(view), as_function(folded)(view), strict=True):
            assert two == pytest.approx(one, abs=1e-4)


def test_brightness_may_have_any_scale() -> None:
    find = finder()
    for view in views():
        brighter = find(np.float32(0.25) + view / np.float32(2))[0]
        assert brighter == pytest.approx(find(view)[0], abs=0.2)


def test_the_file_keeps_the_layers_in_16_bits() -> None:
    layers = fold(trained())
    kept = padded.decode(padded.encode(layers))
    assert list(kept) == list(layers)
    for name, layer in layers.items():
        assert kept[name].weight == pytest.approx(layer.weight, rel=1e-3, abs=1e-4)
        assert (kept[name].stride, kept[name].groups) == (layer.stride, layer.groups)
    assert padded.encode(kept) == padded.encode(layers)


def test_onnxruntime_finds_what_pytorch_finds() -> None:
    for view in views():
        for one, two in zip(finder()(view), runtime.finder()(view), strict=True):
            assert two == pytest.approx(one, abs=2e-5)


def test_the_shipped_onnx_file_is_that_of_the_shipped_layers() -> None:
    assert padded.FINDER_ONNX.read_bytes() == onnx_of(padded.shipped(padded.FINDER))
