"""A training run on drawn blocks, from the first step to the files of the trained net."""

import io
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from tinydigits.data.dataset import mnist_part
from tinydigits.errors import InputError
from tinydigits.files import sole_writer, write_atomically, write_json
from tinydigits.net.model import parameter_count
from tinydigits.train.drawn import Course, DrawnProgress, DrawnState, fit, start
from tinydigits.train.drawn_config import DrawnConfig
from tinydigits.train.hardware import choose, environment

LAST, METRICS, REPORT = "last.pth", "metrics.jsonl", "report.json"


def train_drawn(
    course: Course, config: DrawnConfig, *, data_dir: Path, out: Path, resume: bool
) -> None:
    """Train a net on what its course draws; write its weights and how training went to ``out``.

    Raises:
        InputError: MNIST is missing or damaged, there is no run to resume or it has other options,
            ``out`` cannot be written, or another run is writing to it.
    """
    mnist_part("train", data_dir)  # fails at once, and not in another process
    torch.set_num_threads(1)  # beside the process that draws, two take twice as long on two cores
    with sole_writer(out):
        state, history, seconds = (
            _resumed(course, config, out) if resume else (start(course, config), [], 0.0)
        )
        print(f"{course.name}: {parameter_count(state.net):,} parameters, {config.steps:,} steps")
        if resume:
            print(f"resuming after {state.step:,} steps from {out / LAST}")
        began = time.perf_counter() - seconds
        for progress in _shown(state, course, config, data_dir):
            history.append(progress)
            _keep(out, state, config, history, time.perf_counter() - began)
        seconds = time.perf_counter() - began
        files = course.files(state.net)
        write_json(out / REPORT, _report(state.net, config, seconds, files))
        for name, content in files.items():
            write_atomically(out / name, content)
    print(f"time: {seconds:.0f} s of training")
    for name in (*files, REPORT):
        print(f"wrote {out / name}")


def _report(
    net: nn.Module, config: DrawnConfig, seconds: float, files: dict[str, bytes]
) -> dict[str, Any]:
    return {
        "parameters": parameter_count(net),
        "config": asdict(config),
        "environment": environment(choose("cpu", "auto")),
        "seconds": round(seconds),
        "sha256": {name: sha256(content).hexdigest() for name, content in files.items()},
    }


def _shown(
    state: DrawnState, course: Course, config: DrawnConfig, data_dir: Path
) -> Iterator[DrawnProgress]:
    """Train; show the progress, and say how to go on after Ctrl-C."""
    bar = tqdm(total=config.steps, initial=state.step, desc="training", unit="step", disable=None)
    blocks = partial(course.stream, config.seed, data_dir)
    with bar:
        try:
            for progress in fit(state, course, blocks, config):
                bar.update(progress.step - bar.n)
                yield progress
        except KeyboardInterrupt:
            told = "add --resume to continue from the last state saved"
            print(f"\nstopped after {state.step:,} steps; {told}", file=sys.stderr)
            raise


def _keep(
    out: Path, state: DrawnState, config: DrawnConfig, history: list[DrawnProgress], seconds: float
) -> None:
    lines = [json.dumps({"step": progress.step, **progress.losses}) + "\n" for progress in history]
    write_atomically(out / METRICS, "".join(lines).encode())
    training = {
        "optimizer_state_dicts": [each.state_dict() for each in state.optimizers],
        "step": state.step,
        "history": [tuple(each) for each in history],
        "seconds": seconds,
    }
    write_atomically(out / LAST, _bytes(_weights(state.net, config) | training))


def _weights(net: nn.Module, config: DrawnConfig) -> dict[str, Any]:
    weights = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    return {
        "state_dict": weights,
        "config": asdict(config),
        "environment": environment(choose("cpu", "auto")),
    }


def _bytes(content: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _resumed(
    course: Course, config: DrawnConfig, out: Path
) -> tuple[DrawnState, list[DrawnProgress], float]:
    path = out / LAST
    if not path.exists():
        raise InputError(f"nothing to resume: there is no {path}; start the run without --resume")
    content = torch.load(path)
    if content["config"] != asdict(config):
        raise InputError(
            f"{path} was trained with {content['config']}, not with {asdict(config)}: "
            "give the same options, or another --out"
        )
    state = start(course, config)
    state.net.load_state_dict(content["state_dict"])
    for optimizer, kept in zip(state.optimizers, content["optimizer_state_dicts"], strict=True):
        optimizer.load_state_dict(kept)
    state.step = content["step"]
    return state, [DrawnProgress(*each) for each in content["history"]], content["seconds"]
