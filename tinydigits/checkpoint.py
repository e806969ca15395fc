"""Checkpoints: written whole, loaded without running code, refused when they do not fit.

A file is a dict of tensors and built-in types that ``torch.load(path)`` reads with its defaults;
``model_state_dict`` fits ``Net()``.
"""

import dataclasses
import io
import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tinydigits.config import TrainConfig
from tinydigits.errors import InputError
from tinydigits.files import write_atomically
from tinydigits.hardware import environment
from tinydigits.model import Net
from tinydigits.training import EpochResult, State

FORMAT, VERSION = "tinydigits", 1
LAST, FINAL, METRICS = "last.pth", "final", "metrics.jsonl"
TRAINING = ("optimizer_state_dicts", "scheduler_state_dicts", "losses", "history")


@dataclass(frozen=True)
class Origin:
    """What a run is: its options, and the digits it learns from."""

    config: TrainConfig
    dataset: str
    warning: str | None


def save_model(path: Path, state: State, origin: Origin) -> None:
    """Write the net and where it comes from.

    Raises:
        InputError: the file cannot be written; an older one of that name stays whole.
    """
    _write(path, _model(state, origin))


def save_last(directory: Path, state: State, origin: Origin) -> None:
    """Write ``last.pth``: the net and everything needed to go on.

    Raises:
        InputError: the file cannot be written; an older one of that name stays whole.
    """
    training = {
        "optimizer_state_dicts": [each.state_dict() for each in state.optimizers],
        "scheduler_state_dicts": [each.state_dict() for each in state.schedulers],
        "losses": state.losses,
        "history": [dataclasses.asdict(result) for result in state.history],
    }
    _write(directory / LAST, _model(state, origin) | training)


def _model(state: State, origin: Origin) -> dict[str, Any]:
    result = state.history[-1] if state.history else None
    return {
        "format": FORMAT,
        "version": VERSION,
        "model_state_dict": {
            name: tensor.cpu().contiguous() for name, tensor in state.net.state_dict().items()
        },
        "epoch": result.epoch if result else None,
        "validation_accuracy": result.validation_accuracy if result else None,
        "dataset": origin.dataset,
        "warning": origin.warning,
        "config": origin.config.to_dict(),
        "environment": environment(state.compute),
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    # Through memory: torch.save on a full disk raises errors of its own and leaves half a file.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue())


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


def last(directory: Path, origin: Origin) -> dict[str, Any]:
    """Return what ``restore`` needs to go on with the run in ``directory``.

    Raises:
        InputError: there is no such run, or it was started with other options or other digits.
    """
    path = directory / LAST
    if not path.exists():
        raise InputError(f"nothing to resume: there is no {path}; start the run without --resume")
    content = load(path)
    try:
        _refuse_other_run(path, content, origin)
        return {name: content[name] for name in ("model_state_dict", *TRAINING)}
    except KeyError as error:
        raise InputError(f"{path} lacks {error}: it is no run to resume; start afresh") from error


def restore(state: State, content: dict[str, Any]) -> None:
    """Bring ``state`` to where the run was last saved."""
    state.net.load_state_dict(content["model_state_dict"])
    for optimizer, values in zip(state.optimizers, content["optimizer_state_dicts"], strict=True):
        optimizer.load_state_dict(values)
    for scheduler, values in zip(state.schedulers, content["scheduler_state_dicts"], strict=True):
        scheduler.load_state_dict(values)
    state.losses.copy_(content["losses"])
    state.history = [EpochResult(**result) for result in content["history"]]


def _refuse_other_run(path: Path, content: dict[str, Any], origin: Origin) -> None:
    # The digits, not the word for them: --data auto may find MNIST today that it lacked yesterday.
    started = TrainConfig.from_dict(content["config"]).to_dict() | {"data": content["dataset"]}
    given = origin.config.to_dict() | {"data": origin.dataset}
    other = [name for name in started if started[name] != given[name]]
    if other:
        raise InputError(
            f"{path} was started with {_flags(started, other)}, not {_flags(given, other)}: "
            "give the options of the start, or another --out for another run"
        )


def _flags(values: dict[str, Any], names: list[str]) -> str:
    return " ".join(f"--{name.replace('_', '-')} {values[name]}" for name in names)


def set_aside(directory: Path) -> Path | None:
    """Move an earlier run's files into a new folder ``previous-N`` beside them, and return it.

    Returns None where ``directory`` holds no run. A new run neither overwrites the old one nor
    mixes its checkpoints with it.
    """
    names = ("model_epoch_*.pth", LAST, FINAL, METRICS)
    earlier = [path for name in names for path in directory.glob(name)]
    if not earlier:
        return None
    numbers = (int(path.name.partition("-")[2]) for path in directory.glob("previous-[0-9]*"))
    folder = directory / f"previous-{max(numbers, default=0) + 1}"
    try:
        folder.mkdir()
        for path in earlier:
            path.rename(folder / path.name)
    except OSError as error:
        raise InputError(
            f"cannot move the earlier run in {directory} to {folder}: {error.strerror}; "
            "give another --out"
        ) from error
    return folder
