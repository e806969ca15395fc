import numpy as np
import numpy.typing as npt
import pytest

from tinydigits.data.paths import POSITIONS, Paths
from tinydigits.data.pen import LIMITS, LINE, Pen, draw

Floats = npt.NDArray[np.float64]


def line(*ends: tuple[float, float]) -> Paths:
    """A path that goes evenly from each end to the next."""
    t = np.linspace(0, len(ends) - 1, POSITIONS)
    points = np.stack([np.interp(t, np.arange(len(ends)), axis) for axis in np.transpose(ends)], 1)
    return Paths(points[None].astype(np.float32), np.zeros((1, POSITIONS), np.int64))


def drawn(paths: Paths, pen: Pen, *, seed: int = 0) -> Floats:
    return draw(paths, pen, np.random.default_rng(seed)).astype(np.float64) / 255


def repeated(paths: Paths, count: int) -> Paths:
    return Paths(paths.points.repeat(count, axis=0), paths.stroke.repeat(count, axis=0))


STEM = line((0, -0.5), (0, 0.5))
# Leaning by two pixels over its height: how much ink a row shows depends on where the stroke lies
# between two pixels, so rows are averaged over all such places.
LEANING = line((-0.05, -0.5), (0.05, 0.5))
MIDDLE = slice(9, 19)  # ten rows, away from the ends


def widths(images: Floats) -> Floats:
    """The ink across a leaning stroke, (N,), in pixels."""
    across: Floats = images[:, MIDDLE].sum(axis=2).mean(axis=1) / np.hypot(1, 0.1)
    return across


@pytest.mark.parametrize("width", [0.8, 1.2, 2.0, 2.9, 3.6, 4.8])
def test_a_stroke_has_exactly_its_width_of_ink(width: float) -> None:
    assert widths(drawn(LEANING, Pen(width=width))) == pytest.approx(width, rel=0.02)


def test_ink_is_as_long_as_the_box() -> None:
    image = drawn(STEM, Pen(width=2))[0]
    inked = np.flatnonzero(image.max(axis=1))
    assert inked[-1] - inked[0] + 1 == 20
    # Half a pixel at either end is where ink has half faded; a round tip ends in half a disc.
    assert image.sum() == pytest.approx(2 * (20 - 2 * 0.5 - 2) + np.pi, rel=0.05)


def test_thin_strokes_are_grey_and_thick_ones_black() -> None:
    assert drawn(LEANING, Pen(width=0.8)).max() == pytest.approx(0.6, abs=0.01)
    assert drawn(LEANING, Pen(width=2)).max() == 1


def test_a_dot_is_a_disc() -> None:
    image = drawn(line((0, 0), (0, 0)), Pen(width=4))[0]
    y, x = np.mgrid[:28, :28]
    mass = image.sum()
    distance = np.hypot(
        y - image.sum(axis=1) @ np.arange(28) / mass, x - image.sum(axis=0) @ np.arange(28) / mass
    )
    assert mass == pytest.approx(np.pi * 2**2, rel=0.03)
    assert (image[distance < 1.4] == 1).all()
    assert (image[distance > 2.6] == 0).all()


def test_every_digit_lies_in_mnists_frame() -> None:
    bent = repeated(line((-0.2, -0.5), (0.3, 0), (0.1, 0.5)), 50)
    images = drawn(bent, Pen(2.5, spread=0.4, flatness=0.5, pressure=0.3, fading=0.5))
    for axis in (1, 2):
        centres = images.sum(axis=axis) @ np.arange(28) / images.sum(axis=(1, 2))
        assert (np.abs(centres - 14) <= 0.51).all()
    heights = (images.max(axis=2) > 0).sum(axis=1)
    assert ((heights >= 19) & (heights <= 20)).all()


def test_paths_may_have_any_unit_and_origin() -> None:
    path = line((-0.2, -0.5), (0.3, 0), (0.1, 0.5))
    large = Paths(path.points * 300 + 1000, path.stroke)
    assert np.abs(drawn(large, Pen()) - drawn(path, Pen())).max() < 0.02


def test_widths_vary_as_told() -> None:
    found = widths(drawn(repeated(LEANING, 2000), Pen(width=2, spread=0.25)))
    assert np.median(found) == pytest.approx(2, rel=0.03)
    assert np.log(found).std() == pytest.approx(0.25, rel=0.06)


def test_widths_stay_within_the_limits() -> None:
    found = widths(drawn(repeated(LEANING, 500), Pen(width=2, spread=2)))
    assert found.min() == pytest.approx(LIMITS[0], rel=0.02)
    assert found.max() == pytest.approx(LIMITS[1], rel=0.02)


def test_a_flat_tip_draws_thick_and_thin_lines() -> None:
    corner = repeated(line((-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5)), 400)
    images = drawn(corner, Pen(width=2.5, flatness=0.7))
    # Right of the stem and below the bar, only the other line is there.
    stem = images[:, 12:18, :12].sum(axis=2).mean(axis=1)
    bar = images[:, :12, 12:18].sum(axis=1).mean(axis=1)
    assert np.abs(np.log(stem / bar)).mean() > 0.2
    # The tip's angle is as likely to thicken the one as the other.
    assert abs(np.log(stem / bar).mean()) < 0.1


def test_tips_have_any_angle() -> None:
    diagonal = line((-0.5, -0.5), (0.5, 0.5))
    tips = Pen(width=3, flatness=0.6)
    upright = widths(drawn(repeated(LEANING, 1000), tips))
    slanting = drawn(repeated(diagonal, 1000), tips)[:, MIDDLE].sum(axis=2).mean(axis=1)
    quantiles = (0.1, 0.3, 0.5, 0.7, 0.9)
    assert np.quantile(upright, quantiles) == pytest.approx(
        np.quantile(slanting / np.sqrt(2), quantiles), rel=0.06
    )


def test_pressure_varies_the_width_along_the_stroke() -> None:
    pressed = drawn(repeated(STEM, 200), Pen(width=2.5, pressure=0.3))
    assert pressed[:, MIDDLE].sum(axis=2).std(axis=1).mean() > 0.2
    assert drawn(STEM, Pen(width=2.5))[:, MIDDLE].sum(axis=2).std() < 0.01


def test_a_rough_pen_frays_the_edge() -> None:
    frayed = drawn(repeated(STEM, 100), Pen(width=2.5, roughness=0.2))
    assert np.abs(np.diff(frayed[:, MIDDLE].sum(axis=2), axis=1)).mean() > 0.1


def test_ink_fades_by_the_largest_share_at_most() -> None:
    peaks = drawn(repeated(STEM, 500), Pen(width=3, fading=0.6))[:, MIDDLE].max(axis=2)
    assert peaks.min() == pytest.approx(0.4, abs=0.03)
    assert (peaks.min(axis=1) == 1).mean() == pytest.approx(0.5, abs=0.05)


def test_equal_pens_draw_equal_digits() -> None:
    images = drawn(repeated(STEM, 20), Pen())
    assert np.abs(images - images[0]).max() <= 1 / 255


def test_hollow_digits_are_two_lines_with_nothing_between() -> None:
    image = drawn(LEANING, Pen(width=4, hollow=1))[0, 13]
    across = np.flatnonzero(image > 0.5)
    assert np.ptp(across) >= 2
    assert image[across[0] + 1 : across[-1]].min() < 0.2
    assert widths(drawn(LEANING, Pen(width=4, hollow=1))) == pytest.approx(2 * LINE, rel=0.15)


def test_hollow_digits_are_as_rare_as_told_and_wide_enough() -> None:
    images = drawn(repeated(STEM, 1000), Pen(width=2, hollow=0.1))
    columns = (images[:, MIDDLE].max(axis=1) > 0.05).sum(axis=1)
    assert (columns > 3).mean() == pytest.approx(0.1, abs=0.03)
