"""Corruptions: fifteen kinds of seeded damage to digits, to measure a net's robustness.

The kinds are those of MNIST-C (Mu and Gilmer 2019, arXiv:1906.02337), reimplemented from their
names and effects: figures on them are not comparable with published figures on MNIST-C.

Every kind is a pure function of pictures and of uniform random numbers, one row for each picture.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage

from tinydigits.net.contract import SIDE
from tinydigits.seeds import derive

__all__ = ["KINDS", "corrupt"]

FloatArray = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Each kind is as strong as possible while a person can still read nearly every digit, judged by eye
# on training digits. Light is in fractions of white, length in pixels. MNIST's digits are 20 pixels
# high, with strokes 2.6 pixels wide and as much light as 103 white pixels.
SHOT_PHOTONS = 4  # in a white pixel: its noise is half its light
IMPULSE_SHARE = 0.2  # of all pixels, half of them white: 78, nearly as many as a digit has
GLASS_BLUR = 1.0  # pixels, standard deviation, before and after: lumps of glass, not grains
GLASS_REACH = 1  # pixels along each axis to a swap's partner: strokes fray but do not break
GLASS_ROUNDS = 1  # of swaps: after two, loops are filled
MOTION_LENGTH = 7.0  # pixels: most loops stay open
SHEAR_SLOPE = 0.4  # pixels sideways a row: one and a half standard deviations of MNIST's slant
SCALE_FACTOR = 0.6  # of the size: 12 pixels high, with strokes still wider than a pixel
ROTATE_ANGLE = 30.0  # degrees: plainly crooked, but it is still clear which side is up
BRIGHTNESS = 0.6  # of white: a white pen on grey paper, less than half the contrast
TRANSLATE_DISTANCE = 4.0  # pixels: a digit's margin; four in five lose less than 1 % of their ink
STRIPE = slice(7, 21)  # columns left unchanged: the middle half, most of a digit
FOG_DENSITY = 1.2  # of white at its thickest: contrast falls by more than half
FOG_ROUGHNESS = 1.5  # amplitudes fall with this power of the frequency: clouds, not grains
SPATTER_DROPS = 15  # a picture: about three of them hit the digit
SPATTER_RADIUS = (0.3, 1.8)  # pixels, smallest and largest: from a speck to wider than a stroke
LINE_MARGIN = 7.0  # pixels from the corners to a line's ends: nearly all lines cross the digit
DOT_PITCH = 3.5  # pixels from dot to dot: about six over a digit's height
DOT_RADIUS = 0.9  # pixels: narrower than a stroke
ZIGZAG_PITCH = 3.0  # pixels from turn to turn along the line: nine or ten turns from side to side
ZIGZAG_SWING = 2.0  # pixels to either side of the line: as small as a digit's loops
ZIGZAG_RADIUS = 0.5  # pixels: a finer pen than the digit's
CANNY_BLUR = 1.0  # pixels, standard deviation: less than half a stroke, which keeps both its edges
CANNY_STRONG = 0.1  # of white a pixel, a quarter of the steepest slope: an edge begins here ...
CANNY_WEAK = 0.05  # ... and continues while it is at least this steep

BLOCK = 500  # pictures damaged at a time: few enough for the cache
PIXELS = np.arange(SIDE, dtype=np.float64)  # coordinates of the pixels' centres along an axis
MIDDLE = (SIDE - 1) / 2  # coordinate of the picture's centre

# Indices of the pixels whose partners within GLASS_REACH all exist.
_GRID = np.arange(SIDE**2).reshape(SIDE, SIDE)
_INNER = _GRID[GLASS_REACH:-GLASS_REACH, GLASS_REACH:-GLASS_REACH].ravel()


class Damage(NamedTuple):
    """A kind of damage: its random numbers for each picture, and the function that applies it.

    ``apply`` takes light from 0 to 1, (N, 28, 28), and numbers from 0 to 1, (N, ``numbers``). It
    returns light, (N, 28, 28), possibly outside that range, and changes neither argument.
    """

    numbers: int
    apply: Callable[[FloatArray, FloatArray], FloatArray]


def corrupt(images: npt.NDArray[np.uint8], kind: str, *, seed: int) -> npt.NDArray[np.uint8]:
    """Return damaged copies of images, uint8 (N, 28, 28), white on black.

    The damage to image i depends only on ``seed``, ``kind`` and i: the first images are damaged
    alike, whatever follows them.

    Raises:
        ValueError: the kind is not in ``KINDS``, or the images have another shape or type.
    """
    if kind not in _DAMAGES:
        raise ValueError(f"unknown kind of damage {kind!r}: expected one of {', '.join(KINDS)}")
    if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE):
        raise ValueError(
            f"images are {images.dtype} of shape {images.shape}, "
            f"expected uint8 of shape (N, {SIDE}, {SIDE})"
        )
    damage = _DAMAGES[kind]
    rng = np.random.default_rng(derive(seed, "corruption", kind))
    damaged = np.empty_like(images)
    for start in range(0, len(images), BLOCK):
        light = images[start : start + BLOCK] / 255
        # Drawn row by row from one stream: a row depends on its index, not on what follows.
        numbers = rng.random((len(light), damage.numbers))
        light = damage.apply(light, numbers)
        damaged[start : start + BLOCK] = np.rint(255 * light.clip(0, 1))
    return damaged


def _shot_noise(images: FloatArray, numbers: FloatArray) -> FloatArray:
    """Count photons: Poisson counts whose mean is the picture, by inversion."""
    mean = SHOT_PHOTONS * images
    chance = np.exp(-mean)  # of exactly this many photons
    up_to = chance.copy()  # of at most this many photons
    numbers = numbers.reshape(images.shape)
    counts = np.zeros_like(images)
    for photons in range(1, SHOT_PHOTONS + 1):  # higher counts are clipped to white
        counts += numbers >= up_to
        chance *= mean / photons
        up_to += chance
    return counts / SHOT_PHOTONS


def _impulse_noise(images: FloatArray, numbers: FloatArray) -> FloatArray:
    """Replace random pixels by black and white ones."""
    numbers = numbers.reshape(images.shape)
    return np.where(numbers < IMPULSE_SHARE, numbers < IMPULSE_SHARE / 2, images)


def _glass_blur(images: FloatArray, numbers: FloatArray) -> FloatArray:
    """Blur, swap neighbouring pixels, and blur again."""
    return _blur(_swap(_blur(images, GLASS_BLUR), numbers), GLASS_BLUR)


def _swap(images: FloatArray, numbers: FloatArray) -> FloatArray:
    """Swap each pixel in turn with one at most GLASS_REACH away along each axis."""
    count, rounds = len(images), numbers.reshape(len(images), -1, 2)
    offsets = np.floor(rounds * (2 * GLASS_REACH + 1)).astype(np.int64) - GLASS_REACH
    pixels = np.tile(_INNER, GLASS_ROUNDS)
    others = pixels + offsets @ (SIDE, 1)
    flat = images.reshape(count, -1).copy()
    row = np.arange(count)
    for pixel, other in zip(pixels, others.T, strict=True):
        light = flat[row, other]
        flat[row, other] = flat[:, pixel]
        flat[:, pixel] = light
    return flat.reshape(images.shape)


def _motion_blur(images: FloatArray, numbers: FloatArray) -> FloatArray:
    """Smear along a straight line in any direction."""
    angle = np.pi * numbers[:, 0]  # half a turn: a line has no direction
    end = (MOTION_LENGTH - 1) / 2 * _direction(angle)  # the pen adds half a pixel at each end
    reach = int(MOTION_LENGTH / 2 + 0.5)  # pixels from the middle to where the ink ends
    pixels = np.arange(-reach, reach + 1, dtype=np.float64)
    kernels = _ink(_distance_to_segment(pixels, -end, end), 0.5)
    kernels /= kernels.sum(axis=(1, 2), keepdims=True)
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach)))
    windows = sliding_window_view(padded, kernels.shape[1:], axis=(1, 2))
    smeared: FloatArray = np.einsum("nyxij,nij->nyx", windows, kernels)
    return smeared


def _shear(images: FloatArray, numbers: FloatArray) -> FloatArray:
    """Slant to the left or right."""
    matrices = _identity(len(images))
    matrices[:, 1, 0] = SHEAR_SLOPE * _sign(numbers[:, 0])
    return _warp(images, matrices)


def _scale(images: FloatArray, _: FloatArray) -> FloatArray:
    """Shrink."""
    return _warp(images, _identity(len(images)) / SCALE_FACTOR)


def _rotate(images: FloatArray, numbers: FloatArray) -> FloatArray:
    """Rotate to the left or right."""
    angle = np.radians(ROTATE_ANGLE) * _sign(numbers[:, 0])
    cos, sin = np.cos(angle), np.sin(angle)
    return _warp(images, np.stack([cos, -sin, sin, cos], axis=1).reshape(-1, 2, 2))


def _brightness(images: FloatArray, _: FloatArray) -> FloatArray:
    """Add light everywhere; bright pixels become white."""
    return images + BRIGHTNESS


def _translate(images: FloatArray, numbers: FloatArray) -> FloatArray:
    """Shift in any direction."""
    shift = TRANSLATE_DISTANCE * _direction(2 * np.pi * numbers[:, 0])
    return _warp(images, _identity(len(images)), shift)


def _stripe(images: FloatArray, _: FloatArray) -> FloatArray:
    """Invert all but a vertical stripe in the middle."""
    inverted = 1 - images
    inverted[:, :, STRIPE] = images[:, :, STRIPE]
    return inverted


def _fog(images: FloatArray, numbers: FloatArray) -> FloatArray:
    """Add clouds and dim the sum, so that fog on white is white."""
    return (images + FOG_DENSITY * _clouds(numbers)) / (1 + FOG_DENSITY)


def _clouds(numbers: FloatArray) -> FloatArray:
    """Return noise filtered into a plasma from 0 to 1, whose amplitudes fall with frequency."""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE))
    frequency[0, 0] = np.inf  # no mean: the range is set below
    noise = np.fft.rfft2(numbers.reshape(-1, SIDE, SIDE))
    plasma = np.fft.irfft2(noise * frequency**-FOG_ROUGHNESS)
    plasma -= plasma.min(axis=(1, 2), keepdims=True)
    clouds: FloatArray = plasma / plasma.max(axis=(1, 2), keepdims=True)
    return clouds


def _spatter(images: FloatArray, numbers: FloatArray) -> FloatArray:
    """Scatter white drops of many sizes."""
    rows, columns, size = np.split(numbers, 3, axis=1)
    least, greatest = SPATTER_RADIUS
    drops = np.stack([rows, columns], axis=2) * SIDE - 0.5
    return np.maximum(images, _dots(drops, least + (greatest - least) * size))


def _dotted_line(images: FloatArray, numbers: FloatArray) -> FloatArray:
    """Draw a white dotted line from one side to the other."""
    centres = _points_along(*_line_across(numbers), DOT_PITCH)
    radii = np.full(centres.shape[:2], DOT_RADIUS)
    return np.maximum(images, _dots(centres, radii))


def _zigzag(images: FloatArray, numbers: FloatArray) -> FloatArray:
    """Draw a white zigzag from one side to the other."""
    start, direction = _line_across(numbers)
    turns = _points_along(start, direction, ZIGZAG_PITCH)
    normal = direction[:, ::-1] * (1, -1)
    side = np.where(np.arange(turns.shape[1]) % 2, ZIGZAG_SWING, -ZIGZAG_SWING)
    turns = turns + side[:, None] * normal[:, None]
    white = np.zeros_like(images)
    for begin, end in pairwise(turns.swapaxes(0, 1)):
        distance = _distance_to_segment(PIXELS, begin, end)
        np.maximum(white, _ink(distance, ZIGZAG_RADIUS), out=white)
    return np.maximum(images, white)


def _canny_edges(images: FloatArray, _: FloatArray) -> FloatArray:
    """Keep only the edges, white on black (Canny 1986, doi:10.1109/TPAMI.1986.4767851)."""
    down, right = (_blur(images, CANNY_BLUR, slope_along=axis) for axis in (1, 2))
    strength = np.hypot(down, right)
    edge = _crest(strength, np.arctan2(down, right))
    return _connected(edge & (strength > CANNY_WEAK), edge & (strength > CANNY_STRONG))


def _crest(strength: FloatArray, angle: FloatArray) -> Mask:
    """Return where strength is highest along its direction, rounded to an eighth of a turn."""
    eighth = np.rint(angle / (np.pi / 4)).astype(np.int64) % 4  # opposite directions are the same
    padded = np.pad(strength, ((0, 0), (1, 1), (1, 1)))

    def neighbour(row: int, column: int) -> FloatArray:
        return padded[:, 1 + row : 1 + row + SIDE, 1 + column : 1 + column + SIDE]

    steps = ((0, 1), (1, 1), (1, 0), (1, -1))
    ahead = np.choose(eighth, [neighbour(row, column) for row, column in steps])
    behind = np.choose(eighth, [neighbour(-row, -column) for row, column in steps])
    crest: Mask = (strength > ahead) & (strength >= behind)  # one of two equals: thin edges
    return crest


def _connected(weak: Mask, strong: Mask) -> FloatArray:
    """Return the weak pixels connected to a strong one, also diagonally, within each picture."""
    neighbours = np.zeros((3, 3, 3), np.bool_)
    neighbours[1] = True
    parts, count = ndimage.label(weak, neighbours)
    kept = np.zeros(count + 1)
    kept[parts[strong]] = 1
    edges: FloatArray = kept[parts]
    return edges


def _blur(images: FloatArray, deviation: float, slope_along: int | None = None) -> FloatArray:
    """Blur with a Gaussian, black outside; given an axis, return the slope along it instead."""
    order = [int(axis == slope_along) for axis in range(3)]
    blurred: FloatArray = ndimage.gaussian_filter(
        images, (0, deviation, deviation), order, mode="constant"
    )
    return blurred


def _warp(images: FloatArray, matrices: FloatArray, shift: float | FloatArray = 0) -> FloatArray:
    """Look up every output pixel in its picture, bilinearly; outside is black.

    Matrices (N, 2, 2) map output to input, in rows and columns from the centre; ``shift`` (N, 2)
    then moves the result down and to the right.
    """
    offsets = MIDDLE - (matrices @ np.broadcast_to(MIDDLE + shift, (len(images), 2))[..., None])
    warped = [
        ndimage.affine_transform(image, matrix, offset, order=1, mode="grid-constant")
        for image, matrix, offset in zip(images, matrices, offsets[..., 0], strict=True)
    ]
    return np.stack(warped)


def _identity(count: int) -> FloatArray:
    """Return identity matrices (count, 2, 2)."""
    return np.tile(np.eye(2), (count, 1, 1))


def _sign(numbers: FloatArray) -> FloatArray:
    """Return -1 for numbers below 0.5, and 1 for all others."""
    return np.where(numbers < 0.5, -1.0, 1.0)


def _direction(angle: FloatArray) -> FloatArray:
    """Return unit vectors (N, 2), in rows and columns, for angles (N,) in radians."""
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)


def _line_across(numbers: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return start and direction, each (N, 2), of lines from left to right or top to bottom."""
    ends = LINE_MARGIN + (SIDE - 1 - 2 * LINE_MARGIN) * numbers[:, 1:]
    start = np.stack([ends[:, 0], np.zeros(len(ends))], axis=1)
    end = np.stack([ends[:, 1], np.full(len(ends), SIDE - 1)], axis=1)
    direction = (end - start) / np.linalg.norm(end - start, axis=1, keepdims=True)
    downwards = numbers[:, :1] < 0.5
    return (
        np.where(downwards, start[:, ::-1], start),
        np.where(downwards, direction[:, ::-1], direction),
    )


def _points_along(start: FloatArray, direction: FloatArray, pitch: float) -> FloatArray:
    """Return points (N, points, 2) at equal steps along lines, enough to span the diagonal."""
    steps = np.arange(0, np.hypot(SIDE, SIDE), pitch)
    return start[:, None] + steps[:, None] * direction[:, None]


def _dots(centres: FloatArray, radii: FloatArray) -> FloatArray:
    """Return the light (N, 28, 28) of white discs: centres (N, discs, 2), radii (N, discs)."""
    white = np.zeros((len(centres), SIDE, SIDE))
    for centre, radius in zip(centres.swapaxes(0, 1), radii.T, strict=True):
        rows, columns = (PIXELS - centre[:, axis, None] for axis in (0, 1))
        distance = np.hypot(rows[:, :, None], columns[:, None, :])
        np.maximum(white, _ink(distance, radius[:, None, None]), out=white)
    return white


def _distance_to_segment(pixels: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    """Return distances (N, side, side) from a square's pixels to segments with ends (N, 2)."""
    row, column = (end - start).T[:, :, None, None]
    down = pixels[:, None] - start[:, 0, None, None]
    right = pixels - start[:, 1, None, None]
    share = ((down * row + right * column) / (row**2 + column**2)).clip(0, 1)  # of the way
    distance: FloatArray = np.hypot(down - share * row, right - share * column)
    return distance


def _ink(distance: FloatArray, radius: float | FloatArray) -> FloatArray:
    """Return the light at a distance from a pen's path, whose edge fades over one pixel."""
    return np.clip(radius + 0.5 - distance, 0, 1)


_DAMAGES = {
    "shot_noise": Damage(SIDE**2, _shot_noise),
    "impulse_noise": Damage(SIDE**2, _impulse_noise),
    "glass_blur": Damage(2 * GLASS_ROUNDS * _INNER.size, _glass_blur),
    "motion_blur": Damage(1, _motion_blur),
    "shear": Damage(1, _shear),
    "scale": Damage(0, _scale),
    "rotate": Damage(1, _rotate),
    "brightness": Damage(0, _brightness),
    "translate": Damage(1, _translate),
    "stripe": Damage(0, _stripe),
    "fog": Damage(SIDE**2, _fog),
    "spatter": Damage(3 * SPATTER_DROPS, _spatter),
    "dotted_line": Damage(3, _dotted_line),
    "zigzag": Damage(3, _zigzag),
    "canny_edges": Damage(0, _canny_edges),
}
KINDS = tuple(_DAMAGES)
