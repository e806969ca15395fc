import torch

from tinydigits.data.dataset import Digits
from tinydigits.train.batches import hold_out, order


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
    train, held_out = hold_out(numbered(100), 30)
    assert (len(train), len(held_out)) == (70, 30)
    assert sorted([*train.labels.tolist(), *held_out.labels.tolist()]) == list(range(100))
    assert held_out.labels.tolist() != list(range(70, 100))
    assert torch.equal(train.images.flatten(), train.labels)


def test_the_split_is_the_same_every_time() -> None:
    again = hold_out(numbered(100), 30)[1].labels
    assert torch.equal(hold_out(numbered(100), 30)[1].labels, again)


def test_holding_out_none_keeps_the_set_as_it_is() -> None:
    train, held_out = hold_out(numbered(100), 0)
    assert train.labels.tolist() == list(range(100))
    assert len(held_out) == 0
