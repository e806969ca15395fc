"""Intervals, p-values and sample sizes, against SciPy, textbook figures and a simulation."""

import numpy as np
import pytest
from scipy import stats

from tinydigits.study.student import _power, pairs_needed, summarise

ACCURACIES = [99.45, 99.52, 99.46, 99.40, 99.48]


def test_a_summary_agrees_with_scipy() -> None:
    found = summarise(ACCURACIES)
    assert (found.n, found.low, found.high) == (5, 99.40, 99.52)
    assert found.mean == pytest.approx(np.mean(ACCURACIES))
    assert found.sd == pytest.approx(np.std(ACCURACIES, ddof=1))
    expected = stats.t.interval(0.95, 4, np.mean(ACCURACIES), stats.sem(ACCURACIES))
    assert found.interval == pytest.approx(expected)


@pytest.mark.parametrize("values", [[99.45], [99.45, 99.45], [0.0, 0.0, 0.0]])
def test_without_any_spread_there_is_neither_interval_nor_test(values: list[float]) -> None:
    found = summarise(values)
    assert found.sd == (None if len(values) == 1 else 0)
    assert found.interval is None
    assert found.p_value is None


@pytest.mark.parametrize("shift", [0.0, 0.03, -1.0, 5.0])
def test_the_p_value_of_differences_is_that_of_the_paired_t_test(shift: float) -> None:
    stream = np.random.default_rng(0)
    a = stream.normal(99.4, 0.05, 12)
    b = a + shift + stream.normal(0, 0.04, 12)
    found = summarise((b - a).tolist()).p_value
    assert found == pytest.approx(stats.ttest_rel(b, a).pvalue, rel=1e-9)


# For effects of 0.2, 0.5 and 0.8 standard deviations, as tables of the paired t-test list them.
@pytest.mark.parametrize(("effect", "pairs"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_pairs_needed_are_those_of_the_tables(effect: float, pairs: int) -> None:
    assert pairs_needed(effect, 1.0) == pairs
    assert pairs_needed(0.01, 0.01 / effect) == pairs


@pytest.mark.parametrize("effect", [0.01, 0.07, 0.3, 1.0, 2.5, 10.0])
def test_one_pair_less_would_not_do(effect: float) -> None:
    pairs = pairs_needed(effect, 1.0)
    assert both_tails(pairs, effect) >= 0.8
    assert both_tails(pairs - 1, effect) < 0.8


def both_tails(pairs: int, effect: float) -> float:
    """Power of the two-sided test, the wrong sign counted too."""
    df, shift = pairs - 1, effect * pairs**0.5
    critical = stats.t.ppf(0.975, df)
    return float(stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift))


@pytest.mark.parametrize("sd", [1e-3, 1e-6, 1e-14])
def test_a_spread_that_is_next_to_nothing_needs_two_pairs(sd: float) -> None:
    assert pairs_needed(0.05, sd) == 2


def test_power_is_what_a_simulation_finds() -> None:
    trials = np.random.default_rng(0).normal(0.5, 1, (20_000, 20))
    found = stats.ttest_1samp(trials, 0, axis=1).pvalue < 0.05
    deviation = (0.25 / len(trials)) ** 0.5
    assert _power(20, 0.5) == pytest.approx(found.mean(), abs=3 * deviation)
