import pytest

from tinydigits.seeds import derive


def test_streams_stay_what_they_are() -> None:
    # A changed derivation would silently change every recorded run.
    assert derive(0, "weights") == 174433883055019982
    assert derive(7, "augment", 3) == 7287766039956751582


def test_ten_seeds_of_twenty_epochs_have_two_hundred_streams() -> None:
    streams = {derive(seed, "order", epoch) for seed in range(10) for epoch in range(20)}
    assert len(streams) == 200


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((0, "a", "b"), (0, "ab")),
        ((0, "1", "2"), (0, "12")),
        ((1, "a"), (0, "1", "a")),
        ((0, 1), (0, "1")),
    ],
)
def test_different_paths_never_share_a_stream(
    one: tuple[int, str | int], other: tuple[int, str | int]
) -> None:
    assert derive(one[0], *one[1:]) != derive(other[0], *other[1:])


def test_seeds_fit_every_generator() -> None:
    assert all(0 <= derive(seed, "x") < 2**63 for seed in range(1000))
