"""The net in integers: exact arithmetic, close to the float net."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from torch import Tensor

from tinydigits import Net, infer, load
from tinydigits.data.dataset import Dataset, Digits
from tinydigits.export.folded import activations, fold
from tinydigits.export.layers import IntegerConvolution
from tinydigits.export.quantised import LOGIT, logits, quantise


@pytest.fixture(scope="module")
def layers(drawn: Dataset) -> list[IntegerConvolution]:
    return quantise(fold(load()), drawn.train.images[:200])


def by_hand(layers: list[IntegerConvolution], pixels: npt.NDArray[np.uint8]) -> list[int]:
    """The same with Python's own integers, one sum at a time."""
    x = [[[int(value) for value in row] for row in pixels]]
    for layer in layers:
        weight, last = layer.weight.tolist(), layer is layers[-1]
        size, side = len(weight[0][0]), len(x[0]) - len(weight[0][0]) + 1
        planes = []
        for o, kernel in enumerate(weight):
            plane = [
                [
                    int(layer.bias[o])
                    + sum(
                        kernel[c][i][j] * x[c][row + i][column + j]
                        for c in range(len(x))
                        for i in range(size)
                        for j in range(size)
                    )
                    for column in range(side)
                ]
                for row in range(side)
            ]
            if layer.pool == "max":
                plane = [
                    [max(plane[r][c : c + 2] + plane[r + 1][c : c + 2]) for c in range(0, side, 2)]
                    for r in range(0, side, 2)
                ]
            # Python's // rounds down, as the shift must.
            half, whole = 2 ** (layer.shift - 1), 2**layer.shift
            scaled = [[(v * int(layer.multiplier[o]) + half) // whole for v in r] for r in plane]
            planes.append(scaled if last else [[min(max(v, 0), 255) for v in r] for r in scaled])
        x = [[[sum(map(sum, plane))]] for plane in planes] if layer.pool == "mean" else planes
    return [plane[0][0] for plane in x]


@pytest.fixture(params=["layers", "in_four_bits"])
def either(request: pytest.FixtureRequest) -> list[IntegerConvolution]:
    """Weights of 8 bits, and of 4."""
    layers: list[IntegerConvolution] = request.getfixturevalue(request.param)
    return layers


def test_logits_are_those_of_integers_added_by_hand(
    either: list[IntegerConvolution], drawn: Dataset
) -> None:
    pixels = drawn.test.images[0].numpy()
    assert logits(either, pixels[None]).tolist() == [by_hand(either, pixels)]


def test_numbers_fit_their_types(either: list[IntegerConvolution]) -> None:
    for layer in either:
        most, precision = {8: (127, 1e-6), 4: (7, 1e-3)}[layer.bits]
        assert np.abs(layer.weight.astype(int)).max() == most
        assert (layer.multiplier > 0).all()
        assert layer.multiplier.max() < 2 ** (4 * layer.bits - 1)
        # The lower half of a product decides nothing, except in the logits.
        assert layer.shift > (1 if layer is either[-1] else 4 * layer.bits)
        factor = layer.multiplier / 2.0**layer.shift
        np.testing.assert_allclose(factor, layer.factor, rtol=precision)
        # The largest sums there can be stay within 32 bits.
        worst = np.abs(layer.weight.astype(int)).sum(axis=(1, 2, 3)) * 255 * 4
        assert (worst + np.abs(layer.bias.astype(int)) < 2**31).all()


def test_rounded_weights_lose_nothing(
    in_four_bits: list[IntegerConvolution], rounded: Net, drawn: Dataset
) -> None:
    for layer, folded in zip(in_four_bits, fold(rounded), strict=True):
        restored = layer.weight * layer.weight_scale[:, None, None, None]
        np.testing.assert_allclose(restored, folded.weight, rtol=1e-5, atol=1e-7)
    found = logits(in_four_bits, drawn.test.images.numpy()) * LOGIT
    expected = infer(rounded, drawn.test.images).numpy()
    assert np.abs(found - expected).mean() < 0.1  # as with 8 bits: activations have as many


def test_a_factor_just_below_a_power_of_two_fits_its_type(
    in_four_bits: list[IntegerConvolution],
) -> None:
    layer = replace(
        in_four_bits[0], weight_scale=np.array([2.0 - 1e-6]), input_scale=1.0, output_scale=1.0
    )
    assert layer.multiplier[0] / 2.0**layer.shift == pytest.approx(2, rel=1e-4)
    assert 2**13 < layer.multiplier[0] < 2**15


def test_scales_are_set_by_the_pixels_given(drawn: Dataset) -> None:
    folded = fold(load())
    bright, dim = (quantise(folded, drawn.train.images[:50] // d) for d in (1, 4))
    assert dim[1].output_scale < bright[1].output_scale
    assert bright[0].input_scale == dim[0].input_scale == 1


def test_a_channel_that_ignores_its_input_is_kept(drawn: Dataset) -> None:
    folded = fold(load())
    folded[2].weight[3] = 0
    integers = quantise(folded, drawn.train.images[:50])
    assert not integers[2].weight[3].any()
    assert np.isfinite(integers[2].factor).all()


def test_a_unit_of_an_activation_is_several_of_its_sums(drawn: Dataset) -> None:
    folded, pixels = fold(load()), drawn.train.images[:50]
    _, second, *_ = activations(folded, pixels)
    folded[1].bias[:] -= second.max().item() - 1e-7  # hardly any activation is left
    for layer in quantise(folded, pixels)[:-1]:
        assert layer.factor.max() <= 1 / 8
        assert layer.shift > 32


def test_integers_lose_less_than_a_twentieth_of_a_point(
    tested: Digits, integer_logits: Tensor, net_logits: Tensor
) -> None:
    labels, both = tested.labels, (integer_logits, net_logits)
    right, wanted = ((x.argmax(dim=1) == labels).sum().item() for x in both)
    assert right >= wanted - len(labels) / 2000
    assert (integer_logits * LOGIT - net_logits).abs().mean() < 0.1
