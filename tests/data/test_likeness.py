"""What looks like MNIST's pixels, and what looks like a mistake."""

import re

import numpy as np
import pytest

from tinydigits.data import synthetic
from tinydigits.data.dataset import Digits
from tinydigits.data.likeness import fault, is_dark_on_light
from tinydigits.evaluate.corruptions import KINDS, corrupt


@pytest.mark.parametrize(
    ("white", "message"),
    [
        (1, r"picture 0: its pixels look like 0 to 1, .* multiply them by 255$"),
        (2, r"look like 0 to 2, .* multiply them by 127\.5$"),
        (16, r"look like 0 to 16, .* multiply them by 15\.9375$"),
    ],
)
def test_a_smaller_scale_is_named(white: int, message: str) -> None:
    digits = synthetic.draw(20, seed=1)[0] / 255 * white
    assert fault(np.rint(digits).astype(np.uint8)) is not None
    assert re.search(message, fault(digits) or "")


def test_dark_ink_is_named_with_its_picture() -> None:
    digits = synthetic.draw(20, seed=1)[0]
    digits[7] = 255 - digits[7]
    assert fault(digits) == (
        "picture 7: it looks like dark ink on light paper, expected white on black; "
        "subtract its pixels from 255"
    )


def test_blank_and_full_pictures_pass() -> None:
    assert fault(np.zeros((2, 28, 28), np.uint8)) is None
    assert fault(np.full((2, 28, 28), 255.0)) is None


@pytest.mark.parametrize("part", [0, 1])
def test_no_digit_of_mnist_is_suspected(real: tuple[Digits, Digits], part: int) -> None:
    images = real[part].images.numpy()
    assert fault(images) is None
    assert is_dark_on_light(255 - images).all()


@pytest.mark.parametrize("kind", KINDS)
def test_no_damage_is_taken_for_a_mistake(kind: str) -> None:
    assert fault(corrupt(synthetic.draw(50, seed=2)[0], kind, seed=0)) is None
