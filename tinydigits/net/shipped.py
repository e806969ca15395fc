"""The trained nets in the package, and the file for a net's name or path."""

from pathlib import Path

from tinydigits.errors import InputError

WEIGHTS = Path(__file__).parent / "weights"
NAMES = ("classic", "fast", "best", "robust")  # each trained by the recipe of that name

# The most accurate on damaged pictures among the nets above 99.4 % on clean MNIST: people's
# pictures have shadows, noise and blur. Figures: records/.
DEFAULT = "robust"


def net_file(model: Path | str, *, suffix: str = ".pth") -> Path:
    """Return the path of a net's file.

    One of ``NAMES`` selects a net of the package: its checkpoint or, with the suffix ``.onnx``, its
    ONNX file. Anything else is a path; ``./best`` names a file called ``best``.

    Raises:
        InputError: the file does not exist.
    """
    if model in NAMES:
        return WEIGHTS / f"{model}{suffix}"
    if not Path(model).exists():
        raise InputError(
            f"there is no {model}: expected the path of a checkpoint or one of {', '.join(NAMES)}"
        )
    return Path(model)
