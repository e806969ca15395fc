"""Measure how whole numbers are read: strings of digits in drawn scenes, by kind.

Digits are MNIST's test digits and, with a UNIPEN file or folder, those of writers that no net has
seen. Pictures depend on the kind and their number only, so anybody can draw them again. With
--peers, the first of the pictures with MNIST's digits go through Tesseract and RapidOCR too, as far
as they are installed (Debian's tesseract-ocr, PyPI's rapidocr-onnxruntime); of what they print,
digits count.

    python benchmarks/written_numbers.py --out records/<date>-numbers
    python benchmarks/written_numbers.py <folder or file> --peers 50 --pictures build/numbers
"""

import argparse
import csv
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from shutil import which
from subprocess import run
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
GAPS = writing.BETWEEN  # between neighbours, in digit heights
TOUCHING = (-0.12, 0.0)  # likewise, where they touch
MOST_LINES = 5

SURE = 0.99  # probability of a line
CELL = (0.3, 0.6)  # between neighbours in a form, in digit heights

Rng = np.random.Generator
Pixels = npt.NDArray[np.uint8]
Reader = Callable[[Pixels], tuple[str, list[tuple[str, float]]]]
"""Returns what it reads, and each line with its probability if it tells."""


class Sample(NamedTuple):
    """A picture, and what it says, with a line feed between lines."""

    picture: Pixels
    text: str


class Told(NamedTuple):
    """What was read of the pictures of one kind."""

    whole: int
    """Pictures of which every line is right, and none is invented."""
    pictures: int
    digits: float
    """Share of the digits, less wrong, missing and invented ones, in per cent."""
    invented: float
    """Digits more than there are, a picture."""
    sure: int
    """Lines given with SURE or more ..."""
    sure_right: int
    """... of which that many are among the picture's lines."""
    milliseconds: float


def row(
    source: Source,
    size: float,
    rng: Rng,
    *,
    touching: float = 0.0,
    between: tuple[float, float] = GAPS,
    most: int = LENGTHS[1],
) -> list[Mark]:
    """Return a number around the origin; a share of the neighbours touch."""
    count = int(rng.integers(LENGTHS[0], most + 1))
    sizes = size * np.exp(0.06 * rng.standard_normal(count))
    marks = [writing.digit(source, float(each), rng) for each in sizes]
    gaps = np.where(
        rng.random(count - 1) < touching,
        rng.uniform(*TOUCHING, count - 1),
        rng.uniform(*between, count - 1),
    )
    rises = 0.04 * size * rng.standard_normal(count)
    return writing.row(marks, (size * gaps).tolist(), rises.tolist())


def text_of(marks: Sequence[Mark]) -> str:
    """Return what a row says."""
    return "".join(str(mark.label) for mark in marks if mark.label is not None)


def field(source: Source, rng: Rng) -> Sample:
    """Return a number in a form's field: one box, or a cell for each digit."""
    size = float(np.exp(rng.uniform(*np.log(HEIGHTS))))
    marks = row(source, size, rng, between=CELL)
    drawn = [*marks, writing.field(marks, size, rng)]
    return Sample(taken(drawn, (settings.writing,), size, rng, source), text_of(marks))


def letters(source: Source, rng: Rng) -> Sample:
    """Return written letters and printed words, and no digit."""
    size = float(np.exp(rng.uniform(*np.log(HEIGHTS))))
    parts = (settings.writing, settings.texted) if rng.random() < 0.5 else plain(rng)
    return Sample(taken(writing.word(size, rng), parts, size, rng, source), "")


def beside_letters(source: Source, rng: Rng) -> Sample:
    """Return a number with written letters below, or printed words beside."""
    size = float(np.exp(rng.uniform(np.log(HEIGHTS[0]), np.log(60))))
    number = row(source, size, rng, most=7)
    if rng.random() < 0.5:
        return Sample(
            taken(number, (settings.writing, settings.texted), size, rng, source), text_of(number)
        )
    below = np.array((0, size * rng.uniform(1.5, 2.2)))
    marks = [*number, *(mark.moved(below) for mark in writing.word(size, rng))]
    low, high = writing.bounds(marks)
    centred = [mark.moved(-(low + high) / 2) for mark in marks]
    return Sample(taken(centred, plain(rng), size, rng, source), text_of(number))


def one_line(*parts: Part, touching: float = 0.0) -> Callable[[Source, Rng], Sample]:
    """Return a function that draws a number with these parts of a scene."""

    def draw(source: Source, rng: Rng) -> Sample:
        size = float(np.exp(rng.uniform(*np.log(HEIGHTS))))
        marks = row(source, size, rng, touching=touching)
        return Sample(taken(marks, parts or plain(rng), size, rng, source), text_of(marks))

    return draw


def several_lines(*parts: Part, least: int = 2) -> Callable[[Source, Rng], Sample]:
    """Return a function that draws some numbers below each other."""

    def draw(source: Source, rng: Rng) -> Sample:
        size = float(np.exp(rng.uniform(np.log(HEIGHTS[0]), np.log(60))))
        marks, texts, top = [], [], 0.0
        for _ in range(int(rng.integers(least, MOST_LINES + 1))):
            line = row(source, size, rng, most=7)
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
    "boxed": field,
    "ruled": one_line(settings.writing, settings.ruled, settings.slightly),
    "several lines": several_lines(),
    "photographed": several_lines(*NOTE, least=1),
    "letters beside": beside_letters,
    "letters only": letters,
}


def tinydigits_page(picture: Pixels) -> tuple[str, list[tuple[str, float]]]:
    """Return what tinydigits reads, and each line with its probability."""
    page = read(Image.fromarray(picture))
    return page.text, [(line.text, line.probability) for line in page.lines]


def peers() -> dict[str, Reader]:
    """Return the readers that are installed, by name and version."""
    found: dict[str, Reader] = {}
    if which("tesseract"):
        said = run(("tesseract", "--version"), capture_output=True, text=True, check=True).stdout
        found[f"Tesseract {said.split()[1]}"] = tesseract
    if find_spec("rapidocr_onnxruntime"):
        found[f"RapidOCR {version('rapidocr-onnxruntime')}"] = rapid_ocr()
    return found


def tesseract(picture: Pixels) -> tuple[str, list[tuple[str, float]]]:
    """Return the digits that Tesseract reads in a block of text."""
    content = BytesIO()
    Image.fromarray(picture).save(content, "PNG")
    command = ("tesseract", "-", "-", "--psm", "6", "-c", "tessedit_char_whitelist=0123456789")
    said = run(command, input=content.getvalue(), capture_output=True, check=True).stdout
    return digits_only(said.decode().splitlines()), []


def rapid_ocr() -> Reader:
    """Return RapidOCR with its own models and settings."""
    from rapidocr_onnxruntime import RapidOCR

    engine = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)

    def page(picture: Pixels) -> tuple[str, list[tuple[str, float]]]:
        found, _ = engine(picture)
        ordered = sorted(found or (), key=lambda each: each[0][0][1])
        return digits_only([text for _, text, _ in ordered]), []

    return page


def digits_only(lines: Sequence[str]) -> str:
    """Return the digits of each line that has some."""
    kept = ("".join(each for each in line if each in "0123456789") for line in lines)
    return "\n".join(line for line in kept if line)


def main() -> None:
    """Measure all kinds; write the figures, and the pictures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("strokes", type=Path, nargs="?", help="a UNIPEN file or a folder of them")
    parser.add_argument("--data-dir", type=Path, default=mnist_folder())
    parser.add_argument("--count", type=int, default=A_KIND, help="pictures of a kind")
    parser.add_argument(
        "--peers", type=int, default=0, help="pictures of a kind, of MNIST's digits, for others"
    )
    parser.add_argument("--pictures", type=Path, help="folder for the pictures and labels.csv")
    parser.add_argument("--out", type=Path, help="folder for numbers.json")
    options = parser.parse_args()

    torch.set_num_threads(1)
    test = mnist_part("test", options.data_dir)
    sources = {"MNIST": from_images(test.images.numpy(), test.labels.numpy())}
    if options.strokes:
        sources["pen"] = from_written(unipen.read_strokes(options.strokes))
    others = peers() if options.peers else {}
    figures: dict[str, dict[str, Told]] = {}
    for name, source in sources.items():
        for kind, draw in KINDS.items():
            samples = [
                draw(source, np.random.default_rng(derive(0, "numbers", name, kind, number)))
                for number in range(options.count)
            ]
            if options.pictures:
                keep(options.pictures, f"{name} {kind}", samples)
            told = {"tinydigits": measured(samples, tinydigits_page)}
            few = samples[: options.peers]
            if source is sources["MNIST"]:
                told |= {peer: measured(few, reader) for peer, reader in others.items()}
            figures[f"{name}, {kind}"] = told
            print(f"{name}, {kind}: {told}", flush=True)
    if options.out:
        content = {
            "figures": {
                kind: {reader: each._asdict() for reader, each in told.items()}
                for kind, told in figures.items()
            },
            "environment": hardware.environment(hardware.choose("cpu", "fp32")),
        }
        write_json(options.out / "numbers.json", content)
        print(f"wrote {options.out / 'numbers.json'}")


def keep(folder: Path, kind: str, samples: Sequence[Sample]) -> None:
    """Add pictures to a folder, and what they say to its labels.csv, which ``evaluate`` takes."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "labels.csv"
    is_new = not table.exists()
    with table.open("a", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        if is_new:
            rows.writerow(("file", "text", "kind"))
        for number, sample in enumerate(samples):
            name = f"{kind.replace(' ', '-')}-{number}.png"
            Image.fromarray(sample.picture).save(folder / name)
            rows.writerow((name, sample.text, kind))


def measured(samples: Sequence[Sample], reader: Reader) -> Told:
    """Return how many of the samples are read."""
    began = time.perf_counter()
    pages = [reader(each.picture) for each in samples]
    milliseconds = 1000 * (time.perf_counter() - began) / len(samples)
    pairs = [(text, each.text) for (text, _), each in zip(pages, samples, strict=True)]
    wrong = sum(distance(*pair) for pair in pairs)
    digits = sum(len(expected) for _, expected in pairs)
    sure = [
        line in sample.text.split("\n")
        for (_, lines), sample in zip(pages, samples, strict=True)
        for line, probability in lines
        if probability >= SURE
    ]
    return Told(
        whole=sum(text == expected for text, expected in pairs),
        pictures=len(samples),
        digits=round(100 * (1 - wrong / digits), 2) if digits else 100.0,
        invented=sum(max(0, len(text) - len(expected)) for text, expected in pairs) / len(samples),
        sure=len(sure),
        sure_right=sum(sure),
        milliseconds=round(milliseconds, 1),
    )


if __name__ == "__main__":
    sys.exit(exit_code(main))
