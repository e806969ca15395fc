"""Measure what a net learns from ten digits of each class that one person wrote, and forgets.

Digits are given as UNIPEN files of writers that no net has seen. For each of the twenty who wrote
most, the recipe ``adapt`` trains a net on up to ten digits of each class; their next five of each
class and MNIST's test digits are read before and after.

    python benchmarks/adapt.py <folder or file> --out records/<date>-adapt
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.data import unipen
from tinydigits.data.dataset import Digits, digits
from tinydigits.data.paths import paths_of
from tinydigits.data.pen import Pen, draw
from tinydigits.data.sources import mnist_folder
from tinydigits.data.written import Written
from tinydigits.errors import exit_code
from tinydigits.evaluate.metrics import report
from tinydigits.files import write_json
from tinydigits.net.contract import CLASSES
from tinydigits.net.inference import infer
from tinydigits.net.model import Net
from tinydigits.net.trained import load
from tinydigits.seeds import derive
from tinydigits.study.seed import train_seed
from tinydigits.train import hardware
from tinydigits.train.config import TrainConfig
from tinydigits.train.digits import load_digits
from tinydigits.train.engine.choice import choose
from tinydigits.train.recipes import RECIPES

WRITERS = 20  # who wrote most
LEARNED, READ = 10, 5  # digits of each class to learn from, and to read afterwards
PEN = Pen(width=2)
STARTS = ("people", "best")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table and write the record; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("strokes", type=Path, help="UNIPEN file, or folder of them")
    parser.add_argument("--data-dir", type=Path, default=mnist_folder())
    parser.add_argument(
        "--out", type=Path, help="folder for adapt.json, recipe.json and environment.json"
    )
    options = parser.parse_args(arguments)

    def run() -> None:
        written = unipen.read_strokes(options.strokes)
        results = {start: list(_results(written, start, options.data_dir)) for start in STARTS}
        figures = {start: _figures(rows) for start, rows in results.items()}
        for start, values in figures.items():
            print(start, values)
        if options.out:
            environment = hardware.environment(choose(RECIPES["adapt"]))
            write_json(options.out / "environment.json", environment)
            write_json(options.out / "recipe.json", RECIPES["adapt"].to_dict())
            write_json(options.out / "adapt.json", {"figures": figures, "writers": results})

    return exit_code(run)


def _results(written: Sequence[Written], start: str, data_dir: Path) -> Iterator[dict[str, Any]]:
    by_writer = defaultdict(list)
    for digit in written:
        by_writer[digit.writer].append(digit)
    most = sorted(by_writer, key=lambda name: (-len(by_writer[name]), name))[:WRITERS]
    config = replace(RECIPES["adapt"], start=start)
    for writer in tqdm(most, desc=start, unit="writer", leave=False, disable=None):
        learned, read = _divided(by_writer[writer])
        yield {"writer": writer} | _result(learned, read, config, data_dir)


def _divided(written: Sequence[Written]) -> tuple[Digits, Digits]:
    """Return a writer's digits to learn from and to read: two thirds of them, if there are few."""
    images = draw(paths_of(each.strokes for each in written), PEN, np.random.default_rng(0))
    labels = np.array([each.label for each in written], np.uint8)
    rng = np.random.default_rng(derive(0, "adapt", written[0].writer))
    learned, read = [], []
    for label in range(CLASSES):
        order = rng.permutation(np.flatnonzero(labels == label)).tolist()
        count = min(LEARNED, -(-2 * len(order) // 3))
        learned += order[:count]
        read += order[count : count + READ]
    return digits(images[learned], labels[learned]), digits(images[read], labels[read])


def _result(learned: Digits, read: Digits, config: TrainConfig, data_dir: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "digits.npz"
        np.savez(
            file,
            x_train=learned.images,
            y_train=learned.labels,
            x_test=read.images,
            y_test=read.labels,
        )
        dataset = load_digits((*config.data, str(file)), data_dir, hands=0, strokes=config.strokes)
    adapted, seconds = train_seed(config, dataset)
    mnist = dataset.test[: dataset.tests[0][1]]
    return {
        "learned": len(learned),
        "read": len(read),
        "wrong": [_wrong(net, read) for net in (load(config.start), adapted)],
        "mnist_wrong": [_wrong(net, mnist) for net in (load(config.start), adapted)],
        "seconds": round(seconds, 2),
    }


def _wrong(net: Net, found: Digits) -> int:
    return report(infer(net.eval(), found.images), found.labels).wrong


def _figures(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return sums over the writers, and MNIST's accuracy lost in points, mean of the writers."""
    before, after = np.array([row["mnist_wrong"] for row in rows]).mean(axis=0)
    return {
        "writers": len(rows),
        "read": sum(row["read"] for row in rows),
        "wrong": np.array([row["wrong"] for row in rows]).sum(axis=0).tolist(),
        "mnist_lost": round(float(after - before) / 100, 3),
        "seconds": float(np.median([row["seconds"] for row in rows])),
    }


if __name__ == "__main__":
    sys.exit(main())
