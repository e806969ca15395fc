"""The trained nets in the package, and the file for a net's name or path."""

from pathlib import Path

from tinydigits.errors import InputError

WEIGHTS = Path(__file__).parent / "weights"
NAMES = ("classic", "fast", "best", "people")  # each trained by the recipe of that name

# The most accurate on digits that people wrote, among the nets whose recipe has at least 99.45 % on
# MNIST. Figures: records/2026-11-26-people.
DEFAULT = "people"

ONNX, SAFETENSORS = ".onnx", ".safetensors"  # suffixes; other files are PyTorch's
IN_FOLDER = "model.safetensors"  # as `tinydigits export safetensors` and Hugging Face name it
ACCEPTED = "a checkpoint, state_dict (.pth), .onnx file or safetensors folder"


def net_file(model: Path | str, *, suffix: str = ".pth") -> Path:
    """Return the path of a net's file.

    One of ``NAMES`` selects a net of the package: its checkpoint or, with the suffix ``.onnx``, its
    ONNX file. Anything else is a path; ``./best`` names a file called ``best``. A folder stands for
    the ``model.safetensors`` in it.

    Raises:
        InputError: the file does not exist.
    """
    if model in NAMES:
        return WEIGHTS / f"{model}{suffix}"
    path = Path(model)
    file = path / IN_FOLDER if path.is_dir() else path
    if not file.exists():
        raise InputError(
            f"there is no {file}: expected the path of {ACCEPTED}, or one of {', '.join(NAMES)}"
        )
    return file
