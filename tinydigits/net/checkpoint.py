"""Loading checkpoints without running code from the file; a file that does not fit is rejected.

A checkpoint is a dict of tensors and built-in types. ``torch.load(path)`` reads it with its
defaults, and its ``model_state_dict`` fits ``Net()``.
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
    """Return a checkpoint's content, after checking that its weights fit ``Net()``.

    Raises:
        InputError: the file is missing or damaged, could run code, has another format version, or
            holds another net.
    """
    content = _read(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path} is not a tinydigits checkpoint; make one with python train.py")
    if content.get("version") != VERSION:
        raise InputError(
            f"{path} has format version {content.get('version')}, expected {VERSION}: "
            "read it with the version of tinydigits that wrote it, or upgrade this one"
        )
    _check_fit(path, content.get("model_state_dict"))
    return content


def load_net(path: Path | str) -> Net:
    """Return a checkpoint's net, on the CPU, in evaluation mode.

    Raises:
        InputError: as for ``load``.
    """
    net = Net()
    net.load_state_dict(load(Path(path))["model_state_dict"])
    return net.eval()


def _read(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            # The one-line errors below replace PyTorch's warnings about unusual files.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; give the path of a checkpoint"
        ) from error
    except pickle.UnpicklingError as error:
        if not _may_be_torch(path):
            raise InputError(
                f"{path} is not a PyTorch file; give a checkpoint written by tinydigits"
            ) from error
        raise InputError(
            f"{path} was not loaded: it holds more than tensors and built-in types and could run "
            "code; give a checkpoint written by tinydigits"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError(
            f"{path} is not a complete PyTorch file; give a checkpoint written by tinydigits"
        ) from error


def _may_be_torch(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(2)
    return head == b"PK" or head[:1] == b"\x80"  # a zip archive, or a pickle in the old format


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
            f"{_shape(expected, name)}; give a checkpoint written by tinydigits"
        )


def _shape(shapes: dict[str, tuple[int, ...]], name: str) -> str:
    return str(shapes[name]) if name in shapes else "absent"
