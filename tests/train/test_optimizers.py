import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from tests.conftest import ROOT
from tinydigits.net.model import Net
from tinydigits.train.config import TrainConfig
from tinydigits.train.optimizers import Muon, optimizers_for, orthogonalise

SHAPES = [(8, 9), (16, 72), (24, 216), (10, 16), (24, 8), (5, 5)]


def matrices(scale: float = 1.0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [scale * torch.randn(shape, generator=generator) for shape in SHAPES]


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_every_parameter_is_adjusted_by_exactly_one_optimizer(optimizer: str) -> None:
    net = Net()
    config = TrainConfig(optimizer=optimizer)  # type: ignore[arg-type]
    taken = [
        parameter
        for each in optimizers_for(net, config)
        for group in each.param_groups
        for parameter in group["params"]
    ]
    assert len(taken) == len({id(parameter) for parameter in taken})
    assert {id(parameter) for parameter in taken} == {id(each) for each in net.parameters()}


def test_muon_takes_the_kernels_and_adam_what_is_left() -> None:
    muon, adam = optimizers_for(Net(), TrainConfig(optimizer="muon", muon_lr=0.03, lr=0.002))
    assert {each.ndim for each in muon.param_groups[0]["params"]} == {4}
    assert {each.ndim for each in adam.param_groups[0]["params"]} == {1}
    assert (muon.param_groups[0]["lr"], adam.param_groups[0]["lr"]) == (0.03, 0.002)


@pytest.mark.parametrize("scale", [1e-3, 1, 1e3])
def test_orthogonalised_matrices_have_the_directions_of_the_svd(scale: float) -> None:
    for matrix, found in zip(matrices(scale), orthogonalise(matrices(scale)), strict=True):
        u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
        in_its_directions = u.T @ found @ vh.T
        gains = in_its_directions.diagonal()
        off = in_its_directions - torch.diag(gains)
        assert off.abs().max() < 1e-3
        strong = s > 0.05 * matrix.norm()
        assert ((gains > 0.65) & (gains < 1.25))[strong].all()


def test_orthogonalising_a_batch_is_orthogonalising_each() -> None:
    whole = orthogonalise(matrices())
    for matrix, found in zip(matrices(), whole, strict=True):
        torch.testing.assert_close(orthogonalise([matrix])[0], found, rtol=1e-4, atol=1e-4)


def test_a_gradient_of_nothing_moves_nothing() -> None:
    assert torch.equal(orthogonalise([torch.zeros(3, 4)])[0], torch.zeros(3, 4))


def stepped(gradients: list[Tensor], lr: float = 0.1, momentum: float = 0.9) -> Tensor:
    kernel = nn.Parameter(torch.zeros_like(gradients[0]))
    muon = Muon([kernel], lr=lr, momentum=momentum)
    for gradient in gradients:
        kernel.grad = gradient.clone()
        muon.step()
    return kernel.detach()


def test_a_step_goes_against_the_gradient_by_lr_in_every_direction() -> None:
    gradient = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(0)))[0]
    moved = stepped([gradient.view(8, 2, 2, 2)], lr=0.1).flatten(1)
    sizes = torch.linalg.svdvals(moved)
    assert ((sizes > 0.065) & (sizes < 0.125)).all()
    assert (moved * gradient).sum() < 0


def test_tall_kernels_step_further_by_the_root_of_their_ratio() -> None:
    gradient = torch.linalg.qr(torch.randn(16, 4, generator=torch.Generator().manual_seed(0)))[0]
    wide = stepped([gradient.T.contiguous().view(4, 16, 1, 1)])
    tall = stepped([gradient.view(16, 4, 1, 1)])
    torch.testing.assert_close(tall.norm(), 2 * wide.norm(), rtol=1e-3, atol=1e-4)


def test_momentum_is_nesterovs() -> None:
    one, two = (torch.randn(4, 4, 1, 1, generator=torch.Generator().manual_seed(s)) for s in (1, 2))
    first = stepped([one], momentum=0.5)
    both = stepped([one, two], momentum=0.5)
    # After two steps the mean is 0.5 one + two, and Nesterov looks half a mean further than two.
    ahead = (two + 0.5 * (0.5 * one + two)).flatten(1)
    expected = first.flatten(1) - 0.1 * orthogonalise([ahead])[0]
    torch.testing.assert_close(both.flatten(1), expected)


TRAIN = """
import sys
from tinydigits.net.model import Net
from tinydigits.train.config import TrainConfig
from tinydigits.train.optimizers import optimizers_for
for each in optimizers_for(Net(), TrainConfig(optimizer="muon")):
    each.zero_grad()
    each.load_state_dict(each.state_dict())
sys.exit("torch._dynamo" in sys.modules)
"""


def test_training_does_not_wait_for_pytorchs_compiler() -> None:
    assert subprocess.run([sys.executable, "-c", TRAIN], cwd=ROOT, check=False).returncode == 0
