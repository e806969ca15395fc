"""Measure how whole numbers are read: strings of digits in drawn scenes, by kind.

Digits are MNIST's test digits and, with a UNIPEN file or folder, those of writers that no net has
seen. Pictures depend on the kind and their number only, so anybody can draw them again.

    python benchmarks/numbers.py --out records/<date>-numbers
    python benchmarks/numbers.py <folder or file> --peers --pictures build/numbers
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.data import unipen
from tinydigits.data.dataset import mnist_part
from tinydigits.data.sources import mnist_folder
from tinydigits.errors import exit_code
from tinydigits.evaluate.strings import distance
from tinydigits.files import write_json
from tinydigits.reading.reading import read
from tinydigits.scenes import scene, setting, settings, writing
from tinydigits.scenes.glyphs import from_images, from_written
from tinydigits.scenes.settings import Part
from tinydigits.scenes.writing import Mark, Source
from tinydigits.seeds import derive
from tinydigits.train import hardware

A_KIND = 300  # pictures
HEIGHTS = (24, 90)  # pixels of a digit, smallest and largest
LENGTHS = (2, 10)  # digits of a number
GAPS = (0.06, 0.4)  # between neighbours, in digit heights
TOUCHING = (-0.12, 0.0)  # likewise, where they touch
MOST_LINES = 5

Rng = np.random.Generator
Pixels = npt.NDArray[np.uint8]


class Sample(NamedTuple):
    """A picture, and what it says, with a line feed between lines."""

    picture: Pixels
    text: str


class Told(NamedTuple):
    """What was read of the pictures of one kind."""

    whole: int
    pictures: int
    digits: float
    """Share of the digits, less wrong, missing and invented ones, in per cent."""
    milliseconds: float


def row(
    source: Source, size: float, touching: float, rng: Rng, most: int = LENGTHS[1]
) -> list[Mark]:
    """Return a number around the origin; a share of the neighbours touch."""
    count = int(rng.integers(LENGTHS[0], most + 1))
    sizes = size * np.exp(0.06 * rng.standard_normal(count))
    marks = [writing.digit(source, float(each), rng) for each in sizes]
    gaps = np.where(
        rng.random(count - 1) < touching,
        rng.uniform(*TOUCHING, count - 1),
        rng.uniform(*GAPS, count - 1),
    )
    rises = 0.04 * size * rng.standard_normal(count)
    return writing.row(marks, (size * gaps).tolist(), rises.tolist())


def text_of(marks: Sequence[Mark]) -> str:
    """Return what a row says."""
    return "".join(str(mark.label) for mark in marks)


def one_line(*parts: Part, touching: float = 0.0) -> Callable[[Source, Rng], Sample]:
    """Return a function that draws a number with these parts of a scene."""

    def draw(source: Source, rng: Rng) -> Sample:
        size = float(np.exp(rng.uniform(*np.log(HEIGHTS))))
        marks = row(source, size, touching, rng)
        return Sample(taken(marks, parts or plain(rng), size, rng, source), text_of(marks))

    return draw


def several_lines(*parts: Part, least: int = 2) -> Callable[[Source, Rng], Sample]:
    """Return a function that draws some numbers below each other."""

    def draw(source: Source, rng: Rng) -> Sample:
        size = float(np.exp(rng.uniform(np.log(HEIGHTS[0]), np.log(60))))
        marks, texts, top = [], [], 0.0
        for _ in range(int(rng.integers(least, MOST_LINES + 1))):
            line = row(source, size, 0.0, rng, most=7)
            low, high = writing.bounds(line)
            by = np.array((0.2 * size * rng.standard_normal() - low[0], top - low[1]))
            marks += [mark.moved(by) for mark in line]
            texts.append(text_of(line))
            top += high[1] - low[1] + size * rng.uniform(0.4, 1)
        low, high = writing.bounds(marks)
        centred = [mark.moved(-(low + high) / 2) for mark in marks]
        extra = photographed(rng) if parts else plain(rng)
        return Sample(taken(centred, (*parts, *extra), size, rng, source), "\n".join(texts))

    return draw


def plain(rng: Rng) -> tuple[Part, ...]:
    """Return a drawing on a screen, or paper, as often."""
    return (settings.writing, settings.canvas) if rng.random() < 0.5 else (settings.writing,)


def photographed(rng: Rng) -> tuple[Part, ...]:
    """Return what some photographs of notes have."""
    some = {settings.soft_shadow: 0.3, settings.desk: 0.5, settings.ruled: 0.3}
    return tuple(part for part, share in some.items() if rng.random() < share)


def taken(
    marks: Sequence[Mark], parts: tuple[Part, ...], size: float, rng: Rng, source: Source
) -> Pixels:
    """Return a picture of marks with some room around them."""
    chosen = setting(parts, rng)
    low, high = writing.bounds(marks)
    room = size * (rng.uniform(0.4, 1.5, 2) + (chosen.sheet == "note"))
    width, height = high - low + 2 * room
    cosine, sine = abs(np.cos(np.deg2rad(chosen.turn))), abs(np.sin(np.deg2rad(chosen.turn)))
    shape = (int(height * cosine + width * sine), int(width * cosine + height * sine))
    centre = (shape[1] / 2, shape[0] / 2)
    return scene(marks, chosen, shape, size, centre, rng, source).picture


NOTE = (settings.writing, settings.note, settings.slightly)
KINDS: dict[str, Callable[[Source, Rng], Sample]] = {
    "clean": one_line(),
    "touching": one_line(touching=1 / 3),
    "underlined": one_line(settings.writing, settings.underlined),
    "boxed": one_line(settings.writing, settings.boxed),
    "ruled": one_line(settings.writing, settings.ruled, settings.slightly),
    "several lines": several_lines(),
    "photographed": several_lines(*NOTE, least=1),
}


def main() -> None:
    """Measure all kinds; write the figures, and the pictures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("strokes", type=Path, nargs="?", help="a UNIPEN file or a folder of them")
    parser.add_argument("--data-dir", type=Path, default=mnist_folder())
    parser.add_argument("--count", type=int, default=A_KIND, help="pictures of a kind")
    parser.add_argument("--out", type=Path, help="folder for numbers.json")
    options = parser.parse_args()

    torch.set_num_threads(1)
    test = mnist_part("test", options.data_dir)
    sources = {"MNIST": from_images(test.images.numpy(), test.labels.numpy())}
    if options.strokes:
        sources["pen"] = from_written(unipen.read_strokes(options.strokes))
    figures = {}
    for name, source in sources.items():
        for kind, draw in KINDS.items():
            samples = [
                draw(source, np.random.default_rng(derive(0, "numbers", name, kind, number)))
                for number in range(options.count)
            ]
            figures[f"{name}, {kind}"] = told = measured(samples)
            print(f"{name}, {kind}: {told}", flush=True)
    if options.out:
        content = {
            "figures": {kind: told._asdict() for kind, told in figures.items()},
            "environment": hardware.environment(hardware.choose("cpu", "fp32")),
        }
        write_json(options.out / "numbers.json", content)
        print(f"wrote {options.out / 'numbers.json'}")


def measured(samples: Sequence[Sample]) -> Told:
    """Return how many of the samples are read."""
    began = time.perf_counter()
    texts = [read(Image.fromarray(each.picture)).text for each in samples]
    milliseconds = 1000 * (time.perf_counter() - began) / len(samples)
    expected = [each.text for each in samples]
    whole = sum(one == other for one, other in zip(texts, expected, strict=True))
    wrong = sum(distance(one, other) for one, other in zip(texts, expected, strict=True))
    digits = 100 * (1 - wrong / sum(map(len, expected)))
    return Told(whole, len(samples), round(digits, 2), round(milliseconds, 1))


if __name__ == "__main__":
    sys.exit(exit_code(main))
