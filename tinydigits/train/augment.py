"""Augmentation: a batch in, a batch out, every image moved by values of its own."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from tinydigits.train.config import Augmentation

POINTS = 4  # a side: features of about a third of the picture
NONE = Augmentation(rotation=0, translation=0, scale=0, shear=0)


def augment(images: Tensor, strength: Augmentation, *, generator: torch.Generator) -> Tensor:
    """Return the images, each rotated, scaled, sheared and shifted about its centre.

    Takes (N, H, W) pixels of any dtype on any device, returns float32 of the same shape and range;
    what comes in from outside is black. Images take their values from ``generator``, which lives on
    the CPU, one after the other: a batch in two halves gives the same as the batch whole. Zero
    strength returns the pixels unchanged.
    """
    if strength == NONE:
        return images.float()
    # Drawn row by row, so that an image's values do not depend on how many follow it.
    bends = 2 * POINTS * POINTS if strength.elastic else 0
    signed = 2 * torch.rand(len(images), 5 + bends, generator=generator).to(images.device) - 1
    matrices = _matrices(signed[:, :5], strength)
    bend = _bend(strength.elastic * signed[:, 5:], images.shape[-1]) if strength.elastic else None
    return _warp(images.float(), matrices, bend)


def _matrices(signed: Tensor, strength: Augmentation) -> Tensor:
    """Return (N, 2, 3) affine matrices from output to input coordinates, -1 to 1 a side.

    Takes (N, 5) numbers from -1 to 1: for angle, scale, shear and the shift along either axis.
    """
    angle = signed[:, 0] * math.radians(strength.rotation)
    scale = 1 + signed[:, 1] * strength.scale
    shear = torch.tan(signed[:, 2] * math.radians(strength.shear))
    shift = signed[:, 3:] * 2 * strength.translation  # a side is 2 units long
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    # The inverse of slanting along x, scaling and turning: where does each output pixel look?
    linear = torch.stack([cos + shear * sin, sin - shear * cos, -sin, cos], dim=1).view(-1, 2, 2)
    offset = -(linear @ shift.unsqueeze(2))
    return torch.cat([linear, offset], dim=2)


def _bend(signed: Tensor, side: int) -> Tensor:
    """Return (N, side, side, 2) displacements of the grid, smooth over the picture.

    Takes (N, 2 * POINTS * POINTS) displacements in pixels. The elastic distortions of Simard et al.
    (2003), from a coarse lattice instead of blurred noise.
    """
    pixels = smooth(signed.reshape(-1, POINTS * POINTS), side, side)
    return pixels.view(-1, 2, side, side).permute(0, 2, 3, 1) * (2 / side)


def _warp(images: Tensor, matrices: Tensor, bend: Tensor | None = None) -> Tensor:
    shape = [len(images), 1, *images.shape[1:]]
    grid = functional.affine_grid(matrices, shape, align_corners=False)
    if bend is not None:
        grid = grid + bend
    warped: Tensor = functional.grid_sample(images.unsqueeze(1), grid, align_corners=False)
    return warped.squeeze(1)


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
