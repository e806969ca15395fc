import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from tinydigits.data import synthetic
from tinydigits.data.dataset import Digits
from tinydigits.evaluate import corruptions
from tinydigits.evaluate.corruptions import BLOCK, KINDS, corrupt

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

WITHOUT_CHANCE = {"scale", "brightness", "stripe", "canny_edges"}
LEFT_OR_RIGHT = {"shear", "rotate"}
DRAWN_OVER = ("spatter", "dotted_line", "zigzag")
BLACK_STAYS = (
    "shot_noise",
    "glass_blur",
    "motion_blur",
    "shear",
    "scale",
    "rotate",
    "translate",
    "canny_edges",
)


@pytest.fixture(scope="module")
def digits() -> Bytes:
    """Read-only digits, three more than one block of the damage."""
    images, _ = synthetic.draw(BLOCK + 3, seed=0)
    images.setflags(write=False)
    return images


def blank(count: int) -> Bytes:
    return np.zeros((count, 28, 28), np.uint8)


def bar(rows: slice, columns: slice, count: int = 40) -> Bytes:
    images = blank(count)
    images[:, rows, columns] = 255
    return images


def light(images: Bytes) -> Floats:
    """The light of every picture, in white pixels, (N,)."""
    white: Floats = images.sum(axis=(1, 2), dtype=np.float64) / 255
    return white


def centres(images: Bytes) -> Floats:
    """Row and column of every picture's centre of mass, from its middle, (N, 2)."""
    place = np.arange(28) - 13.5
    moments = np.stack([images.sum(axis=2) @ place, images.sum(axis=1) @ place], axis=1) / 255
    return moments / light(images)[:, None]


def spreads(images: Bytes) -> Floats:
    """Covariance of every picture's light over rows and columns, (N, 2, 2)."""
    place = np.indices((28, 28)).reshape(2, -1).T - 13.5
    weights = images.reshape(len(images), -1) / 255 / light(images)[:, None]
    offsets = place - centres(images)[:, None]
    spread: Floats = np.einsum("np,npi,npj->nij", weights, offsets, offsets)
    return spread


def test_the_kinds_are_those_of_mnist_c() -> None:
    assert KINDS == (
        "shot_noise",
        "impulse_noise",
        "glass_blur",
        "motion_blur",
        "shear",
        "scale",
        "rotate",
        "brightness",
        "translate",
        "stripe",
        "fog",
        "spatter",
        "dotted_line",
        "zigzag",
        "canny_edges",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_digit_is_changed_and_no_input_is(kind: str, digits: Bytes) -> None:
    before = digits.copy()
    damaged = corrupt(digits, kind, seed=0)
    assert damaged.shape == digits.shape
    assert damaged.dtype == np.uint8
    assert (damaged != digits).any(axis=(1, 2)).all()
    assert np.array_equal(digits, before)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides(kind: str, digits: Bytes) -> None:
    few = digits[:20]
    one, same, other = (corrupt(few, kind, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one, same)
    assert np.array_equal(one, other) == (kind in WITHOUT_CHANCE)


@pytest.mark.parametrize("kind", KINDS)
def test_damage_does_not_depend_on_the_other_digits(kind: str, digits: Bytes) -> None:
    whole = corrupt(digits, kind, seed=0)
    for count in (0, 1, BLOCK, BLOCK + 1):
        assert np.array_equal(corrupt(digits[:count], kind, seed=0), whole[:count])
    others = digits[::-1].copy()
    kept = [0, 1, BLOCK - 1, BLOCK, BLOCK + 2]
    others[kept] = digits[kept]
    assert np.array_equal(corrupt(others, kind, seed=0)[kept], whole[kept])


@pytest.mark.parametrize("kind", sorted(set(KINDS) - WITHOUT_CHANCE))
def test_every_digit_has_damage_of_its_own(kind: str, digits: Bytes) -> None:
    copies = np.repeat(digits[:1], BLOCK + 3, axis=0)
    different = len(np.unique(corrupt(copies, kind, seed=0), axis=0))
    if kind in LEFT_OR_RIGHT:
        assert different == 2
    else:
        assert different > 0.9 * len(copies)  # nearly the same direction may round to the same


def test_kinds_draw_from_streams_of_their_own() -> None:
    images = bar(slice(4, 24), slice(13, 15))
    slants, turns = (
        spreads(corrupt(images, k, seed=0))[:, 0, 1] > 0 for k in sorted(LEFT_OR_RIGHT)
    )
    assert 10 < (slants == turns).sum() < 30


def test_unknown_kinds_are_refused(digits: Bytes) -> None:
    with pytest.raises(ValueError, match=r"'snow': expected one of shot_noise, .*, canny_edges"):
        corrupt(digits, "snow", seed=0)


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (np.zeros((3, 28, 28)), r"float64 of shape \(3, 28, 28\)"),
        (np.zeros((28, 28), np.uint8), r"uint8 of shape \(28, 28\)"),
        (np.zeros((3, 28, 27), np.uint8), r"uint8 of shape \(3, 28, 27\)"),
        (np.zeros((3, 1, 28, 28), np.uint8), r"uint8 of shape \(3, 1, 28, 28\)"),
    ],
)
def test_images_of_another_type_or_shape_are_refused(images: Bytes, found: str) -> None:
    with pytest.raises(ValueError, match=rf"{found}, expected uint8 of shape \(N, 28, 28\)"):
        corrupt(images, "shear", seed=0)


@pytest.mark.parametrize("kind", BLACK_STAYS)
def test_black_stays_black(kind: str) -> None:
    assert not corrupt(blank(5), kind, seed=0).any()


@pytest.mark.parametrize("grey", [51, 128, 255])
def test_photons_are_poisson_distributed(grey: int) -> None:
    noisy = corrupt(np.full((40, 28, 28), grey, np.uint8), "shot_noise", seed=0)
    mean, white = corruptions.SHOT_PHOTONS * grey / 255, corruptions.SHOT_PHOTONS
    shares = [math.exp(-mean) * mean**k / math.factorial(k) for k in range(white)]
    shares.append(1 - sum(shares))  # as bright as white, or brighter
    levels = np.rint(255 * np.arange(white + 1) / white)
    found = [(noisy == level).mean() for level in levels]
    assert sum(found) == pytest.approx(1)
    np.testing.assert_allclose(found, shares, atol=4 * math.sqrt(0.25 / noisy.size))


def test_impulses_are_black_and_white_in_equal_shares() -> None:
    noisy = corrupt(np.full((40, 28, 28), 100, np.uint8), "impulse_noise", seed=0)
    levels, counts = np.unique(noisy, return_counts=True)
    assert levels.tolist() == [0, 100, 255]
    half = corruptions.IMPULSE_SHARE / 2
    np.testing.assert_allclose(counts / noisy.size, [half, 1 - 2 * half, half], atol=0.007)


def test_glass_swaps_each_pixel_with_the_partner_that_its_numbers_name() -> None:
    values = np.arange(28 * 28.0).reshape(1, 28, 28)

    def swapped(number: float) -> Floats:
        return corruptions._swap(values, np.full((1, 2 * 26 * 26), number))

    # One after the other with the pixel before: each moves up, and the first is carried along.
    np.testing.assert_array_equal(swapped(0)[:, :26, :26], values[:, 1:27, 1:27])
    np.testing.assert_array_equal(swapped(0.5), values)
    np.testing.assert_array_equal(swapped(0.999)[:, 1:27, 1:27], values[:, 2:, 2:])


def test_glass_loses_no_pixel() -> None:
    values = np.arange(28 * 28.0).reshape(1, 28, 28).repeat(30, axis=0)
    numbers = np.random.default_rng(0).random((30, 2 * 26 * 26))
    swapped = corruptions._swap(values, numbers).reshape(30, -1)
    assert (np.sort(swapped, axis=1) == np.arange(28 * 28)).all()


def test_glass_blurs_before_and_after_and_keeps_the_light() -> None:
    images = bar(slice(10, 18), slice(10, 18), 400)
    numbers = np.random.default_rng(0).random((400, 2 * 26 * 26))
    swapped = corruptions._swap(images.astype(np.float64), numbers).astype(np.uint8)
    blurred = corrupt(images, "glass_blur", seed=0)
    np.testing.assert_allclose(light(blurred), 64, rtol=0.02)
    both = np.trace(spreads(blurred).mean(axis=0)) / 2
    swaps = np.trace(spreads(swapped).mean(axis=0)) / 2
    assert both == pytest.approx(swaps + 2 * corruptions.GLASS_BLUR**2, abs=0.2)


def test_motion_smears_a_point_into_a_line() -> None:
    points = bar(slice(14, 15), slice(14, 15), 400)
    smeared = corrupt(points, "motion_blur", seed=0)
    np.testing.assert_allclose(light(smeared), 1, rtol=0.05)  # grey values are rounded
    np.testing.assert_allclose(centres(smeared), 0.5, atol=0.1)
    spread, axes = np.linalg.eigh(spreads(smeared))
    # An even line of length L and of no width has variance L² / 12 along it.
    np.testing.assert_allclose(spread[:, 1], corruptions.MOTION_LENGTH**2 / 12, atol=0.5)
    assert spread[:, 0].max() < 0.3
    angles = np.arctan2(axes[:, 0, 1], axes[:, 1, 1]) % np.pi
    eighths, _ = np.histogram(angles, bins=4, range=(0, np.pi))
    assert eighths.min() > 70


def test_shear_slants_an_upright_bar() -> None:
    slanted = corrupt(bar(slice(4, 24), slice(13, 15)), "shear", seed=0)
    rows = slanted[:, 4:24].astype(np.float64)
    middles = rows @ (np.arange(28) - 13.5) / rows.sum(axis=2)
    upwards = 13.5 - np.arange(4, 24)
    slopes = middles[:, 0] / upwards[0]
    np.testing.assert_allclose(np.unique(slopes.round(2)), [-0.4, 0.4])
    np.testing.assert_allclose(middles, slopes[:, None] * upwards, atol=0.02)
    assert not slanted[:, :4].any()
    assert not slanted[:, 24:].any()


def test_scale_shrinks_about_the_middle() -> None:
    small = corrupt(bar(slice(4, 24), slice(4, 24), 1), "scale", seed=0)
    side = 20 * corruptions.SCALE_FACTOR
    np.testing.assert_allclose(light(small), side**2, rtol=0.02)
    np.testing.assert_allclose(centres(small), 0, atol=1e-9)
    first, last = np.flatnonzero(small[0, 14])[[0, -1]]
    assert last - first + 1 == pytest.approx(side, abs=1)


def test_rotate_turns_a_level_bar() -> None:
    turned = corrupt(bar(slice(13, 15), slice(4, 24)), "rotate", seed=0)
    spread = spreads(turned)
    angles = np.arctan2(2 * spread[:, 0, 1], spread[:, 1, 1] - spread[:, 0, 0]) / 2
    expected = corruptions.ROTATE_ANGLE * np.sign(angles)
    np.testing.assert_allclose(np.rad2deg(angles), expected, atol=0.5)
    assert 10 < (angles > 0).sum() < 30
    np.testing.assert_allclose(light(turned), 40, rtol=0.02)
    np.testing.assert_allclose(centres(turned), 0, atol=0.02)


def test_brightness_adds_to_every_pixel() -> None:
    every_grey = np.resize(np.arange(256, dtype=np.uint8), (1, 28, 28))
    added = round(255 * corruptions.BRIGHTNESS)
    expected = np.minimum(every_grey.astype(int) + added, 255)
    assert np.array_equal(corrupt(every_grey, "brightness", seed=0), expected)


def test_translate_shifts_by_its_distance_in_every_direction() -> None:
    shifted = corrupt(bar(slice(9, 19), slice(9, 19), 400), "translate", seed=0)
    np.testing.assert_allclose(light(shifted), 100, rtol=0.01)
    down, right = centres(shifted).T
    np.testing.assert_allclose(np.hypot(down, right), corruptions.TRANSLATE_DISTANCE, atol=0.02)
    eighths, _ = np.histogram(np.arctan2(down, right), bins=8, range=(-np.pi, np.pi))
    assert eighths.min() > 30


def test_translate_brings_black_in() -> None:
    white = np.full((40, 28, 28), 255, np.uint8)
    shifted = corrupt(white, "translate", seed=0)
    np.testing.assert_array_equal(shifted[:, 5:23, 5:23], 255)
    lost = 28**2 - light(shifted)
    assert lost.min() > 28 * corruptions.TRANSLATE_DISTANCE - 1


def test_stripe_inverts_all_but_the_middle_half(digits: Bytes) -> None:
    striped = corrupt(digits, "stripe", seed=0)
    assert np.array_equal(striped[:, :, 7:21], digits[:, :, 7:21])
    assert np.array_equal(striped[:, :, :7], 255 - digits[:, :, :7])
    assert np.array_equal(striped[:, :, 21:], 255 - digits[:, :, 21:])


def test_fog_adds_clouds_and_dims_the_digit(digits: Bytes) -> None:
    few = digits[:20]
    clouds, foggy = (corrupt(x, "fog", seed=0).astype(float) for x in (blank(20), few))
    dimmed = 1 + corruptions.FOG_DENSITY
    np.testing.assert_allclose(foggy - clouds, few / dimmed, atol=1.001)
    np.testing.assert_array_equal(clouds.min(axis=(1, 2)), 0)
    thickest = round(255 * corruptions.FOG_DENSITY / dimmed)
    np.testing.assert_array_equal(clouds.max(axis=(1, 2)), thickest)


def test_clouds_fade_with_frequency_alike_in_all_directions() -> None:
    spectra = np.abs(np.fft.fft2(corrupt(blank(BLOCK), "fog", seed=0)))
    amplitudes = np.sqrt((spectra**2).mean(axis=0))
    fall = 4**corruptions.FOG_ROUGHNESS
    assert amplitudes[0, 2] / amplitudes[0, 8] == pytest.approx(fall, rel=0.15)
    assert amplitudes[2, 0] / amplitudes[8, 0] == pytest.approx(fall, rel=0.15)
    assert amplitudes[3, 4] / amplitudes[0, 5] == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("kind", DRAWN_OVER)
def test_strokes_and_drops_lie_over_the_digit(kind: str, digits: Bytes) -> None:
    few = digits[:40]
    drawn = corrupt(blank(40), kind, seed=0)
    np.testing.assert_array_equal(corrupt(few, kind, seed=0), np.maximum(few, drawn))


def test_spatter_falls_everywhere_in_drops_of_many_sizes() -> None:
    drops = corrupt(blank(500), "spatter", seed=0)
    # As many discs as there are drops, less what overlaps or falls over the edge.
    radii = np.linspace(*corruptions.SPATTER_RADIUS, 1000)
    most = corruptions.SPATTER_DROPS * np.pi * (radii**2 + 1 / 12).mean()
    assert 0.75 * most < light(drops).mean() < most
    halves = drops.reshape(500, 2, 14, 2, 14).mean(axis=(0, 2, 4))
    np.testing.assert_allclose(halves, halves.mean(), rtol=0.06)
    sizes = [
        size for picture in drops[:50] for size in np.bincount(ndimage.label(picture)[0].flat)[1:]
    ]
    assert min(sizes) == 1
    assert max(sizes) > 12


def lines(kind: str) -> list[Bytes]:
    """100 of the kind's lines on black, each turned so that it runs from left to right."""
    pictures = corrupt(blank(100), kind, seed=0)
    level = [picture[:, 0].any() for picture in pictures]
    assert 30 < sum(level) < 70
    return [p if keep else p.T for p, keep in zip(pictures, level, strict=True)]


def test_dotted_lines_cross_the_picture_in_equal_steps() -> None:
    for picture in lines("dotted_line"):
        parts, count = ndimage.label(picture > 80)
        dots = np.array(ndimage.center_of_mass(picture, parts, range(1, count + 1)))
        dots = dots[dots[:, 1].argsort()]
        assert dots[:, 0].min() > corruptions.LINE_MARGIN - 0.5
        assert dots[:, 0].max() < 27.5 - corruptions.LINE_MARGIN
        assert dots[0, 1] < 1
        assert dots[-1, 1] > 27 - corruptions.DOT_PITCH
        inner = np.diff(dots[1:-1], axis=0)  # an edge may cut the outer ones
        np.testing.assert_allclose(inner, inner.mean(axis=0) * np.ones_like(inner), atol=0.5)
        assert np.hypot(*inner.mean(axis=0)) == pytest.approx(corruptions.DOT_PITCH, abs=0.05)


def test_zigzags_cross_the_picture_in_one_stroke_with_even_turns() -> None:
    for picture in lines("zigzag"):
        assert ndimage.label(picture > 0)[1] == 1
        assert picture.any(axis=0).all()
        heights = np.arange(28) @ picture / picture.sum(axis=0)
        slope, start = np.polyfit(np.arange(28), heights, 1)
        away = (heights - slope * np.arange(28) - start) * math.cos(math.atan(slope))
        crossings = np.sum(np.diff(np.sign(away)) != 0)
        assert 6 <= crossings <= 10
        assert 1.2 < np.abs(away).max() < 3


def test_canny_draws_the_thin_closed_outline_of_a_disc() -> None:
    distance = np.hypot(*(np.mgrid[:28, :28] - 13.5))
    disc = np.rint(255 * np.clip(9 - distance, 0, 1)).astype(np.uint8)
    outline = corrupt(disc[None], "canny_edges", seed=0)[0]
    assert set(np.unique(outline)) == {0, 255}
    assert np.abs(distance[outline > 0] - 8.5).max() < 1
    filled = ndimage.binary_fill_holes(outline > 0)
    assert math.sqrt(filled.sum() / math.pi) == pytest.approx(8.5 + 0.5, abs=0.4)
    # A diagonal step is as long as 1.4 pixels: a line one pixel wide has at most 8 a radius.
    assert (outline > 0).sum() <= 8 * 9
    squares = np.lib.stride_tricks.sliding_window_view(outline > 0, (2, 2))
    assert not squares.all(axis=(2, 3)).any()


def test_canny_keeps_weak_edges_only_where_they_go_on_from_strong_ones() -> None:
    # How steep is a step of height 1 at most, once it is blurred?
    steepest = 1 / (corruptions.CANNY_BLUR * math.sqrt(2 * math.pi))
    lost, weak, strong = (
        round(255 * slope / steepest)
        for slope in (
            0.8 * corruptions.CANNY_WEAK,
            0.8 * corruptions.CANNY_STRONG,
            1.2 * corruptions.CANNY_STRONG,
        )
    )
    images = blank(5)
    images[:3, :, 14:] = np.reshape([strong, weak, strong], (3, 1, 1))
    images[3, :, 14:] = np.repeat([strong, weak], 14)[:, None]
    images[4, :, 14:] = np.repeat([strong, lost], 14)[:, None]
    edges = corrupt(images, "canny_edges", seed=0)
    # Rows near the step from one height to the other, and near the frame, have edges of their own.
    upper, lower = (
        (edges[:, rows, 10:18] > 0).sum(axis=2) for rows in (slice(4, 10), slice(18, 24))
    )
    np.testing.assert_array_equal(upper, np.repeat([[1], [0], [1], [1], [1]], 6, axis=1))
    np.testing.assert_array_equal(lower, np.repeat([[1], [0], [1], [1], [0]], 6, axis=1))
    assert not edges[1].any()


def test_canny_follows_weak_edges_diagonally_too() -> None:
    steepest = 1 / (corruptions.CANNY_BLUR * math.sqrt(2 * math.pi))
    strong, weak = (255 * factor * corruptions.CANNY_STRONG / steepest for factor in (1.2, 0.8))
    rows, columns = np.indices((28, 28))
    slanted = np.where(columns >= 10 + rows // 4, np.where(rows < 12, strong, weak), 0)
    edges = corrupt(slanted[None].astype(np.uint8), "canny_edges", seed=0)
    assert edges[0, 4:24, 8:20].any(axis=1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_digits_damaged_alike_are_told_apart_by_their_nearest_neighbour(
    kind: str, real: tuple[Digits, Digits]
) -> None:
    digits = real[0][-1000:]
    damaged = corrupt(digits.images.numpy(), kind, seed=0).reshape(1000, -1).astype(float)
    damaged -= damaged.mean(axis=0)
    damaged /= np.linalg.norm(damaged, axis=1, keepdims=True)
    likeness = damaged @ damaged.T
    np.fill_diagonal(likeness, -1)
    labels = digits.labels.numpy()
    assert (labels[likeness.argmax(axis=1)] == labels).mean() > 0.75
