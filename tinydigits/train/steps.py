"""Training steps with PyTorch, on any device."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from tinydigits.data.dataset import Digits
from tinydigits.net.model import Net, normalise
from tinydigits.seeds import derive
from tinydigits.train.augment import augment
from tinydigits.train.config import Augmentation, TrainConfig
from tinydigits.train.distributed import World
from tinydigits.train.hardware import Compute
from tinydigits.train.light import relight
from tinydigits.train.masters import hand_over_gradients, round_kernels

TakeStep = Callable[[Tensor, int], tuple[Tensor, Tensor]]
"""A function that takes the indices of this process's share of a batch, and the size of the whole
batch. It returns the loss of each digit of the share, and how many were answered correctly."""


@contextmanager
def pytorch_steps(
    model: nn.Module,
    masters: Net,
    optimizers: list[Optimizer],
    digits: Digits,
    config: TrainConfig,
    strength: Augmentation,
    *,
    compute: Compute,
    epoch: int,
    world: World,
) -> Iterator[TakeStep]:
    """Yield the function that takes an epoch's steps; ``strength`` is that epoch's augmentation."""
    moves, lights = streams(config, epoch, world)

    def take_step(share: Tensor, total: int) -> tuple[Tensor, Tensor]:
        chosen = digits[share]
        moved = augment(chosen.images, strength, generator=moves)
        x = normalise(relight(moved, config.light, generator=lights))
        x, y = x.contiguous(memory_format=compute.memory_format), chosen.labels.long()
        with compute.autocast():
            logits = model(x)
        # The loss is in fp32; a softmax over bf16 logits would round small gradients to zero.
        losses = functional.cross_entropy(
            logits.float(), y, reduction="none", label_smoothing=config.label_smoothing
        )
        model.zero_grad()
        torch.autograd.backward(world.mean(losses, total=total))
        hand_over_gradients(model, masters)
        for optimizer in optimizers:
            optimizer.step()
        round_kernels(model, masters, config.weight_bits)
        return losses.detach(), (logits.argmax(dim=1) == y).sum()

    with torch.random.fork_rng(devices_with_streams(compute)):
        torch.manual_seed(derive(config.seed, "dropout", epoch, *world.stream))
        yield take_step


def streams(
    config: TrainConfig, epoch: int, world: World
) -> tuple[torch.Generator, torch.Generator]:
    """Return the random streams of an epoch's augmentation and of its light."""
    moves, lights = (
        torch.Generator().manual_seed(derive(config.seed, name, epoch, *world.stream))
        for name in ("augment", "light")
    )
    return moves, lights


def devices_with_streams(compute: Compute) -> list[torch.device]:
    """Return the devices whose random state must be restored; the CPU's always is."""
    return [compute.device] if compute.device.type == "cuda" else []
