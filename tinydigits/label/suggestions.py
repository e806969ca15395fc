"""What the net says of a picture to label; as the server, it does without PyTorch."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinydigits.errors import NoDigit
from tinydigits.label.scans import Scan
from tinydigits.net.runtime import finder, session_of
from tinydigits.reading import image, pictures
from tinydigits.serve.served import onnx_of, probabilities


@dataclass(frozen=True)
class Answer:
    """The digit that the net reads in a picture."""

    digit: int
    probability: float
    """Of this digit, 0 to 1."""
    pixels: npt.NDArray[np.uint8]
    """What the net saw: (28, 28), white on black."""


@dataclass(frozen=True)
class Suggestion:
    """The net's answer for a picture, or why there is none."""

    answer: Answer | None
    reason: str = ""
    """What was found instead of one digit."""

    @property
    def probability(self) -> float:
        """The probability of the answer, 0 to 1; 0 without one."""
        return self.answer.probability if self.answer else 0.0


class Reader:
    """A net with the finder before it; ``model`` is its name or path, as for ``load``.

    Raises:
        InputError: there is no such net, or the file holds none of tinydigits.
    """

    def __init__(self, model: str) -> None:
        _, content = onnx_of(model)
        self.net, self.finder = session_of(content), finder()

    def __call__(self, scan: Scan) -> Suggestion:
        """Return what the net says of a picture.

        Raises:
            InputError: the file is not a readable picture.
        """
        picture = pictures.open_picture(str(scan.file))
        try:
            pixels = image.to_mnist(picture, self.finder)
        except NoDigit as error:
            return Suggestion(None, str(error).partition(":")[0])
        (shares,) = probabilities(self.net, pixels[np.newaxis])
        digit = int(np.argmax(shares))
        return Suggestion(Answer(digit, float(shares[digit]), pixels))
