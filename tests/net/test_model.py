import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tinydigits.net.model import Net, layer_table, normalise, parameter_count

# name: (output shape, parameters, multiply-adds), from the closed forms: out x (in x k x k + 1)
# parameters, and out x height x width x in x k x k multiply-adds.
CONVOLUTIONS = {
    "conv1": ((8, 26, 26), 8 * (1 * 9 + 1), 8 * 26 * 26 * 9),
    "conv2": ((16, 24, 24), 16 * (8 * 9 + 1), 16 * 24 * 24 * 8 * 9),
    "conv3": ((16, 10, 10), 16 * (16 * 9 + 1), 16 * 10 * 10 * 16 * 9),
    "conv4": ((24, 8, 8), 24 * (16 * 9 + 1), 24 * 8 * 8 * 16 * 9),
    "conv5": ((24, 2, 2), 24 * (24 * 9 + 1), 24 * 2 * 2 * 24 * 9),
    "conv6": ((16, 2, 2), 16 * (24 + 1), 16 * 2 * 2 * 24),
    "conv7": ((10, 1, 1), 10 * (16 + 1), 10 * 16),
}
ORDER = (
    "conv1 bn1 relu1 conv2 bn2 relu2 pool1 dropout1 "
    "conv3 bn3 relu3 conv4 bn4 relu4 pool2 dropout2 "
    "conv5 bn5 relu5 conv6 bn6 relu6 average conv7 flatten"
)


def test_net_has_13034_parameters() -> None:
    assert parameter_count(Net()) == 13_034


def test_layer_table_agrees_with_the_closed_forms() -> None:
    table = layer_table(Net())
    found = {row.name: (row.output_shape, row.parameters, row.multiply_adds) for row in table}
    assert {name: found[name] for name in CONVOLUTIONS} == CONVOLUTIONS
    assert " ".join(row.name for row in table) == ORDER
    assert sum(row.parameters for row in table) == 13_034
    assert sum(row.multiply_adds for row in table) == 1_186_240


@pytest.mark.parametrize("training", [True, False])
def test_layer_table_leaves_the_net_as_it_was(training: bool) -> None:
    net = Net().train(training)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    layer_table(net)
    assert net.training is training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())


def test_forward_is_the_specified_net() -> None:
    # The same arithmetic written out with functions, from nothing but the stored numbers.
    net = Net().eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in net.state_dict().values():
            if value.is_floating_point():
                value.uniform_(0.1, 0.5, generator=generator)
    weights: dict[str, Tensor] = {
        name.removeprefix("layers."): value for name, value in net.state_dict().items()
    }

    def block(x: Tensor, i: int) -> Tensor:
        x = functional.conv2d(x, weights[f"conv{i}.weight"], weights[f"conv{i}.bias"])
        mean, variance, scale, shift = (
            weights[f"bn{i}.{name}"].view(-1, 1, 1)
            for name in ("running_mean", "running_var", "weight", "bias")
        )
        y: Tensor = (x - mean) / (variance + 1e-5).sqrt() * scale + shift
        return y.clamp(min=0)

    x = torch.rand(3, 1, 28, 28, generator=generator)
    y = functional.max_pool2d(block(block(x, 1), 2), 2)
    y = functional.max_pool2d(block(block(y, 3), 4), 2)
    y = block(block(y, 5), 6).mean(dim=(2, 3))
    expected = y @ weights["conv7.weight"].flatten(1).T + weights["conv7.bias"]
    torch.testing.assert_close(net(x), expected, rtol=1e-4, atol=1e-4)


def test_dropout_acts_in_training_only() -> None:
    net, x = Net(dropout=0.5), torch.rand(4, 1, 28, 28)
    assert not torch.equal(net.train()(x), net(x))
    assert torch.equal(net.eval()(x), net(x))


def test_normalise_gives_training_pixels_mean_0_and_deviation_1() -> None:
    pixels = torch.tensor([[[0, 255]]], dtype=torch.uint8)
    expected = (np.array([0.0, 1.0]) - 0.1307) / 0.3081
    assert normalise(pixels).shape == (1, 1, 1, 2)
    np.testing.assert_allclose(normalise(pixels).flatten(), expected, rtol=1e-5)
