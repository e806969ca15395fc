"""Metrics: every figure is a pure function of the logits of a single forward pass."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

BINS = 15  # of equal width over the top probability, as in Guo et al. (2017)
Z = 1.959964  # the standard normal distribution's 97.5 % quantile, for a 95 % interval


@dataclass(frozen=True)
class Bin:
    """The digits whose top probability is above ``lower`` and at most ``upper``; never empty."""

    lower: float
    upper: float
    right: int
    count: int
    confidence: float
    """Mean top probability, from 0 to 1."""

    @property
    def accuracy(self) -> float:
        """Share of right answers, from 0 to 1; compare it with the confidence."""
        return self.right / self.count


@dataclass(frozen=True)
class Report:
    """The metrics of logits (N, 10) against labels (N,)."""

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
            ValueError: a logit is not finite, as in a net that diverged.
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
        """Indices of the wrongly answered digits, ascending."""
        indices: list[int] = (self.answers != self.labels).nonzero().flatten().tolist()
        return indices

    @property
    def wrong(self) -> int:
        """Number of wrongly answered digits."""
        return len(self.wrong_indices)

    @property
    def total(self) -> int:
        """Number of digits."""
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
        """Mean negative log-likelihood of the labels, in nats; nan if a logit is nan."""
        return functional.cross_entropy(self.logits.double(), self.labels.long()).item()

    @property
    def confusion(self) -> Tensor:
        """Counts of each label (row) with each answer (column), int64 (10, 10)."""
        classes = self.logits.shape[1]
        pairs = classes * self.labels.long() + self.answers
        return torch.bincount(pairs, minlength=classes**2).reshape(classes, classes)

    @property
    def precision(self) -> tuple[float | None, ...]:
        """Share of right answers among each class's answers, in per cent; None if it has none."""
        return _per_cent(self.confusion.diag(), self.confusion.sum(dim=0))

    @property
    def recall(self) -> tuple[float | None, ...]:
        """Share of right answers among each class's digits, in per cent; None if it has none."""
        return _per_cent(self.confusion.diag(), self.confusion.sum(dim=1))

    @property
    def calibration(self) -> tuple[Bin, ...]:
        """The digits in 15 equal-width bins of their top probability, ascending; none is empty.

        Raises:
            ValueError: a logit is not finite.
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

        The mean over all digits of the gap between accuracy and confidence in their bin: Guo,
        Pleiss, Sun and Weinberger (2017), "On Calibration of Modern Neural Networks", equation 3.

        Raises:
            ValueError: a logit is not finite.
        """
        gaps = (b.count * abs(b.accuracy - b.confidence) for b in self.calibration)
        return sum(gaps) / self.total

    def without(self, indices: Iterable[int]) -> "Report":
        """Return the report on all digits but those at ``indices``, such as disputed ones.

        Raises:
            IndexError: an index is out of range.
            ValueError: no digit is left.
        """
        kept = torch.ones(self.total, dtype=torch.bool)
        kept[torch.tensor(list(indices), dtype=torch.long)] = False
        return report(self.logits[kept], self.labels[kept])

    def __str__(self) -> str:
        return f"{self.accuracy:.2f} % ({self.wrong:,} of {self.total:,} wrong)"


@dataclass(frozen=True)
class Tally:
    """How many are right."""

    right: int
    total: int

    @property
    def accuracy(self) -> float:
        """Share of right ones, in per cent."""
        return 100 * self.right / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy, in per cent (see ``wilson``)."""
        return wilson(self.right, self.total)

    @property
    def figures(self) -> dict[str, Any]:
        """The figures as JSON shows them."""
        return {
            "accuracy": self.accuracy,
            "wrong": self.total - self.right,
            "total": self.total,
            "interval": self.interval,
        }

    def __str__(self) -> str:
        low, high = self.interval
        count = f"{self.right:,} of {self.total:,}"
        return f"{count}, {self.accuracy:.2f} % ({low:.2f}–{high:.2f} %)"


def report(logits: Tensor, labels: Tensor) -> Report:
    """Return the metrics of logits (N, 10) against labels (N,).

    Raises:
        ValueError: there are no digits, or the numbers of logits and labels differ.
    """
    if len(logits) != len(labels) or len(labels) == 0:
        raise ValueError(
            f"{len(logits)} logits for {len(labels)} labels: expected equal numbers, at least 1"
        )
    return Report(logits, labels.cpu())


def wilson(right: int, total: int) -> tuple[float, float]:
    """Return the 95 % score interval of the share of ``right`` in ``total``, in per cent.

    E. B. Wilson (1927), "Probable Inference, the Law of Succession, and Statistical Inference". It
    stays within 0 and 100 and keeps its coverage near the ends, where this project's figures lie.
    """
    centre = right + Z**2 / 2
    half = Z * math.sqrt(right * (total - right) / total + Z**2 / 4)
    low, high = (100 * (centre + side) / (total + Z**2) for side in (-half, half))
    # On paper the ends are exactly 0 and 100, but rounding oversteps them.
    return low if right else 0.0, high if right < total else 100.0


def _per_cent(right: Tensor, of: Tensor) -> tuple[float | None, ...]:
    pairs = zip(right.tolist(), of.tolist(), strict=True)
    return tuple(100 * part / whole if whole else None for part, whole in pairs)
