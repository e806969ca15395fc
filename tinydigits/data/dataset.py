"""Digits in memory, and the choice between MNIST and the synthetic ones."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from tinydigits.data import mnist, synthetic
from tinydigits.data.sources import SYNTHETIC_WARNING, Source
from tinydigits.errors import InputError

SYNTHETIC_COUNTS = (60_000, 10_000)  # to train on and to test: as many as MNIST has


@dataclass(frozen=True)
class Digits:
    """Images, uint8 (N, 28, 28), white on black, and their labels, uint8 (N,)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: slice | Tensor) -> "Digits":
        return Digits(self.images[index], self.labels[index])

    def to(self, device: torch.device) -> "Digits":
        """Return the same digits on ``device``."""
        return Digits(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Dataset:
    """The training and the test digits of one source."""

    name: Literal["mnist", "synthetic"]
    train: Digits
    test: Digits
    origin: str
    """Where the digits came from, for people to read."""

    @property
    def warning(self) -> str | None:
        """What must stand beside every result on these digits."""
        return SYNTHETIC_WARNING if self.name == "synthetic" else None


def load_dataset(
    source: Source, directory: Path, *, synthetic_counts: tuple[int, int] = SYNTHETIC_COUNTS
) -> Dataset:
    """Return verified MNIST from ``directory``, downloaded where missing, or synthetic digits.

    ``auto`` falls back to synthetic digits when MNIST is neither there nor to be had; of those,
    ``synthetic_counts`` are drawn to train on and to test.

    Raises:
        InputError: a file is damaged (whatever the source), or ``mnist`` cannot be had.
    """
    if source == "synthetic":
        return _synthetic("asked for", *synthetic_counts)
    try:
        return _mnist(directory)
    except mnist.UnavailableError as error:
        if source == "mnist":
            raise InputError(f"{error}, or use --data synthetic") from error
        return _synthetic(str(error), *synthetic_counts)


def mnist_part(part: mnist.Part, directory: Path) -> Digits:
    """Return MNIST's verified training or test digits.

    Raises:
        InputError: a file is damaged, or is missing and cannot be downloaded.
    """
    try:
        return digits(*mnist.load(part, directory))
    except mnist.UnavailableError as error:
        raise InputError(str(error)) from error


def _mnist(directory: Path) -> Dataset:
    train, test = (digits(*mnist.load(part, directory)) for part in mnist.PARTS)
    return Dataset("mnist", train, test, origin=str(directory))


def _synthetic(reason: str, train_count: int, test_count: int) -> Dataset:
    train = digits(*synthetic.draw(train_count, seed=0))
    test = digits(*synthetic.draw(test_count, seed=1))
    return Dataset("synthetic", train, test, origin=reason)


def digits(images: mnist.Bytes, labels: mnist.Bytes) -> Digits:
    """Return digits from arrays, (N, 28, 28) and (N,)."""
    # IDX arrays are read-only views; torch wants memory that it may write.
    return Digits(torch.from_numpy(images.copy()), torch.from_numpy(labels.copy()))
