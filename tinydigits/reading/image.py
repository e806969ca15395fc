"""Convert any picture of a digit to MNIST's format: 28x28 pixels, white on black.

The picture is made upright, opaque and grey. `finding` finds the digit and `ink` measures its ink,
which is scaled to 20 pixels and centred as in MNIST.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps
from PIL.ExifTags import Base
from PIL.Image import Resampling
from scipy import ndimage

from tinydigits.data import frame
from tinydigits.data.frame import BOX
from tinydigits.data.likeness import DARK
from tinydigits.errors import NoDigit
from tinydigits.reading import messages
from tinydigits.reading.finding import Finder, Floats, Look, Mask, only_digit
from tinydigits.reading.ink import Strokes, mean_width, strokes_of

CHANNELS = (1, 3, 4)
MOST = 1e30  # no real picture has larger numbers, and their sums would overflow
LEAST_SIZE = 4  # pixels: anything smaller cannot be told from a dot ...
LEAST_SHARE = 0.02  # ... and of the picture's longer side: anything smaller is a speck

THINNEST = 1.6  # pixels in a digit of 20: 97 % of MNIST's strokes are wider
THICKENED = 2.2  # pixels in a digit of 20: the width that thinner strokes get


def to_mnist(image: Image.Image, finder: Finder | None = None) -> npt.NDArray[np.uint8]:
    """Return the digit in a picture in MNIST's format: uint8 (28, 28), white on black.

    Accepts any Pillow mode, dark on light or light on dark. The longer side of the digit becomes
    20 pixels and its centre of mass moves to index (14, 14), as in MNIST. Strokes too thin for
    that size are thickened, so that they do not fade. ``finder`` marks digits' ink; by default it
    is the package's, run by PyTorch.

    Raises:
        NoDigit: the picture contains no digit.
        SeveralDigits: the picture contains more than one digit.
    """
    picture = prepared(image)
    if is_blank(picture):
        raise NoDigit(messages.BLANK)
    seen = only_digit(picture, finder or _own_finder())
    _refuse_dots(seen, picture)
    return _fit(_thickened(strokes_of(picture, seen)))


def prepared(image: Image.Image) -> Image.Image:
    """Return a picture of any mode upright, opaque and grey."""
    if image.getexif().get(Base.Orientation, 1) != 1:  # Pillow would copy an upright picture, too
        image = ImageOps.exif_transpose(image)
    return grey(opaque(image))


def is_blank(picture: Image.Image) -> bool:
    """Return whether a grey picture is the same everywhere."""
    lightest, darkest = picture.getextrema()
    return lightest == darkest


def _own_finder() -> Finder:
    from tinydigits.net.finder import finder  # the server has no PyTorch and brings its own

    return finder()


def from_array(array: npt.ArrayLike) -> Image.Image:
    """Return an array as a picture.

    Accepts (H, W) for grey, (H, W, C) or (C, H, W) with 1, 3 or 4 channels for grey, RGB and RGBA,
    as booleans or as real numbers of any type and scale: 0 to 1, 0 to 255, 16 bits, normalised for
    training, and so on. Values that are not finite count as the lowest one.

    Raises:
        InputError: the array has another shape or type, or is empty.
    """
    try:
        values = np.asarray(array)
    except ValueError as error:  # rows of unequal lengths
        raise messages.no_array(array) from error
    picture = _channels_last(values)
    is_picture = picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] in (3, 4))
    if not is_picture or values.size == 0 or values.dtype.kind not in "buif":
        raise messages.no_picture(values)
    return Image.fromarray(eight_bits(picture))


def _channels_last(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return (H, W) for one channel and (H, W, C) for several, wherever the channels are."""
    if values.ndim != 3:
        return values
    if values.shape[2] not in CHANNELS and values.shape[0] in CHANNELS:
        values = np.moveaxis(values, 0, 2)
    return values[:, :, 0] if values.shape[2] == 1 else values


def opaque(image: Image.Image) -> Image.Image:
    """Return the picture as 8-bit L or RGB, itself if it is."""
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(eight_bits(np.asarray(image)))
    if image.mode == "P" or image.has_transparency_data:
        return _on_paper(image.convert("RGBA"))
    mode = "L" if image.mode in ("1", "L") else "RGB"
    return image if image.mode == mode else image.convert(mode)  # convert copies in any case


def eight_bits(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return numbers of any shape, type and scale as uint8, 0 to 255; see ``from_array``."""
    numbers = values.astype(np.float64).clip(-MOST, MOST)
    lowest = np.min(numbers, where=np.isfinite(values), initial=MOST)
    numbers = np.where(np.isfinite(values), numbers, lowest)
    black = min(0.0, lowest)  # negative numbers are normalised ones
    numbers -= black
    white = numbers.max() if black else _white(numbers.max())
    levels: npt.NDArray[np.uint8] = np.rint(numbers * (255 / (white or 1))).astype(np.uint8)
    return levels


def _white(brightest: float) -> float:
    """Return the white of the scale, starting at 0, that a picture's brightest pixel suggests."""
    if brightest <= 1:
        return 1
    if brightest <= DARK:  # as on scikit-learn's scale, 0 to 16
        return brightest
    # The largest number of 8 bits, or of as many as a camera uses.
    return 2.0 ** max(8, math.ceil(math.log2(brightest + 1))) - 1


def _on_paper(image: Image.Image) -> Image.Image:
    """Return an RGBA picture on its own paper, or on white or black, as its ink contrasts with.

    A picture with more content than not has paper of its own, and the rest was cut off.
    """
    alpha = np.asarray(image.getchannel("A"))
    content = np.asarray(image)[:, :, :3][alpha >= alpha.max() / 2]
    middle = np.median(content, axis=0).astype(int).tolist()
    is_dark = np.median(np.asarray(image.convert("L"))[alpha >= alpha.max() / 2]) < 128
    inked = "white" if is_dark else "black"
    colour = tuple(middle) if len(content) > alpha.size / 2 else inked
    paper = Image.new("RGBA", image.size, colour)
    return Image.alpha_composite(paper, image).convert("RGB")


def grey(image: Image.Image) -> Image.Image:
    """Return one channel, along the direction in which the picture's colours vary most.

    Brightness alone would lose red ink on green paper. For black ink on white paper, the first
    principal component of the colours is the brightness.
    """
    if image.mode == "L":
        return image
    colours = np.asarray(image.resize((64, 64), Resampling.BOX), np.float64).reshape(-1, 3)
    _, axes = np.linalg.eigh(np.cov(colours.T))
    weights = axes[:, -1] / np.abs(axes[:, -1]).sum()
    weights *= np.sign(weights.sum()) or 1
    darkest = 255 * weights[weights < 0].sum()
    return image.convert("L", (*weights.tolist(), -darkest))


def _refuse_dots(seen: Look, picture: Image.Image) -> None:
    left, upper, right, lower = seen.digits[0].box
    size = max(right - left, lower - upper) / seen.scale
    if size < LEAST_SIZE or size < LEAST_SHARE * max(picture.size):
        raise NoDigit(messages.SPECK)


def _thickened(digit: Strokes) -> Floats:
    """Return the ink, with its strokes thickened if they are thinner than MNIST's."""
    pixel = _extent(digit.core) / BOX  # a pixel of the result, in pixels of the view
    width = mean_width(digit.core) / pixel
    if width >= THINNEST:
        return digit.ink
    more = (THICKENED - width) / 2 * pixel
    room = math.ceil(more) + 1
    distance = ndimage.distance_transform_edt(~np.pad(digit.core, room))
    grown = np.clip(more + 1 - distance, 0, 1).astype(np.float32)
    thickened: Floats = np.maximum(np.pad(digit.ink, room), grown)
    return thickened


def _fit(ink: Floats) -> npt.NDArray[np.uint8]:
    """Return ink (H, W) in MNIST's frame, uint8 (28, 28)."""
    pixel = _extent(ink > 0) / BOX  # a pixel of the result, in pixels of the view
    top, bottom = _ends(ink.max(axis=1), pixel)
    left, right = _ends(ink.max(axis=0), pixel)
    scale = BOX / max(bottom - top, right - left)
    height, width = (max(1, round(side * scale)) for side in (bottom - top, right - left))
    # Lanczos restores some of the sharpness lost to enlarging or blur.
    field = Image.fromarray(ink)
    small = np.asarray(
        field.resize((width, height), Resampling.LANCZOS, box=(left, top, right, bottom))
    )
    box = np.zeros((1, BOX, BOX), np.uint8)
    row, column = (BOX - height) // 2, (BOX - width) // 2
    # Full ink becomes white; Lanczos overshoots it, and a hairline stays below it.
    white = min(1, small.max())
    box[0, row : row + height, column : column + width] = np.rint(255 * (small / white).clip(0, 1))
    centred: npt.NDArray[np.uint8] = frame.centre(box)[0]
    return centred


def _extent(mask: Mask) -> int:
    """Return the longer side of the box around the set pixels of a mask; at least one is set."""
    return max(int(np.ptp(each)) for each in np.nonzero(mask)) + 1


def _ends(profile: Floats, pixel: float) -> tuple[float, float]:
    """Return where the ink begins and ends along an axis, to a fraction of a view's pixel."""
    return _start(profile, pixel), len(profile) - _start(profile[::-1], pixel)


def _start(profile: Floats, pixel: float) -> float:
    """Return the first place with half as much ink as half a pixel of the result further in.

    In an enlarged MNIST digit, this is the outer edge of the outermost pixels, however faint they
    are. In a pen stroke, it is the middle of the edge.
    """
    place = np.arange(len(profile))
    inner = np.interp(place + max(pixel / 2 - 0.5, 0), place, profile)
    share = (profile / np.maximum(inner, 1e-6)).clip(0, 1)
    first = int(np.argmax(share >= 0.5))
    before = float(share[first - 1]) if first else 0.0
    return first + 0.5 - (float(share[first]) - 0.5) / (float(share[first]) - before)
