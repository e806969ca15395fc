"""The learning rate's cycle, against PyTorch's."""

from dataclasses import replace

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from tinydigits.train.config import Optimiser, Schedule, TrainConfig
from tinydigits.train.optimizers import optimizers_for
from tinydigits.train.schedule import OneCycle


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
@pytest.mark.parametrize("schedule", ["cosine", "linear"])
@pytest.mark.parametrize("total", [1, 2, 3, 4, 5, 7, 24, 399, 4300])
def test_every_step_is_that_of_pytorch(
    total: int, schedule: Schedule, optimizer: Optimiser
) -> None:
    config = replace(
        TrainConfig(lr=0.007, div_factor=7, final_div_factor=33, schedule=schedule),
        optimizer=optimizer,
    )
    net = torch.nn.Conv2d(2, 2, 3)
    ours, theirs = optimizers_for(net, config), optimizers_for(net, config)
    schedules = [
        OneCycleLR(
            each,
            max_lr=each.defaults["lr"],
            total_steps=total,
            div_factor=7,
            final_div_factor=33,
            anneal_strategy="cos" if schedule == "cosine" else "linear",
            cycle_momentum=optimizer == "adam",
        )
        for each in theirs
    ]
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    cycle = OneCycle(total, config)
    for step in range(total):
        cycle.set(ours, step)
        for one, other in zip(ours, theirs, strict=True):
            assert one.param_groups[0]["lr"] == other.param_groups[0]["lr"]
            assert one.param_groups[0].get("betas") == other.param_groups[0].get("betas")
            other.step()
        for each in schedules:
            each.step()
