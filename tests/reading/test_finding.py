"""Finding digits, with a finder that knows where they are: what remains is counting and looking."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from tinydigits.errors import NoDigit, SeveralDigits
from tinydigits.net.contract import CELL, TURN, UNIT
from tinydigits.reading.finding import LOOK, WHOLE, Finder, Floats, Look, look, only_digit

Bars = list[tuple[int, int, int, int]]  # left, upper, right, lower


def picture(bars: Bars, size: tuple[int, int] = (600, 400)) -> Image.Image:
    """Black bars on white: each is a digit to the finder below."""
    image = Image.new("L", size, 255)
    for left, upper, right, lower in bars:
        ImageDraw.Draw(image).rectangle((left, upper, right - 1, lower - 1), fill=0)
    return image


def knowing(*, turn: float = 0.0, blind: float = 0.0) -> Finder:
    """A finder to which every piece of what is dark is a digit.

    ``turn`` is how far it takes each digit to be turned; pieces smaller than ``blind`` pixels are
    none to it.
    """

    def find(view: Floats) -> tuple[Floats, Floats]:
        labels, _ = ndimage.label(view < 0.6)
        ink, votes = np.zeros_like(view), np.zeros((4, *np.array(view.shape) // CELL), np.float32)
        for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
            low, high = np.array(((columns.start, rows.start), (columns.stop, rows.stop)))
            size = (high - low).max()
            if size < blind:
                continue
            pixels = np.nonzero(labels == number)
            ink[pixels] = 1
            y, x = (place // CELL for place in pixels)
            middle = (low + high) / 2
            votes[0, y, x] = (middle[0] - (x + 0.5) * CELL) / size
            votes[1, y, x] = (middle[1] - (y + 0.5) * CELL) / size
            votes[2, y, x] = np.log(size / UNIT)
            votes[3, y, x] = turn / TURN
        return ink, votes

    return find


def found(image: Image.Image, **options: float) -> Look:
    return only_digit(image, knowing(**options))


@pytest.mark.parametrize("size", [24, 60, 150, 380])
def test_a_digit_of_any_size_is_seen_at_one_size(size: int) -> None:
    seen = found(picture([(200, 10, 200 + size // 3, 10 + size)]))
    left, upper, right, lower = seen.digits[0].box
    longest = max(right - left, lower - upper)
    if size < 300:
        assert longest == pytest.approx(WHOLE, rel=0.12)
    else:  # the picture ends before
        assert longest >= WHOLE
    assert max(seen.view.shape) == LOOK
    assert seen.place(seen.digits[0]) == pytest.approx(
        (200, 10, 200 + size // 3, 10 + size), abs=size / 20
    )


def test_nothing_is_no_digit() -> None:
    with pytest.raises(NoDigit, match="no handwritten digit"):
        found(picture([]))


@pytest.mark.parametrize("gap", [4, 40, 300])
@pytest.mark.parametrize("height", [40, 60, 100])
def test_a_second_digit_is_counted_near_or_far(gap: int, height: int) -> None:
    bars = [(60, 100, 100, 200), (100 + gap, 200 - height, 140 + gap, 200)]
    with pytest.raises(SeveralDigits):
        found(picture(bars))


def test_a_speck_beside_a_digit_is_none() -> None:
    found(picture([(60, 100, 100, 200), (110, 195, 113, 198)]))


def test_a_tiny_digit_in_a_large_picture_is_found_at_the_second_look() -> None:
    image = picture([(1500, 900, 1510, 930)], size=(2000, 1200))
    assert not look(image, (0, 0, 2000, 1200), 128, knowing(blind=4)).digits
    seen = found(image, blind=4)
    assert seen.place(seen.digits[0]) == pytest.approx((1500, 900, 1510, 930), abs=1)


def test_a_turned_digit_is_turned_back() -> None:
    bar = picture([(280, 140, 300, 240)]).rotate(-30, Image.Resampling.BICUBIC, fillcolor=255)
    seen = found(bar, turn=30)
    left, upper, right, lower = seen.digits[0].box
    assert seen.turn == pytest.approx(30)
    assert (lower - upper) / (right - left) == pytest.approx(5, rel=0.25)


def test_a_digit_that_leans_a_little_is_left_as_it_stands() -> None:
    assert found(picture([(280, 140, 300, 240)]), turn=9).turn == 0


def test_a_digit_that_the_closer_look_cuts_off_is_looked_at() -> None:
    # Too small for the survey; of the closer look, it is only a twentieth of the digit's ink.
    image = picture([(200, 100, 230, 200), (304, 130, 312, 170)])
    assert len(look(image, (0, 0, 600, 400), 128, knowing(blind=10)).digits) == 1
    with pytest.raises(SeveralDigits):
        found(image, blind=10)


def test_a_look_follows_its_digit_past_one_with_more_ink() -> None:
    # The 1 is the smaller of the two, and stands so far that a look at either cuts off the other.
    image = picture([(200, 100, 290, 200), (345, 100, 355, 200)])
    with pytest.raises(SeveralDigits):
        found(image)


def with_a_stroke(view: Floats) -> tuple[Floats, Floats]:
    """A finder to which everything is one digit of 90 pixels; what lies low has its own middle."""
    votes = np.zeros((4, *np.array(view.shape) // CELL), np.float32)
    rows, columns = np.indices(votes.shape[1:]) * CELL + CELL / 2
    votes[0] = (64 - columns) / 90
    votes[1] = (np.where(rows > 84, 105, 50) - rows) / 90
    votes[2] = np.log(90 / UNIT)
    return (view < 0.5).astype(np.float32), votes


@pytest.mark.parametrize(("gap", "digits"), [(0, 1), (4, 2)])
def test_a_connected_stroke_that_votes_for_a_larger_digit_is_its_part(
    gap: int, digits: int
) -> None:
    image = picture([(56, 20, 72, 84), (56, 84 + gap, 72, 124)], size=(128, 128))
    seen = look(image, (0, 0, 128, 128), 128, with_a_stroke)
    assert len(seen.digits) == digits
    assert seen.digits[0].box[1] == 20
    assert (seen.digits[0].box[3] == 124) == (digits == 1)


@pytest.mark.parametrize("gap", [0, 2])
def test_a_ring_around_a_digit_is_no_ink(gap: int) -> None:
    image = picture([(60, 50, 68, 80)], size=(128, 128))
    ImageDraw.Draw(image).arc((42, 43, 86, 87), gap, 360, fill=0, width=4)
    seen = found(image)
    left, upper, right, lower = seen.place(seen.digits[0])
    assert (left, upper, right, lower) == pytest.approx((60, 50, 68, 80), abs=2)
    assert len(seen.digits) == 1


def test_a_ring_around_nothing_is_a_digit() -> None:
    image = picture([], size=(128, 128))
    ImageDraw.Draw(image).ellipse((34, 34, 94, 94), outline=0, width=4)
    seen = found(image)
    assert seen.place(seen.digits[0]) == pytest.approx((34, 34, 95, 95), abs=2)
