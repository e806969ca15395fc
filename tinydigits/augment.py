"""Augmentation: a batch in, a batch out, every image moved by values of its own."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from tinydigits.config import Augmentation

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
    matrices = _draw(len(images), strength, generator)
    return _warp(images.float(), matrices.to(images.device))


def _draw(count: int, strength: Augmentation, generator: torch.Generator) -> Tensor:
    """Return (count, 2, 3) affine matrices from output to input coordinates, -1 to 1 a side."""
    # (count, 5) draws row by row, so an image's values do not depend on how many follow it.
    signed = 2 * torch.rand(count, 5, generator=generator) - 1
    angle = signed[:, 0] * math.radians(strength.rotation)
    scale = 1 + signed[:, 1] * strength.scale
    shear = torch.tan(signed[:, 2] * math.radians(strength.shear))
    shift = signed[:, 3:] * 2 * strength.translation  # a side is 2 units long
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    # The inverse of slanting along x, scaling and turning: where does each output pixel look?
    linear = torch.stack([cos + shear * sin, sin - shear * cos, -sin, cos], dim=1).view(-1, 2, 2)
    offset = -(linear @ shift.unsqueeze(2))
    return torch.cat([linear, offset], dim=2)


def _warp(images: Tensor, matrices: Tensor) -> Tensor:
    shape = [len(images), 1, *images.shape[1:]]
    grid = functional.affine_grid(matrices, shape, align_corners=False)
    warped: Tensor = functional.grid_sample(images.unsqueeze(1), grid, align_corners=False)
    return warped.squeeze(1)
