from math import comb

import numpy as np
import pytest
import torch
from scipy import ndimage, stats
from torch import Tensor

from tinydigits.train.config import Light
from tinydigits.train.light import NONE, numbers, relight

ALL = Light(level=0.5, unevenness=0.4, contrast=0.6, blur=1, sharpening=2, noise=0.2, patches=2)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images() -> Tensor:
    return 255 * torch.rand(41, 28, 28, generator=generator(9))


def black(count: int) -> Tensor:
    return torch.zeros(count, 28, 28)


def white(count: int) -> Tensor:
    return torch.full((count, 28, 28), 255.0)


def test_no_strength_is_the_identity(images: Tensor) -> None:
    assert torch.equal(relight(images, NONE, generator=generator()), images)


@pytest.mark.parametrize("sizes", [(41,), (1, 40), (16, 16, 9), (1,) * 41])
def test_results_do_not_depend_on_how_a_batch_is_split(
    images: Tensor, sizes: tuple[int, ...]
) -> None:
    whole = relight(images, ALL, generator=generator())
    stream = generator()
    parts = [relight(part, ALL, generator=stream) for part in torch.split(images, list(sizes))]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-3)


def test_range_shape_and_input_are_kept(images: Tensor) -> None:
    before = images.clone()
    lit = relight(images, ALL, generator=generator())
    assert lit.shape == images.shape
    assert lit.dtype == torch.float32
    assert lit.min() >= 0
    assert lit.max() <= 255
    assert torch.equal(images, before)


def test_every_image_draws_values_of_its_own() -> None:
    for strength in (Light(level=0.5), Light(contrast=0.5), Light(blur=1), Light(unevenness=0.5)):
        digit = black(20)
        digit[:, 10:18, 10:18] = 200
        lit = relight(digit, strength, generator=generator())
        assert len({tuple(image.flatten().tolist()) for image in lit}) == 20, strength


def test_level_raises_black_evenly_up_to_its_bound_and_leaves_white() -> None:
    lit = relight(black(2000), Light(level=0.5), generator=generator()) / 255
    assert (lit.flatten(1).std(dim=1) < 1e-6).all()
    assert 0.49 < lit.max() <= 0.5
    assert lit.min() < 0.01
    torch.testing.assert_close(relight(white(9), Light(level=0.5), generator=generator()), white(9))


def test_unevenness_raises_black_in_places_smoothly() -> None:
    lit = relight(black(200), Light(unevenness=0.5), generator=generator()) / 255
    assert (lit.flatten(1).std(dim=1) > 0.05).all()
    assert lit.max() <= 0.5
    assert lit.diff(dim=1).abs().max() < 0.1


def test_contrast_lowers_ink_over_black_down_to_its_bound() -> None:
    lit = relight(white(2000), Light(contrast=0.6), generator=generator()) / 255
    assert 0.4 - 1e-6 <= lit.min() < 0.41
    assert lit.max() > 0.99
    assert relight(black(9), Light(contrast=0.6), generator=generator()).max() == 0


def test_lighter_stays_lighter_where_only_light_changes(images: Tensor) -> None:
    only_light = Light(level=0.5, unevenness=0.4, contrast=0.6)
    darker, lighter = images * 0.5, images * 0.5 + 20
    before, after = (relight(each, only_light, generator=generator()) for each in (darker, lighter))
    assert (after >= before - 1e-3).all()


def test_random_numbers_are_uniform_and_independent() -> None:
    rows = numbers(2000, Light(noise=0.1), 784, generator=generator())
    assert rows is not None
    assert rows.shape == (2000, 1 + 3 + 2 + 16 + 1 + 784)
    assert rows.min() >= 0
    assert rows.max() <= 1
    assert stats.kstest(rows[:, :8].flatten().numpy(), "uniform").pvalue > 0.01
    assert stats.kstest(rows[:2].flatten().numpy(), "uniform").pvalue > 0.01
    correlations = np.corrcoef(rows[:, :9].numpy(), rowvar=False) - np.eye(9)
    assert abs(correlations).max() < 0.1


def mixed(pixels: np.ndarray, amount: float, axis: int) -> np.ndarray:
    """Blur along an axis with SciPy, the independent reference, and mix."""
    bell = np.array([comb(16, k) for k in range(17)]) / 2**16
    blurred = ndimage.convolve1d(pixels, bell, axis=axis, mode="constant")
    return np.asarray(pixels + amount * (blurred - pixels))


@pytest.mark.parametrize(("blur", "sharpening"), [(1.0, 0.0), (0.0, 2.0), (0.7, 2.0)])
def test_focus_lies_between_scipys_blur_and_its_unsharp_mask(
    images: Tensor, blur: float, sharpening: float
) -> None:
    strength = Light(blur=blur, sharpening=sharpening)
    focused = relight(images, strength, generator=generator())
    rows = numbers(len(images), strength, 784, generator=generator())
    assert rows is not None
    drawn = rows[:, 1:3]
    assert (drawn[:, 0] - drawn[:, 1]).abs().max() > 0.5
    for image, result, amounts in zip(images, focused, drawn.tolist(), strict=True):
        expected = image.numpy()
        for axis, number in enumerate(amounts):
            expected = mixed(expected, number * (blur + sharpening) - sharpening, axis)
        expected = expected.clip(0, 255)
        np.testing.assert_allclose(result.numpy(), 255 * expected / expected.max(), atol=0.02)


def test_outlines_keep_edges_and_lose_the_middle_of_half_of_the_images() -> None:
    disc = black(2000)
    disc[:, 6:22, 6:22] = 255
    lit = relight(disc, Light(outline=1), generator=generator()) / 255
    middle, edge = lit[:, 13, 13], lit[:, 6, 13]
    assert abs((middle == 1).float().mean().item() - 0.5) < 0.05
    assert middle.min() < 0.1
    assert edge.min() > 0.3
    assert (lit.amax(dim=(1, 2)) == 1).all()


def test_the_rest_of_the_images_stays_as_it_is() -> None:
    lit = relight(black(4000), Light(level=0.5, share=0.7), generator=generator())
    assert abs((lit == 0).all(dim=(1, 2)).float().mean().item() - 0.3) < 0.03


def test_noise_has_the_deviation_it_names() -> None:
    grey = torch.full((3000, 28, 28), 127.5)
    lit = relight(grey, Light(noise=0.1), generator=generator()) / 255
    deviations = lit.flatten(1).std(dim=1)
    assert 0.095 < deviations.max() < 0.105
    assert deviations.min() < 0.002
    assert abs(deviations.mean().item() - 0.05) < 0.002
    assert abs(lit.mean().item() - 0.5) < 0.001


def test_half_of_the_images_get_each_patch_and_the_rest_stay_whole() -> None:
    covered = (relight(black(4000), Light(patches=1), generator=generator()) > 0).flatten(1)
    share = covered.float().mean(dim=1)
    assert abs((share > 0).float().mean().item() - 0.5) < 0.05
    assert share.max() < 0.3
    twice = (relight(black(4000), Light(patches=2), generator=generator()) > 0).flatten(1)
    assert abs(twice.any(dim=1).float().mean().item() - 0.75) < 0.05


def test_patches_are_rectangles_of_one_grey() -> None:
    for image in relight(black(200), Light(patches=1), generator=generator()):
        rows, columns = image.any(dim=1), image.any(dim=0)
        inside = image[rows][:, columns]
        assert inside.numel() == 0 or (inside == inside[0, 0]).all()


def test_specks_change_few_pixels_of_half_of_the_images() -> None:
    grey = torch.full((2000, 28, 28), 127.5)
    away = (relight(grey, Light(specks=1), generator=generator()) / 255 - 0.5).abs().flatten(1)
    changed = away.amax(dim=1) > 0.01
    assert abs(changed.float().mean().item() - 0.5) < 0.05
    assert (away[changed].median(dim=1).values < 0.01).all()
    assert away.max() > 0.45


def test_bars_are_as_long_as_the_picture_and_half_of_them_stand_upright() -> None:
    covered = relight(black(4000), Light(bars=1, turned=0.5), generator=generator()) > 0
    there = covered.flatten(1).any(dim=1)
    assert abs(there.float().mean().item() - 0.5) < 0.05
    rows, columns = covered.any(dim=2).sum(dim=1), covered.any(dim=1).sum(dim=1)
    upright = covered.flatten(1).sum(dim=1) == rows * columns
    assert abs(upright[there].float().mean().item() - 0.5) < 0.1  # a turned one may be a block
    assert rows.max() >= 26
    assert (columns[upright] <= 15).float().mean() > 0.9


def test_half_of_the_images_are_blurred_along_the_diagonals() -> None:
    dot = black(2000)
    dot[:, 13, 13] = 255
    lit = relight(dot, Light(blur=1, diagonal=0.5), generator=generator())
    # Steps along diagonals lead to every second pixel only, as on a chequerboard.
    oblique = lit[:, 14, 13] == 0
    assert abs(oblique.float().mean().item() - 0.5) < 0.05
    assert (lit[oblique, 14, 14] > 0).all()
