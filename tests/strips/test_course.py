from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tinydigits.net.contract import STRIP
from tinydigits.strips import COURSE, StripConfig, course
from tinydigits.strips import rows as drawn_rows
from tinydigits.strips.course import batch_of
from tinydigits.strips.rows import Row, block
from tinydigits.train import drawn
from tinydigits.train.drawn import fit, start

CONFIG = StripConfig(steps=6)


def bars(*digits: int) -> Row:
    """A row in which each digit is a bar, the longer the larger it is."""
    ink = np.zeros((STRIP, 10 * len(digits) + 1), np.uint8)
    for number, digit in enumerate(digits):
        ink[STRIP - 4 - 2 * digit : STRIP - 2, 10 * number + 3 : 10 * number + 7] = 255
    return Row(ink, digits)


def blocks(first: int) -> Iterator[list[Row]]:
    """Blocks that differ by their number."""
    while True:
        rng = np.random.default_rng(first)
        yield [bars(*rng.integers(0, 10, rng.integers(1, 4)).tolist()) for _ in range(8)]
        first += 1


def test_rows_of_a_batch_are_padded_to_its_widest() -> None:
    rows = [bars(7), bars(1, 2, 3), bars(0, 9)]
    strips, columns, digits, lengths = batch_of(rows)
    assert strips.shape == (3, 1, STRIP, 32)
    assert columns.tolist() == [6, 16, 11]
    assert digits.tolist() == [7, 1, 2, 3, 0, 9]
    assert lengths.tolist() == [1, 3, 2]
    for strip, row in zip(strips[:, 0].numpy(), rows, strict=True):
        width = row.ink.shape[1]
        assert np.array_equal(strip[:, :width], row.ink / np.float32(255))
        assert not strip[:, width:].any()


def test_it_learns_what_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "BATCH", 4)
    monkeypatch.setattr(drawn, "REPORTED", 10)
    config = replace(CONFIG, steps=80)
    told = list(fit(start(COURSE, config), COURSE, blocks, config))
    assert told[-1].step == 80
    assert told[-1].losses["ctc"] < told[0].losses["ctc"] / 5


def equal(one: list[Row], other: list[Row]) -> bool:
    return len(one) == len(other) and all(
        each.digits == again.digits and np.array_equal(each.ink, again.ink)
        for each, again in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("scenes", [0.0, 1.0])
def test_a_block_depends_on_its_seed_and_number(
    monkeypatch: pytest.MonkeyPatch, scenes: float
) -> None:
    monkeypatch.setattr(drawn_rows, "BLOCK", 1)
    monkeypatch.setattr(drawn_rows, "SCENES", scenes)
    first = block(0, 0, None)
    assert equal(first, block(0, 0, None))
    assert not equal(first, block(1, 0, None))
    assert not equal(first, block(0, 1, None))
    for row in first:
        assert row.ink.shape[0] == STRIP
        assert 1 <= len(row.digits) <= drawn_rows.MOST
        assert row.ink.max() > 128
