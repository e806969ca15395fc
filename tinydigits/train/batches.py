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

    Of one's own digits, which may be few, at most a sixth is held out.

    Raises:
        InputError: no digit is left to train on, or fewer than a batch.
    """
    found = len(dataset.train)
    count = min(config.val, found // 6) if dataset.is_own else config.val
    if count >= found:
        raise InputError(
            f"--val {config.val} leaves no digit to train on: expected fewer than {found}"
        )
    kept, held_out = hold_out(found, count)
    if dataset.times is not None:
        kept = kept.repeat_interleave(dataset.times[kept])
    _check_batch_size(config, len(kept) + len(dataset.hands), is_own=dataset.is_own)
    return Split(dataset.train[kept] + dataset.hands, dataset.train[held_out])


def _check_batch_size(config: TrainConfig, digits: int, *, is_own: bool) -> None:
    if config.batch_size > digits:
        advice = ", or for few digits of your own --recipe adapt" if is_own else ""
        raise InputError(
            f"--batch-size {config.batch_size} exceeds the training set: expected at most "
            f"{digits}{advice}"
        )


def order(n: int, *, seed: int, epoch: int) -> Tensor:
    """Return the indices 0 … n-1 in an epoch's random order, the same on every device."""
    generator = torch.Generator().manual_seed(derive(seed, "order", epoch))
    return torch.randperm(n, generator=generator)


def hold_out(digits: int, count: int) -> tuple[Tensor, Tensor]:
    """Return the indices of training digits and of ``count`` validation digits.

    They are the same for every seed, so all runs are validated on the same digits.
    """
    generator = torch.Generator().manual_seed(derive(0, "validation"))
    shuffled = torch.randperm(digits, generator=generator)
    # Sorted, so the digits keep their order and --val 0 returns the set unchanged.
    return shuffled[count:].sort().values, shuffled[:count].sort().values


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
