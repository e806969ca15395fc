"""Evaluation: one forward pass for everything; every figure a pure function of its logits."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional

from tinydigits.model import normalise


def infer(model: nn.Module, images: Tensor, *, batch_size: int = 1000) -> Tensor:
    """Return float32 logits (N, 10) on the CPU for (N, 28, 28) pixels from 0 to 255.

    Every image is counted once, the last incomplete batch too; the model's mode is restored.
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            batches = [
                model(normalise(x.to(device))).cpu() for x in torch.split(images, batch_size)
            ]
    finally:
        model.train(was_training)
    return torch.cat(batches)


@dataclass(frozen=True)
class Report:
    """How well logits (N, 10) fit labels (N,)."""

    logits: Tensor
    labels: Tensor

    @cached_property
    def wrong_indices(self) -> list[int]:
        """Positions of the digits answered wrongly, ascending."""
        indices: list[int] = (self.logits.argmax(dim=1) != self.labels).nonzero().flatten().tolist()
        return indices

    @property
    def wrong(self) -> int:
        """How many digits were answered wrongly."""
        return len(self.wrong_indices)

    @property
    def total(self) -> int:
        """How many digits there were."""
        return len(self.labels)

    @property
    def accuracy(self) -> float:
        """Share of right answers, in per cent."""
        return 100 * (self.total - self.wrong) / self.total

    @property
    def loss(self) -> float:
        """Mean cross-entropy, in nats."""
        return functional.cross_entropy(self.logits, self.labels.long()).item()

    def __str__(self) -> str:
        return f"{self.accuracy:.2f} % ({self.wrong:,} of {self.total:,} wrong)"


def report(logits: Tensor, labels: Tensor) -> Report:
    """Return the figures of logits (N, 10) against labels (N,).

    Raises:
        ValueError: there are no digits, or not as many labels as logits.
    """
    if len(logits) != len(labels) or len(labels) == 0:
        raise ValueError(f"{len(logits)} logits for {len(labels)} labels: expected as many, over 0")
    return Report(logits, labels.cpu())
