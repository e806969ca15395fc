import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tinydigits.train.augment import NONE, _matrices, _warp, augment
from tinydigits.train.config import Augmentation

FULL = Augmentation()
BENT = Augmentation(0, 0, 0, 0, elastic=2)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(count: int, strength: Augmentation) -> Tensor:
    return _matrices(2 * torch.rand(count, 5, generator=generator()) - 1, strength)


@pytest.fixture
def images() -> Tensor:
    return torch.randint(0, 256, (41, 28, 28), dtype=torch.uint8, generator=generator(9))


def test_zero_strength_is_the_identity(images: Tensor) -> None:
    assert torch.equal(augment(images, NONE, generator=generator()), images.float())


@pytest.mark.parametrize("sizes", [(41,), (1, 40), (16, 16, 9), (1,) * 41])
@pytest.mark.parametrize("strength", [FULL, BENT])
def test_results_do_not_depend_on_how_a_batch_is_split(
    images: Tensor, sizes: tuple[int, ...], strength: Augmentation
) -> None:
    whole = augment(images, strength, generator=generator())
    stream = generator()
    parts = [augment(part, strength, generator=stream) for part in torch.split(images, list(sizes))]
    assert torch.equal(torch.cat(parts), whole)


def test_every_image_is_moved_by_values_of_its_own(images: Tensor) -> None:
    same = images[:1].expand(20, 28, 28)
    moved = augment(same, FULL, generator=generator())
    assert len({tuple(image.flatten().tolist()) for image in moved}) == 20


def test_range_shape_and_input_are_kept(images: Tensor) -> None:
    before = images.clone()
    moved = augment(images, FULL, generator=generator())
    assert moved.shape == images.shape
    assert moved.dtype == torch.float32
    assert moved.min() >= 0
    assert moved.max() <= 255 + 1e-3
    assert torch.equal(images, before)


def test_same_generator_state_gives_the_same_images(images: Tensor) -> None:
    one, other, third = (augment(images, FULL, generator=generator(s)) for s in (3, 3, 4))
    assert torch.equal(one, other)
    assert not torch.equal(one, third)


def test_pillow_moves_images_the_same_way(images: Tensor) -> None:
    # Pillow is the independent reference: same matrices, in pixels, bilinear.
    matrices = drawn(len(images), FULL)
    moved = _warp(images.float(), matrices)
    for image, result, matrix in zip(images, moved, matrices.double(), strict=True):
        # From coordinates -1 … 1 to Pillow's, where pixel i spans i … i + 1.
        linear, shift = matrix[:, :2], matrix[:, 2] * 14
        offset = shift + 14 - linear @ torch.full((2,), 14.0, dtype=torch.float64)
        row = torch.cat([linear, offset[:, None]], dim=1).flatten().tolist()
        expected = Image.fromarray(image.float().numpy()).transform(
            (28, 28), Image.Transform.AFFINE, row, resample=Image.Resampling.BILINEAR
        )
        # Pillow leaves out what lies half a pixel over the edge; compare the inside.
        x, y = np.meshgrid(np.arange(28) + 0.5, np.arange(28) + 0.5)
        source = np.einsum(
            "ij,jkl->ikl", linear.numpy(), np.stack([x, y])
        ) + offset.numpy().reshape(2, 1, 1)
        inside = ((source > 0.5) & (source < 27.5)).all(axis=0)
        assert inside.mean() > 0.3
        np.testing.assert_allclose(result.numpy()[inside], np.asarray(expected)[inside], atol=0.1)


def moments(strength: Augmentation) -> tuple[Tensor, Tensor]:
    matrices = drawn(4000, strength)
    return torch.linalg.inv(matrices[:, :, :2]), matrices[:, :, 2]


def test_rotation_reaches_its_bounds_and_no_further() -> None:
    linear, _ = moments(Augmentation(rotation=15, translation=0, scale=0, shear=0))
    angles = torch.rad2deg(torch.atan2(linear[:, 1, 0], linear[:, 0, 0]))
    assert -15.001 < angles.min() < -14.9
    assert 14.9 < angles.max() < 15.001
    torch.testing.assert_close(torch.linalg.det(linear), torch.ones(4000))


def test_scale_reaches_its_bounds_and_no_further() -> None:
    linear, _ = moments(Augmentation(rotation=0, translation=0, scale=0.1, shear=0))
    factors = linear[:, 0, 0]
    assert 0.8999 < factors.min() < 0.901
    assert 1.099 < factors.max() < 1.1001
    torch.testing.assert_close(linear, factors.view(-1, 1, 1) * torch.eye(2))


def test_shear_slants_along_x_within_its_bounds() -> None:
    linear, _ = moments(Augmentation(rotation=0, translation=0, scale=0, shear=10))
    limit = math.tan(math.radians(10))
    assert limit * 0.99 < linear[:, 0, 1].abs().max() < limit * 1.001
    torch.testing.assert_close(linear[:, 1], torch.tensor([0.0, 1.0]).expand(4000, 2))


def test_rotation_and_shear_together_keep_the_area() -> None:
    linear, _ = moments(Augmentation(rotation=90, translation=0, scale=0, shear=40))
    torch.testing.assert_close(torch.linalg.det(linear), torch.ones(4000), rtol=1e-4, atol=1e-4)


def test_translation_moves_by_whole_shares_of_the_side() -> None:
    _, offset = moments(Augmentation(rotation=0, translation=0.1, scale=0, shear=0))
    pixels = offset * 14
    assert 2.79 < pixels.abs().max() <= 2.8001
    assert torch.corrcoef(pixels.T)[0, 1].abs() < 0.05


def test_what_comes_in_from_outside_is_black() -> None:
    white = torch.full((50, 28, 28), 255, dtype=torch.uint8)
    shifted = augment(white, Augmentation(0, 0.4, 0, 0), generator=generator())
    assert (shifted == 0).any()
    torch.testing.assert_close(shifted[:, 14, 14], torch.full((50,), 255.0))
