"""Which trained net is meant: one that comes with the package, or a file's."""

from pathlib import Path

from tinydigits.errors import InputError
from tinydigits.recipes import RECIPES

WEIGHTS = Path(__file__).parent / "weights"


def net_file(model: Path | str, *, suffix: str = ".pth") -> Path:
    """Return the file of a net.

    A recipe's name stands for the net that comes with the package, as a checkpoint or, with the
    suffix ``.onnx``, as an ONNX file; anything else is a path, as ``./best`` is of a file with such
    a name.

    Raises:
        InputError: there is no such file.
    """
    if model in RECIPES:
        return WEIGHTS / f"{model}{suffix}"
    if not Path(model).exists():
        raise InputError(
            f"there is no {model}: expected the path of a checkpoint or one of {', '.join(RECIPES)}"
        )
    return Path(model)
