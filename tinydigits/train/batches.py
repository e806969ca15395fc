"""A run's training and validation digits, their order, and the sizes of its epochs."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from tinydigits.data.dataset import Dataset, Digits
from tinydigits.errors import InputError
from tinydigits.seeds import derive
from tinydigits.train.config import TrainConfig


@dataclass(frozen=True)
class Split:
    """The disjoint training and validation digits of a run."""

    train: Digits
    validation: Digits


def split(dataset: Dataset, config: TrainConfig) -> Split:
    """Return the training digits, hands included, and ``config.val`` validation digits held out.

    Raises:
        InputError: no digit is left to train on, or fewer than a batch.
    """
    found = len(dataset.train)
    if config.val >= found:
        raise InputError(
            f"--val {config.val} leaves no digit to train on: expected fewer than {found}"
        )
    check_batch_size(config, found - config.val + len(dataset.hands))
    train, validation = hold_out(dataset.train, config.val)
    return Split(train + dataset.hands, validation)


def check_batch_size(config: TrainConfig, digits: int) -> None:
    """Check that a batch is not larger than the training set.

    Raises:
        InputError: the batch is larger than ``digits``.
    """
    if config.batch_size > digits:
        raise InputError(
            f"--batch-size {config.batch_size} exceeds the training set: expected at most {digits}"
        )


def order(n: int, *, seed: int, epoch: int) -> Tensor:
    """Return the indices 0 … n-1 in an epoch's random order, the same on every device."""
    generator = torch.Generator().manual_seed(derive(seed, "order", epoch))
    return torch.randperm(n, generator=generator)


def hold_out(digits: Digits, count: int) -> tuple[Digits, Digits]:
    """Return the training digits and ``count`` validation digits.

    The split is the same for every seed, so all runs are validated on the same digits.
    """
    generator = torch.Generator().manual_seed(derive(0, "validation"))
    shuffled = torch.randperm(len(digits), generator=generator)
    # Sorted, so the digits keep their order and --val 0 returns the set unchanged.
    return digits[shuffled[count:].sort().values], digits[shuffled[:count].sort().values]


def steps(config: TrainConfig, digits: int, epochs: Iterable[int]) -> int:
    """Return the number of batches in these epochs together."""
    sizes = (count(config, digits, epoch) for epoch in epochs)
    return sum(-(-size // config.batch_size) for size in sizes)


def count(config: TrainConfig, digits: int, epoch: int) -> int:
    """Return the number of digits that an epoch uses."""
    share = config.shares[min(epoch, len(config.shares) - 1)]
    if share == 1:
        return digits
    # Whole batches only: batch statistics of a small remainder would be noise.
    batches = max(1, round(share * digits / config.batch_size))
    return min(batches * config.batch_size, digits)
