import hashlib
import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tinydigits.data import synthetic
from tinydigits.data.hand import Hand
from tinydigits.data.paths import Paths
from tinydigits.data.pen import Pen

Bytes = npt.NDArray[np.uint8]

# 1,010 digits are four blocks and a part of a fifth.
COUNT = 1010


@pytest.fixture(scope="module")
def images() -> Bytes:
    return synthetic.draw(COUNT, seed=0)[0]


@pytest.fixture(scope="module")
def labels() -> Bytes:
    return synthetic.draw(COUNT, seed=0)[1]


def centres_of_mass(images: Bytes) -> npt.NDArray[np.float64]:
    """Row and column of every digit's centre of mass, (digits, 2)."""
    mass = images.sum(axis=(1, 2), dtype=np.float64)
    rows = images.sum(axis=2) @ np.arange(28) / mass
    columns = images.sum(axis=1) @ np.arange(28) / mass
    return np.stack((rows, columns), axis=1)


def sides(images: Bytes) -> npt.NDArray[np.int64]:
    """Height and width of every digit's bounding box, (digits, 2)."""
    occupied = [images.max(axis=axis) > 0 for axis in (2, 1)]
    spans = [28 - line.argmax(axis=1) - line[:, ::-1].argmax(axis=1) for line in occupied]
    return np.stack(spans, axis=1)


def test_same_seed_draws_the_same_digits(images: Bytes, labels: Bytes) -> None:
    again_images, again_labels = synthetic.draw(COUNT, seed=0)
    assert np.array_equal(again_images, images)
    assert np.array_equal(again_labels, labels)


def test_another_process_draws_the_same_digits() -> None:
    program = (
        "import hashlib; from tinydigits.data.synthetic import draw;"
        "print(hashlib.sha256(draw(20, seed=3)[0].tobytes()).hexdigest())"
    )
    run = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    here = hashlib.sha256(synthetic.draw(20, seed=3)[0].tobytes()).hexdigest()
    assert run.stdout.decode().strip() == here


@pytest.mark.parametrize("count", [1, 10, 249, 250, 251, 760])
def test_fewer_digits_are_the_first_of_more(count: int, images: Bytes, labels: Bytes) -> None:
    fewer_images, fewer_labels = synthetic.draw(count, seed=0)
    assert np.array_equal(fewer_images, images[:count])
    assert np.array_equal(fewer_labels, labels[:count])


def test_seeds_draw_different_digits_and_orders(images: Bytes, labels: Bytes) -> None:
    other_images, other_labels = synthetic.draw(COUNT, seed=1)
    assert (other_labels != labels).any()
    assert (other_images != images).any(axis=(1, 2)).all()


def test_blocks_do_not_repeat(images: Bytes) -> None:
    assert len(np.unique(images.reshape(COUNT, -1), axis=0)) == COUNT


def test_global_random_state_is_untouched() -> None:
    numpy_state, torch_state = np.random.get_state(legacy=False), torch.get_rng_state()
    synthetic.draw(10, seed=0)
    np.testing.assert_equal(np.random.get_state(legacy=False), numpy_state)
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_global_random_state_has_no_influence() -> None:
    np.random.seed(1)
    one = synthetic.draw(10, seed=0)[0]
    np.random.seed(2)
    assert np.array_equal(synthetic.draw(10, seed=0)[0], one)


def test_images_and_labels_are_bytes_in_the_shape_of_mnist(images: Bytes, labels: Bytes) -> None:
    assert images.dtype == labels.dtype == np.uint8
    assert images.shape == (COUNT, 28, 28)
    assert labels.shape == (COUNT,)


def test_labels_are_balanced(labels: Bytes) -> None:
    assert (np.bincount(labels, minlength=10) == COUNT // 10).all()


def test_labels_are_neither_sorted_nor_in_one_repeated_order(labels: Bytes) -> None:
    tens = labels[:1000].reshape(-1, 10)
    assert len(np.unique(tens, axis=0)) > 90


def test_longer_side_is_twenty_pixels(images: Bytes) -> None:
    longest = sides(images).max(axis=1)
    assert longest.max() == 20
    assert (longest == 20).mean() >= 0.99


def test_box_cuts_no_digit_off(images: Bytes) -> None:
    # Ink that ends at the box has faded by half in its outermost pixels; ink cut off is white.
    tall = images[sides(images)[:, 0] == 20]
    top = (tall.max(axis=2) > 0).argmax(axis=1)
    ends = tall[np.arange(len(tall)), [top, top + 19]].max(axis=2)
    assert (ends < 200).mean() > 0.99


def test_centre_of_mass_lies_in_the_middle(images: Bytes) -> None:
    inside = (np.abs(centres_of_mass(images) - 14) <= 0.5).all(axis=1)
    assert inside.mean() >= 0.999


def test_background_is_black_and_strokes_are_white(images: Bytes) -> None:
    assert (images == 0).mean() > 0.7
    # Thin pens and fading ink leave a few digits grey.
    assert (images.reshape(COUNT, -1).max(axis=1) >= 230).mean() > 0.98
    ink = images[images > 0]
    assert 0.2 < (ink >= 250).mean() < 0.6
    assert 0.25 < ((ink > 20) & (ink < 230)).mean() < 0.6


def test_every_digit_of_a_class_is_written_differently(images: Bytes, labels: Bytes) -> None:
    for label in range(10):
        same = images[labels == label].reshape(-1, 784).astype(np.float64) / 255
        distances = np.linalg.norm(same[:, None] - same[None], axis=2)
        between = distances[np.triu_indices(len(same), 1)]
        # A stroke moved by half a pixel changes a digit by about 2.
        assert between.min() > 1.0
        assert between.mean() > 5.0


def test_amount_of_ink_is_near_mnist(images: Bytes) -> None:
    # MNIST's training pixels have a mean of 0.1307 and a standard deviation of 0.3081; people also
    # write with finer pens.
    assert 0.105 < images.mean() / 255 < 0.135
    assert 0.27 < images.std() / 255 < 0.32


def test_ink_of_single_digits_varies_as_in_mnist(images: Bytes) -> None:
    ink = images.mean(axis=(1, 2)) / 255
    assert 0.02 < ink.min() < 0.06
    assert 0.22 < ink.max() < 0.40


def test_ones_are_narrow_and_zeros_wide(images: Bytes, labels: Bytes) -> None:
    height, width = sides(images).T
    assert width[labels == 1].mean() < 13 < 15 < width[labels == 0].mean()
    assert height[labels == 1].mean() > 19


def test_zeros_have_a_hole_and_ones_have_none(images: Bytes, labels: Bytes) -> None:
    middle = images[:, 12:17, 12:17].min(axis=(1, 2))
    assert (middle[labels == 0] == 0).mean() > 0.85
    stems = images[labels == 1, 13:16, 13:16].max(axis=(1, 2))
    assert (stems > 100).mean() > 0.97


def test_hand_and_pen_can_be_chosen() -> None:
    thin, thick = (
        synthetic.draw(50, seed=0, hand=Hand(), pen=Pen(width=width))[0] for width in (1.5, 3)
    )
    assert thick.sum() > 1.7 * thin.sum()


def test_paths_can_come_from_elsewhere() -> None:
    def stems(labels: npt.NDArray[np.int64], _: np.random.Generator) -> Paths:
        points = np.zeros((len(labels), 72, 2), np.float32)
        points[:, :, 1] = np.linspace(-0.5, 0.5, 72)
        return Paths(points, np.zeros((len(labels), 72), np.int64))

    images, _ = synthetic.draw(30, seed=0, paths=stems, hand=Hand(), pen=Pen())
    assert np.abs(images.astype(int) - images[0]).max() <= 1


def test_no_digits() -> None:
    images, labels = synthetic.draw(0, seed=0)
    assert images.shape == (0, 28, 28)
    assert labels.shape == (0,)
    assert images.dtype == labels.dtype == np.uint8


def test_negative_count_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"^count must be at least 0, got -1$"):
        synthetic.draw(-1, seed=0)
