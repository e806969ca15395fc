import io
from dataclasses import replace

import numpy as np
import pytest
from scipy import fft

from tinydigits.data import shapes
from tinydigits.data.paths import POSITIONS
from tinydigits.data.shapes import FILE, STEP, TERMS, Shapes, cosines, learned, packed, sample


def model(*, share: float = 0.25) -> Shapes:
    """Two ways for each label: a stem of 40 positions with a bar of 32, and a stem alone."""
    mean = np.zeros((20, 2, TERMS, 2), np.float32)
    mean[:, 0, 1, 1] = -0.5  # from -0.5 down to 0.5
    mean[::2, 1, 1, 0] = -0.2
    variations = np.zeros((20, 3, 2, TERMS, 2), np.float32)
    variations[:, 0, 0, 0, 0] = 0.1  # shifts the stem
    return Shapes(
        label=np.arange(10, dtype=np.uint8).repeat(2),
        share=np.tile(np.array((share, 1 - share), np.float32), 10),
        positions=np.tile(np.array(((40, 32), (72, 0)), np.uint8), (10, 1)),
        mean=mean,
        variations=variations,
    )


def drawn(labels: list[int], source: Shapes, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return sample(source, np.array(labels), np.random.default_rng(seed))


def test_the_terms_are_those_of_a_discrete_cosine_transform() -> None:
    values = np.random.default_rng(0).normal(size=TERMS)
    at = (np.arange(TERMS) + 0.5) / TERMS
    expected = fft.idct(values * np.where(np.arange(TERMS), TERMS, 2 * TERMS))
    assert cosines(at) @ values == pytest.approx(expected)


def test_a_path_follows_the_series_of_each_stroke() -> None:
    still = replace(model(share=1), variations=np.zeros((20, 3, 2, TERMS, 2), np.float32))
    points, stroke = drawn([4], still)
    assert stroke[0].tolist() == [0] * 40 + [1] * 32
    stem, bar = points[0, :40], points[0, 40:]
    assert stem[[0, -1]] == pytest.approx(np.array(((0, -0.5), (0, 0.5))), abs=1e-6)
    assert bar[[0, -1]] == pytest.approx(np.array(((-0.2, 0), (0.2, 0))), abs=1e-6)
    assert stem[:, 1] == pytest.approx(-0.5 * np.cos(np.pi * np.linspace(0, 1, 40)), abs=1e-6)


def test_ways_come_in_proportion_to_their_shares() -> None:
    _, stroke = drawn([3] * 4000, model(share=0.25))
    assert (stroke.max(axis=1) == 1).mean() == pytest.approx(0.25, abs=0.02)


def test_variations_are_normally_distributed_but_not_far_from_the_mean() -> None:
    points, _ = drawn([3] * 4000, model())
    shift = points[:, 0, 0]
    assert shift.std() == pytest.approx(0.1, rel=0.06)
    assert np.abs(shift).max() == pytest.approx(0.25, abs=0.02)


def test_no_label_is_drawn_as_another() -> None:
    ways = learned()
    mean = np.zeros_like(ways.mean)
    mean[:, :, 0, 0] = ways.label[:, None]  # x is the label
    marked = replace(ways, mean=mean, variations=np.zeros_like(ways.variations))
    labels = np.tile(np.arange(10), 200)
    points, _ = sample(marked, labels, np.random.default_rng(0))
    assert points[:, :, 0] == pytest.approx(labels[:, None].repeat(POSITIONS, 1), abs=1e-4)


def test_packing_rounds_to_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    original = learned()
    file = io.BytesIO(packed(original))
    monkeypatch.setattr(shapes, "FILE", file)
    again = shapes.learned.__wrapped__()
    for name in ("label", "share", "positions", "mean", "variations"):
        assert np.array_equal(getattr(again, name), getattr(original, name)), name
    finer = replace(original, mean=original.mean + np.float32(STEP / 3))
    monkeypatch.setattr(shapes, "FILE", io.BytesIO(packed(finer)))
    assert np.array_equal(shapes.learned.__wrapped__().mean, original.mean)


def test_the_packages_model_is_small_and_whole() -> None:
    assert FILE.stat().st_size <= 150_000
    ways = learned()
    assert (np.diff(ways.label.astype(int)) >= 0).all()
    for label in range(10):
        assert ways.share[ways.label == label].sum() == pytest.approx(1, abs=1e-5)
        assert (ways.label == label).sum() >= 20
    assert (ways.positions.sum(axis=1) == POSITIONS).all()


def test_digits_of_the_packages_model_lie_about_the_unit_box() -> None:
    labels = np.tile(np.arange(10), 300)
    points, stroke = sample(learned(), labels, np.random.default_rng(0))
    assert np.abs(points).max() < 1
    sides = np.ptp(points, axis=1).max(axis=1)
    assert np.median(sides) == pytest.approx(1, abs=0.06)
    steps = np.linalg.norm(np.diff(points, axis=1), axis=2)[np.diff(stroke, axis=1) == 0]
    assert steps.max() < 0.25


def test_the_packages_model_knows_how_people_write() -> None:
    """Slashed zeros, crossed sevens, fours in one stroke: MNIST lacks them, people write them."""
    ways = learned()
    strokes = (ways.positions > 0).sum(axis=1)
    for label, most in ((0, 2), (1, 2), (4, 3), (5, 2), (7, 3), (8, 2)):
        assert strokes[ways.label == label].max() >= most
        assert strokes[ways.label == label].min() == 1
