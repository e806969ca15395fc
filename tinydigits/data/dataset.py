"""Digits in memory: MNIST or synthetic digits, and digits drawn from people's strokes."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from tinydigits.data import mnist, synthetic, unipen
from tinydigits.data.sources import MODEL, SYNTHETIC_WARNING, Source
from tinydigits.data.written import sampler
from tinydigits.errors import InputError

SYNTHETIC_COUNTS = (60_000, 10_000)  # training and test digits, as many as in MNIST
TRAIN_SEED, TEST_SEED, HANDS_SEED = 0, 1, 2  # of the sequences of drawn digits


@dataclass(frozen=True)
class Digits:
    """Images, uint8 (N, 28, 28), white on black, with their labels, uint8 (N,)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: slice | Tensor) -> "Digits":
        return Digits(self.images[index], self.labels[index])

    def __add__(self, others: "Digits") -> "Digits":
        """Return these digits, followed by the others."""
        return Digits(
            torch.cat((self.images, others.images)), torch.cat((self.labels, others.labels))
        )

    def to(self, device: torch.device) -> "Digits":
        """Return the same digits on ``device``."""
        return Digits(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Dataset:
    """Training and test digits, and hands: drawn digits to train on as well."""

    name: str
    """``mnist``, ``synthetic``, a set of one's own, or several of them."""
    train: Digits
    test: Digits
    origin: str
    """Human-readable origin: MNIST's folder, or the reason for using synthetic digits."""
    hands: Digits = field(default_factory=lambda: digits(*synthetic.draw(0, seed=0)))
    warning: str | None = None
    """The warning to show with every result on these digits; None for MNIST."""
    times: Tensor | None = None
    """How often an epoch uses each training digit, int64 (N,); None: once."""
    tests: tuple[tuple[str, int], ...] = ()
    """Names of the sources of the test digits, in their order, and how many they have."""
    is_own: bool = False
    """Whether some digits are one's own: there may be few."""


def load_dataset(
    source: Source,
    directory: Path,
    *,
    synthetic_counts: tuple[int, int] = SYNTHETIC_COUNTS,
) -> Dataset:
    """Return verified MNIST digits from ``directory``, or synthetic digits.

    Missing MNIST files are downloaded. ``auto`` falls back to synthetic digits if that fails.
    ``synthetic_counts`` is the number of synthetic training and test digits.

    Raises:
        InputError: an MNIST file is damaged (for ``mnist`` and ``auto``), or MNIST is unavailable
            (for ``mnist`` only).
    """
    if source == "synthetic":
        return _synthetic("requested", *synthetic_counts)
    try:
        return _mnist(directory)
    except mnist.UnavailableError as error:
        if source == "mnist":
            raise InputError(f"{error}, or use --data synthetic") from error
        return _synthetic(str(error), *synthetic_counts)


def drawn_hands(count: int, strokes: str = MODEL) -> Digits:
    """Return digits drawn from the model of shapes, or from a UNIPEN file or a folder of them.

    Raises:
        InputError: ``strokes`` cannot be used.
    """
    if strokes == MODEL:
        return digits(*synthetic.draw(count, seed=HANDS_SEED))
    written = unipen.read_strokes(Path(strokes))
    return digits(*synthetic.draw(count, seed=HANDS_SEED, paths=sampler(written)))


def mnist_part(part: mnist.Part, directory: Path) -> Digits:
    """Return MNIST's verified training or test digits.

    Raises:
        InputError: a file is damaged, or it is missing and cannot be downloaded.
    """
    try:
        return digits(*mnist.load(part, directory))
    except mnist.UnavailableError as error:
        raise InputError(str(error)) from error


def _mnist(directory: Path) -> Dataset:
    train, test = (digits(*mnist.load(part, directory)) for part in mnist.PARTS)
    return Dataset("mnist", train, test, origin=str(directory))


def _synthetic(reason: str, train_count: int, test_count: int) -> Dataset:
    train = digits(*synthetic.draw(train_count, seed=TRAIN_SEED))
    test = digits(*synthetic.draw(test_count, seed=TEST_SEED))
    return Dataset("synthetic", train, test, origin=reason, warning=SYNTHETIC_WARNING)


def digits(images: mnist.Bytes, labels: mnist.Bytes) -> Digits:
    """Return digits for uint8 arrays of images (N, 28, 28) and labels (N,)."""
    # IDX arrays are read-only views; PyTorch needs writable memory.
    return Digits(torch.from_numpy(images.copy()), torch.from_numpy(labels.copy()))
