"""What the net says of a picture to label."""

from dataclasses import dataclass

from tinydigits.errors import NoDigit
from tinydigits.label.scans import Scan
from tinydigits.net.model import Net
from tinydigits.reading import image, pictures
from tinydigits.reading.prediction import Prediction, answer


@dataclass(frozen=True)
class Suggestion:
    """The net's answer for a picture, or why there is none."""

    prediction: Prediction | None
    reason: str = ""
    """What was found instead of one digit."""

    @property
    def probability(self) -> float:
        """The probability of the answer, 0 to 1; 0 without one."""
        return self.prediction.probability if self.prediction else 0.0


def suggestion(scan: Scan, net: Net) -> Suggestion:
    """Return what the net says of a picture.

    Raises:
        InputError: the file is not a readable picture.
    """
    picture = pictures.open_picture(str(scan.file))
    try:
        return Suggestion(answer([image.to_mnist(picture)], net)[0])
    except NoDigit as error:
        return Suggestion(None, str(error).partition(":")[0])
