"""A net's accuracy on labelled digits, clean and damaged."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from tinydigits.data.dataset import Digits
from tinydigits.evaluate.corruptions import KINDS, corrupt
from tinydigits.evaluate.metrics import Report, report

Answers = Callable[[Tensor], Tensor]
"""A function from pixels uint8 (N, 28, 28) to logits (N, 10): a net or an export."""

Change = Literal["invert", "transpose"]

CHANGES: dict[Change, Callable[[Tensor], Tensor]] = {
    "invert": lambda images: 255 - images,
    "transpose": lambda images: images.transpose(1, 2),
}
COMBINATIONS: tuple[tuple[Change, ...], ...] = ((), *((name,) for name in CHANGES), tuple(CHANGES))
SUSPICIOUS = 90.0  # per cent right: a net that reads less may see digits in another form
SAMPLE = 1000  # digits that show in which form they are

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


def changed(digits: Digits, names: Iterable[Change]) -> Digits:
    """Return digits with inverted or transposed images."""
    images = digits.images
    for name in names:
        images = CHANGES[name](images)
    return replace(digits, images=images.contiguous())


def missing_changes(answers: Answers, digits: Digits) -> tuple[Change, ...]:
    """Return the changes after which a net makes less than half of its mistakes, if there are any.

    Some sets of digits, such as EMNIST's, are transposed, and others are black on white.
    """
    sample = digits[:SAMPLE]
    wrong = {
        names: report(answers(changed(sample, names).images), sample.labels).wrong
        for names in COMBINATIONS
    }
    best = min(COMBINATIONS, key=lambda names: wrong[names])
    return best if 2 * wrong[best] < wrong[()] else ()
