import numpy as np
import pytest
from PIL import Image

from tinydigits.scenes.drawing import Line, Projection, area, lines, stamp

HERE = Projection.of((0, 0))


@pytest.mark.parametrize("width", [1.0, 4.0, 9.0])
def test_a_line_covers_its_length_times_its_width_and_its_round_ends(width: float) -> None:
    line = Line(np.array(((20.0, 30.0), (60.0, 30.0))), width)
    cover = lines((60, 80), [line], HERE)
    ends = np.pi * width**2 / 4 if width > 1 else 0
    assert cover.sum() == pytest.approx(40 * width + ends, rel=0.06)
    assert cover[30, 40] == pytest.approx(1, abs=0.3)
    assert not cover[:20].any()


def test_a_line_may_become_wider_along_its_way() -> None:
    points = np.stack((np.linspace(10, 90, 20), np.full(20, 20.0)), axis=1)
    cover = lines((40, 100), [Line(points, np.linspace(2, 12, 20))], HERE)
    assert cover[:, 20].sum() == pytest.approx(3.2, abs=0.8)
    assert cover[:, 80].sum() == pytest.approx(10.7, abs=0.8)


def test_a_polygon_covers_its_area() -> None:
    corners = np.array(((10.0, 10.0), (50.0, 10.0), (50.0, 30.0), (10.0, 30.0)))
    assert area((40, 60), corners, HERE).sum() == pytest.approx(800, rel=0.03)
    turned = area((80, 80), corners - (30, 20), Projection.of((40, 40), np.pi / 6))
    assert turned.sum() == pytest.approx(800, rel=0.03)


def test_a_turned_sheet_turns_clockwise_around_its_middle() -> None:
    right = Projection.of((50, 40), np.pi / 2)(np.array(((10.0, 0.0),)))
    assert right == pytest.approx(np.array(((50, 50),)))  # y points down


def test_what_is_farther_away_is_smaller() -> None:
    seen = Projection.of((0, 0), tilt=(0.01, 0))(np.array(((-20.0, 5.0), (20.0, 5.0))))
    assert seen[0, 1] > 5 > seen[1, 1] > 0


def test_a_stamp_lies_where_its_corners_are() -> None:
    picture = np.zeros((8, 8), np.uint8)
    picture[:, :4] = 255
    corners = np.array(((10.0, 10.0), (26.0, 10.0), (26.0, 26.0), (10.0, 26.0)))
    cover = stamp((40, 40), Image.fromarray(picture), corners, HERE)
    assert cover[12:24, 12:16].min() > 0.95
    assert cover[:, 20:].max() < 0.05
    assert cover.sum() == pytest.approx(16 * 8, rel=0.05)
