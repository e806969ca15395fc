"""A net's accuracy on labelled digits, clean and damaged."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tinydigits.data.dataset import Digits
from tinydigits.evaluate.corruptions import KINDS, corrupt
from tinydigits.evaluate.metrics import Report, report

Answers = Callable[[Tensor], Tensor]
"""A function from pixels uint8 (N, 28, 28) to logits (N, 10): a net or an export."""

SEED = 0  # of the damage: the same for every net


@dataclass(frozen=True)
class Task:
    """Labelled digits to evaluate on."""

    name: str
    digits: Digits
    left_out: int = 0
    """Number of pictures that could not be read as one digit."""
    disputed: tuple[int, ...] = ()
    """Indices of the digits whose label most people reject."""


@dataclass(frozen=True)
class Assessment:
    """A net's figures on a task."""

    task: Task
    report: Report
    corruptions: dict[str, float] | None
    """Accuracy in per cent under each kind of damage; None if not measured."""

    @property
    def undisputed(self) -> Report | None:
        """The report without the disputed labels; None if none are known."""
        disputed = self.task.disputed
        return self.report.without(disputed) if disputed else None


def damaged(digits: Digits, kinds: Iterable[str] = KINDS) -> Iterator[tuple[str, Digits]]:
    """Yield each kind of damage with the damaged digits, which are the same for every net."""
    for kind in kinds:
        images = torch.from_numpy(corrupt(digits.images.numpy(), kind, seed=SEED))
        yield kind, replace(digits, images=images)


def accuracies(answers: Answers, sets: Iterable[tuple[str, Digits]]) -> dict[str, float]:
    """Return the accuracy in per cent on each set."""
    return {name: report(answers(digits.images), digits.labels).accuracy for name, digits in sets}
