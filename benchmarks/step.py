"""Time a training step with each engine, and show where the engine in C spends it.

A step is everything from the digits' indices to the updated net: gathering, augmentation, light,
forward and backward pass, and the optimisers. Rounds are interleaved, so that a slow moment of the
machine affects both engines. PyTorch's parts are the seconds of its profiler's largest operations.

    python benchmarks/step.py --recipe classic --out records/<date>-step
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

sys.path.insert(0, str(Path(__file__).parent.parent))

from tinydigits.data.dataset import Digits, load_dataset
from tinydigits.data.sources import mnist_folder
from tinydigits.errors import exit_code
from tinydigits.files import write_json
from tinydigits.train import hardware
from tinydigits.train.config import EngineName, TrainConfig
from tinydigits.train.distributed import ALONE
from tinydigits.train.engine.choice import choose
from tinydigits.train.engine.library import Engine
from tinydigits.train.engine.steps import engine_steps
from tinydigits.train.loop import State, start
from tinydigits.train.recipes import RECIPES
from tinydigits.train.steps import TakeStep, pytorch_steps

ENGINES: tuple[EngineName, EngineName] = ("c", "torch")
WARM_UP = 5  # steps of each round that are not timed
LARGEST = 8  # operations of PyTorch that are shown


class Trained:
    """A net in training with one engine."""

    def __init__(self, config: TrainConfig, digits: Digits) -> None:
        self.config, self.digits = config, digits
        compute = choose(config)
        self.state: State = start(config, len(digits), compute)
        self.engine: Engine | None = compute.engine(config.batch_size)

    def steps(self, count: int) -> float:
        """Take some steps and return the median of their seconds."""
        with self._take_step() as take_step:
            seconds = [_timed(take_step, batch) for batch in self._batches(count)]
        return statistics.median(seconds[WARM_UP:])

    def _take_step(self) -> Any:
        strength = self.config.augmentation
        common = (self.state.optimizers, self.digits, self.config, strength)
        if self.engine:
            return engine_steps(self.engine, self.state.masters, *common, epoch=0, world=ALONE)
        compute = self.state.compute
        return pytorch_steps(
            self.state.model, self.state.masters, *common, compute=compute, epoch=0, world=ALONE
        )

    def _batches(self, count: int) -> Iterator[torch.Tensor]:
        order = torch.randperm(len(self.digits))
        yield from order.split(self.config.batch_size)[: count + WARM_UP]  # type: ignore[no-untyped-call]

    def parts(self, count: int) -> dict[str, float]:
        """Return the milliseconds of a step that each part takes."""
        if self.engine:
            before = self.engine.seconds()
            self.steps(count)
            spent = {name: all_ - before[name] for name, all_ in self.engine.seconds().items()}
        else:
            with profile(activities=[ProfilerActivity.CPU]) as profiled:
                self.steps(count)
            events = profiled.key_averages()
            spent = {event.key: event.self_cpu_time_total / 1e6 for event in events}
            spent = dict(sorted(spent.items(), key=lambda item: -item[1])[:LARGEST])
        return {name: 1e3 * seconds / (count + WARM_UP) for name, seconds in spent.items()}


def _timed(take_step: TakeStep, batch: torch.Tensor) -> float:
    began = time.perf_counter()
    take_step(batch, len(batch))
    return time.perf_counter() - began


def measure(config: TrainConfig, digits: Digits, rounds: int, count: int) -> dict[str, Any]:
    """Return the milliseconds of a step with each engine, round by round, and their parts."""
    trained = {name: Trained(replace(config, engine=name), digits) for name in ENGINES}
    steps: dict[str, list[float]] = {name: [] for name in ENGINES}
    for _ in range(rounds):
        for name, each in trained.items():
            steps[name].append(1e3 * each.steps(count))
    ratios = [theirs / ours for ours, theirs in zip(steps["c"], steps["torch"], strict=True)]
    return {
        "milliseconds": {name: [round(each, 3) for each in all_] for name, all_ in steps.items()},
        "ratio_median": round(statistics.median(ratios), 3),
        "ratios": [round(each, 3) for each in ratios],
        "parts": {
            name: {part: round(each, 3) for part, each in trained[name].parts(count).items()}
            for name in ENGINES
        },
    }


def main() -> None:
    """Measure on one and two threads, print a table, and write all figures to ``--out``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", choices=list(RECIPES), default="classic")
    parser.add_argument("--precision", choices=["auto", "fp32"], default="auto")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=40, help="steps of each engine in a round")
    parser.add_argument("--data-dir", type=Path, default=mnist_folder())
    parser.add_argument("--out", type=Path, help="folder for result.json")
    options = parser.parse_args()

    digits = load_dataset("mnist", options.data_dir).train
    config = replace(RECIPES[options.recipe], device="cpu", precision=options.precision)
    results = {}
    for threads in options.threads:
        torch.set_num_threads(threads)
        found = results[threads] = measure(config, digits, options.rounds, options.steps)
        ours, theirs = (statistics.median(found["milliseconds"][name]) for name in ENGINES)
        print(
            f"{threads} threads: {ours:.2f} ms in C, {theirs:.2f} ms with PyTorch, "
            f"{found['ratio_median']:.2f} times faster"
        )
        for name, parts in found["parts"].items():
            print(f"  {name}")
            for part, milliseconds in parts.items():
                print(f"    {part:40} {milliseconds:7.3f} ms")
    if options.out:
        environment = hardware.environment(choose(config)) | {"recipe": options.recipe}
        write_json(options.out / "result.json", {"threads": results, "environment": environment})


if __name__ == "__main__":
    sys.exit(exit_code(main))
