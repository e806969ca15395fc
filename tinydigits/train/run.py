"""A complete training run, from the digits to the report: the ``tinydigits train`` command."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, replace
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from tinydigits.data.dataset import Dataset
from tinydigits.errors import InputError, extra, warn
from tinydigits.evaluate.metrics import Report, report
from tinydigits.files import scratch, sole_writer, write_atomically, write_json
from tinydigits.net.formats import load_net
from tinydigits.net.inference import infer
from tinydigits.net.model import Net, parameter_count
from tinydigits.net.trained import load
from tinydigits.train import checkpoint, distributed, hardware
from tinydigits.train.batches import Split, split
from tinydigits.train.checkpoint import FINAL, LAST, METRICS, Origin
from tinydigits.train.config import TrainConfig
from tinydigits.train.curves import curves
from tinydigits.train.digits import load_digits
from tinydigits.train.distributed import ALONE, World
from tinydigits.train.engine.choice import choose
from tinydigits.train.loop import EpochResult, State, fit, start


def train(
    config: TrainConfig, *, data_dir: Path, out: Path, resume: bool, log_dir: Path | None = None
) -> None:
    """Train a net; write checkpoints and the report to ``out``.

    The test digits are read once, after the last epoch, by the last net. With several processes
    under torchrun, the first one downloads, prints and writes. If torchrun restarts them after a
    crash, they resume the run. TensorBoard events go to ``log_dir`` if it is given.

    Raises:
        InputError: the options, the data, the run to resume, ``out`` or ``log_dir`` cannot be used,
            training diverged, or another run is writing to ``out``.
    """
    with distributed.join() as world:
        compute, dataset = _prepared(config, data_dir, world)
        if not world.is_first:
            with world.refuse_once():
                follow(dataset, config, compute, world)
            return
        resume = resume or (world.is_restart and checkpoint.is_from(out, config))
        train_on(dataset, config, compute, out=out, resume=resume, log_dir=log_dir, world=world)
        models, final = sorted(out.glob("model_epoch_*.pth")), sorted((out / FINAL).iterdir())
        for path in (*models, out / METRICS, *final):
            print(f"wrote {path}")


class _Tested(NamedTuple):
    """A net's figures on the test digits: on all, and on each source's if there are several."""

    all: Report
    by_source: dict[str, Report]

    @classmethod
    def of(cls, net: Net, dataset: Dataset) -> "_Tested":
        logits, labels = infer(net, dataset.test.images), dataset.test.labels
        ends = list(accumulate((count for _, count in dataset.tests), initial=0))
        parts = zip(dataset.tests, pairwise(ends), strict=True)
        return cls(
            all=report(logits, labels),
            by_source={name: report(logits[a:b], labels[a:b]) for (name, _), (a, b) in parts},
        )


def try_out(config: TrainConfig, *, data_dir: Path, out: Path, log_dir: Path | None = None) -> None:
    """Run every step of ``train`` with a single batch and keep nothing.

    Raises:
        InputError: as for ``train``.
    """
    with distributed.join() as world:
        compute, dataset = _prepared(config, data_dir, world)
        sample, once = _one_batch(dataset, config)
        with world.refuse_once():
            # Refuses what the whole run would: options that do not fit all digits and processes.
            _begin(split(dataset, config), config, compute, world)
            if not world.is_first:
                follow(sample, once, compute, world)
                return
        with scratch(out) as folder, scratch(log_dir) if log_dir else nullcontext() as logs:
            train_on(sample, once, compute, out=folder, resume=False, log_dir=logs, world=world)
        print("dry run: one batch passed every step, nothing was kept")


def _prepared(
    config: TrainConfig, data_dir: Path, world: World
) -> tuple[hardware.Compute, Dataset]:
    compute = choose(config, world)
    if config.start:
        load(config.start)  # a net that cannot be used is refused before digits are read
    dataset = world.one_after_the_first(
        lambda: load_digits(config.data, data_dir, hands=config.hands, strokes=config.strokes)
    )
    return compute, dataset


def _one_batch(dataset: Dataset, config: TrainConfig) -> tuple[Dataset, TrainConfig]:
    """Return a batch to train on, at most one each to hold out and to test, and their options.

    The batch is augmented, even if the run has still epochs only.
    """
    size = config.batch_size
    held_out = min(size, config.val)
    few = replace(
        dataset,
        train=dataset.train[: size + held_out],
        test=dataset.test[:size],
        hands=dataset.hands[:0],
        times=None,
        tests=(),
    )
    return few, replace(config, epochs=1, val=held_out, still_epochs=0)


def train_on(
    dataset: Dataset,
    config: TrainConfig,
    compute: hardware.Compute,
    *,
    out: Path,
    resume: bool,
    log_dir: Path | None = None,
    world: World = ALONE,
) -> Report:
    """Train on a loaded dataset, as the first process; return the report on the test digits.

    Raises:
        InputError: as for ``train``.
    """
    digits = split(dataset, config)
    origin = Origin(config, dataset.name, dataset.warning)
    earlier = checkpoint.last(out, origin) if resume else None
    state = _begin(digits, config, compute, world, earlier)
    with events(log_dir, is_resumed=resume) as write_event, sole_writer(out):
        _prepare(out, state, origin, resume=resume)
        _announce(dataset, digits, state, world)
        for result in state.history:
            write_event(result)
        for result, best in _kept(state, digits, origin, out, world):
            write_event(result)
            print(_line(result, best), flush=True)
        model = out / FINAL / f"model_epoch_{state.epoch - 1}.pth"
        checkpoint.save_model(model, state, origin)
        # Test the file, not the net in memory: users load the file.
        net = load_net(model)
        tested = _Tested.of(net, dataset)
        _finish(out, state, origin, tested, world)
    warn(origin.warning)
    return tested.all


def _begin(
    digits: Split,
    config: TrainConfig,
    compute: hardware.Compute,
    world: World,
    earlier: dict[str, Any] | None = None,
) -> State:
    """Return the state to train from: a new one, or the ``earlier`` one of the first process."""
    content = world.from_first(earlier)
    cycles = content["cycles"] if content else [0]
    state = start(config, len(digits.train), compute, world=world, cycles=cycles)
    if content:
        checkpoint.restore(state, content)
    return state


@contextmanager
def events(directory: Path | None, *, is_resumed: bool) -> Iterator[Callable[[EpochResult], None]]:
    """Yield a function that writes a result to ``directory``; without one, it does nothing.

    A resumed run must write all its epochs again. TensorBoard then shows only these, including any
    epoch that a crash left unwritten.

    Raises:
        InputError: tensorboard is not installed, or the folder cannot be written.
    """
    if directory is None:
        yield lambda _: None
        return
    with extra("tensorboard", "--log-dir"):
        from torch.utils.tensorboard import SummaryWriter
    try:
        writer = SummaryWriter(str(directory), purge_step=0 if is_resumed else None)
    except OSError as error:
        raise InputError(
            f"cannot write {directory}: {error.strerror}; give another --log-dir"
        ) from error

    def write(result: EpochResult) -> None:
        for name, value in _scalars(result).items():
            writer.add_scalar(name, value, result.epoch)
        writer.flush()

    with closing(writer):
        yield write


def _scalars(result: EpochResult) -> dict[str, float]:
    values = {
        "loss/train": result.train_loss,
        "loss/held out": result.validation_loss,
        "accuracy/train": result.train_accuracy,
        "accuracy/held out": result.validation_accuracy,
        "seconds/epoch": result.seconds,
    }
    return {name: value for name, value in values.items() if value is not None}


def _kept(
    state: State, digits: Split, origin: Origin, out: Path, world: World
) -> Iterator[tuple[EpochResult, bool]]:
    """Train; save each epoch, then yield its result and whether it is the best so far."""
    bar = partial(tqdm, desc="training", unit="batch", leave=False, disable=None)
    try:
        for result in fit(state, digits, origin.config, world=world, progress=bar):
            yield result, _keep(out, state, origin)
    except KeyboardInterrupt:
        print(f"\nstopped after {state.epoch} epochs; add --resume to continue", file=sys.stderr)
        raise


def follow(dataset: Dataset, config: TrainConfig, compute: hardware.Compute, world: World) -> None:
    """Train as one of the other processes; the first process sends the state to resume from."""
    digits = split(dataset, config)
    state = _begin(digits, config, compute, world)
    for _ in fit(state, digits, config, world=world):
        pass


def _prepare(out: Path, state: State, origin: Origin, *, resume: bool) -> None:
    if resume:
        print(f"resuming after {state.epoch} epochs from {out / LAST}")
        if len(state.cycles) > 1:
            print(
                f"epochs {state.cycles[-1]} to {origin.config.epochs - 1} are a further cycle: the "
                "learning rate rises and falls again"
            )
        return
    moved_to = checkpoint.set_aside(out)
    if moved_to:
        print(f"the earlier run in {out} is now in {moved_to}")
    # Saved before the first step, so a run killed in its first epoch can be resumed and an
    # unwritable --out fails at once.
    checkpoint.save_last(out, state, origin)


def _announce(dataset: Dataset, digits: Split, state: State, world: World) -> None:
    print(_engine(state.compute, world))
    warn(dataset.warning)
    print(
        f"{dataset.name}: {len(digits.train) - len(dataset.hands):,} digits to train on, "
        f"{len(digits.validation):,} held out, {len(dataset.test):,} to test ({dataset.origin})"
    )
    if len(dataset.hands):
        print(f"hands: {len(dataset.hands):,} drawn digits to train on as well")
    print(f"net: {parameter_count(state.net):,} parameters", flush=True)


def _engine(compute: hardware.Compute, world: World) -> str:
    """Return the line that says what trains, on what, and why."""
    on = hardware.environment(compute)
    threads = f"{on['threads']} thread{'s' if on['threads'] > 1 else ''}"
    several = f" in each of {world.size} processes" if world.size > 1 else ""
    place = f"{on['precision']} on {on['processor']}, {threads}{several}"
    if compute.compiled is None:
        why = f" ({compute.why_pytorch})" if compute.why_pytorch else ""
        return f"engine: PyTorch in {place}{why}"
    made = f"compiled by {compute.compiled.compiler}"
    seconds = compute.compiled.seconds
    return f"engine: C in {place} ({made}{f' in {seconds:.1f} s' if seconds else ''})"


def _keep(out: Path, state: State, origin: Origin) -> bool:
    """Save the state, and the net if it is the best so far; return whether it is.

    The best net has the highest accuracy on the held-out digits.
    """
    accuracies = [result.validation_accuracy or 0.0 for result in state.history]
    best = accuracies[-1] > max(accuracies[:-1], default=0.0)
    if best:
        name = f"model_epoch_{state.epoch - 1}_acc_{accuracies[-1]:.2f}.pth"
        checkpoint.save_model(out / name, state, origin)
    # The state is saved last: a run killed earlier trains this epoch again and writes it all again.
    lines = [f"{json.dumps(asdict(result))}\n" for result in state.history]
    write_atomically(out / METRICS, "".join(lines).encode())
    checkpoint.save_last(out, state, origin)
    return best


def _line(result: EpochResult, best: bool) -> str:
    columns = [
        f"epoch {result.epoch:2}",
        f"training loss {result.train_loss:.4f}",
        f"{result.train_accuracy:5.2f} %",
    ]
    if result.validation_accuracy is not None:
        columns.append(
            f"held out {result.validation_accuracy:5.2f} % ({result.validation_wrong} wrong)"
        )
    columns.append(f"{result.seconds:5.1f} s")
    return "  ".join(columns) + ("  best" if best else "")


def _finish(out: Path, state: State, origin: Origin, tested: _Tested, world: World) -> None:
    write_atomically(out / FINAL / "curves.png", curves(state.history, origin.warning))
    write_json(out / FINAL / "report.json", _report(state, origin, tested, world))
    seconds = [result.seconds for result in state.history]
    for name, each in tested.by_source.items():
        print(f"test on {name}: {_wrong(each)}")
    print(f"test: {_wrong(tested.all)}")
    print(f"time: {sum(seconds):.1f} s of training, {sum(seconds) / len(seconds):.1f} s an epoch")


def _wrong(tested: Report) -> str:
    return f"{tested.wrong:,} of {tested.total:,} wrong ({tested.accuracy:.2f} %)"


def _report(state: State, origin: Origin, tested: _Tested, world: World) -> dict[str, Any]:
    seconds = [result.seconds for result in state.history]
    return {
        "dataset": origin.dataset,
        "warning": origin.warning,
        "test_accuracy": round(tested.all.accuracy, 4),
        "test_wrong": tested.all.wrong,
        "test_total": tested.all.total,
        "wrong_indices": tested.all.wrong_indices,
        "test_by_source": {
            name: {"wrong": each.wrong, "total": each.total}
            for name, each in tested.by_source.items()
        },
        "seconds_training": round(sum(seconds), 3),
        "seconds_per_epoch": [round(value, 3) for value in seconds],
        "parameters": parameter_count(state.net),
        "config": origin.config.to_dict(),
        "cycles": state.cycles,
        "environment": hardware.environment(state.compute) | {"processes": world.size},
        "history": [asdict(result) for result in state.history],
    }
