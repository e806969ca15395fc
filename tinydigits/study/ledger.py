"""A study's folder: its options, its machine, and a line for each seed, written as it ends."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tinydigits.errors import InputError
from tinydigits.files import append_line, cut_half_line, read_if_there, whole_lines, write_json
from tinydigits.train.config import TrainConfig

CONFIG, ENVIRONMENT, RUNS = "config.json", "environment.json", "runs.jsonl"


@dataclass(frozen=True)
class Run:
    """The figures of one seed's net on the test digits."""

    seed: int
    accuracy: float
    """In per cent."""
    wrong: int
    wrong_indices: list[int]
    seconds_training: float
    corruptions: dict[str, float] | None = None
    """Accuracy in per cent under each kind of damage; None if not measured."""


@dataclass(frozen=True)
class Ledger:
    """The contents of a study's folder."""

    config: TrainConfig
    """The options of all runs; ignore its seed."""
    dataset: str
    warning: str | None
    runs: list[Run]

    @property
    def accuracies(self) -> dict[int, float]:
        """The accuracy of each seed, in per cent."""
        return {run.seed: run.accuracy for run in self.runs}


def read(folder: Path) -> Ledger:
    """Return the study in ``folder``, without a half-written last line.

    Raises:
        InputError: there is no study, or one of its files is damaged.
    """
    options = _options(folder / CONFIG)
    lines = enumerate(whole_lines(folder / RUNS), 1)
    runs = [_run(line, f"{folder / RUNS} line {n}") for n, line in lines]
    twice = [seed for seed, times in Counter(run.seed for run in runs).items() if times > 1]
    if twice:
        raise InputError(
            f"{folder / RUNS} contains seed {twice[0]} twice, expected each seed once: delete one "
            "of its lines"
        )
    return Ledger(**options, runs=runs)


def earlier_runs(folder: Path, config: TrainConfig, damage: bool) -> list[Run]:
    """Return the runs of the same study in ``folder``; none if it has not begun.

    Raises:
        InputError: the folder contains another study, or a damaged one.
    """
    if not read_if_there(folder / CONFIG) and not read_if_there(folder / RUNS):
        return []
    earlier = read(folder)
    other = differing(earlier.config, config)
    measured = any(run.corruptions is not None for run in earlier.runs)
    if earlier.runs and measured != damage:
        other["corruptions"] = (measured, damage)
    if other:
        before, now = (
            " ".join(f"--{name} {_typed(values[side])}" for name, values in other.items())
            for side in (0, 1)
        )
        raise InputError(
            f"{folder} contains a study with {before}, not {now}: give its original options, or "
            "another --out"
        )
    return earlier.runs


def begin(
    folder: Path, config: TrainConfig, warning: str | None, environment: dict[str, Any]
) -> None:
    """Prepare ``folder`` for ``append``: describe the study, and cut off a half-written line.

    Raises:
        InputError: the folder cannot be written.
    """
    options = {name: value for name, value in config.to_dict().items() if name != "seed"}
    described = {"dataset": " + ".join(config.data), "warning": warning, **options}
    for name, content in ((ENVIRONMENT, environment), (CONFIG, described)):
        if not read_if_there(folder / name):
            write_json(folder / name, content)
    cut_half_line(folder / RUNS)  # its seed runs again


def append(folder: Path, run: Run) -> None:
    """Append one run's line; return once it is on the disk.

    Raises:
        InputError: the file cannot be written, or the disk is full.
    """
    values = {name: value for name, value in asdict(run).items() if value is not None}
    advice = "the seeds in it are kept: make room on the disk, and run the same command to continue"
    append_line(folder / RUNS, json.dumps(values), advice)


def _typed(value: Any) -> str:
    """Return an option's value as it is typed."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def differing(a: TrainConfig, b: TrainConfig) -> dict[str, tuple[Any, Any]]:
    """Return the options that differ between two configs, except the seed, with both values.

    Names are those of the flags, such as ``augmentation.rotation``.
    """
    first, second = _flat(a.to_dict()), _flat(b.to_dict())
    return {
        name: (first[name], second[name])
        for name in first
        if name != "seed" and first[name] != second[name]
    }


def _flat(options: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in options.items():
        name = prefix + key.replace("_", "-")
        flat |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat


def _options(path: Path) -> dict[str, Any]:
    content = read_if_there(path)
    if not content:
        raise InputError(
            f"{path.parent} contains no study: there is no {path}; run one with tinydigits study "
            f"--seeds 0-9 --out {path.parent}"
        )
    try:
        values = json.loads(content)
        described = {name: values.pop(name) for name in ("dataset", "warning")}
        return {"config": TrainConfig.from_dict(values), **described}
    except (InputError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise InputError(
            f"{path} does not contain a study's options ({error}): give another study's folder"
        ) from error


def _run(line: bytes, place: str) -> Run:
    try:
        run = Run(**json.loads(line))
        if _plausible(run):
            return run
    except (ValueError, TypeError, AttributeError):
        pass
    raise InputError(
        f"{place} is damaged: {line[:40]!r}, expected a run's figures; delete the line to run "
        "its seed again"
    )


def _plausible(run: Run) -> bool:
    shares: Sequence[float] = [run.accuracy, *(run.corruptions or {}).values()]
    return (
        isinstance(run.seed, int)
        and run.seed >= 0
        and all(0 <= share <= 100 for share in shares)
        and run.wrong == len(run.wrong_indices)
        and run.seconds_training >= 0
    )
