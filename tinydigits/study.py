"""Many seeds of one recipe, each kept as it ends: what ``tinydigits study`` does."""

import statistics
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, as_completed
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import torch
from tqdm import tqdm

from tinydigits import hardware, ledger
from tinydigits.assessment import accuracies, damaged
from tinydigits.config import Source, TrainConfig
from tinydigits.data.dataset import Dataset, Digits, load_dataset
from tinydigits.errors import InputError, warn
from tinydigits.evaluation import infer, report
from tinydigits.files import sole_writer
from tinydigits.ledger import Run
from tinydigits.model import Net
from tinydigits.student import Summary, summarise
from tinydigits.training import fit, split, start
from tinydigits.workers import Pool

BAR = 99.40  # per cent: what the project asks of a run

_ONE_AT_A_TIME = threading.Lock()


def study(
    config: TrainConfig,
    seeds: Sequence[int],
    pool: AbstractContextManager[Pool],
    *,
    data_dir: Path,
    out: Path,
    damage: bool,
) -> None:
    """Run the seeds that ``out`` does not hold yet, keep each as it ends, and print the summary.

    Each of ``seeds`` replaces the config's own; ``damage`` adds the accuracy under each kind of
    damage. The summary is that of all runs in ``out``.

    Raises:
        InputError: the options or the data cannot be used, ``out`` holds another study or cannot be
            written, training diverged, or the pool broke.
    """
    compute = hardware.choose(config.device, config.precision)
    data_dir = data_dir.absolute()  # the workers of a cluster stand in folders of their own
    dataset = _dataset(config.data, data_dir)
    split(dataset.train, config)  # options that do not fit are refused before anything is written
    config = _settled(config, dataset, compute)
    warn(dataset.warning)
    if _missing(seeds, ledger.earlier_runs(out, config, damage)):
        with pool as opened, sole_writer(out):
            _run_missing(config, seeds, opened, dataset, compute, data_dir, out, damage)
    print(_text(ledger.earlier_runs(out, config, damage)))


def _missing(seeds: Sequence[int], runs: Sequence[Run]) -> list[int]:
    return sorted(set(seeds) - {run.seed for run in runs})


def _run_missing(
    config: TrainConfig,
    seeds: Sequence[int],
    pool: Pool,
    dataset: Dataset,
    compute: hardware.Compute,
    data_dir: Path,
    out: Path,
    damage: bool,
) -> None:
    machine = {"threads": 1, "workers": pool.workers}  # threads of each run
    # Read by the only writer: until a moment ago another study may have added to it.
    runs = ledger.earlier_runs(out, config, damage)
    ledger.begin(out, config, dataset.warning, hardware.environment(compute) | machine)
    todo = [replace(config, seed=seed) for seed in _missing(seeds, runs)]
    try:
        ended = _as_they_end(pool.executor, todo, data_dir, damage)
        _keep_each(ended, runs, out, todo=len(todo), total=len(dataset.test))
    except KeyboardInterrupt:
        # Counted where they are kept: Ctrl-C may fall between a line and what follows it.
        left = _missing(seeds, ledger.earlier_runs(out, config, damage))
        done = len(seeds) - len(left)
        told = f"stopped after {done} of {len(seeds)} seeds; the same command goes on"
        print(f"\n{told}", file=sys.stderr)
        raise


def _settled(config: TrainConfig, dataset: Dataset, compute: hardware.Compute) -> TrainConfig:
    """Return the config with every ``auto`` replaced by what it is here.

    So that neither another machine of a cluster nor a later day mixes other digits or another
    arithmetic in.
    """
    settled = {
        "seed": 0,
        "data": dataset.name,
        "device": compute.device.type,
        "precision": compute.precision,
    }
    return TrainConfig.from_dict(config.to_dict() | settled)


def _as_they_end(
    executor: Executor, configs: Iterable[TrainConfig], data_dir: Path, damage: bool
) -> Iterator[Run]:
    futures = {
        executor.submit(run_seed, config, data_dir, damage): config.seed for config in configs
    }
    for future in as_completed(futures):
        try:
            run = future.result()
        except InputError as error:
            raise InputError(f"seed {futures[future]}: {error}") from error
        yield run


def run_seed(config: TrainConfig, data_dir: Path, damage: bool) -> Run:
    """Train with ``config`` on one thread and return the last net's figures on the test digits.

    The test digits are looked at once, after the last epoch.

    Raises:
        InputError: the data or the device cannot be used here, or training diverged.
    """
    # Seeding is the whole process's: two threads would draw from each other's streams.
    with _ONE_AT_A_TIME:
        torch.set_num_threads(1)
        dataset = _dataset(config.data, data_dir)
        digits = split(dataset.train, config)
        state = start(config, len(digits.train), hardware.choose(config.device, config.precision))
        list(fit(state, digits, config))
        # On the CPU and laid out as a checkpoint is loaded: the figures are those of `train`.
        net = Net()
        net.load_state_dict(state.net.state_dict())
        tested = report(infer(net, dataset.test.images), dataset.test.labels)
        sets = _damaged_test(config.data, data_dir) if damage else None
        return Run(
            seed=config.seed,
            accuracy=round(tested.accuracy, 4),
            wrong=tested.wrong,
            wrong_indices=tested.wrong_indices,
            seconds_training=round(sum(result.seconds for result in state.history), 3),
            corruptions=accuracies(partial(infer, net), sets) if sets else None,
        )


@lru_cache(maxsize=1)
def _dataset(source: Source, data_dir: Path) -> Dataset:
    return load_dataset(source, data_dir)


@lru_cache(maxsize=1)
def _damaged_test(source: Source, data_dir: Path) -> list[tuple[str, Digits]]:
    """Return the test digits under each kind of damage: drawn once, not once a seed."""
    return list(damaged(_dataset(source, data_dir).test))


def _keep_each(ended: Iterable[Run], runs: list[Run], out: Path, *, todo: int, total: int) -> None:
    """Append every run to ``runs`` and to ``out``, and tell it."""
    with tqdm(total=todo, unit="seed", leave=False, disable=None) as bar:
        for run in ended:
            ledger.append(out, run)
            runs.append(run)
            mean = f"mean {statistics.mean(each.accuracy for each in runs):.2f} %"
            with bar.external_write_mode():
                print(f"{_line(run, total)}  {mean} (n = {len(runs)})", flush=True)
            bar.set_postfix_str(mean, refresh=False)
            bar.update()


def _line(run: Run, total: int) -> str:
    columns = [
        f"seed {run.seed}",
        f"{run.wrong:,} of {total:,} wrong",
        f"{run.accuracy:.2f} %",
        f"{run.seconds_training:.1f} s",
    ]
    return "  ".join(columns)


def _text(runs: Sequence[Run]) -> str:
    accuracy = summarise([run.accuracy for run in runs])
    enough = sum(run.accuracy >= BAR for run in runs)
    seconds = statistics.mean(run.seconds_training for run in runs)
    lines = [
        f"accuracy: {_told(accuracy)}",
        f"{enough} of {len(runs)} seeds reach {BAR:.2f} % ({100 * enough / len(runs):.1f} %)",
        f"time: {seconds:.1f} s of training a seed",
    ]
    damaged = [statistics.mean(run.corruptions.values()) for run in runs if run.corruptions]
    if damaged:
        lines.append(f"under damage: {_told(summarise(damaged))}")
    return "\n".join(lines)


def _told(accuracies: Summary) -> str:
    interval, sd = accuracies.interval, accuracies.sd
    within = f"{interval[0]:.3f}–{interval[1]:.3f} %" if interval else "–"
    return (
        f"mean {accuracies.mean:.3f} % (n = {accuracies.n}, 95 % interval {within}), sd "
        f"{'–' if sd is None else f'{sd:.3f}'} points, {accuracies.low:.2f} to "
        f"{accuracies.high:.2f} %"
    )
