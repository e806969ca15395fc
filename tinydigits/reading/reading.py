"""Read all digits in a picture from Python: ``tinydigits.read``."""

from os import PathLike

from tinydigits.errors import InputError
from tinydigits.net.finder import finder
from tinydigits.net.strip import reader
from tinydigits.reading.page import Page, page_of
from tinydigits.reading.prediction import Picture, opened


def read(picture: Picture) -> Page:
    """Return what a picture says: its lines of digits, with boxes and probabilities.

    ``picture`` is one picture as ``predict`` takes it. Boxes are in its own pixels, after it is set
    upright as its EXIF data tells.

    Raises:
        InputError: it cannot be opened, is none, or has more than 200 digits or 100 lines.
    """
    try:
        return page_of(opened(picture), finder(), reader())
    except InputError as error:
        name = f"{picture}: " if isinstance(picture, str | PathLike) else ""
        raise type(error)(f"{name}{error}") from error
