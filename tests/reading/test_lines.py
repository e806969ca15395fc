"""Lines and strips, with a finder that knows where digits are."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.reading.test_finding import Bars, knowing, picture
from tinydigits.net.contract import STRIP
from tinydigits.reading.lines import SIZE, Strip, strips_of


def strips(image: Image.Image) -> list[Strip]:
    return strips_of(image, knowing())


def row(top: int, count: int, *, left: int = 40, size: int = 60, pitch: int = 50) -> Bars:
    """Bars beside each other, each a digit to the finder."""
    return [
        (left + pitch * number, top, left + pitch * number + 24, top + size)
        for number in range(count)
    ]


def extent(strip: Strip) -> tuple[int, int, int, int]:
    """Where the strip's ink lies in the picture."""
    rows, columns = np.nonzero(strip.ink > 0.5)
    return strip.place((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))


def test_a_row_is_a_strip_of_one_height() -> None:
    (strip,) = strips(picture(row(100, 6)))
    assert strip.ink.shape[0] == STRIP
    assert np.ptp(np.nonzero(strip.ink.max(axis=1) > 0.5)) + 1 == pytest.approx(SIZE, abs=1)
    gaps = np.diff((strip.ink.max(axis=0) > 0.5).astype(int))
    assert (gaps == 1).sum() == 6
    assert extent(strip) == pytest.approx((40, 100, 314, 160), abs=4)


def test_lines_are_read_from_top_to_bottom() -> None:
    found = strips(picture([*row(260, 2), *row(40, 5), *row(150, 3)]))
    assert [extent(each)[1] for each in found] == pytest.approx([40, 150, 260], abs=4)
    assert [extent(each)[2] for each in found] == pytest.approx([264, 164, 114], abs=4)


@pytest.mark.parametrize("turn", [-15, -6, 6, 15])
def test_a_tilted_row_is_set_level(turn: int) -> None:
    image = picture(row(170, 6, left=150)).rotate(-turn, Image.Resampling.BICUBIC, fillcolor=255)
    (strip,) = strips(image)
    inked = np.nonzero(strip.ink.max(axis=1) > 0.5)[0]
    assert np.ptp(inked) + 1 == pytest.approx(SIZE, abs=3)


def test_boxes_of_a_tilted_row_are_those_of_the_picture() -> None:
    image = picture(row(170, 6, left=150)).rotate(-10, Image.Resampling.BICUBIC, fillcolor=255)
    (strip,) = strips(image)
    rows, columns = np.nonzero(np.asarray(image) < 128)
    expected = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    left, upper, right, lower = extent(strip)
    assert (left, right) == pytest.approx(expected[::2], abs=16)
    assert (upper, lower) == pytest.approx(expected[1::2], abs=16)


def test_columns_apart_are_lines_of_their_own() -> None:
    found = strips(picture([*row(100, 2), *row(100, 2, left=400)]))
    assert len(found) == 2


def test_a_blank_page_has_no_line() -> None:
    assert strips(picture([])) == []


def test_digits_of_another_line_are_no_ink_of_a_strip() -> None:
    first, second = strips(picture([*row(60, 5), *row(135, 5)]))
    for strip in (first, second):
        inked = np.nonzero(strip.ink.max(axis=1) > 0.5)[0]
        assert np.ptp(inked) + 1 == pytest.approx(SIZE, abs=2)


def test_a_line_longer_than_what_was_seen_first_is_followed_to_its_end() -> None:
    # The smaller ones are too small for the survey in which the larger ones are found.
    image = picture([(20, 100, 50, 180), (80, 100, 110, 180), (140, 130, 152, 172)])
    ImageDraw.Draw(image).rectangle((200, 130, 212, 172), fill=0)
    (strip,) = strips_of(image, knowing(blind=11))
    assert extent(strip)[2] == pytest.approx(213, abs=8)
