"""Scenes of every kind, and what their ink masks say."""

from dataclasses import replace

import numpy as np
import pytest

from tinydigits.scenes import KINDS, Scene, Setting, scene, setting
from tinydigits.scenes.glyphs import from_fonts, from_images, from_shapes, mixed
from tinydigits.scenes.mixture import view
from tinydigits.scenes.writing import Mark, digit, row

SHAPE, HEIGHT, MIDDLE = (160, 200), 80.0, (100.0, 80.0)
PLAIN = Setting(ink=(0.1, 0.1, 0.1), paper=(0.9, 0.9, 0.9), sheet="all")


def marks(seed: int, count: int = 1) -> list[Mark]:
    rng, source = np.random.default_rng(seed), from_shapes()
    digits = [digit(source, HEIGHT, rng) for _ in range(count)]
    return row(digits, [10.0] * (count - 1), [0.0] * count)


def drawn(chosen: Setting, seed: int = 0, count: int = 1) -> Scene:
    rng = np.random.default_rng(seed)
    return scene(marks(seed, count), chosen, SHAPE, HEIGHT, MIDDLE, rng, from_shapes())


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_always_gives_the_same_scene(kind: str) -> None:
    first, again, other = (
        drawn(setting(KINDS[kind], np.random.default_rng(seed)), seed) for seed in (0, 0, 1)
    )
    assert np.array_equal(first.picture, again.picture)
    assert np.array_equal(first.ink, again.ink)
    assert not np.array_equal(first.ink, other.ink)


@pytest.mark.parametrize("kind", KINDS)
def test_ink_is_where_the_mask_says(kind: str) -> None:
    """Where it is, the same scene without a digit looks otherwise, and nowhere else."""
    chosen = replace(setting(KINDS[kind], np.random.default_rng(4)), noise=0, quality=None)
    if chosen.strike or chosen.bleed or chosen.text or chosen.clutter:
        pytest.skip("other marks depend on the digit, or on the order of random numbers")
    with_digit = drawn(chosen, 4)
    blank = drawn(replace(chosen, ink=chosen.paper), 4)
    off = np.abs(with_digit.picture.astype(int) - blank.picture).max(axis=2)
    if not (chosen.underline or chosen.box or chosen.circle):
        assert off[with_digit.ink == 0].max(initial=0) <= 2
    assert off[with_digit.ink > 0.9].min() > 0


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAIN, underline=0.1),
        replace(PLAIN, box=0.2),
        replace(PLAIN, circle=0.2),
        replace(PLAIN, strike=True),
        replace(PLAIN, text=0.3),
    ],
    ids=["underlined", "boxed", "circled", "struck through", "text"],
)
def test_lines_and_letters_are_no_digits_ink(other: Setting) -> None:
    plain, more = drawn(PLAIN), drawn(other)
    assert np.array_equal(plain.ink, more.ink)
    darker = plain.picture.astype(int).sum() - more.picture.sum()
    assert darker > 1000


def test_every_digit_owns_its_ink() -> None:
    found = drawn(PLAIN, count=3)
    assert len(found.labels) == 3
    assert set(np.unique(found.owner)) == {0, 1, 2, 3}
    columns = [np.nonzero(found.owner == number)[1].mean() for number in (1, 2, 3)]
    assert columns == sorted(columns)
    assert not found.owner[found.ink < 0.1].any()


def test_small_pictures_are_small() -> None:
    found = drawn(replace(PLAIN, pixels=28))
    assert found.picture.shape == (22, 28, 3)
    assert found.ink.shape == found.owner.shape == (22, 28)


def test_a_turned_sheet_turns_the_digit() -> None:
    straight, turned = drawn(PLAIN), drawn(replace(PLAIN, turn=30))
    assert (straight.turn, turned.turn) == (0, 30)
    assert turned.ink.sum() == pytest.approx(straight.ink.sum(), rel=0.05)
    assert not np.array_equal(turned.ink > 0.5, straight.ink > 0.5)


def test_every_view_of_the_mixture_can_be_drawn() -> None:
    images = np.zeros((10, 28, 28), np.uint8)
    images[:, 5:20, 8:15] = 255
    pictured = from_images(images, np.arange(10))
    source = mixed((from_shapes(), pictured, from_fonts()), (0.4, 0.4, 0.2))
    rng = np.random.default_rng(0)
    views = [view(source, 96, rng) for _ in range(150)]
    assert any(not each.labels for each in views)
    assert any(len(each.labels) > 3 for each in views)
    for each in views:
        assert each.picture.shape[2] == 3
        assert each.ink.shape == each.owner.shape == each.picture.shape[:2]
        assert each.ink.max() <= 1
        assert each.owner.max() <= len(each.labels)
        assert (each.ink[each.owner > 0] > 0).all()
