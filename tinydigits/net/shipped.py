"""The trained nets that come with the package, and the file that a name or a path stands for."""

from pathlib import Path

from tinydigits.errors import InputError

WEIGHTS = Path(__file__).parent / "weights"
NAMES = ("classic", "fast", "best", "robust")  # each trained by the recipe of that name

# The surest on damaged pictures among those above 99.4 % on MNIST as it is, since people's pictures
# have shadows, noise and blur. Figures: records/.
DEFAULT = "robust"


def net_file(model: Path | str, *, suffix: str = ".pth") -> Path:
    """Return the file of a net.

    One of ``NAMES`` stands for the net that comes with the package, as a checkpoint or, with the
    suffix ``.onnx``, as an ONNX file; anything else is a path, as ``./best`` is of a file with such
    a name.

    Raises:
        InputError: there is no such file.
    """
    if model in NAMES:
        return WEIGHTS / f"{model}{suffix}"
    if not Path(model).exists():
        raise InputError(
            f"there is no {model}: expected the path of a checkpoint or one of {', '.join(NAMES)}"
        )
    return Path(model)
