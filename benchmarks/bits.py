"""Measure accuracy against bytes: the net in float32, int8 and int4, each as a C header.

For each seed two nets are trained: one by the recipe `best`, written in float32 and int8, and one
with 4-bit weights, written in int4. Each header is compiled and reads MNIST's 10,000 test digits
once. An integer header's logits must equal those of the NumPy reference.

    python benchmarks/bits.py --seeds 0 1 2 --out records/<date>-four-bits

The folder and its subfolder `float` are studies of the two kinds of nets; `headers.jsonl` in each
has a line a header. Seeds that are there already are left out.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.data.dataset import Dataset, Digits, load_dataset
from tinydigits.data.sources import mnist_folder
from tinydigits.errors import InputError, exit_code
from tinydigits.evaluate.metrics import report
from tinydigits.export import c, parity
from tinydigits.export.command import CALIBRATION
from tinydigits.export.folded import fold
from tinydigits.export.layers import IntegerConvolution
from tinydigits.export.quantised import LOGIT, logits, quantise
from tinydigits.net.model import Net
from tinydigits.study import ledger
from tinydigits.study.command import settled
from tinydigits.study.seed import run_of, train_seed
from tinydigits.train import hardware
from tinydigits.train.config import TrainConfig
from tinydigits.train.engine.choice import choose
from tinydigits.train.recipes import RECIPES

Headers = Callable[[Net, Dataset], dict[str, dict[str, Any]]]
"""The figures of each header of a net, by its form."""

HEADERS = "headers.jsonl"
IN_MEMORY = "0" * 64  # in place of the SHA-256 of a file with weights
FLOAT = replace(RECIPES["best"], data=("mnist",))
# Twice as many epochs, because weights with 15 values move in steps; not compared with fewer.
ROUNDED = replace(FLOAT, epochs=60, weight_bits=4)


def of_float(net: Net, dataset: Dataset) -> dict[str, dict[str, Any]]:
    """Return the figures of a net's headers in float32 and in int8."""
    header = c.in_floats(fold(net), c.golden_logits(net), IN_MEMORY)
    found = parity.c_logits(header, dataset.test.images)
    return {"float32": _figures(header, found, dataset.test)} | in_integers(net, dataset, bits=8)


def in_integers(net: Net, dataset: Dataset, bits: int) -> dict[str, dict[str, Any]]:
    """Return the figures of a net's integer header, and for how many digits it is the reference."""
    layers = quantise(fold(net), dataset.train.images[:CALIBRATION], bits)
    header = c.in_integers(layers, IN_MEMORY)
    found = parity.c_logits(header, dataset.test.images)
    equal = (found / LOGIT == _reference(layers, dataset.test)).all(dim=1).sum().item()
    return {f"int{bits}": _figures(header, found, dataset.test) | {"equal": equal}}


def _reference(layers: list[IntegerConvolution], test: Digits) -> torch.Tensor:
    parts = (logits(layers, part.numpy()) for part in torch.split(test.images, 500))
    return torch.cat([torch.from_numpy(part) for part in parts])


def _figures(header: str, found: torch.Tensor, test: Digits) -> dict[str, Any]:
    size, tested = parity.footprint(header), report(found, test.labels)
    if not size.compiler.startswith("arm-none-eabi-gcc"):
        raise InputError("arm-none-eabi-gcc is missing: install Debian's gcc-arm-none-eabi")
    return {
        "bytes": c.constants(header),
        "flash": size.flash,
        "memory": size.memory,
        "accuracy": tested.accuracy,
        "wrong_indices": tested.wrong_indices,
    }


def measure(
    folder: Path, config: TrainConfig, seeds: list[int], dataset: Dataset, headers: Headers
) -> None:
    """Train each seed that ``folder`` lacks, and append its figures and those of its headers."""
    compute = choose(config)
    config = settled(config, dataset, compute)
    earlier = {run.seed for run in ledger.earlier_runs(folder, config, damage=False)}
    environment = hardware.environment(compute) | {"workers": 1}
    ledger.begin(folder, config, dataset.warning, environment)
    for seed in seeds:
        if seed in earlier:
            continue
        net, seconds = train_seed(replace(config, seed=seed), dataset)
        run = run_of(seed, net, seconds, dataset.test)
        print(f"seed {seed}, {folder.name}: {run.accuracy:.2f} %, {seconds:.0f} s", flush=True)
        lines = [
            {"seed": seed, "form": form, **told} for form, told in headers(net, dataset).items()
        ]
        for line in lines:
            print(
                f"  {line['form']}: {line['bytes']:,} bytes, {line['accuracy']:.2f} %", flush=True
            )
        with (folder / HEADERS).open("a") as file:
            file.writelines(f"{json.dumps(line)}\n" for line in lines)
        ledger.append(folder, run)


def main() -> None:
    """Measure all seeds: first the nets with 4-bit weights, then those in floats."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data-dir", type=Path, default=mnist_folder())
    parser.add_argument("--out", type=Path, required=True, help="folder of the record")
    options = parser.parse_args()

    torch.set_num_threads(1)
    dataset = load_dataset("mnist", options.data_dir)
    measure(options.out, ROUNDED, options.seeds, dataset, partial(in_integers, bits=4))
    measure(options.out / "float", FLOAT, options.seeds, dataset, of_float)


if __name__ == "__main__":
    sys.exit(exit_code(main))
