"""Which digits a run learns from and is judged by, in which order, and how many at a time."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tinydigits.data.dataset import Digits
from tinydigits.errors import InputError
from tinydigits.seeds import derive
from tinydigits.train.config import TrainConfig


@dataclass(frozen=True)
class Split:
    """The digits a run learns from and those it is judged by on the way; disjoint."""

    train: Digits
    validation: Digits


def split(digits: Digits, config: TrainConfig) -> Split:
    """Return the digits to train on and those that ``config`` holds out.

    Raises:
        InputError: too few digits are left for the options.
    """
    if config.val >= len(digits):
        raise InputError(
            f"--val {config.val} leaves no digit to train on: expected fewer than {len(digits)}"
        )
    check_batch_size(config, len(digits) - config.val)
    return Split(*hold_out(digits, config.val))


def check_batch_size(config: TrainConfig, digits: int) -> None:
    """Refuse batches that are larger than the set.

    Raises:
        InputError: they are.
    """
    if config.batch_size > digits:
        raise InputError(
            f"--batch-size {config.batch_size} is larger than the set: expected at most {digits}"
        )


def order(n: int, *, seed: int, epoch: int) -> Tensor:
    """Return the indices 0 … n-1 in the order of ``epoch``, which does not depend on the device."""
    generator = torch.Generator().manual_seed(derive(seed, "order", epoch))
    return torch.randperm(n, generator=generator)


def hold_out(digits: Digits, count: int) -> tuple[Digits, Digits]:
    """Return the digits without ``count`` validation digits, and those.

    The split is the same for every seed, so that runs are judged by the same digits.
    """
    generator = torch.Generator().manual_seed(derive(0, "validation"))
    shuffled = torch.randperm(len(digits), generator=generator)
    # Sorted, so that what is left keeps its order and --val 0 is the set itself.
    return digits[shuffled[count:].sort().values], digits[shuffled[:count].sort().values]


def steps(config: TrainConfig, digits: int) -> int:
    """Return how many batches all epochs have together."""
    sizes = (count(config, digits, epoch) for epoch in range(config.epochs))
    return sum(-(-size // config.batch_size) for size in sizes)


def count(config: TrainConfig, digits: int, epoch: int) -> int:
    """Return how many of the digits an epoch sees."""
    share = config.shares[min(epoch, len(config.shares) - 1)]
    if share == 1:
        return digits
    # Whole batches: what is left over may be a few digits, whose statistics are noise.
    batches = max(1, round(share * digits / config.batch_size))
    return min(batches * config.batch_size, digits)
