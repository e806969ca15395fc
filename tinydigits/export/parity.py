"""Parity: compare an export with its net, running each kind of file as its users will run it."""

import base64
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from tinydigits.errors import InputError
from tinydigits.evaluate.metrics import Report, report
from tinydigits.export.c import PREFIX, renamed
from tinydigits.export.quantised import LOGIT
from tinydigits.net.finder import finder
from tinydigits.net.strip import reader
from tinydigits.reading.finding import view_of
from tinydigits.reading.image import grey
from tinydigits.reading.lines import strips_of
from tinydigits.scenes.glyphs import from_shapes
from tinydigits.scenes.mixture import view

# Reads pictures from standard input and writes their logits, both as raw bytes.
FILTER = """
#include "net.h"
#include <stdio.h>
int main(void) {
  uint8_t pixels[784];
  tinydigits_logit logits[10];
  while (fread(pixels, 1, 784, stdin) == 784) {
    tinydigits_predict(pixels, logits);
    fwrite(logits, sizeof logits, 1, stdout);
  }
  return 0;
}
"""
# What an application calls.
READ_DIGIT = """
int read_digit(const uint8_t *pixels, tinydigits_logit *logits) {
  return tinydigits_predict(pixels, logits);
}
"""
READ_FRAME = """
int read_frame(const uint8_t *frame, int width, int height, uint8_t *pixels,
               tinydigits_logit *logits) {
  const int error = tinydigits_from_grey(frame, width, height, width, pixels);
  return error ? -error : tinydigits_predict(pixels, logits);
}
"""
# Makes a page answer a question about pictures, and show only the answer.
ASK = """<script>{
  const bytes = Uint8Array.from(atob("@pixels@"), (character) => character.charCodeAt(0));
  const pictures = Array.from({ length: bytes.length / 784 }, (_, n) =>
    bytes.subarray(784 * n, 784 * (n + 1)));
  document.body.textContent = JSON.stringify((@question@)(pictures));
}</script>"""
COMPILERS = ("cc", "gcc", "clang")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TOGETHER = 2000  # digits that a page gets at a time; each takes milliseconds
PATIENCE = 300  # seconds that a browser may take; it takes a few
SCENES, VIEW = 20, 128  # views in which finders are compared, and their side in pixels
FAST = ("-O3", "-march=native")
PORTABLE = ("-O3",)  # for clang on Arm, among others, which may not support -march=native
HOST = ("-fno-pic",)  # as in firmware; otherwise constants that hold addresses count as memory


class UnmeasuredError(InputError):
    """An export could not be run here; the message says what is missing."""


@dataclass(frozen=True)
class Parity:
    """How an export's logits compare with the net's on the same labelled digits."""

    delta: float
    """Largest absolute difference of a logit."""
    differ: int
    """Number of digits that get another answer."""
    report: Report
    """The export's own."""

    def __str__(self) -> str:
        return (
            f"largest |Δlogit| {self.delta:.2g}, {self.differ} of {self.report.total:,} answers "
            f"differ, {self.report}"
        )


def parity(exported: Tensor, net: Tensor, labels: Tensor) -> Parity:
    """Return how an export's logits (N, 10) compare with the net's, for labels (N,)."""
    tested = report(exported, labels)
    return Parity(
        delta=(exported.double() - net.double()).abs().max().item(),
        differ=int((tested.answers != net.argmax(dim=1)).sum()),
        report=tested,
    )


def browser() -> str:
    """Return the path of this machine's Chromium.

    Raises:
        UnmeasuredError: there is none.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        raise UnmeasuredError("no Chromium was found")
    return found


def page_logits(page: str, pixels: Tensor) -> Tensor:
    """Return a page's logits (N, 10), from a browser, for pixels uint8 (N, 28, 28).

    Raises:
        UnmeasuredError: there is no browser, or it does not show the page.
    """
    question = "(pictures) => pictures.map((pixels) => [...tinydigits.logits(pixels)])"
    logits = list[list[float]]()
    with tqdm(total=len(pixels), desc="browser", unit="digit", leave=False, disable=None) as bar:
        for batch in torch.split(pixels, TOGETHER):
            logits += ask_page(page, question, batch)
            bar.update(len(batch))
    return torch.tensor(logits, dtype=torch.float64)


def ask_page(page: str, question: str, pixels: Tensor) -> Any:
    """Return the result of a JavaScript function, run in a page on pixels uint8 (N, 28, 28).

    The browser opens a copy of the page that calls the function and shows only its result. The copy
    lacks the policy that forbids other scripts.

    Raises:
        UnmeasuredError: there is no browser, or it does not show the page.
    """
    copy = re.sub(r"<meta http-equiv=.*?>", "", page, count=1)
    told = base64.b64encode(pixels.numpy().tobytes()).decode()
    asking = ASK.replace("@pixels@", told).replace("@question@", question)
    # Containers run as root; Chromium's sandbox does not.
    options = ["--headless", "--no-sandbox", "--disable-gpu"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_text(copy.replace("</body>", asking + "</body>"), encoding="utf-8")
        command = [browser(), *options, f"--user-data-dir={folder}/user", "--dump-dom"]
        try:
            ran = subprocess.run(
                [*command, path.as_uri()], capture_output=True, timeout=PATIENCE, check=True
            )
        except subprocess.SubprocessError as error:
            raise UnmeasuredError(f"Chromium did not show the page: {error}") from error
    found = re.search(r"<body[^>]*>(\[.*\])\s*</body>", ran.stdout.decode())
    if not found:
        raise UnmeasuredError("Chromium did not show the page")
    return json.loads(found[1])


def c_compiler() -> str:
    """Return the path of this machine's C compiler.

    Raises:
        UnmeasuredError: there is none.
    """
    found = next(filter(None, map(shutil.which, COMPILERS)), None)
    if not found:
        raise UnmeasuredError("no C compiler was found")
    return found


def c_logits(header: str, pixels: Tensor, prefix: str = PREFIX) -> Tensor:
    """Return a compiled header's logits (N, 10), as floats, for pixels uint8 (N, 28, 28).

    ``prefix`` is that of the header's names.

    Raises:
        UnmeasuredError: there is no compiler, or it does not compile the header.
    """
    source = renamed(FILTER, prefix)
    with tempfile.TemporaryDirectory() as folder:
        try:
            program = compiled(c_compiler(), header, source, Path(folder))
        except UnmeasuredError:
            program = compiled(c_compiler(), header, source, Path(folder), PORTABLE)
        ran = subprocess.run(
            [program], input=pixels.numpy().tobytes(), capture_output=True, check=True
        )
    if "_LOGIT_ONE" in header:
        return LOGIT * _array(ran.stdout, np.int32).double()
    return _array(ran.stdout, np.float32)


def compiled(
    compiler: str, header: str, program: str, folder: Path, options: tuple[str, ...] = FAST
) -> Path:
    """Compile a C program that includes ``net.h``, and return its path.

    Raises:
        UnmeasuredError: it does not compile.
    """
    (folder / "net.h").write_text(header)
    (folder / "program.c").write_text(program)
    command = [compiler, "-std=c99", *options, "program.c", "-o", "program"]
    ran = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if ran.returncode:
        told = ran.stderr.partition("error: ")[2] or ran.stderr
        raise UnmeasuredError(f"{compiler} cannot compile the header: {told.partition(chr(10))[0]}")
    return folder / "program"


def _array(raw: bytes, kind: npt.DTypeLike) -> Tensor:
    return torch.from_numpy(np.frombuffer(raw, kind).reshape(-1, 10).copy())


@dataclass(frozen=True)
class Footprint:
    """The space that a compiled header takes on a device."""

    flash: int
    """Bytes of code and constants."""
    memory: int
    """Bytes of static memory."""
    compiler: str
    """The compiler and its options."""


def footprint(header: str, prefix: str = PREFIX) -> Footprint:
    """Return a header's size, compiled for a Cortex-M4 if its compiler is here, else natively.

    ``prefix`` is that of the header's names.

    Raises:
        UnmeasuredError: there is no compiler, or it does not compile the header.
    """
    arm = shutil.which("arm-none-eabi-gcc")
    compiler, options = (arm, ("-mcpu=cortex-m4", "-mthumb")) if arm else (c_compiler(), HOST)
    # As in a library: the object file leaves out what nobody calls.
    use = READ_FRAME if f"{prefix}_from_grey" in header else READ_DIGIT
    with tempfile.TemporaryDirectory() as folder:
        options = ("-Os", *options)
        source = renamed(f'#include "net.h"\n{use}\n', prefix)
        compiled(compiler, header, source, Path(folder), ("-c", *options))
        size = "arm-none-eabi-size" if arm else "size"
        if not shutil.which(size):
            raise UnmeasuredError(f"no {size} was found")
        told = subprocess.run([size, Path(folder) / "program"], capture_output=True, check=True)
    text, data, bss = map(int, told.stdout.split()[6:9])
    return Footprint(text + data, data + bss, " ".join([Path(compiler).name, *options]))


def of_finder(file: Path) -> tuple[float, float]:
    """Return how much an ONNX file's ink and votes differ at most from the package's finder.

    Raises:
        UnmeasuredError: onnxruntime is not installed.
    """
    _need_onnxruntime()
    from tinydigits.net import runtime

    exported, shipped = runtime.finder(file), finder()
    most = np.zeros(2)
    for drawn in _scenes():
        seen = view_of(drawn, (0, 0, *drawn.size), VIEW)
        both = zip(exported(seen), shipped(seen), strict=True)
        most = np.maximum(most, [np.abs(one - other).max() for one, other in both])
    return float(most[0]), float(most[1])


def of_strip(file: Path) -> float:
    """Return how much an ONNX file's probabilities differ at most from the package's strip net.

    Raises:
        UnmeasuredError: onnxruntime is not installed.
    """
    _need_onnxruntime()
    from tinydigits.net import runtime

    exported, shipped = runtime.reader(file), reader()
    most = 0.0
    for drawn in _scenes():
        for strip in strips_of(drawn, finder()):
            both = np.exp(exported(strip.ink)), np.exp(shipped(strip.ink))
            most = max(most, float(np.abs(both[0] - both[1]).max()))
    return most


def _need_onnxruntime() -> None:
    if not find_spec("onnxruntime"):
        raise UnmeasuredError("onnxruntime is not installed: pip install 'tinydigits[onnx]'")


def _scenes() -> Iterator[Image.Image]:
    """Yield grey pictures of scenes, the same each time."""
    rng, source = np.random.default_rng(0), from_shapes()
    for _ in range(SCENES):
        yield grey(Image.fromarray(view(source, VIEW, rng).picture))
