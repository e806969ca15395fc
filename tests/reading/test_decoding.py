"""Decoding against all paths, written out one by one."""

from collections import defaultdict
from itertools import groupby, product

import numpy as np
import numpy.typing as npt
import pytest

from tinydigits.net.contract import BLANK, CLASSES
from tinydigits.reading.decoding import decode

FEW = (1, 7, BLANK)  # what the columns of the small examples may be


def answers(seed: int, columns: int) -> npt.NDArray[np.float64]:
    """Log-probabilities of columns that are a 1, a 7 or blank."""
    chances = np.full((columns, CLASSES + 1), 1e-12)
    chances[:, FEW] = np.random.default_rng(seed).dirichlet(np.ones(len(FEW)), columns)
    logarithms: npt.NDArray[np.float64] = np.log(chances)
    return logarithms


def texts(logarithms: npt.NDArray[np.float64]) -> dict[tuple[int, ...], float]:
    """The probability of each text: the sum over all paths."""
    found: dict[tuple[int, ...], float] = defaultdict(float)
    for path in product(FEW, repeat=len(logarithms)):
        text = tuple(each for each, _ in groupby(path) if each != BLANK)
        found[text] += np.exp(logarithms[np.arange(len(path)), path].sum())
    return found


@pytest.mark.parametrize("seed", range(20))
def test_the_likeliest_text_is_that_of_all_paths_together(seed: int) -> None:
    logarithms = answers(seed, 6)
    expected = texts(logarithms)
    reading = decode(logarithms)
    assert reading.digits == max(expected, key=expected.__getitem__)
    assert reading.probability == pytest.approx(expected[reading.digits], rel=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_a_digits_certainty_is_its_share_among_all_digits_in_its_place(seed: int) -> None:
    logarithms = answers(seed, 5)
    expected, reading = texts(logarithms), decode(logarithms)
    for place, certainty in enumerate(reading.certainties):
        rivals = [
            (*reading.digits[:place], digit, *reading.digits[place + 1 :]) for digit in (1, 7)
        ]
        share = expected[reading.digits] / sum(expected[rival] for rival in rivals)
        assert certainty == pytest.approx(share, rel=1e-4)


def sure(path: str) -> npt.NDArray[np.float64]:
    """Columns that are almost surely what the path says; - is blank."""
    logarithms = np.full((len(path), CLASSES + 1), np.log(1e-6))
    for column, each in enumerate(path):
        logarithms[column, BLANK if each == "-" else int(each)] = np.log1p(-1e-5)
    return logarithms


def test_a_digits_columns_are_where_it_is_read() -> None:
    reading = decode(sure("--55-5-700--"))
    assert reading.digits == (5, 5, 7, 0)
    assert reading.columns == ((2, 3), (5, 5), (7, 7), (8, 9))
    assert reading.probability > 0.999


def test_blanks_alone_are_no_digit() -> None:
    reading = decode(sure("-----"))
    assert not reading.digits
    assert not reading.certainties
    assert not reading.columns
    assert reading.probability > 0.999


def test_a_text_is_more_likely_than_its_likeliest_path() -> None:
    # Each path to "1" is less likely than blanks alone; together they are more likely.
    logarithms = np.full((2, CLASSES + 1), np.log(1e-9))
    logarithms[:, [1, BLANK]] = np.log([0.4, 0.6])
    assert decode(logarithms).digits == (1,)


def test_many_columns_do_not_overflow() -> None:
    logarithms = np.log(np.full((120, CLASSES + 1), 1 / (CLASSES + 1)))
    reading = decode(logarithms)
    assert 0 <= reading.probability <= 1
    assert len(reading.columns) == len(reading.digits)
