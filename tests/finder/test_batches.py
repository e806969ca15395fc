import numpy as np
import pytest
import torch

from tinydigits.finder.batches import SHOWN, batch_of, choose
from tinydigits.finder.views import MOST, SIDE, Views
from tinydigits.net.contract import CELL, TURN, UNIT


def views(count: int = 4) -> Views:
    """Views with two bars each: digits 1 and 2."""
    ink = np.zeros((count, SIDE, SIDE), np.uint8)
    owner, place = ink.copy(), np.zeros((count, MOST, 4), np.float32)
    for number, (top, left, height, width) in enumerate(((40, 40, 48, 12), (60, 80, 20, 8)), 1):
        part = slice(None), slice(top, top + height), slice(left, left + width)
        ink[part], owner[part] = 255, number
        place[:, number] = left + width / 2, top + height / 2, height, 9.0
    return Views(255 - ink, ink, owner, place)


def test_votes_lead_to_the_middle_size_and_turn_of_each_digit() -> None:
    shown = views(1)
    batch = batch_of(
        torch.from_numpy(shown.light)[:, None] / 255,
        *(torch.from_numpy(each) for each in (shown.ink, shown.owner, shown.place)),
    )
    rows, columns = (batch.weight[0] > 0).nonzero(as_tuple=True)
    right, down, logarithm, turn = batch.votes[0, :, rows, columns]
    size = UNIT * logarithm.exp()
    middles = torch.stack(
        ((columns + 0.5) * CELL + right * size, (rows + 0.5) * CELL + down * size, size), dim=1
    )
    assert {tuple(each) for each in middles.round().tolist()} == {(46, 64, 48), (84, 70, 20)}
    assert (TURN * turn).tolist() == pytest.approx([9] * len(turn))


def test_a_batch_is_chosen_by_its_generator_alone() -> None:
    blocks = [views(), views()]
    first, again, other = (
        choose(blocks, 8, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert first.light.shape == first.ink.shape == (8, 1, SHOWN, SHOWN)
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert not torch.equal(first.ink, other.ink)
    assert first.light.min() >= 0
    assert first.light.max() <= 1
