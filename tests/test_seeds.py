import pytest

from tinydigits.errors import InputError
from tinydigits.seeds import derive, parse_seeds


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


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("7", (7,)),
        ("0-3", (0, 1, 2, 3)),
        ("7-9, 3,0", (0, 3, 7, 8, 9)),
        ("5-5", (5,)),
        ("0-99999", tuple(range(100_000))),
    ],
)
def test_a_list_of_seeds_is_read(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--seeds  contains '': expected seeds such as 0-99 or 0,3,7-9"),
        ("1,,2", "--seeds 1,,2 contains ''"),
        ("-3", "--seeds -3 contains '-3'"),
        ("0--3", "contains '0--3'"),
        ("1.5", "contains '1.5'"),
        ("all", "contains 'all'"),
        ("²", "contains '²'"),
        ("9-7", "--seeds 9-7 counts down from 9 to 7: give 7-9"),
        ("0,3,0", "--seeds 0,3,0 lists a seed twice"),
        ("0-5,3", "--seeds 0-5,3 lists a seed twice"),
        ("0-100000", "--seeds 0-100000 lists more than 100,000 seeds: give fewer"),
        ("0-999999999999999999", "lists more than 100,000 seeds"),
        (f"0-{'9' * 5000}", "contains '0-999"),
    ],
)
def test_a_wrong_list_of_seeds_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_seeds(text)
    assert message in str(refused.value)
