"""The options of training the strip net; nothing here needs PyTorch."""

from dataclasses import dataclass

from tinydigits.train.drawn_config import DrawnConfig


@dataclass(frozen=True, kw_only=True)
class StripConfig(DrawnConfig):
    """Everything that the trained strip net depends on, beside MNIST's digits and the finder."""

    steps: int = 24_000
    muon_lr: float = 0.01
    lr: float = 3e-3
