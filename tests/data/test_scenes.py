import numpy as np
import pytest
from PIL import Image

from tinydigits.data.scenes import KINDS, SIZES, scene
from tinydigits.reading.image import to_mnist

SEVEN = [np.array(((0.0, 0.0), (60.0, 0.0), (20.0, 100.0))), np.array(((10.0, 50.0), (55.0, 50.0)))]


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_always_gives_the_same_scene(kind: str) -> None:
    first, again, other = (scene(SEVEN, kind, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert first.shape != other.shape


@pytest.mark.parametrize("kind", KINDS)
def test_the_digit_is_found_and_is_the_same(kind: str) -> None:
    """Photographs differ from the drawing by light and grain; the digit in them does not."""
    for seed in range(8):
        found = to_mnist(Image.fromarray(scene(SEVEN, kind, np.random.default_rng(seed))))
        # A bar above, one in the middle, and a stem that ends on the left.
        assert found[4:9, 8:20].max(axis=0).min() > 0
        assert found[20:24, 6:14].max() > 128
        assert found[20:24, 18:].max() < 64


@pytest.mark.parametrize("kind", KINDS)
def test_scenes_are_dark_on_light_but_for_chalk(kind: str) -> None:
    for seed in range(5):
        picture = scene(SEVEN, kind, np.random.default_rng(seed)).astype(int)
        most = np.median(picture)
        darker, lighter = most - picture.min(), picture.max() - most
        assert (lighter > darker) == (kind == "board")


def test_sizes_are_spread_and_nothing_is_cut_off() -> None:
    heights = []
    for seed in range(60):
        picture = scene(SEVEN, "canvas", np.random.default_rng(seed))
        rows, columns = (np.flatnonzero((picture < 200).any(axis=axis)) for axis in (1, 0))
        heights.append(np.ptp(rows) + 1)
        assert min(rows[0], columns[0]) > 0
        assert rows[-1] < len(picture) - 1
        assert columns[-1] < picture.shape[1] - 1
    assert min(heights) < 2 * SIZES[0]
    assert max(heights) > SIZES[1] / 2
