"""Batches of views for the finder, and what it should answer."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tinydigits.finder.views import SIDE, Views
from tinydigits.net.contract import CELL, TURN, UNIT

SHOWN = 128  # pixels: the part of a view that is shown at a time
INVERTED = 0.3  # share of the views
GAMMA = 0.3  # standard deviation of the logarithm of brightness' exponent
LEAST = 4.0  # pixels: smaller digits count as this large


class Batch(NamedTuple):
    """B views and what the finder should answer."""

    light: Tensor
    """Brightness (B, 1, SHOWN, SHOWN), 0 to 1."""
    ink: Tensor
    """Share of each pixel that digits' ink covers, (B, 1, SHOWN, SHOWN)."""
    votes: Tensor
    """(B, 4, SHOWN / CELL, SHOWN / CELL), as ``Finder`` gives them."""
    weight: Tensor
    """Most ink in each cell, (B, SHOWN / CELL, SHOWN / CELL): where there is none, votes do not
    count."""


def choose(blocks: Sequence[Views], size: int, generator: torch.Generator) -> Batch:
    """Return a random batch of the views in the blocks, with light varied."""
    block = torch.randint(len(blocks), (size,), generator=generator).tolist()
    index = torch.randint(len(blocks[0].light), (size,), generator=generator).tolist()
    corner = torch.randint(SIDE - SHOWN + 1, (size, 2), generator=generator).tolist()
    chosen = [
        _part(blocks[number], view, top, left)
        for number, view, (top, left) in zip(block, index, corner, strict=True)
    ]
    light, ink, owner, place = (
        torch.from_numpy(np.stack(each)) for each in zip(*chosen, strict=True)
    )
    return batch_of(_relit(light.unsqueeze(1) / 255, generator), ink, owner, place)


def _part(views: Views, view: int, top: int, left: int) -> Views:
    part = view, slice(top, top + SHOWN), slice(left, left + SHOWN)
    shift = np.array((left, top, 0, 0), np.float32)
    return Views(views.light[part], views.ink[part], views.owner[part], views.place[view] - shift)


def _relit(light: Tensor, generator: torch.Generator) -> Tensor:
    inverted = torch.rand(len(light), 1, 1, 1, generator=generator) < INVERTED
    light = torch.where(inverted, 1 - light, light)
    return light ** (GAMMA * torch.randn(len(light), 1, 1, 1, generator=generator)).exp()


def batch_of(light: Tensor, ink: Tensor, owner: Tensor, place: Tensor) -> Batch:
    """Return the batch for light (B, 1, H, W), 0 to 1, and the rest as in ``Views``."""
    ink = ink.unsqueeze(1) / 255
    weight, strongest = functional.pixel_unshuffle(ink, CELL).max(dim=1)
    owners = functional.pixel_unshuffle(owner.unsqueeze(1).float(), CELL)
    number = owners.gather(1, strongest.unsqueeze(1))[:, 0].long()
    digit = place.gather(1, number.flatten(1)[:, :, None].expand(-1, -1, 4))
    x, y, size, turn = digit.reshape(*number.shape, 4).unbind(3)
    size = size.clamp_min(LEAST)
    middle = (torch.arange(number.shape[2]) + 0.5) * CELL
    votes = torch.stack(
        (
            (x - middle) / size,
            (y - middle[: number.shape[1], None]) / size,
            (size / UNIT).log(),
            turn / TURN,
        ),
        dim=1,
    )
    return Batch(light, ink, votes, weight * (number > 0))
