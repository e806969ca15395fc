"""A step of the engine against PyTorch's: gradients, statistics, losses, updates."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.train.engine.steps import (
    by_engine,
    by_pytorch,
    decided,
    digits,
    error,
    kept_by,
    unusual_net,
    whole_step,
)
from tinydigits.net.model import Net, normalise
from tinydigits.train import augment, light
from tinydigits.train.config import Augmentation, Light
from tinydigits.train.engine.flat import Flat
from tinydigits.train.engine.library import Compiled, Engine
from tinydigits.train.engine.steps import set_light, set_moves, settings_of
from tinydigits.train.optimizers import optimizers_for
from tinydigits.train.recipes import RECIPES


@pytest.mark.parametrize("dropout", [0, 0.1, 0.6])
@pytest.mark.parametrize("batch", [1, 2, 15, 16, 37])
def test_a_step_in_floats_is_pytorchs(floats: Compiled, batch: int, dropout: float) -> None:
    net, kept = unusual_net(dropout), kept_by(floats, batch, dropout)
    images, labels = decided(net, kept, dropout=dropout)
    found = by_engine(floats, net, images, labels, dropout=dropout)
    wanted, pytorch = (
        by_pytorch(net, images, labels, kept, dropout=dropout, dtype=dtype)
        for dtype in (torch.float64, torch.float32)
    )
    for name, value in found.items():
        truth = getattr(wanted, name)
        # A single image has so little variance that rounding errors grow.
        assert error(value, truth) < max(2e-5, 2 * error(getattr(pytorch, name), truth)), name
    for mask in kept:
        assert mask.mean().item() == pytest.approx(1 - dropout, abs=4 / mask.numel() ** 0.5)


@pytest.mark.parametrize("products", ["floats", "pairs"])
@pytest.mark.parametrize("batch", [1, 2, 37, 128, 256])
def test_gradients_err_no_more_than_pytorchs(
    request: pytest.FixtureRequest, products: str, batch: int
) -> None:
    compiled = request.getfixturevalue(products)
    net, kept = unusual_net(0.1), kept_by(compiled, batch, 0.1)
    excesses = list[float]()
    for seed in range(3):
        images, labels = digits(batch, seed)
        found = by_engine(compiled, net, images, labels, dropout=0.1)
        wanted = by_pytorch(net, images, labels, kept, dropout=0.1, dtype=torch.float64)
        with torch.autocast("cpu", torch.bfloat16, enabled=products == "pairs"):
            pytorch = by_pytorch(net, images, labels, kept, dropout=0.1, dtype=torch.float32)
        for name, value in found.items():
            truth = getattr(wanted, name)
            ours, theirs = ((each - truth).norm() for each in (value, getattr(pytorch, name)))
            excesses.append((ours / (2 * theirs + 1e-5 * truth.norm())).item())
    # In a large batch some ReLU may be so close to 0 that rounding decides: not in all three.
    assert min(max(excesses[first : first + 5]) for first in (0, 5, 10)) <= 1


@pytest.mark.parametrize("products", ["floats", "pairs"])
@pytest.mark.parametrize("batch", [37, 128, 200])
def test_the_number_of_threads_changes_no_bit(
    request: pytest.FixtureRequest, products: str, batch: int
) -> None:
    compiled = request.getfixturevalue(products)
    images, labels = digits(batch)
    results = [
        by_engine(compiled, unusual_net(0.1), images, labels, dropout=0.1, threads=threads)
        for threads in (1, 2, 3, 16)
    ]
    for other in results[1:]:
        assert all(torch.equal(value, getattr(other, name)) for name, value in results[0].items())


@pytest.mark.parametrize("layer", ["conv1", "bn1", "conv2", "bn2", "bn4", "bn5", "conv6", "bn6"])
def test_weights_that_are_no_numbers_show_in_the_losses(floats: Compiled, layer: str) -> None:
    net = unusual_net(0.1)
    with torch.no_grad():
        net.get_parameter(f"layers.{layer}.weight")[1] = torch.nan
    found = by_engine(floats, net, *digits(20), dropout=0.1)
    assert not found.losses.isfinite().any()


def test_dropout_differs_from_step_to_step_and_digit_to_digit(floats: Compiled) -> None:
    images, labels = digits(64)
    flat = Flat(unusual_net(0.5), [])
    engine = Engine(floats, 64, 1)
    masks = []
    for key in (1, 2, 2**40 + 1):
        step = whole_step(flat, images, labels, 0.5)
        step.key = key
        masks += [engine.kept(step, layer) for layer in (2, 4)]
    for first in range(len(masks)):
        for second in range(first):
            one, other = masks[first].flatten()[:24_576], masks[second].flatten()[:24_576]
            assert (one == other).float().mean().item() == pytest.approx(0.5, abs=0.03)
    rows = masks[0].flatten(1)
    assert len({tuple(row.tolist()) for row in rows}) == 64
    assert rows.mean(dim=0).sub(0.5).abs().max() < 0.35  # no place is always kept


VIEWS = [
    (Augmentation(), Light()),
    (augment.NONE, Light()),
    (Augmentation(rotation=180, translation=1, scale=0.9, shear=60), Light()),
    (RECIPES["best"].augmentation, Light()),
    (augment.NONE, RECIPES["people"].light),
    (RECIPES["people"].augmentation, RECIPES["people"].light),
    (augment.NONE, Light(noise=0.5, share=0.3)),
    (augment.NONE, Light(outline=1, patches=5)),
    (augment.NONE, Light(blur=1, sharpening=2, diagonal=0.5)),
    (augment.NONE, Light(noise=0.1, specks=1, patches=1, bars=3, turned=0.5)),
    (augment.NONE, Light(unevenness=1, level=0.5, contrast=0.9)),
]


@pytest.mark.parametrize(("moved", "lit"), VIEWS)
def test_digits_reach_the_net_as_pytorch_sends_them(
    floats: Compiled, moved: Augmentation, lit: Light
) -> None:
    images, labels = digits(37)
    step = whole_step(Flat(Net(), []), images, labels, 0)
    moves = augment.numbers(37, moved, generator=torch.Generator().manual_seed(1))
    lights = light.numbers(37, lit, 784, generator=torch.Generator().manual_seed(2))
    set_moves(step.view, moved, moves)
    set_light(step.view, lit, lights)
    seen = Engine(floats, 37, 1).view(step)
    wanted = augment.augment(images, moved, generator=torch.Generator().manual_seed(1))
    wanted = light.relight(wanted, lit, generator=torch.Generator().manual_seed(2))
    # Large motions place a pixel up to 1e-4 beside where PyTorch's single precision does.
    assert (seen - normalise(wanted)).abs().max() < 2e-3
    assert (seen - normalise(wanted)).abs().mean() < 2e-6


@pytest.mark.parametrize("recipe", ["classic", "fast"])
def test_updates_are_pytorchs(floats: Compiled, recipe: Any) -> None:
    config = replace(RECIPES[recipe], label_smoothing=0.1)
    net, other = unusual_net(0), unusual_net(0)
    ours, theirs = optimizers_for(net, config), optimizers_for(other, config)
    engine = Engine(floats, 1, 1)
    flat = Flat(net, ours)
    generator = torch.Generator().manual_seed(3)
    for count in range(1, 8):
        for optimizer, twin in zip(ours, theirs, strict=True):
            for group in (*optimizer.param_groups, *twin.param_groups):
                group["lr"] = 0.01 * count
                if "betas" in group:
                    group["betas"] = (0.95 - 0.01 * count, group["betas"][1])
        flat.gradient.copy_(torch.randn(13_034, generator=generator) * 10.0 ** (2 - count))
        flat.steps += 1
        engine.update(settings_of(flat, ours), flat.gradient, flat.parameters)
        pieces = torch.split(flat.gradient, [each.numel() for each in other.parameters()])
        for parameter, piece in zip(other.parameters(), pieces, strict=True):
            parameter.grad = piece.view(parameter.shape).clone()
        for twin in theirs:
            twin.step()
    flat.write_back(7)
    for name, parameter in net.named_parameters():
        assert torch.allclose(parameter, other.get_parameter(name), atol=2e-5), name
    for optimizer, twin in zip(ours, theirs, strict=True):
        states = (each.state_dict()["state"].values() for each in (optimizer, twin))
        for one, two in zip(*states, strict=True):
            assert one.keys() == two.keys()
            for name, value in one.items():
                assert torch.allclose(value, two[name], rtol=1e-4, atol=1e-6), name
        optimizer.load_state_dict(twin.state_dict())  # the two are interchangeable
