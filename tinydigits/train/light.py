"""Light augmentation of batches: every image gets its own light, focus, noise and cover.

MNIST's digits are pure white on pure black, and a net that has seen nothing else is at chance on
grey paper. Light augmentation varies what geometry leaves unchanged: the background's brightness
and evenness, the ink's contrast, sharpness, noise, and patches that cover part of the image.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from tinydigits.net.contract import SIDE
from tinydigits.train.augment import POINTS, smooth
from tinydigits.train.config import Light

NONE = Light()
REACH = 8  # pixels to either side that a blur mixes in
PATCH = 6  # random numbers per patch: centre (2), size (2), grey, and whether it is present
BAR = PATCH + 1  # and per bar: its turn as well


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
    chance, focus, patches, paper, field, amount, grain, oblique, specks, bars = torch.split(
        drawn.to(images.device), _sizes(strength, height * width), dim=1
    )
    light = _filter(images / 255, strength, focus, oblique)
    light = _cover(light, patches.view(count, -1, PATCH))
    light = _draw_bars(light, bars.view(count, -1, BAR), strength.turned)
    light = _light(light, strength, paper, field)
    light = light + _noise(strength, amount, specks, grain.view_as(light))
    changed = (chance < strength.share).unsqueeze(2)
    return torch.where(changed, 255 * light.clamp(0, 1), images)


def numbers(
    count: int, strength: Light, pixels: int, *, generator: torch.Generator
) -> Tensor | None:
    """Return the random numbers that light ``count`` images, a row each, from 0 to 1.

    They are for the choice of images, the filter, the patches, level and contrast, the field of
    unevenness, the noise's amounts and each pixel's noise. They have 16 bits: four are drawn at
    once, in a quarter of the time that ``torch.rand`` takes. None at zero strength.
    """
    if strength == NONE:
        return None
    each = sum(_sizes(strength, pixels))
    fours = torch.empty(count, math.ceil(each / 4), dtype=torch.int64)
    fours.random_(torch.iinfo(torch.int64).min, None, generator=generator)
    return fours.view(torch.int16)[:, :each] / 2**16 + 0.5


def _sizes(strength: Light, pixels: int) -> list[int]:
    more = strength.diagonal > 0 or strength.specks > 0 or strength.bars > 0
    later = [1, 1, BAR * strength.bars] if more else [0, 0, 0]  # others draw what they always drew
    return [1, 3, PATCH * strength.patches, 2, POINTS * POINTS, 1, pixels, *later]


def _filter(light: Tensor, strength: Light, numbers: Tensor, oblique: Tensor) -> Tensor:
    """Blur or sharpen each image along two axes, and subtract some of its smooth parts."""
    if not (strength.blur or strength.sharpening or strength.outline):
        return light
    numbers, outline = numbers[:, :2, None, None], numbers[:, 2:, None]
    rows, columns = (_blurring(side).to(light.device) for side in light.shape[1:])
    smooth_parts = rows @ light @ columns
    # Sharpening is blurring by a negative amount: an unsharp mask.
    amounts = numbers * (strength.blur + strength.sharpening) - strength.sharpening
    down, across = amounts.unbind(dim=1)
    turned = (oblique < strength.diagonal).unsqueeze(2) if strength.diagonal else None
    light = light + down * (_turned(rows @ light, light, 1, turned) - light)
    light = (light + across * (_turned(light @ columns, light, -1, turned) - light)).clamp_(0, 1)
    # Half of the images keep their smooth parts, the insides of strokes.
    less = strength.outline * (2 * outline - 1).clamp_(min=0)
    light = (light - less * smooth_parts).clamp_(min=0)
    # Rescale the exposure, so the lightest point is white.
    return light / light.amax(dim=(1, 2), keepdim=True).clamp_(min=1e-3)


def _turned(straight: Tensor, light: Tensor, right: int, turned: Tensor | None) -> Tensor:
    """Return images blurred along an axis or, where ``turned``, along the diagonal down and right.

    ``right`` is 1, or -1 for the diagonal to the left.
    """
    return straight if turned is None else torch.where(turned, _oblique(light, right), straight)


def _oblique(light: Tensor, right: int) -> Tensor:
    """Blur images along a diagonal."""
    wide = light.shape[2] + 2 * REACH
    # In a padded image without its rows, neighbours on a diagonal are equally far apart.
    step = wide + right
    row = functional.pad(light, (REACH,) * 4).flatten(1).unsqueeze(1)
    bell = _bell()
    kernel = torch.cat((bell[1:].flip(0), bell)).to(light.device).view(1, 1, -1)
    sums = functional.conv1d(row, kernel, dilation=step)
    first = REACH * (wide + 1 - step)
    return sums[:, 0].as_strided(light.shape, (sums.shape[2], wide, 1), first)


def _blurring(side: int) -> Tensor:
    """Return the matrix (side, side) that blurs along an axis."""
    weights = functional.pad(_bell(), (0, side))
    return weights[(torch.arange(side) - torch.arange(side).unsqueeze(1)).abs()]


def _bell() -> Tensor:
    """Return the weights of a binomial kernel of 17 pixels, from its middle to one end."""
    return (
        torch.tensor([math.comb(2 * REACH, REACH + away) for away in range(REACH + 1)]) / 4.0**REACH
    )


def _cover(light: Tensor, numbers: Tensor) -> Tensor:
    """Draw grey rectangles over each image, one after another (Zhong et al. 2020)."""
    rows, columns = _axes(light)
    for patch in numbers.unbind(dim=1):
        y, x, size_y, size_x, grey, there = patch[:, :, None, None].unbind(dim=1)
        inside = (rows - y * (len(rows) - 1)).abs() <= _half_side(size_y)
        inside = inside & ((columns - x * (len(rows) - 1)).abs() <= _half_side(size_x))
        light = torch.where(inside & (there < 0.5), grey, light)
    return light


def _draw_bars(light: Tensor, numbers: Tensor, share: float) -> Tensor:
    """Draw grey bars over each image, of which ``share`` are turned."""
    rows, columns = _axes(light)
    for bar in numbers.unbind(dim=1):
        y, x, length, width, grey, there, turn = bar[:, :, None, None].unbind(dim=1)
        down, right = rows - y * (len(rows) - 1), columns - x * (len(rows) - 1)
        angle = torch.where(turn < share, math.pi * turn / max(share, 1e-9), 0)
        along = angle.cos() * down - angle.sin() * right
        across = angle.sin() * down + angle.cos() * right
        inside = (along.abs() <= 0.5 + length * SIDE / 2) & (across.abs() <= _half_side(width))
        light = torch.where(inside & (there < 0.5), grey, light)
    return light


def _axes(light: Tensor) -> tuple[Tensor, Tensor]:
    """Return the coordinates of rows (H, 1) and columns (W,) of images."""
    rows, columns = (torch.arange(side, device=light.device) for side in light.shape[1:])
    return rows.unsqueeze(1), columns


def _half_side(size: Tensor) -> Tensor:
    """Return half the length of a side, in pixels, for a number from 0 to 1."""
    # Squared, so bars as thin as strokes are as common as blocks.
    return 0.5 + size.square() * SIDE / 4


def _light(light: Tensor, strength: Light, numbers: Tensor, field: Tensor) -> Tensor:
    """Brighten each image's background, evenly and locally, and lower its contrast."""
    level, loss = numbers.unsqueeze(2).unbind(dim=1)
    uneven = smooth(field, *light.shape[1:])
    paper = strength.level * level.unsqueeze(2) + strength.unevenness * uneven
    ink = (1 - strength.contrast * loss.unsqueeze(2)) * (1 - paper).clamp_(min=0)
    return paper + ink * light


def _noise(strength: Light, amount: Tensor, specks: Tensor, grain: Tensor) -> Tensor:
    """Return what is added to each pixel: even noise and, in half of the images, specks."""
    # Uniform numbers have a standard deviation of 1 / sqrt(12).
    noise = strength.noise * amount.unsqueeze(2) * (grain - 0.5) * math.sqrt(12)
    if not strength.specks:
        return noise
    # The ninth power of a number from -1 to 1 is near zero for most, and near one for some.
    heights = strength.specks * (2 * specks - 1).clamp_(min=0)
    return noise + heights.unsqueeze(2) * (2 * grain - 1) ** 9
