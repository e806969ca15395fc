"""Student's t: how certain a mean of few runs is, and how many runs tell two means apart."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from scipy import special  # not scipy.stats, which takes four times as long to import

LEVEL = 0.05  # of a two-sided test, and 1 minus an interval's coverage
POWER = 0.8  # the probability that a test finds a true difference


@dataclass(frozen=True)
class Summary:
    """A sample's size, mean, spread and range, in the unit of its values."""

    n: int
    mean: float
    sd: float | None
    """Standard deviation with n - 1 in the denominator; None for a single value."""
    low: float
    high: float

    @property
    def error(self) -> float | None:
        """Standard error of the mean; None if the values show no spread."""
        return self.sd / math.sqrt(self.n) if self.sd else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean; None if the values show no spread."""
        if self.error is None:
            return None
        half = float(special.stdtrit(self.n - 1, 1 - LEVEL / 2)) * self.error
        return self.mean - half, self.mean + half

    @property
    def p_value(self) -> float | None:
        """Probability of a mean this far from 0, either way, if it is truly 0; None without spread.

        For the differences of pairs, this is the paired t-test: Student (1908), "The Probable Error
        of a Mean".
        """
        if self.error is None:
            return None
        return 2 * float(special.stdtr(self.n - 1, -abs(self.mean) / self.error))


def summarise(values: Sequence[float]) -> Summary:
    """Return the summary of at least one value."""
    sd = statistics.stdev(values) if len(values) > 1 else None
    return Summary(len(values), statistics.mean(values), sd, min(values), max(values))


def pairs_needed(difference: float, sd: float) -> int:
    """Return the number of pairs that a paired t-test needs to find a mean ``difference`` above 0.

    ``sd``, above 0, is the standard deviation of the pairs' differences. The test is two-sided at
    5 % and has a power of 80 %, the tail of the noncentral t distribution: J. Cohen (1988),
    "Statistical Power Analysis for the Behavioral Sciences", chapter 2. The probability of finding
    the wrong sign, below one in 10,000 here, is not counted.
    """
    quantiles = special.ndtri(1 - LEVEL / 2) + special.ndtri(POWER)
    # With sd known, the normal distribution's number would do; Student's t needs a few more.
    enough = math.ceil((float(quantiles) * sd / difference) ** 2)
    return next(n for n in count(max(2, enough)) if _power(n, difference / sd) >= POWER)


def _power(n: int, effect: float) -> float:
    critical = special.stdtrit(n - 1, 1 - LEVEL / 2)
    shift = min(effect * math.sqrt(n), 1000)  # far beyond, SciPy has no value and power is 1
    return 1 - float(special.nctdtr(n - 1, shift, critical))
