"""The commands ``tinydigits study`` and ``tinydigits compare``."""

import json
import statistics
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, as_completed
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from tinydigits.data.dataset import Dataset
from tinydigits.errors import InputError, warn
from tinydigits.files import sole_writer
from tinydigits.study import ledger
from tinydigits.study.comparison import comparison_of, figures, render
from tinydigits.study.ledger import Run
from tinydigits.study.seed import dataset_of, run_seed
from tinydigits.study.student import Summary, summarise
from tinydigits.train import hardware
from tinydigits.train.batches import split
from tinydigits.train.config import TrainConfig
from tinydigits.train.engine.choice import choose
from tinydigits.workers import Pool

BAR = 99.40  # per cent: the accuracy that the project asks of a run


def study(
    config: TrainConfig,
    seeds: Sequence[int],
    pool: AbstractContextManager[Pool],
    *,
    data_dir: Path,
    out: Path,
    damage: bool,
) -> None:
    """Run the seeds missing in ``out``, keep each as it ends, and print the summary.

    Each of ``seeds`` replaces the config's own; ``damage`` adds the accuracy under each kind of
    damage. The summary covers all runs in ``out``.

    Raises:
        InputError: the options or the data cannot be used, ``out`` contains another study or cannot
            be written, training diverged, or the pool broke.
    """
    compute = choose(config)
    data_dir = data_dir.absolute()  # a cluster's workers run in other folders
    dataset = dataset_of(config.data, data_dir, config.hands, config.strokes)
    split(dataset, config)  # options that do not fit fail before anything is written
    config = settled(config, dataset, compute)
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
    # Read again under the lock: another study may just have added to it.
    runs = ledger.earlier_runs(out, config, damage)
    ledger.begin(out, config, dataset.warning, hardware.environment(compute) | machine)
    todo = [replace(config, seed=seed) for seed in _missing(seeds, runs)]
    try:
        ended = _as_they_end(pool.executor, todo, data_dir, damage)
        _keep_each(ended, runs, out, todo=len(todo), total=len(dataset.test))
    except KeyboardInterrupt:
        # Counted in the folder: Ctrl-C may come between a line and its bookkeeping.
        left = _missing(seeds, ledger.earlier_runs(out, config, damage))
        done = len(seeds) - len(left)
        told = f"stopped after {done} of {len(seeds)} seeds; run the same command to continue"
        print(f"\n{told}", file=sys.stderr)
        raise


def settled(config: TrainConfig, dataset: Dataset, compute: hardware.Compute) -> TrainConfig:
    """Return the config with every ``auto`` replaced by its value on this machine.

    Other machines of a cluster, and later days, then use the same digits and arithmetic.
    """
    settled = {
        "seed": 0,
        "data": (dataset.name,) if config.data in ((), ("auto",)) else config.data,
        "device": compute.device.type,
        "precision": compute.precision,
        "engine": compute.engine_name,
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


def _keep_each(ended: Iterable[Run], runs: list[Run], out: Path, *, todo: int, total: int) -> None:
    """Append every run to ``runs`` and to ``out``, and print its line."""
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
        f"time: {seconds:.1f} s of training per seed",
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


def compare(a: Path, b: Path, *, as_json: bool) -> None:
    """Print how the study in folder ``b`` differs from that in ``a``, over their shared seeds.

    Raises:
        InputError: a folder contains no study, or the studies are on different digits or share
            fewer than two seeds.
    """
    compared = comparison_of(a, b)
    warn(compared.a.warning)
    print(json.dumps(figures(compared)) if as_json else render(compared, a, b))
