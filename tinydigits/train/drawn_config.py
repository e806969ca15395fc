"""The options that all training on drawn blocks has; nothing here needs PyTorch."""

from dataclasses import dataclass

from tinydigits.errors import InputError


@dataclass(frozen=True, kw_only=True)
class DrawnConfig:
    """Everything that a net trained on drawings depends on, beside MNIST's digits."""

    seed: int = 0
    """Seed of all randomness."""
    steps: int
    """Number of batches to train on; the learning rates rise and fall once."""
    muon_lr: float = 0.02
    """Peak learning rate of Muon, for kernels that mix channels."""
    lr: float = 4e-3
    """Peak learning rate of Adam, for all else."""

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("steps", 1)):
            if getattr(self, name) < least:
                raise InputError(f"--{name} is {getattr(self, name)}, but must be at least {least}")
        for name, value in vars(self).items():
            if isinstance(value, float) and not 0 < value < float("inf"):
                raise InputError(f"--{name.replace('_', '-')} is {value}, but must be above 0")
