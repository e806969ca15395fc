"""Every message about a picture that cannot be read."""

from typing import Any

import numpy.typing as npt

from tinydigits.errors import InputError, SeveralDigits

BLANK = "the picture is blank"
NONE = "no handwritten digit was found"
SPECK = "only a speck was found"
SEVERAL = "there is more than one digit: crop the picture to one"

NO_NAMES = "no picture given: expected files, folders, patterns, or - for standard input"
NO_PICTURE = "not a picture in a readable format: expected one such as PNG or JPEG"
HEIC = "a HEIC picture: type pip install 'tinydigits[heic]' to read it, or save it as JPEG"


def explained(error: InputError, instead: str) -> str:
    """Return an error's message; that of several digits also says what to do ``instead``."""
    return f"{error}, or {instead}" if isinstance(error, SeveralDigits) else str(error)


def empty_folder(name: str) -> InputError:
    """Return the error for a folder without pictures."""
    return InputError(f"{name} contains no pictures: expected files such as .png or .jpg")


def no_match(pattern: str) -> InputError:
    """Return the error for a pattern that matches no file."""
    return InputError(f"no file matches {pattern}: expected a pattern such as 'scans/*.png'")


def too_many_lines(found: int, most: int) -> InputError:
    """Return the error for a page of text."""
    return InputError(f"{found} lines of digits, but at most {most} are read: crop the picture")


def too_many_digits(found: int, most: int) -> InputError:
    """Return the error for a table of numbers."""
    return InputError(f"{found} digits, but at most {most} are read: crop the picture")


def no_picture(values: npt.NDArray[Any]) -> InputError:
    """Return the error for an array that is not a picture."""
    return InputError(
        f"an array of shape {values.shape} and type {values.dtype} is not a picture: "
        "expected numbers of shape (H, W), (H, W, C) or (C, H, W) with 1, 3 or 4 channels"
    )


def no_array(value: Any) -> InputError:
    """Return the error for an object that is neither a picture nor an array."""
    return InputError(
        f"{type(value).__name__} is not a picture: expected a Pillow image, an array or dense "
        "tensor, a path, bytes, or a file opened with mode 'rb'"
    )


def several_frames(count: int) -> InputError:
    """Return the error for a file with more than one frame or page."""
    return InputError(f"{count} frames or pages: expected one; save the one you want")


def too_large(most_pixels: float) -> InputError:
    """Return the error for a picture with more pixels than the limit."""
    limit = int(most_pixels) // 1_000_000
    return InputError(f"too large: expected at most {limit} megapixels; scale it down")


def unreadable(error: Exception) -> InputError:
    """Return the error for a file that cannot be opened or fully read."""
    cause = " ".join(str(error).split())
    reason = getattr(error, "strerror", None) or f"damaged ({cause})"
    return InputError(f"{reason}; expected a complete picture file")
