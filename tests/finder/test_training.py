from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.finder.test_batches import views
from tinydigits.finder import COURSE, FinderConfig, course
from tinydigits.finder import views as drawing
from tinydigits.finder.views import Views, block, stream
from tinydigits.train import drawn
from tinydigits.train.drawn import fit, start

CONFIG = FinderConfig(steps=6)


def blocks(first: int) -> Iterator[Views]:
    """Blocks that differ by their number."""
    while True:
        shown = views(8)
        yield shown._replace(light=np.clip(shown.light, first % 200, 255))
        first += 1


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "BATCH", 4)
    monkeypatch.setattr(drawn, "REPORTED", 2)
    monkeypatch.setattr(drawn, "STEPS_A_BLOCK", 3)
    monkeypatch.setattr(drawn, "KEPT", 2)


@pytest.mark.usefixtures("quick")
def test_an_interrupted_run_ends_as_an_undisturbed_one() -> None:
    whole, halves = start(COURSE, CONFIG), start(COURSE, CONFIG)
    told = list(fit(whole, COURSE, blocks, CONFIG))
    first = list(islice(fit(halves, COURSE, blocks, CONFIG), 2))
    assert halves.step == 4
    resumed = start(COURSE, CONFIG)
    resumed.net.load_state_dict(halves.net.state_dict())
    for one, two in zip(resumed.optimizers, halves.optimizers, strict=True):
        one.load_state_dict(two.state_dict())
    resumed.step = halves.step
    assert [*first, *fit(resumed, COURSE, blocks, CONFIG)] == told
    found, expected = resumed.net.state_dict(), whole.net.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.usefixtures("quick")
def test_it_learns_what_it_is_shown() -> None:
    config = replace(CONFIG, steps=60)
    told = list(fit(start(COURSE, config), COURSE, blocks, config))
    assert told[-1].step == 60
    assert told[-1].losses["overlap"] < told[0].losses["overlap"] / 5
    assert told[-1].losses["votes"] < told[0].losses["votes"] / 5


def two_views(seed: int, number: int, data_dir: Path | None) -> Views:
    """A block that changes the length of blocks in the process that draws it."""
    drawing.BLOCK = 2
    return block(seed, number, data_dir)


def test_a_block_depends_on_its_seed_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "BLOCK", 3)
    first, again = block(0, 0, None), block(0, 0, None)
    assert np.array_equal(first.light, again.light)
    assert np.array_equal(first.ink, again.ink)
    assert np.array_equal(first.place, again.place)
    assert not np.array_equal(first.light, block(1, 0, None).light)
    assert not np.array_equal(first.light, block(0, 1, None).light)
    monkeypatch.setattr(drawing, "block", two_views)
    assert len(next(stream(0, None, first=1)).light) == 2
    assert drawing.BLOCK == 3  # another process drew
