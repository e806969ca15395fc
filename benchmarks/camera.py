"""Compare what a C header exported with `--camera` reads in frames with what Python reads in them.

Frames are drawn as grey pictures of at most 160x120 pixels: a digit on plain ground, or nothing in
every tenth. Digits come from UNIPEN files of writers that no net has seen and, as many, from test
digits of MNIST. Both sides prepare a frame for the same net; the header's code is compiled for this
machine and called through ctypes. Further frames, which the header was not made for, are faint,
noisy, blurred, partly in shadow, or show two digits. Size and instructions are those of a
Cortex-M4, under QEMU.

    python benchmarks/camera.py <folder or file> --out records/<date>-camera
"""

import argparse
import ctypes
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from tqdm import tqdm

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.data import unipen
from tinydigits.data.dataset import mnist_part
from tinydigits.data.sources import mnist_folder
from tinydigits.errors import InputError, NoDigit, SeveralDigits, exit_code
from tinydigits.evaluate.metrics import wilson
from tinydigits.export import c, parity
from tinydigits.export.command import CALIBRATION
from tinydigits.export.folded import fold
from tinydigits.export.quantised import quantise
from tinydigits.files import write_json
from tinydigits.net.contract import SIDE
from tinydigits.net.inference import infer
from tinydigits.net.shipped import DEFAULT
from tinydigits.net.trained import load, source_of
from tinydigits.reading.image import to_mnist
from tinydigits.scenes import KINDS, Mark, scene, setting, settings, writing
from tinydigits.scenes.glyphs import from_images, from_written, mixed
from tinydigits.scenes.settings import Part
from tinydigits.scenes.writing import Source
from tinydigits.seeds import derive
from tinydigits.train import hardware

PLAIN = 500  # frames of plain scenes, which the claim is about
HARD = 100  # frames of each other kind
EMPTY = 10  # every tenth frame is
WIDTHS, HEIGHTS = (60, 160), (60, 120)  # pixels of a frame
LEAST, MOST = 12, 0.92  # a digit's longer side: pixels, and share of the frame's shorter side
PAIRS = (0.1, 0.2, 0.4)  # gaps between two digits, in their heights
OWN = 2000  # test digits that are frames as they are
SHOWN = 16  # frames of a kind in the picture
TIMED = 12  # frames of 160x120 pixels

Pixels = npt.NDArray[np.uint8]
Rng = np.random.Generator
Read = Callable[[Pixels], Pixels | None]
"""The net's picture of a frame; None if no single digit is found in it."""

LIBRARY = """
#include "net.h"
int from_grey(const uint8_t *pixels, int width, int height, int stride, uint8_t *out) {
  return tinydigits_from_grey(pixels, width, height, stride, out);
}
"""
# What examples/mcu/startup.c calls and times.
TIMING = """
#include "net.h"
static const uint8_t frame[120 * 160] = {@pixels@};
int main(void) {
  static uint8_t out[784];
  int errors = 0;
  for (int n = 0; n < 16; n++) errors += tinydigits_from_grey(frame, 160, 120, 160, out) != 0;
  return errors;
}
"""
CHIP = (
    *("arm-none-eabi-gcc", "-std=c99", "-Os", "-mcpu=cortex-m4", "-mthumb", "-nostdlib"),
    "-fno-tree-loop-distribute-patterns",  # the start-up code clears memory itself
)
QEMU = (
    *("qemu-system-arm", "-machine", "mps2-an386", "-display", "none", "-monitor", "none"),
    *("-serial", "none", "-semihosting-config", "enable=on,target=native", "-icount", "shift=0"),
)


class Frame(NamedTuple):
    """A frame, and the digit in it; None if it has none or several."""

    pixels: Pixels
    label: int | None


def plain(source: Source, number: int, stream: str = "camera") -> Frame:
    """Return one of the plain frames: a page, a drawing or a board; every tenth is empty."""
    kinds = ("page", "canvas", "board")
    rng = np.random.default_rng(derive(0, stream, number))
    parts = KINDS[kinds[number % len(kinds)]]
    return _frame(parts, source, rng, is_empty=number % EMPTY == EMPTY - 1)


def _frame(parts: tuple[Part, ...], source: Source, rng: Rng, *, is_empty: bool = False) -> Frame:
    width, height = (int(rng.integers(low, high + 1)) for low, high in (WIDTHS, HEIGHTS))
    size = float(np.exp(rng.uniform(*np.log((LEAST, MOST * min(width, height))))))
    mark = writing.digit(source, size, rng)
    if is_empty:
        return Frame(_taken([], parts, (height, width), size, (width / 2, height / 2), rng), None)
    room = np.maximum((np.array((width, height)) - (mark.high - mark.low) - 0.15 * size) / 2, 0)
    off = rng.uniform(-1, 1, 2) * room - (mark.low + mark.high) / 2
    middle = (width / 2 + off[0], height / 2 + off[1])
    return Frame(_taken([mark], parts, (height, width), size, middle, rng), mark.label)


def _pair(gap: float, source: Source, rng: Rng) -> Frame:
    """Return two digits side by side in a frame of 160x100 pixels."""
    size = rng.uniform(25, 65)
    marks = writing.row([writing.digit(source, size, rng) for _ in range(2)], [gap * size], [0, 0])
    return Frame(_taken(marks, KINDS["page"], (100, 160), size, (80, 50), rng), None)


def _taken(
    marks: list[Mark],
    parts: tuple[Part, ...],
    shape: tuple[int, int],
    size: float,
    middle: tuple[float, float],
    rng: Rng,
) -> Pixels:
    picture = scene(marks, setting(parts, rng), shape, size, middle, rng).picture
    return np.asarray(Image.fromarray(picture).convert("L"))


def _hard(source: Source) -> dict[str, Callable[[Rng], Frame]]:
    """Return a function for each kind of frame that the header was not made for."""
    extra = {
        "soft shadow": settings.soft_shadow,
        "noise": settings.grainy,
        "out of focus": settings.blurred,
        "pencil": settings.faint,
        "hairline": settings.hairline,
        "brush": settings.fat,
    }
    single: dict[str, Callable[[Rng], Frame]] = {
        name: lambda rng, part=part: _frame((settings.writing, part), source, rng)  # type: ignore[misc]
        for name, part in extra.items()
    }
    pairs: dict[str, Callable[[Rng], Frame]] = {
        f"two digits, gap {gap}": lambda rng, gap=gap: _pair(gap, source, rng)  # type: ignore[misc]
        for gap in PAIRS
    }
    return single | pairs


def in_c(header: str, folder: Path, *options: str) -> Read:
    """Return the function of a header, compiled for this machine."""
    library = called(header, folder, *options)

    def read(frame: Pixels) -> Pixels | None:
        error, pixels = library(np.ascontiguousarray(frame))
        return None if error else pixels

    return read


def called(header: str, folder: Path, *options: str) -> Callable[[Pixels], tuple[int, Pixels]]:
    """Return the function of a header as C returns it, with its code and its picture."""
    options = (*(options or parity.PORTABLE), "-shared", "-fPIC")
    path = parity.compiled(parity.c_compiler(), header, LIBRARY, folder, options)
    library = ctypes.CDLL(str(path))

    def call(frame: Pixels) -> tuple[int, Pixels]:
        pixels = np.zeros((SIDE, SIDE), np.uint8)
        height, width = frame.shape
        error = library.from_grey(
            ctypes.c_void_p(frame.ctypes.data),
            *map(ctypes.c_int, (width, height, frame.strides[0])),
            ctypes.c_void_p(pixels.ctypes.data),
        )
        return error, pixels

    return call


def in_python(frame: Pixels) -> Pixels | None:
    """Return what ``predict`` makes of a frame."""
    try:
        return to_mnist(Image.fromarray(frame))
    except (NoDigit, SeveralDigits):
        return None


def answers(read: Read, frames: Sequence[Pixels]) -> list[int | None]:
    """Return the default net's digit for each frame; None if no single digit is found."""
    seen = [read(frame) for frame in frames]
    pictures = np.stack([np.zeros((SIDE, SIDE), np.uint8) if one is None else one for one in seen])
    digits = infer(load(DEFAULT), torch.from_numpy(pictures)).argmax(dim=1).tolist()
    return [None if one is None else digit for one, digit in zip(seen, digits, strict=True)]


def figures(frames: Sequence[Frame], read: Read) -> dict[str, int]:
    """Return how often C and Python agree, and how often each is right."""
    pixels, labels = [each.pixels for each in frames], [each.label for each in frames]
    both = {"c": answers(read, pixels), "python": answers(in_python, pixels)}
    told = {"frames": len(frames), "agree": _equal(*both.values())}
    for name, given in both.items():
        told[f"{name}_right"] = _equal(given, labels)
        told[f"{name}_none"] = given.count(None)
    return told


def _equal(one: Sequence[int | None], other: Sequence[int | None]) -> int:
    return sum(a == b for a, b in zip(one, other, strict=True))


def _own(images: Pixels, read: Read) -> dict[str, int]:
    """Return how many of MNIST's digits keep their answer when they are frames as they are."""
    before = answers(lambda image: image, list(images))
    after = answers(read, list(images))
    return {"pictures": len(images), "stay": _equal(before, after), "none": after.count(None)}


def _chip(header: str, alone: str, frames: Sequence[Pixels]) -> dict[str, int]:
    """Return bytes of flash and RAM that the camera's part adds, and instructions of a frame."""
    both, net = parity.footprint(header), parity.footprint(alone)
    if not both.compiler.startswith(CHIP[0]):
        raise InputError(f"{CHIP[0]} is missing: install Debian's gcc-arm-none-eabi")
    counts = sorted(_instructions(header, frame) for frame in frames)
    return {
        "flash": both.flash - net.flash,
        "memory": both.memory - net.memory,
        "instructions": counts[len(counts) // 2],
        "instructions_least": counts[0],
        "instructions_most": counts[-1],
    }


def _instructions(header: str, frame: Pixels) -> int:
    """Return the instructions that a frame of 160x120 pixels takes, counted by QEMU."""
    board = ROOT / "examples" / "mcu"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "net.h").write_text(header)
        numbers = ",".join(map(str, frame.ravel().tolist()))
        (Path(folder) / "main.c").write_text(TIMING.replace("@pixels@", numbers))
        made = ("main.c", str(board / "startup.c"), "-T", str(board / "memory.ld"), "-o", "main")
        subprocess.run([*CHIP, *made, "-lgcc"], cwd=folder, check=True)
        ran = subprocess.run(
            [*QEMU, "-kernel", "main"], cwd=folder, check=True, capture_output=True, text=True
        )
    return int(re.findall(r"(\d+) instructions a picture", ran.stderr)[0])


def _large(source: Source) -> Iterator[Pixels]:
    """Yield frames of 160x120 pixels."""
    for number in range(TIMED):
        rng = np.random.default_rng(derive(0, "camera, timed", number))
        size = float(rng.uniform(30, 100))
        mark = writing.digit(source, size, rng)
        yield _taken([mark], KINDS["page"], (120, 160), size, (80, 60), rng)


def _sheet(frames: Sequence[Frame], read: Read) -> Image.Image:
    """Return frames with a digit, and below each the pictures that C and Python make of it."""
    tile = 100
    shown = [each.pixels for each in frames if each.label is not None][:SHOWN]
    sheet = Image.new("L", (len(shown) * tile, tile + SIDE), 128)
    for number, frame in enumerate(shown):
        image = Image.fromarray(frame)
        image.thumbnail((tile - 4, tile - 4))
        sheet.paste(image, (number * tile, 0))
        for place, seen in enumerate((read(frame), in_python(frame))):
            if seen is not None:
                sheet.paste(Image.fromarray(seen), (number * tile + place * tile // 2, tile))
    return sheet


def main() -> None:
    """Measure all frames; write the figures, and some frames as a picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("strokes", type=Path, help="a UNIPEN file or a folder of them")
    parser.add_argument("--data-dir", type=Path, default=mnist_folder())
    parser.add_argument("--out", type=Path, required=True, help="folder for the record")
    options = parser.parse_args()

    torch.set_num_threads(1)
    net, test = source_of(DEFAULT), mnist_part("test", options.data_dir)
    pictured = from_images(test.images.numpy(), test.labels.numpy())
    source = mixed((from_written(unipen.read_strokes(options.strokes)), pictured), (0.5, 0.5))
    train = mnist_part("train", options.data_dir)
    layers = quantise(fold(net.net), train.images[:CALIBRATION])
    header = c.in_integers(layers, net.sha256, camera=True)
    with tempfile.TemporaryDirectory() as folder:
        read = in_c(header, Path(folder))
        frames = [plain(source, number) for number in tqdm(range(PLAIN), leave=False)]
        content: dict[str, Any] = {"net": DEFAULT, "plain": figures(frames, read), "hard": {}}
        for name, draw in _hard(source).items():
            rngs = (np.random.default_rng(derive(0, "camera", name, n)) for n in range(HARD))
            content["hard"][name] = figures([draw(rng) for rng in rngs], read)
            print(f"{name}: {content['hard'][name]}", flush=True)
        content["own"] = _own(test.images[:OWN].numpy(), read)
        sheet = _sheet(frames, read)
    alone = c.in_integers(layers, net.sha256)
    content["chip"] = _chip(header, alone, list(_large(source)))
    content["environment"] = hardware.environment(hardware.choose("cpu", "fp32"))
    low, high = wilson(content["plain"]["agree"], PLAIN)
    print(f"{content['plain']}, agreement {low:.1f} to {high:.1f} %\n{content['chip']}")
    write_json(options.out / "result.json", content)
    sheet.save(options.out / "frames.png", optimize=True)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    sys.exit(exit_code(main))
