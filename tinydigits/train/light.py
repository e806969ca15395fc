"""Light augmentation of batches: every image gets its own light, focus, noise and cover.

MNIST's digits are pure white on pure black, and a net that has seen nothing else is at chance on
grey paper. Light augmentation varies what geometry leaves unchanged: the background's brightness
and evenness, the ink's contrast, sharpness, noise, and patches that cover part of the image.
"""

import math

import torch
from torch import Tensor

from tinydigits.train.augment import POINTS, smooth
from tinydigits.train.config import Light

NONE = Light()
PATCH = 6  # random numbers per patch: centre (2), size (2), grey, and whether it is present


def relight(images: Tensor, strength: Light, *, generator: torch.Generator) -> Tensor:
    """Return the images, each filtered, covered, lit and made noisy by its own random values.

    Takes float32 pixels (N, H, W) from 0 to 255 on any device and returns the same shape and range.
    ``generator`` is on the CPU. It gives each image its values in turn, so a batch relit in two
    halves gives the same result as the whole batch. Zero strength returns the images unchanged.
    """
    count, height, width = images.shape
    drawn = numbers(count, strength, height * width, generator=generator)
    if drawn is None:
        return images
    chance, focus, patches, paper, field, amount, grain = torch.split(
        drawn.to(images.device), _sizes(strength, height * width), dim=1
    )
    light = _filter(images / 255, strength, focus)
    light = _cover(light, patches.view(count, -1, PATCH))
    light = _light(light, strength, paper, field)
    # Uniform numbers have a standard deviation of 1 / sqrt(12).
    noise = (grain.view_as(light) - 0.5) * math.sqrt(12)
    light = light + strength.noise * amount.unsqueeze(2) * noise
    changed = (chance < strength.share).unsqueeze(2)
    return torch.where(changed, 255 * light.clamp(0, 1), images)


def numbers(
    count: int, strength: Light, pixels: int, *, generator: torch.Generator
) -> Tensor | None:
    """Return the random numbers that light ``count`` images, a row each, from 0 to 1.

    They are for the choice of images, the filter, the patches, level and contrast, the field of
    unevenness, the noise's amount and each pixel's noise. They have 16 bits: four are drawn at
    once, in a quarter of the time that ``torch.rand`` takes. None at zero strength.
    """
    if strength == NONE:
        return None
    each = sum(_sizes(strength, pixels))
    fours = torch.empty(count, math.ceil(each / 4), dtype=torch.int64)
    fours.random_(torch.iinfo(torch.int64).min, None, generator=generator)
    return fours.view(torch.int16)[:, :each] / 2**16 + 0.5


def _sizes(strength: Light, pixels: int) -> list[int]:
    return [1, 3, PATCH * strength.patches, 2, POINTS * POINTS, 1, pixels]


def _filter(light: Tensor, strength: Light, numbers: Tensor) -> Tensor:
    """Blur or sharpen each image along each axis, and subtract some of its smooth parts."""
    if not (strength.blur or strength.sharpening or strength.outline):
        return light
    numbers, outline = numbers[:, :2, None, None], numbers[:, 2:, None]
    rows, columns = (_blurring(side).to(light.device) for side in light.shape[1:])
    blurred = rows @ light @ columns
    # Sharpening is blurring by a negative amount: an unsharp mask.
    amounts = numbers * (strength.blur + strength.sharpening) - strength.sharpening
    down, across = amounts.unbind(dim=1)
    light = light + down * (rows @ light - light)
    light = (light + across * (light @ columns - light)).clamp_(0, 1)
    # Half of the images keep their smooth parts, the insides of strokes.
    less = strength.outline * (2 * outline - 1).clamp_(min=0)
    light = (light - less * blurred).clamp_(min=0)
    # Rescale the exposure, so the lightest point is white.
    return light / light.amax(dim=(1, 2), keepdim=True).clamp_(min=1e-3)


def _blurring(side: int) -> Tensor:
    """Return the matrix (side, side) that blurs with a binomial kernel of 17 pixels."""
    half = [math.comb(16, 8 + distance) for distance in range(9)]
    weights = torch.tensor(half + side * [0]) / 2**16
    return weights[(torch.arange(side) - torch.arange(side).unsqueeze(1)).abs()]


def _cover(light: Tensor, numbers: Tensor) -> Tensor:
    """Draw grey rectangles over each image, one after another (Zhong et al. 2020)."""
    height, width = light.shape[1:]
    for patch in numbers.unbind(dim=1):
        centre_y, centre_x, size_y, size_x, grey, there = patch.unsqueeze(2).unbind(dim=1)
        rows = _within(height, centre_y, size_y) & (there < 0.5)
        columns = _within(width, centre_x, size_x)
        covered = rows.unsqueeze(2) & columns.unsqueeze(1)
        light = torch.where(covered, grey.unsqueeze(2), light)
    return light


def _within(side: int, centre: Tensor, size: Tensor) -> Tensor:
    """Return a mask (N, side) of a patch's pixels along one axis, at most side / 4 from its centre.

    ``centre`` and ``size`` are numbers (N, 1) from 0 to 1.
    """
    # Squared, so bars as thin as strokes are as common as blocks.
    reach = 0.5 + size.square() * side / 4
    return (torch.arange(side, device=size.device) - centre * (side - 1)).abs() <= reach


def _light(light: Tensor, strength: Light, numbers: Tensor, field: Tensor) -> Tensor:
    """Brighten each image's background, evenly and locally, and lower its contrast."""
    level, loss = numbers.unsqueeze(2).unbind(dim=1)
    uneven = smooth(field, *light.shape[1:])
    paper = strength.level * level.unsqueeze(2) + strength.unevenness * uneven
    ink = (1 - strength.contrast * loss.unsqueeze(2)) * (1 - paper).clamp_(min=0)
    return paper + ink * light
