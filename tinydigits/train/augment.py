"""Augmentation of batches: every image is moved by its own random values."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from tinydigits.train.config import Augmentation

POINTS = 4  # lattice points per side, so features span about a third of the picture
NONE = Augmentation(rotation=0, translation=0, scale=0, shear=0)


def augment(images: Tensor, strength: Augmentation, *, generator: torch.Generator) -> Tensor:
    """Return the images, each rotated, scaled and sheared about its centre, shifted and bent.

    Takes pixels (N, H, W) of any dtype on any device; H equals W if ``elastic`` is not 0. Returns
    float32 of the same shape and range; pixels from outside the image are black. ``generator`` is
    on the CPU. It gives each image its values in turn, so a batch augmented in two halves gives the
    same result as the whole batch. Zero strength returns the pixels unchanged.
    """
    drawn = numbers(len(images), strength, generator=generator)
    if drawn is None:
        return images.float()
    signed = 2 * drawn.to(images.device) - 1
    matrices = _matrices(signed[:, :5], strength)
    bend = _bend(strength.elastic * signed[:, 5:], images.shape[-1]) if strength.elastic else None
    return _warp(images.float(), matrices, bend)


def numbers(count: int, strength: Augmentation, *, generator: torch.Generator) -> Tensor | None:
    """Return the random numbers that move ``count`` images, a row each, from 0 to 1.

    They are for the angle, scale, shear, shift along x and y and, if ``elastic`` is not 0, the
    lattice points' shifts along x, then along y. None at zero strength.
    """
    if strength == NONE:
        return None
    # Drawn row by row, so an image's values do not depend on the number of images after it.
    bends = 2 * POINTS * POINTS if strength.elastic else 0
    return torch.rand(count, 5 + bends, generator=generator)


def _matrices(signed: Tensor, strength: Augmentation) -> Tensor:
    """Return affine matrices (N, 2, 3) from output to input coordinates, -1 to 1 along each side.

    Takes numbers (N, 5) from -1 to 1, for the angle, scale, shear and shift along x and y.
    """
    angle = signed[:, 0] * math.radians(strength.rotation)
    scale = 1 + signed[:, 1] * strength.scale
    shear = torch.tan(signed[:, 2] * math.radians(strength.shear))
    shift = signed[:, 3:] * 2 * strength.translation  # a side is 2 units long
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    # The inverse of shear along x, scale and rotation: it maps output pixels to input pixels.
    linear = torch.stack([cos + shear * sin, sin - shear * cos, -sin, cos], dim=1).view(-1, 2, 2)
    offset = -(linear @ shift.unsqueeze(2))
    return torch.cat([linear, offset], dim=2)


def _bend(signed: Tensor, side: int) -> Tensor:
    """Return smooth displacements of the grid (N, side, side, 2), in units of half a side.

    Takes displacements (N, 2 * POINTS * POINTS) in pixels. These are the elastic distortions of
    Simard et al. (2003), from a coarse lattice instead of blurred noise.
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
    """Return fields (N, height, width) through values (N, POINTS * POINTS) on an even lattice.

    A smoothstep, 3t² - 2t³, interpolates between two points, so a field stays within their range
    and has no creases.
    """
    lattice = values.view(-1, POINTS, POINTS)
    rows, columns = (_between(side).to(values.device) for side in (height, width))
    return rows @ lattice @ columns.T


def _between(side: int) -> Tensor:
    """Return weights (side, POINTS): each point's share in each pixel along a side."""
    place = torch.linspace(0, POINTS - 1, side).unsqueeze(1)
    near = (1 - (place - torch.arange(POINTS)).abs()).clamp(min=0)
    return near.square() * (3 - 2 * near)
