"""Checkpoint files: loaded without running code, refused when they do not fit.

A file is a dict of tensors and built-in types that ``torch.load(path)`` reads with its defaults;
``model_state_dict`` fits ``Net()``.
"""

import pickle
import warnings
from pathlib import Path
from typing import Any

import torch

from tinydigits.errors import InputError
from tinydigits.net.model import Net

FORMAT, VERSION = "tinydigits", 1


def load(path: Path) -> dict[str, Any]:
    """Return a checkpoint's content, its net checked to fit ``Net()``.

    Raises:
        InputError: the file is missing or damaged, holds code, is newer than this program, or
            belongs to another net.
    """
    content = _read(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path} is not a tinydigits checkpoint; make one with python train.py")
    if content.get("version") != VERSION:
        raise InputError(
            f"{path} has format version {content.get('version')}, expected {VERSION}: "
            "read it with the tinydigits that wrote it, or upgrade this one"
        )
    _check_fit(path, content.get("model_state_dict"))
    return content


def load_net(path: Path | str) -> Net:
    """Return the net of a checkpoint, on the CPU, in evaluation mode.

    Raises:
        InputError: as ``load`` does.
    """
    net = Net()
    net.load_state_dict(load(Path(path))["model_state_dict"])
    return net.eval()


def _read(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            # Torch's remarks on odd files: what is wrong with this one is said below, in one line.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; give the path of a checkpoint"
        ) from error
    except pickle.UnpicklingError as error:
        if not _may_be_torch(path):
            raise InputError(
                f"{path} is not a PyTorch file; give a checkpoint that tinydigits wrote"
            ) from error
        raise InputError(
            f"{path} holds more than tensors and built-in types and could run code: not loaded; "
            "give a checkpoint that tinydigits wrote"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError(
            f"{path} is not a whole PyTorch file; give a checkpoint that tinydigits wrote"
        ) from error


def _may_be_torch(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(2)
    return head == b"PK" or head[:1] == b"\x80"  # an archive, or a pickle of old


def _check_fit(path: Path, found: Any) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in Net().state_dict().items()}
    shapes = {
        name: tuple(tensor.shape)
        for name, tensor in (found or {}).items()
        if torch.is_tensor(tensor)
    }
    wrong = sorted(
        name for name in expected.keys() | shapes.keys() if expected.get(name) != shapes.get(name)
    )
    if wrong:
        name = wrong[0]
        raise InputError(
            f"{path} holds another net: {name} is {_shape(shapes, name)}, expected "
            f"{_shape(expected, name)}; give a checkpoint that tinydigits wrote"
        )


def _shape(shapes: dict[str, tuple[int, ...]], name: str) -> str:
    return str(shapes[name]) if name in shapes else "absent"
