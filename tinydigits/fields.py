"""Smooth random fields: a few values over a picture, and what lies between them."""

import torch
from torch import Tensor

POINTS = 4  # a side: features of about a third of the picture


def smooth(values: Tensor, height: int, width: int) -> Tensor:
    """Return (N, height, width) fields through (N, POINTS * POINTS) values on an even lattice.

    Between two points the values pass along a smoothstep, 3t² - 2t³, so that a field stays within
    their range and has no creases.
    """
    lattice = values.view(-1, POINTS, POINTS)
    rows, columns = (_between(side).to(values.device) for side in (height, width))
    return rows @ lattice @ columns.T


def _between(side: int) -> Tensor:
    """Return the (side, POINTS) weights of the points in each pixel of a side."""
    place = torch.linspace(0, POINTS - 1, side).unsqueeze(1)
    near = (1 - (place - torch.arange(POINTS)).abs()).clamp(min=0)
    return near.square() * (3 - 2 * near)
