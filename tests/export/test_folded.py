"""The folded net gives the net's logits."""

import pytest
import torch
from torch import nn

from tinydigits import Net, infer, load
from tinydigits.export.folded import activations, fold, logits
from tinydigits.net.shipped import NAMES


def unsettled() -> Net:
    """A net whose batch statistics, scales and shifts are far from 0 and 1."""
    torch.manual_seed(0)
    net = Net()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight, module.bias, module.running_mean):
                assert values is not None
                nn.init.normal_(values)
            assert module.running_var is not None
            nn.init.uniform_(module.running_var, 0.1, 3)
    return net


def test_folded_net_gives_the_same_logits() -> None:
    pixels = torch.randint(0, 256, (20, 28, 28), generator=torch.Generator().manual_seed(1))
    net = unsettled()
    torch.testing.assert_close(logits(fold(net), pixels).float(), infer(net, pixels))


@pytest.mark.parametrize("recipe", NAMES)
def test_folded_shipped_nets_give_the_same_logits(recipe: str) -> None:
    pixels = torch.randint(0, 256, (20, 28, 28), generator=torch.Generator().manual_seed(1))
    net = load(recipe)
    torch.testing.assert_close(
        logits(fold(net), pixels).float(), infer(net, pixels), rtol=1e-4, atol=1e-4
    )


def test_folded_net_is_seven_convolutions() -> None:
    layers = fold(Net())
    assert [layer.side for layer in layers] == [26, 24, 10, 8, 2, 2, 1]
    outputs = activations(layers, torch.zeros(1, 28, 28, dtype=torch.uint8))
    assert [x.shape[-1] for x in outputs] == [layer.side for layer in layers]
    assert sum(layer.weight.size for layer in layers) == 12_712
    assert sum(layer.bias.size for layer in layers) == 114
    assert [layer.relu for layer in layers] == [True] * 6 + [False]
