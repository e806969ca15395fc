"""The options of training the finder; nothing here needs PyTorch."""

from dataclasses import dataclass

from tinydigits.train.drawn_config import DrawnConfig


@dataclass(frozen=True, kw_only=True)
class FinderConfig(DrawnConfig):
    """Everything that the trained finder depends on, beside MNIST's digits."""

    steps: int = 30_000
    ink: float = 2.0
    """Weight of the cross-entropy of ink; the loss of the votes has 1."""
    overlap: float = 0.5
    """Weight of the missing overlap of ink, 1 - Dice's coefficient."""
