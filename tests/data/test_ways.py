import numpy as np
import pytest

from tinydigits.data.shapes import Shapes, sample
from tinydigits.data.ways import learn
from tinydigits.data.written import Written

STEM = np.array(((0.0, -0.5), (0.0, 0.5)))
ZIGZAG = np.array(((-0.4, -0.5), (0.4, -0.5), (-0.4, 0.5), (0.4, 0.5)))
BAR = np.array(((-0.3, 0.0), (0.3, 0.0)))


def digits(rng: np.random.Generator) -> list[Written]:
    """Forty digits of each label: a third in zigzag, and stems, of which half have a bar."""
    return [
        Written(strokes(number, rng), label, f"writer {number}")
        for label in range(10)
        for number in range(42)
    ]


def strokes(number: int, rng: np.random.Generator) -> list[np.ndarray]:
    shake = 0.02 * rng.normal(size=2)
    kind = (ZIGZAG,), (STEM,), (STEM, BAR)
    drawn = [stroke * (1 + shake) for stroke in kind[number % 3]]
    # As people do: some begin at the other end, or with the other stroke.
    if rng.random() < 0.5:
        drawn = [stroke[::-1] for stroke in drawn]
    return drawn[::-1] if rng.random() < 0.5 else drawn


@pytest.fixture(scope="module")
def learned() -> Shapes:
    return learn(digits(np.random.default_rng(0)))


def test_each_way_of_writing_is_found(learned: Shapes) -> None:
    of_three = learned.label == 3
    counts = (learned.positions[of_three] > 0).sum(axis=1)
    assert set(counts.tolist()) == {1, 2}
    width = np.abs(learned.mean[of_three][:, 0, 1:, 0]).max(axis=1)
    assert (width[counts == 1] > 0.1).any()
    assert (width[counts == 1] < 0.02).any()


def test_digits_drawn_from_what_was_learned_look_like_the_originals(learned: Shapes) -> None:
    paths = sample(learned, np.full(600, 3), np.random.default_rng(0))
    two = paths.stroke.max(axis=1) == 1
    wide = np.ptp(paths.points[:, :, 0], axis=1) > 0.6
    thin = np.ptp(paths.points[:, :, 0], axis=1) < 0.2
    # Rarer ways are drawn more often than written, so a third becomes somewhat more or less.
    for kind in (two, wide & ~two, thin & ~two):
        assert 0.2 < kind.mean() < 0.5
    assert (two | wide | thin).all()


def test_order_and_direction_of_strokes_do_not_matter(learned: Shapes) -> None:
    """Otherwise the mean of stems written up and down would be a dot."""
    height = np.abs(learned.mean[:, :, 1, 1]).max(axis=1)
    assert height.min() > 0.3
    spread = np.abs(learned.variations).max()
    assert spread < 0.1


def test_a_prolific_writer_does_not_outweigh_the_others() -> None:
    rng = np.random.default_rng(0)
    many = [Written([ZIGZAG], 0, "prolific") for _ in range(400)]
    few = [digit for digit in digits(rng) if len(digit.strokes) == 1]
    learned = learn(many + few)
    paths = sample(learned, np.zeros(1000, np.int64), rng)
    assert (np.ptp(paths.points[:, :, 0], axis=1) > 0.7).mean() < 0.75


def test_same_digits_and_seed_give_the_same_model(learned: Shapes) -> None:
    again = learn(digits(np.random.default_rng(0)))
    assert np.array_equal(again.mean, learned.mean)
    assert np.array_equal(again.share, learned.share)


def test_too_few_digits_of_a_label_are_refused() -> None:
    found = [digit for digit in digits(np.random.default_rng(0)) if digit.label != 7]
    with pytest.raises(ValueError, match="0 digits of 7 are too few to learn its shapes from"):
        learn(found)
