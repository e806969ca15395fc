"""Compare what `tinydigits export` writes: size, answers, and time, each run as its users run it.

Every form reads all 10,000 test digits once, for the parity with the net. Then rounds are timed: a
picture at a time, and a thousand together, all forms one after the other in each round, one thread
each, so that a slow moment of the machine hits all. The headers are compiled with -O3
-march=native and called through ctypes.

    python benchmarks/inference.py --out records/<date>-exports
"""

import argparse
import ctypes
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits import hardware, shipping  # noqa: E402
from tinydigits.data.dataset import Digits, load_dataset  # noqa: E402
from tinydigits.errors import InputError, exit_code  # noqa: E402
from tinydigits.evaluation import infer  # noqa: E402
from tinydigits.export import c, onnx, parity  # noqa: E402
from tinydigits.export.folded import fold  # noqa: E402
from tinydigits.export.quantised import LOGIT, quantise  # noqa: E402
from tinydigits.files import write_json  # noqa: E402
from tinydigits.prediction import Source, source_of  # noqa: E402

Pixels = npt.NDArray[np.uint8]
Read = Callable[[Pixels], npt.NDArray[Any]]
"""Logits (N, 10) of pixels (N, 28, 28)."""

LIBRARY = """
#include "net.h"
void read_digits(const uint8_t *pixels, long count, tinydigits_logit *logits) {
  for (long n = 0; n < count; n++) tinydigits_predict(pixels + 784 * n, logits + 10 * n);
}
"""
CALLS = 200  # of a single picture, in each round
TOGETHER = 1000


@dataclass(frozen=True)
class Form:
    """One way to run the net."""

    size: int
    """Bytes of the file."""
    memory: int | None
    """Bytes that it takes while it runs, where it says so: static memory of C."""
    read: Read


def forms(source: Source, train: Digits, folder: Path) -> dict[str, Form]:
    """Return every export of a net, ready to run on one thread."""
    layers = fold(source.net)
    integers = quantise(layers, train.images[: shipping.CALIBRATION])
    checkpoint = source.path.stat().st_size
    files = {"ONNX": onnx.in_floats(layers), "ONNX int8": onnx.in_integers(integers)}
    headers = {
        "C": c.in_floats(layers, c.golden_logits(source.net), source.sha256),
        "C int8": c.in_integers(integers, source.sha256),
    }
    return {
        "PyTorch": Form(
            checkpoint, None, lambda pixels: infer(source.net, torch.from_numpy(pixels)).numpy()
        ),
        **{name: Form(len(file), None, _session(file)) for name, file in files.items()},
        **{
            name: Form(len(text), c.buffers(text), _library(text, folder / name))
            for name, text in headers.items()
        },
    }


def _session(content: bytes) -> Read:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options)
    return lambda pixels: session.run(["logits"], {"pixels": pixels})[0]


def _library(header: str, folder: Path) -> Read:
    compiler = parity.c_compiler()
    if not compiler:
        raise InputError("there is no C compiler here: install gcc or clang")
    folder.mkdir()
    options = (*parity.FAST, "-shared", "-fPIC")
    library = ctypes.CDLL(str(parity.compiled(compiler, header, LIBRARY, folder, options)))
    is_integer = "TINYDIGITS_LOGIT_ONE" in header
    kind, unit = (np.int32, LOGIT) if is_integer else (np.float32, 1)

    def read(pixels: Pixels) -> npt.NDArray[Any]:
        logits = np.empty((len(pixels), 10), kind)
        library.read_digits(
            ctypes.c_void_p(pixels.ctypes.data),
            ctypes.c_long(len(pixels)),
            ctypes.c_void_p(logits.ctypes.data),
        )
        return logits * unit if is_integer else logits

    return read


def answers(forms: dict[str, Form], source: Source, test: Digits) -> dict[str, dict[str, Any]]:
    """Return each form's size and its parity with the net on all test digits."""
    expected = infer(source.net, test.images)
    told = {}
    for name, form in forms.items():
        found = parity.parity(
            torch.from_numpy(form.read(test.images.numpy())), expected, test.labels
        )
        told[name] = {
            "bytes": form.size,
            "memory": form.memory,
            "accuracy": found.report.accuracy,
            "wrong": found.report.wrong,
            "differ": found.differ,
            "delta": found.delta,
        }
    return told


def time_round(forms: dict[str, Form], pixels: Pixels) -> dict[str, tuple[float, float]]:
    """Return microseconds a picture of each form: one at a time, and together."""
    return {
        name: (
            statistics.median(_microseconds(form.read, pixels[n : n + 1]) for n in range(CALLS)),
            _microseconds(form.read, pixels) / len(pixels),
        )
        for name, form in forms.items()
    }


def _microseconds(read: Read, pixels: Pixels) -> float:
    began = time.perf_counter()
    read(pixels)
    return 1e6 * (time.perf_counter() - began)


def main() -> None:
    """Print the table, and write every figure where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="robust", help="a recipe's name or a checkpoint")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("TINYDIGITS_DATA", "data"))
    parser.add_argument("--out", type=Path, help="folder for result.json")
    options = parser.parse_args()

    torch.set_num_threads(1)
    source, dataset = source_of(options.model), load_dataset("mnist", options.data_dir)
    with tempfile.TemporaryDirectory() as folder:
        there = forms(source, dataset.train, Path(folder))
        told = answers(there, source, dataset.test)
        pixels = dataset.test.images[:TOGETHER].numpy()
        rounds = [time_round(there, pixels) for _ in range(options.rounds)]
    for name, figures in told.items():
        single, together = zip(*(each[name] for each in rounds), strict=True)
        figures["microseconds"] = round(statistics.median(single), 1)
        figures["microseconds_together"] = round(statistics.median(together), 1)
    print("form          bytes   memory  accuracy  differ  alone µs  together µs")
    for name, figures in told.items():
        print(
            f"{name:10} {figures['bytes']:8,} {figures['memory'] or '–':>8} "
            f"{figures['accuracy']:7.2f} % {figures['differ']:7} "
            f"{figures['microseconds']:9} {figures['microseconds_together']:12}"
        )
    if options.out:
        environment = hardware.environment(hardware.choose("cpu", "fp32"))
        write_json(
            options.out / "result.json",
            {"model": source.name, "rounds": rounds, "forms": told, "environment": environment},
        )


if __name__ == "__main__":
    sys.exit(exit_code(main))
