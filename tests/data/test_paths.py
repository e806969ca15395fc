import numpy as np
import pytest

from tinydigits.data.paths import POSITIONS, evenly, in_unit_box, length, path_of, shares

CORNER = np.array(((0.0, 0.0), (3.0, 0.0), (3.0, 1.0)))


def test_length_is_that_of_the_line() -> None:
    assert length(CORNER) == 4
    assert length(CORNER[:1]) == 0


def test_points_are_evenly_spaced_from_end_to_end() -> None:
    assert evenly(CORNER, 5).tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [3, 1]]


def test_a_dot_becomes_many_equal_points() -> None:
    assert evenly(CORNER[:1], 3).tolist() == [[0, 0]] * 3


def test_strokes_fill_the_unit_box_together() -> None:
    first, second = in_unit_box([CORNER, CORNER + np.array((0, 5))])
    assert first.min(axis=0).tolist() == [-0.25, -0.5]
    assert second.max(axis=0).tolist() == [0.25, 0.5]


def test_a_dot_lies_at_the_origin() -> None:
    assert in_unit_box([CORNER[1:2]])[0].tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [([1], [72]), ([3, 1], [53, 19]), ([0, 5], [2, 70]), ([0, 0, 0], [24, 24, 24])],
)
def test_positions_are_shared_by_length(lengths: list[float], expected: list[int]) -> None:
    assert shares(lengths, 72).tolist() == expected


def test_shares_add_up_for_any_lengths() -> None:
    rng = np.random.default_rng(0)
    for strokes in range(1, 37):
        counts = shares(rng.exponential(size=strokes) ** 3, 72)
        assert counts.sum() == 72
        assert counts.min() >= 2


def test_too_many_strokes_are_refused() -> None:
    with pytest.raises(ValueError, match="37 strokes do not fit in 72 positions"):
        shares([1] * 37, 72)


def test_a_path_goes_through_the_strokes_in_order() -> None:
    path = path_of([CORNER * 40, CORNER[:2] * 40 + (0, 80)])
    assert path.points.shape == (1, POSITIONS, 2)
    assert path.stroke[0].tolist() == [0] * 41 + [1] * 31
    assert np.allclose(
        path.points[0, [0, 40, 41, 71]], [(-0.5, -1 / 3), (0.5, 0), (-0.5, 1 / 3), (0.5, 1 / 3)]
    )
