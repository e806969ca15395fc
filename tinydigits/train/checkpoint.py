"""A run's checkpoints: writing them, and resuming from the last one."""

import dataclasses
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tinydigits.errors import InputError
from tinydigits.files import write_atomically
from tinydigits.net.checkpoint import FORMAT, VERSION, load
from tinydigits.net.model import Net
from tinydigits.train.config import TrainConfig
from tinydigits.train.hardware import environment
from tinydigits.train.loop import EpochResult, State

LAST, FINAL, METRICS = "last.pth", "final", "metrics.jsonl"
TRAINING = ("optimizer_state_dicts", "losses", "history")


@dataclass(frozen=True)
class Origin:
    """The identity of a run, stored in its checkpoints: its options and its dataset."""

    config: TrainConfig
    dataset: str
    warning: str | None


def save_model(path: Path, state: State, origin: Origin) -> None:
    """Write the net with its origin.

    Raises:
        InputError: the file cannot be written; an existing file stays whole.
    """
    _write(path, _model(state, origin))


def save_last(directory: Path, state: State, origin: Origin) -> None:
    """Write ``last.pth``: the net and everything needed to resume.

    Raises:
        InputError: the file cannot be written; an existing file stays whole.
    """
    training = {
        "optimizer_state_dicts": [each.state_dict() for each in state.optimizers],
        "masters": None if state.masters is state.net else _weights(state.masters),
        "losses": state.losses,
        "history": [dataclasses.asdict(result) for result in state.history],
    }
    _write(directory / LAST, _model(state, origin) | training)


def _model(state: State, origin: Origin) -> dict[str, Any]:
    result = state.history[-1] if state.history else None
    return {
        "format": FORMAT,
        "version": VERSION,
        "model_state_dict": _weights(state.net),
        "epoch": result.epoch if result else None,
        "cycles": state.cycles,
        "validation_accuracy": result.validation_accuracy if result else None,
        "dataset": origin.dataset,
        "warning": origin.warning,
        "config": origin.config.to_dict(),
        "environment": environment(state.compute),
    }


def _weights(net: Net) -> dict[str, Tensor]:
    return {name: tensor.cpu().contiguous() for name, tensor in net.state_dict().items()}


def _write(path: Path, content: dict[str, Any]) -> None:
    # Through memory: on a full disk, torch.save raises its own errors and leaves a partial file.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue())


def last(directory: Path, origin: Origin) -> dict[str, Any]:
    """Return the content of ``last.pth`` that ``restore`` needs to resume the run in ``directory``.

    If the run is finished and ``origin`` has more epochs, the content begins a further cycle: it is
    the net and its history, without the states of optimisers.

    Raises:
        InputError: there is no run to resume, it was started with other options or digits, or it
            cannot end at the epoch that ``origin`` wants.
    """
    path = directory / LAST
    if not path.exists():
        raise InputError(f"nothing to resume: there is no {path}; start the run without --resume")
    content = load(path)
    try:
        _refuse_other_run(path, content, origin)
        kept = {name: content[name] for name in ("model_state_dict", *TRAINING)}
        planned = content["config"]["epochs"]
    except KeyError as error:
        raise InputError(
            f"{path} lacks {error}, so the run cannot be resumed; start it again without --resume"
        ) from error
    # Earlier versions wrote neither.
    kept |= {"cycles": content.get("cycles", [0]), "masters": content.get("masters")}
    return kept if origin.config.epochs == planned else _further(path, kept, planned, origin)


def _further(path: Path, content: dict[str, Any], planned: int, origin: Origin) -> dict[str, Any]:
    """Return the content to train a finished run of ``planned`` epochs further."""
    done = len(content["history"])
    if done < planned:
        raise InputError(
            f"{path} has {done} of {planned} epochs, for which its learning rate is planned: first "
            f"finish them with --resume --epochs {planned}; more --epochs then add a cycle"
        )
    if origin.config.epochs < planned:
        raise InputError(
            f"{path} has {done} epochs already: give --epochs above {done} to train it further"
        )
    return content | {"cycles": [*content["cycles"], done], "optimizer_state_dicts": None}


def is_from(directory: Path, config: TrainConfig) -> bool:
    """Return whether ``directory`` holds a run with exactly these options."""
    path = directory / LAST
    return path.exists() and load(path).get("config") == config.to_dict()


def restore(state: State, content: dict[str, Any]) -> None:
    """Set ``state`` to a run's last saved state; ``content`` comes from ``last``."""
    state.net.load_state_dict(content["model_state_dict"])
    if content["masters"] is not None:
        state.masters.load_state_dict(content["masters"])
    state.losses.copy_(content["losses"])
    state.history = [EpochResult(**result) for result in content["history"]]
    if content["optimizer_state_dicts"] is None:
        return  # a further cycle starts with new ones
    for optimizer, values in zip(state.optimizers, content["optimizer_state_dicts"], strict=True):
        optimizer.load_state_dict(values)


def _refuse_other_run(path: Path, content: dict[str, Any], origin: Origin) -> None:
    # Compare the datasets themselves, not --data: auto may find MNIST today but not yesterday.
    started = TrainConfig.from_dict(content["config"]).to_dict() | {"data": content["dataset"]}
    given = origin.config.to_dict() | {"data": origin.dataset}
    other = [name for name in started if started[name] != given[name] and name != "epochs"]
    if other:
        raise InputError(
            f"{path} was started with {_flags(started, other)}, not {_flags(given, other)}: "
            "give the original options, or another --out for a new run"
        )


def _flags(values: dict[str, Any], names: list[str]) -> str:
    return " ".join(f"--{name.replace('_', '-')} {values[name]}" for name in names)


def set_aside(directory: Path) -> Path | None:
    """Move an earlier run's files to a new subfolder ``previous-N`` and return its path.

    Returns None if ``directory`` holds no run. A new run thus neither overwrites an earlier one nor
    mixes its checkpoints with that one's.

    Raises:
        InputError: the files cannot be moved.
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
