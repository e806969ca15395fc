"""Evaluation: one forward pass for everything; every figure a pure function of its logits."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

BINS = 15  # of equal width over the top probability, as in Guo et al. (2017)
Z = 1.959964  # the standard normal distribution's 97.5 % quantile, for a 95 % interval


@dataclass(frozen=True)
class Bin:
    """The digits whose top probability is over ``lower`` and at most ``upper``; there are some."""

    lower: float
    upper: float
    right: int
    count: int
    confidence: float
    """Mean top probability, from 0 to 1."""

    @property
    def accuracy(self) -> float:
        """Share of right answers, from 0 to 1, to compare with the confidence."""
        return self.right / self.count


@dataclass(frozen=True)
class Report:
    """How well logits (N, 10) fit labels (N,)."""

    logits: Tensor
    labels: Tensor

    @cached_property
    def answers(self) -> Tensor:
        """The class of each digit's highest logit, int64 (N,)."""
        return self.logits.argmax(dim=1)

    @cached_property
    def probabilities(self) -> Tensor:
        """Softmax of the logits, float64 (N, 10).

        Raises:
            ValueError: a logit is not a finite number, as those of a diverged net are.
        """
        rows = self.logits.isfinite().all(dim=1).logical_not().nonzero().flatten().tolist()
        if rows:
            raise ValueError(
                f"digit {rows[0]} has the logits {self.logits[rows[0]].tolist()}: "
                "expected finite numbers"
            )
        return self.logits.double().softmax(dim=1)

    @cached_property
    def wrong_indices(self) -> list[int]:
        """Positions of the digits answered wrongly, ascending."""
        indices: list[int] = (self.answers != self.labels).nonzero().flatten().tolist()
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
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy, in per cent (see ``wilson``)."""
        return wilson(self.total - self.wrong, self.total)

    @property
    def nll(self) -> float:
        """Mean negative log-likelihood of the labels, in nats; nan where a logit is nan."""
        return functional.cross_entropy(self.logits.double(), self.labels.long()).item()

    @property
    def confusion(self) -> Tensor:
        """How often each label (row) got each answer (column), int64 (10, 10)."""
        classes = self.logits.shape[1]
        pairs = classes * self.labels.long() + self.answers
        return torch.bincount(pairs, minlength=classes**2).reshape(classes, classes)

    @property
    def precision(self) -> tuple[float | None, ...]:
        """Share of each class's answers that are right, in per cent; None where never answered."""
        return _per_cent(self.confusion.diag(), self.confusion.sum(dim=0))

    @property
    def recall(self) -> tuple[float | None, ...]:
        """Share of each class's digits answered rightly, in per cent; None where it has none."""
        return _per_cent(self.confusion.diag(), self.confusion.sum(dim=1))

    @property
    def calibration(self) -> tuple[Bin, ...]:
        """The digits in 15 equal-width bins of their top probability, those with digits, ascending.

        Raises:
            ValueError: a logit is not a finite number.
        """
        confidence = self.probabilities.amax(dim=1)
        right = self.answers == self.labels
        upper = torch.arange(1, BINS + 1, dtype=torch.float64) / BINS
        place = torch.bucketize(confidence, upper)
        return tuple(
            Bin(
                lower=k / BINS,
                upper=(k + 1) / BINS,
                right=int(right[place == k].sum()),
                count=int((place == k).sum()),
                confidence=confidence[place == k].mean().item(),
            )
            for k in sorted(set(place.tolist()))
        )

    @property
    def ece(self) -> float:
        """Expected calibration error, from 0 to 1.

        It is the mean over all digits of their bin's distance between accuracy and confidence: Guo,
        Pleiss, Sun and Weinberger (2017), "On Calibration of Modern Neural Networks", equation 3.

        Raises:
            ValueError: a logit is not a finite number.
        """
        gaps = (b.count * abs(b.accuracy - b.confidence) for b in self.calibration)
        return sum(gaps) / self.total

    def without(self, indices: Iterable[int]) -> "Report":
        """Return the report on all other digits, such as those whose label nobody disputes.

        Raises:
            IndexError: there is no digit at such a position.
            ValueError: no digit is left.
        """
        kept = torch.ones(self.total, dtype=torch.bool)
        kept[torch.tensor(list(indices), dtype=torch.long)] = False
        return report(self.logits[kept], self.labels[kept])

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


def wilson(right: int, total: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share of ``right`` in ``total``, in per cent.

    E. B. Wilson (1927), "Probable Inference, the Law of Succession, and Statistical Inference". It
    stays within 0 and 100 and keeps its coverage near the ends, where this project's figures lie.
    """
    centre = right + Z**2 / 2
    half = Z * math.sqrt(right * (total - right) / total + Z**2 / 4)
    low, high = (100 * (centre + side) / (total + Z**2) for side in (-half, half))
    # The ends are exact on paper, but rounding steps over them.
    return low if right else 0.0, high if right < total else 100.0


def _per_cent(right: Tensor, of: Tensor) -> tuple[float | None, ...]:
    pairs = zip(right.tolist(), of.tolist(), strict=True)
    return tuple(100 * part / whole if whole else None for part, whole in pairs)
