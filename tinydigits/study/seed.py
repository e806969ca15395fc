"""One seed of a study: the function that each worker runs."""

import threading
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import torch

from tinydigits.data.dataset import Dataset, Digits
from tinydigits.evaluate.assessment import accuracies, damaged
from tinydigits.evaluate.metrics import report
from tinydigits.net.inference import infer
from tinydigits.net.model import Net
from tinydigits.study.ledger import Run
from tinydigits.train.batches import split
from tinydigits.train.config import TrainConfig
from tinydigits.train.digits import load_digits
from tinydigits.train.engine.choice import choose
from tinydigits.train.loop import fit, start

_ONE_AT_A_TIME = threading.Lock()


def run_seed(config: TrainConfig, data_dir: Path, damage: bool) -> Run:
    """Train with ``config`` on one thread, and return the last net's figures on the test digits.

    The test digits are read once, after the last epoch.

    Raises:
        InputError: the data or the device cannot be used here, or training diverged.
    """
    # The random state is one per process: two threads would draw from each other's streams.
    with _ONE_AT_A_TIME:
        torch.set_num_threads(1)
        source = (config.data, data_dir, config.hands, config.strokes)
        dataset = dataset_of(*source)
        net, seconds = train_seed(config, dataset)
        run = run_of(config.seed, net, seconds, dataset.test)
        if not damage:
            return run
        return replace(run, corruptions=accuracies(partial(infer, net), _damaged_test(*source)))


def train_seed(config: TrainConfig, dataset: Dataset) -> tuple[Net, float]:
    """Return the net that ``config`` trains, and the seconds that took.

    Raises:
        InputError: the device cannot be used here, or training diverged.
    """
    digits = split(dataset, config)
    state = start(config, len(digits.train), choose(config))
    list(fit(state, digits, config))
    # On the CPU, in the memory layout of a loaded checkpoint: the figures are those of `train`.
    net = Net()
    net.load_state_dict(state.net.state_dict())
    return net, sum(result.seconds for result in state.history)


def run_of(seed: int, net: Net, seconds: float, test: Digits) -> Run:
    """Return the figures of a seed's net on the test digits, without damage."""
    tested = report(infer(net, test.images), test.labels)
    return Run(
        seed=seed,
        accuracy=round(tested.accuracy, 4),
        wrong=tested.wrong,
        wrong_indices=tested.wrong_indices,
        seconds_training=round(seconds, 3),
    )


@lru_cache(maxsize=1)
def dataset_of(data: tuple[str, ...], data_dir: Path, hands: int, strokes: str) -> Dataset:
    """Return a run's digits and hands, loaded once per process.

    Raises:
        InputError: they are damaged, or are missing and cannot be downloaded.
    """
    return load_digits(data, data_dir, hands=hands, strokes=strokes)


@lru_cache(maxsize=1)
def _damaged_test(
    data: tuple[str, ...], data_dir: Path, hands: int, strokes: str
) -> list[tuple[str, Digits]]:
    """Return the test digits under each kind of damage, computed once per process."""
    return list(damaged(dataset_of(data, data_dir, hands, strokes).test))
