import pytest
import torch

from tinydigits.data.dataset import Dataset, Digits
from tinydigits.errors import InputError
from tinydigits.train.batches import hold_out, order, split
from tinydigits.train.config import TrainConfig


def test_every_digit_is_visited_once() -> None:
    assert sorted(order(100, seed=5, epoch=2).tolist()) == list(range(100))


def test_order_is_shuffled_anew_by_seed_and_epoch_and_by_nothing_else() -> None:
    orders = [order(50, seed=seed, epoch=epoch).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert all(each != list(range(50)) for each in orders)
    assert len({tuple(each) for each in orders}) == 4
    assert order(50, seed=0, epoch=0).tolist() == orders[0]


def test_order_leaves_the_global_stream_alone() -> None:
    before = torch.random.get_rng_state()
    order(50, seed=0, epoch=0)
    assert torch.equal(torch.random.get_rng_state(), before)


def numbered(count: int) -> Digits:
    numbers = torch.arange(count, dtype=torch.uint8)
    return Digits(numbers.view(-1, 1, 1), numbers)


def test_held_out_digits_are_no_training_digits() -> None:
    kept, held_out = hold_out(100, 30)
    assert (len(kept), len(held_out)) == (70, 30)
    assert sorted([*kept.tolist(), *held_out.tolist()]) == list(range(100))
    assert held_out.tolist() != list(range(70, 100))
    dataset = Dataset("mnist", numbered(100), numbered(1), origin="", hands=numbered(0))
    parts = split(dataset, TrainConfig(val=30, batch_size=10))
    assert parts.train.labels.tolist() == kept.tolist()
    assert torch.equal(parts.train.images.flatten(), parts.train.labels)


def test_the_split_is_the_same_every_time() -> None:
    again = hold_out(100, 30)[1]
    assert torch.equal(hold_out(100, 30)[1], again)


def test_holding_out_none_keeps_the_set_as_it_is() -> None:
    kept, held_out = hold_out(100, 0)
    assert kept.tolist() == list(range(100))
    assert len(held_out) == 0


def test_hands_are_trained_on_and_never_held_out() -> None:
    dataset = Dataset("mnist", numbered(100), numbered(1), origin="", hands=numbered(250)[100:])
    parts = split(dataset, TrainConfig(val=30, batch_size=10))
    assert (len(parts.train), len(parts.validation)) == (220, 30)
    assert parts.train.labels[70:].tolist() == list(range(100, 250))
    assert parts.validation.labels.max() < 100


def test_a_batch_may_be_as_large_as_all_digits_with_the_hands() -> None:
    dataset = Dataset("mnist", numbered(100), numbered(1), origin="", hands=numbered(50))
    assert len(split(dataset, TrainConfig(val=30, batch_size=120)).train) == 120
    with pytest.raises(InputError, match=r"--batch-size 121 exceeds .* expected at most 120"):
        split(dataset, TrainConfig(val=30, batch_size=121))
