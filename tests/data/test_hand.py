from dataclasses import fields

import numpy as np
import pytest

from tinydigits.data.hand import Hand, vary
from tinydigits.data.paths import POSITIONS, Paths, path_of

# A corner and a bar through its foot.
STROKES = [
    np.array(((-0.3, -0.5), (0.3, -0.5), (0.0, 0.5))),
    np.array(((-0.2, 0.2), (0.25, 0.2))),
]
COUNT = 4000


def repeated(strokes: list[np.ndarray]) -> Paths:
    path = path_of(strokes)
    return Paths(path.points.repeat(COUNT, axis=0), path.stroke.repeat(COUNT, axis=0))


PATHS = repeated(STROKES)
STEM = repeated([np.array(((0, -0.5), (0, 0.5)))])
FIRST, LAST = (PATHS.stroke[0] == number for number in (0, 1))


def varied(hand: Hand, paths: Paths = PATHS) -> np.ndarray:
    return vary(paths, hand, np.random.default_rng(0)).points.astype(np.float64)


def test_no_variation_changes_nothing() -> None:
    assert np.abs(varied(Hand()) - PATHS.points).max() < 1e-6


@pytest.mark.parametrize("name", [item.name for item in fields(Hand)])
def test_every_variation_alone_changes_digits(name: str) -> None:
    changed = np.abs(varied(Hand(**{name: 0.1})) - PATHS.points).max(axis=(1, 2))
    assert (changed > 1e-4).mean() > 0.9


def test_same_seed_gives_the_same_digits_and_digits_differ() -> None:
    hand = Hand(slant=0.1, warp=0.03)
    points = varied(hand)
    assert np.array_equal(points, varied(hand))
    assert len(np.unique(points.reshape(COUNT, -1), axis=0)) == COUNT


def test_slant_and_lean_are_the_distribution_of_the_tangent() -> None:
    stem = varied(Hand(slant=0.2, lean=0.1), STEM)
    run, rise = (stem[:, 0] - stem[:, -1]).T
    tangent = run / -rise
    assert tangent.mean() == pytest.approx(0.1, abs=0.01)
    assert tangent.std() == pytest.approx(0.2, rel=0.05)


def test_rotation_turns_by_an_angle() -> None:
    stem = varied(Hand(rotation=0.1), STEM)
    step = stem[:, 0] - stem[:, -1]
    assert np.allclose(np.linalg.norm(step, axis=1), 1, atol=1e-5)
    assert np.arctan2(step[:, 0], -step[:, 1]).std() == pytest.approx(0.1, rel=0.05)


def test_aspect_changes_the_width_only() -> None:
    points = varied(Hand(aspect=0.2))
    ratio = np.ptp(points[:, :, 0], axis=1) / np.ptp(PATHS.points[0, :, 0])
    assert np.log(ratio).std() == pytest.approx(0.2, rel=0.05)
    assert np.allclose(points[:, :, 1], PATHS.points[:, :, 1], atol=1e-6)


def test_taper_widens_one_end_and_narrows_the_other() -> None:
    points = varied(Hand(taper=0.2))
    x, y = PATHS.points[0].T
    factor = points[:, :, 0] / np.where(np.abs(x) > 0.1, x, np.nan)
    top, middle = (np.nanmean(factor[:, place], axis=1) for place in (y < -0.49, np.abs(y) < 0.02))
    assert (top - 1).std() == pytest.approx(0.2, rel=0.06)
    assert np.abs(middle - 1).max() < 0.05


def test_balance_moves_the_middle_and_keeps_the_ends() -> None:
    stem = varied(Hand(balance=0.2), STEM)
    assert np.allclose(stem[:, [0, -1]], STEM.points[:, [0, -1]], atol=1e-6)
    middle = stem[:, POSITIONS // 2, 1] - STEM.points[0, POSITIONS // 2, 1]
    assert middle.std() == pytest.approx(0.2 / 4, rel=0.06)


def test_drift_shifts_whole_strokes_independently() -> None:
    shift = varied(Hand(drift=0.05)) - PATHS.points
    for stroke in (FIRST, LAST):
        assert np.abs(shift[:, stroke] - shift[:, stroke][:, :1]).max() < 1e-6
        assert shift[:, stroke][:, 0].std() == pytest.approx(0.05, rel=0.06)
    both = np.corrcoef(shift[:, FIRST][:, 0, 0], shift[:, LAST][:, 0, 0])[0, 1]
    assert abs(both) < 0.1


def test_overrun_moves_ends_along_the_stroke() -> None:
    stem = varied(Hand(overrun=0.05), STEM)
    assert np.abs(stem[:, :, 0]).max() < 1e-6
    assert stem[:, 0, 1].std() == pytest.approx(0.05, rel=0.06)
    assert stem[:, -1, 1].std() == pytest.approx(0.05, rel=0.06)
    # Positions stay evenly spaced.
    assert np.diff(stem[:, :, 1], n=2, axis=1) == pytest.approx(0, abs=1e-5)


def test_overrun_does_not_join_strokes() -> None:
    ends = varied(Hand(overrun=0.05))
    bar = ends[:, LAST]
    assert np.abs(bar[:, :, 1] - 0.2).max() < 1e-6
    assert bar[:, 0, 0].min() >= -0.2 - 0.3 * 0.45 - 1e-6
    assert bar[:, 0, 0].max() <= -0.2 + 0.15 * 0.45 + 1e-6


def test_hurry_rounds_corners_and_keeps_ends() -> None:
    points = varied(Hand(hurry=1))
    corner = np.linalg.norm(PATHS.points[0] - (0.3, -0.5), axis=1).argmin()
    cut = np.linalg.norm(points[:, corner] - PATHS.points[:, corner], axis=1)
    assert 0.01 < cut.max() < 0.06
    assert cut.min() < 0.002
    for stroke in (FIRST, LAST):
        ends = [np.flatnonzero(stroke)[index] for index in (0, -1)]
        assert np.abs(points[:, ends] - PATHS.points[:, ends]).max() < 1e-6
    assert np.abs(points[:, LAST] - PATHS.points[:, LAST]).max() < 1e-6


def test_warp_bends_smoothly() -> None:
    shift = varied(Hand(warp=0.04), STEM) - STEM.points
    assert shift.std() == pytest.approx(0.04 / np.sqrt(2), rel=0.1)
    assert np.abs(np.diff(shift, axis=1)).max() < 0.1
