"""Compare all forms of the net that `tinydigits export` writes: size, memory, answers and time.

Every form reads all 10,000 test digits once, to compare its answers with the net's. Then rounds are
timed, with one picture at a time and a thousand together. Each round runs all forms one after the
other, so that a slow moment of the machine affects all of them, each on one thread. The headers are
compiled with -O3 -march=native and called through ctypes; the page runs in Chromium and takes one
picture at a time. Memory is a header's static buffers, a page's JavaScript heap, or else the peak
of a Python process that only reads one picture.

    python benchmarks/inference.py --out records/<date>-exports
"""

import argparse
import ctypes
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.data.dataset import Digits, load_dataset
from tinydigits.data.sources import mnist_folder
from tinydigits.errors import InputError, exit_code
from tinydigits.export import c, html, onnx, parity, safetensors
from tinydigits.export.command import CALIBRATION
from tinydigits.export.folded import fold
from tinydigits.export.quantised import LOGIT, quantise
from tinydigits.files import write_json
from tinydigits.net import runtime
from tinydigits.net.formats import load_net
from tinydigits.net.inference import infer
from tinydigits.net.model import Net
from tinydigits.net.trained import Source, source_of
from tinydigits.train import hardware

Pixels = npt.NDArray[np.uint8]
Read = Callable[[Pixels], npt.NDArray[Any]]
"""Logits (N, 10) of pixels (N, 28, 28)."""

LIBRARY = """
#include "net.h"
void read_digits(const uint8_t *pixels, long count, tinydigits_logit *logits) {
  for (long n = 0; n < count; n++) tinydigits_predict(pixels + 784 * n, logits + 10 * n);
}
"""
TIMING = """(pictures) => {
  const readAll = () => pictures.forEach((pixels) => tinydigits.logits(pixels));
  readAll(); // lets the browser compile it
  const began = performance.now();
  readAll();
  return [1000 * (performance.now() - began) / pictures.length];
}"""
HEAP = "() => [performance.memory.usedJSHeapSize]"
WITH_PYTORCH = """
import torch, tinydigits
torch.set_num_threads(1)
tinydigits.infer(tinydigits.load(FILE), torch.zeros((1, 28, 28), dtype=torch.uint8))
"""
WITH_SAFETENSORS = """
import torch, tinydigits
from safetensors.torch import load_file
torch.set_num_threads(1)
net = tinydigits.Net()
net.load_state_dict(load_file(FILE))
tinydigits.infer(net, torch.zeros((1, 28, 28), dtype=torch.uint8))
"""
WITH_ONNX = """
import numpy, onnxruntime
session = onnxruntime.InferenceSession(FILE)
session.run(["logits"], {"pixels": numpy.zeros((1, 28, 28), numpy.uint8)})
"""
# Not getrusage: its peak of a new process includes the process that started it.
PEAK = """
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(status["VmHWM"].split()[0])
"""
CALLS = 200  # with a single picture, per round
TOGETHER = 1000  # pictures in one call


@dataclass(frozen=True)
class Form:
    """One way to run the net."""

    size: int
    """Bytes of the file."""
    memory: int
    """Bytes of memory in use while it runs."""
    read: Read
    time: Callable[[Pixels], tuple[float, float]]
    """Microseconds per picture: one at a time, and all together."""
    flash: int | None = None
    """Bytes of code and constants on a Cortex-M4."""


def forms(source: Source, train: Digits, folder: Path) -> dict[str, Form]:
    """Return every export of a net, ready to run on one thread.

    ``train`` calibrates the integer forms; ``folder`` holds the files.

    Raises:
        InputError: there is no arm-none-eabi-gcc.
    """
    layers = fold(source.net)
    integers = quantise(layers, train.images[:CALIBRATION])
    floats_in_c = c.in_floats(layers, c.golden_logits(source.net), source.sha256)
    return {
        "PyTorch": _in_pytorch(source.path, WITH_PYTORCH, source.net),
        "safetensors": _in_safetensors(safetensors.weights(source), folder / "net.safetensors"),
        "ONNX": _in_onnx(onnx.in_floats(layers), folder / "net.onnx"),
        "ONNX int8": _in_onnx(onnx.in_integers(integers), folder / "net-int8.onnx"),
        "C": _in_c(floats_in_c, folder / "c"),
        "C int8": _in_c(c.in_integers(integers, source.sha256), folder / "c-int8"),
        "page": _in_page(html.page(layers, source.name)),
    }


def _timed(size: int, memory: int, read: Read, flash: int | None = None) -> Form:
    return Form(size, memory, read, lambda pixels: _alone_and_together(read, pixels), flash)


def _alone_and_together(read: Read, pixels: Pixels) -> tuple[float, float]:
    return (
        statistics.median(_microseconds(read, pixels[n : n + 1]) for n in range(CALLS)),
        _microseconds(read, pixels) / len(pixels),
    )


def _microseconds(read: Read, pixels: Pixels) -> float:
    began = time.perf_counter()
    read(pixels)
    return 1e6 * (time.perf_counter() - began)


def _in_pytorch(path: Path, program: str, net: Net) -> Form:
    return _timed(
        path.stat().st_size,
        _peak(program, path),
        lambda pixels: infer(net, torch.from_numpy(pixels)).numpy(),
    )


def _in_safetensors(content: bytes, path: Path) -> Form:
    path.write_bytes(content)
    return _in_pytorch(path, WITH_SAFETENSORS, load_net(path))


def _in_onnx(content: bytes, path: Path) -> Form:
    path.write_bytes(content)
    session = runtime.session_of(content)
    return _timed(
        len(content),
        _peak(WITH_ONNX, path),
        lambda pixels: runtime.logits(session, pixels),
    )


def _peak(program: str, path: Path) -> int:
    """Return the peak memory, in bytes, of a Python process that reads one picture."""
    code = program.replace("FILE", repr(str(path))) + PEAK
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True
    )
    return 1024 * int(ran.stdout)


def _in_c(header: str, folder: Path) -> Form:
    folder.mkdir()
    size = parity.footprint(header)
    if not size.compiler.startswith("arm-none-eabi-gcc"):
        raise InputError("arm-none-eabi-gcc is missing: install Debian's gcc-arm-none-eabi")
    return _timed(len(header), size.memory, _library(header, folder), size.flash)


def _library(header: str, folder: Path) -> Read:
    options = (*parity.FAST, "-shared", "-fPIC")
    path = parity.compiled(parity.c_compiler(), header, LIBRARY, folder, options)
    library = ctypes.CDLL(str(path))
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


def _in_page(content: bytes) -> Form:
    page = content.decode()

    def ask(question: str, pixels: Pixels) -> float:
        answer: list[float] = parity.ask_page(page, question, torch.from_numpy(pixels))
        return answer[0]

    def time_twice(pixels: Pixels) -> tuple[float, float]:
        alone = ask(TIMING, pixels)
        return alone, alone  # the page reads one picture at a time

    return Form(
        len(content),
        int(ask(HEAP, np.zeros((1, 28, 28), np.uint8))),
        lambda pixels: parity.page_logits(page, torch.from_numpy(pixels)).numpy(),
        time_twice,
    )


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
            "flash": form.flash,
            "memory": form.memory,
            "accuracy": found.report.accuracy,
            "wrong": found.report.wrong,
            "differ": found.differ,
            "delta": found.delta,
        }
    return told


def table(told: dict[str, dict[str, Any]]) -> str:
    """Return the table of docs/guide/exporting.md, in Markdown."""
    head = (
        "| form | file, bytes | flash, bytes | RAM | accuracy | answers that differ "
        "| µs a picture | of 1,000 together |"
    )
    rows = [
        f"| {name} | {each['bytes']:,} | {_count(each['flash'])} | {_memory(each['memory'])} "
        f"| {each['accuracy']:.2f} % | {each['differ']} | {each['microseconds']:.0f} "
        f"| {each['microseconds_together']:.0f} |"
        for name, each in told.items()
    ]
    return "\n".join([head, "|---|" + 7 * "---:|", *rows])


def _count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _memory(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size:,} bytes"


def main() -> None:
    """Print the table, and write all figures to ``--out``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="people", help="a recipe's name or a checkpoint")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--data-dir", type=Path, default=mnist_folder())
    parser.add_argument("--out", type=Path, help="folder for result.json")
    options = parser.parse_args()

    torch.set_num_threads(1)
    source, dataset = source_of(options.model), load_dataset("mnist", options.data_dir)
    with tempfile.TemporaryDirectory() as folder:
        there = forms(source, dataset.train, Path(folder))
        told = answers(there, source, dataset.test)
        pixels = dataset.test.images[:TOGETHER].numpy()
        rounds = [
            {name: form.time(pixels) for name, form in there.items()}
            for _ in tqdm(range(options.rounds), unit="round")
        ]
    for name, figures in told.items():
        single, together = zip(*(each[name] for each in rounds), strict=True)
        figures["microseconds"] = statistics.median(single)
        figures["microseconds_together"] = statistics.median(together)
    print(table(told))
    if options.out:
        environment = hardware.environment(hardware.choose("cpu", "fp32"))
        write_json(
            options.out / "result.json",
            {"model": source.name, "rounds": rounds, "forms": told, "environment": environment},
        )


if __name__ == "__main__":
    sys.exit(exit_code(main))
