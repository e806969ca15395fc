"""The options of training the finder; nothing here needs PyTorch."""

from dataclasses import dataclass

from tinydigits.errors import InputError


@dataclass(frozen=True)
class FinderConfig:
    """Everything that the trained finder depends on, beside MNIST's digits."""

    seed: int = 0
    """Seed of all randomness."""
    steps: int = 30_000
    """Number of batches to train on; the learning rates rise and fall once."""
    muon_lr: float = 0.02
    """Peak learning rate of Muon, for kernels that mix channels."""
    lr: float = 4e-3
    """Peak learning rate of Adam, for all else."""
    ink: float = 2.0
    """Weight of the cross-entropy of ink; the loss of the votes has 1."""
    overlap: float = 0.5
    """Weight of the missing overlap of ink, 1 - Dice's coefficient."""

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("steps", 1)):
            if getattr(self, name) < least:
                raise InputError(f"--{name} is {getattr(self, name)}, but must be at least {least}")
        for name in ("muon_lr", "lr", "ink", "overlap"):
            if not 0 < getattr(self, name) < float("inf"):
                option = name.replace("_", "-")
                raise InputError(f"--{option} is {getattr(self, name)}, but must be above 0")
