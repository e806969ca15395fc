import numpy as np
import pytest

from tinydigits.data.written import CAP, Written, sampler, weights
from tinydigits.errors import InputError


def digit(label: int, writer: str, size: float = 1) -> Written:
    return Written([np.array(((0.0, 0.0), (0.0, size), (label / 10, size)))], label, writer)


ALL = [digit(label, "a") for label in range(10)]


def test_writers_count_alike_up_to_a_cap() -> None:
    found = weights([digit(3, "many")] * 60 + [digit(3, "few")] * 2 + [digit(4, "many")])
    assert found[:60].sum() == pytest.approx(CAP)
    assert found[60:].tolist() == [1, 1, 1]


def test_paths_are_those_of_digits_with_the_wanted_label() -> None:
    labels = np.tile(np.arange(10), 20)
    paths = sampler([digit for digit in ALL for _ in range(3)])(labels, np.random.default_rng(0))
    width = np.ptp(paths.points[:, :, 0], axis=1)
    assert width == pytest.approx(labels / 10, abs=1e-6)
    assert (paths.stroke == 0).all()


def test_writers_are_drawn_by_their_weights() -> None:
    wide = Written([np.array(((0.0, 0.0), (1.0, 0.0)))], 0, "few")
    draw = sampler([*ALL[1:], *[digit(0, "many")] * 3 * CAP, *[wide] * CAP])
    paths = draw(np.zeros(2000, np.int64), np.random.default_rng(0))
    assert (np.ptp(paths.points[:, :, 0], axis=1) > 0.5).mean() == pytest.approx(0.5, abs=0.05)


def test_a_missing_digit_is_named() -> None:
    with pytest.raises(InputError, match=r"the strokes have no digit 7, 9: expected 0 to 9"):
        sampler([digit for digit in ALL if digit.label not in (7, 9)])


def test_too_many_strokes_are_refused() -> None:
    dashes = Written([np.array(((0.0, y), (1.0, y))) for y in range(37)], 0, "a")
    with pytest.raises(InputError, match=r"a digit has 37 strokes, expected at most 36"):
        sampler([*ALL, dashes])
