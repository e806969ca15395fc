"""Reading the files that PyTorch saves, without running code from them.

A checkpoint is a dict of tensors and built-in types. ``torch.load(path)`` reads it with its
defaults, and its ``model_state_dict`` fits ``Net()``. Other programs save a ``state_dict`` alone.
"""

import pickle
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tinydigits.errors import InputError
from tinydigits.net.broken import refuse_broken
from tinydigits.net.model import Net
from tinydigits.net.shipped import ACCEPTED

FORMAT, VERSION = "tinydigits", 1
HOLDERS = ("model_state_dict", "state_dict", "model", "net")  # names of the weights in a dict
WRAPPERS = {"module", "_orig_mod"}  # parts of names that DDP and torch.compile add


def load(path: Path) -> dict[str, Any]:
    """Return a checkpoint's content, after checking that its weights fit ``Net()``.

    Raises:
        InputError: the file is missing or damaged, could run code, has another format version, or
            holds another net or weights that are not numbers.
    """
    content = _read(path)
    if not _is_checkpoint(content):
        raise InputError(f"{path} is not a tinydigits checkpoint; make one with python train.py")
    return {**content, "model_state_dict": _of_checkpoint(path, content)}


def weights(path: Path) -> dict[str, Tensor]:
    """Return the weights for ``Net()`` in a checkpoint, or in the ``state_dict`` of any program.

    Raises:
        InputError: as for ``load``.
    """
    content = _read(path)
    if _is_checkpoint(content):
        return _of_checkpoint(path, content)
    found = content if isinstance(content, dict) else {}
    held = (found[name] for name in HOLDERS if isinstance(found.get(name), dict))
    return fitting(path, next(held, found))


def fitting(path: Path, found: Any) -> dict[str, Tensor]:
    """Return the weights among ``found``, a dict of tensors by name, as ``Net()`` takes them.

    Floats of any precision become float32. What wrapped the net while it was trained is left out of
    names, and the counts of batches may be missing: no answer depends on them.

    Raises:
        InputError: they are those of another net, or not numbers; ``path`` names their file.
    """
    expected = Net().state_dict()
    tensors = {
        name: value
        for name, value in (found if isinstance(found, dict) else {}).items()
        if isinstance(name, str) and torch.is_tensor(value)
    }
    if not tensors:
        raise InputError(f"{path} holds no weights of a net: expected {ACCEPTED}")
    counts = {name: value for name, value in expected.items() if not value.is_floating_point()}
    given = counts | _unwrapped(tensors)
    _refuse_other_net(path, given, expected)
    fit = {name: _converted(path, name, given[name], like) for name, like in expected.items()}
    refuse_broken(str(path), {name: value.numpy() for name, value in fit.items()})
    return fit


def _is_checkpoint(content: Any) -> bool:
    return isinstance(content, dict) and content.get("format") == FORMAT


def _of_checkpoint(path: Path, content: dict[str, Any]) -> dict[str, Tensor]:
    if content.get("version") != VERSION:
        raise InputError(
            f"{path} has format version {content.get('version')}, expected {VERSION}: "
            "read it with the version of tinydigits that wrote it, or upgrade this one"
        )
    return fitting(path, content.get("model_state_dict"))


def _read(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            # The one-line errors below replace PyTorch's warnings about unusual files.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}; give the path of {ACCEPTED}"
        ) from error
    except pickle.UnpicklingError as error:
        if not _may_be_torch(path):
            raise InputError(f"{path} is not a PyTorch file: expected {ACCEPTED}") from error
        raise InputError(
            f"{path} was not loaded: it holds more than tensors and built-in types and could run "
            "code; save the weights alone, with torch.save(net.state_dict(), path)"
        ) from error
    except Exception as error:  # damage anywhere in a pickle raises anything
        raise InputError(
            f"{path} is damaged or holds no weights that can be read: expected {ACCEPTED}"
        ) from error


def _may_be_torch(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(2)
    return head == b"PK" or head[:1] == b"\x80"  # a zip archive, or a pickle in the old format


def _unwrapped(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    parts = {name: [part for part in name.split(".") if part not in WRAPPERS] for name in tensors}
    renamed = {".".join(parts[name]): value for name, value in tensors.items()}
    return renamed if len(renamed) == len(tensors) else tensors


def _refuse_other_net(path: Path, given: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    found, wanted = (
        {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        for tensors in (given, expected)
    )
    wrong = sorted(
        name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
    )
    if wrong:
        name = wrong[0]
        raise InputError(
            f"{path} holds another net: {name} is {found.get(name, 'absent')}, expected "
            f"{wanted.get(name, 'absent')}; give the weights of a tinydigits Net"
        )


def _converted(path: Path, name: str, value: Tensor, like: Tensor) -> Tensor:
    if value.is_floating_point() or not like.is_floating_point():
        try:
            return torch.from_numpy(value.detach().to(like.dtype).numpy())
        except (TypeError, RuntimeError):  # without numbers, such as on PyTorch's meta device
            pass
    raise InputError(
        f"{path} cannot be used, {name} is {value.dtype}, {value.layout} on {value.device}: "
        "expected floats; give another file"
    )
