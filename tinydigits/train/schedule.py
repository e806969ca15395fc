"""The one-cycle schedule: the learning rate rises and falls once, Adam's momentum the other way.

Source: L. N. Smith and N. Topin, "Super-Convergence: Very Fast Training of Neural Networks Using
Large Learning Rates", 2018. The values are those of PyTorch's OneCycleLR, bit for bit. They depend
on the step only, so nothing has to be stored to resume a run.
"""

import math
from dataclasses import dataclass

from torch.optim import Optimizer

from tinydigits.train.config import Schedule, TrainConfig

RISE = 0.3  # share of the steps in which the learning rate rises
MOMENTUM = (0.95, 0.85)  # at the ends, and at the peak of the learning rate


@dataclass(frozen=True)
class OneCycle:
    """A cycle of ``total`` steps."""

    total: int
    config: TrainConfig

    def set(self, optimizers: list[Optimizer], step: int) -> None:
        """Set the optimisers' learning rates for a step, counted from 0, and Adam's momentum."""
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.rate(step, peak=optimizer.defaults["lr"])
                if self.config.optimizer == "adam":
                    group["betas"] = (self.momentum(step), group["betas"][1])

    def rate(self, step: int, *, peak: float) -> float:
        """Return the learning rate at a step."""
        first = peak / self.config.div_factor
        return self._between(step, first, peak, first / self.config.final_div_factor)

    def momentum(self, step: int) -> float:
        """Return Adam's first beta at a step."""
        outside, inside = MOMENTUM
        return self._between(step, outside, inside, outside)

    def _between(self, step: int, first: float, peak: float, last: float) -> float:
        turn, end = RISE * self.total - 1, self.total - 1
        if step <= turn:
            return _anneal(self.config.schedule, first, peak, step / turn)
        return _anneal(self.config.schedule, peak, last, (step - turn) / (end - turn))


def _anneal(schedule: Schedule, start: float, end: float, share: float) -> float:
    if schedule == "cosine":
        return end + (start - end) / 2 * (math.cos(math.pi * share) + 1)
    return (end - start) * share + start
