"""Measure what is read in scenes: digits on notes, on ruled paper, in shadows, together, or none.

Digits come from UNIPEN files of writers that no net has seen and, as many, from MNIST's test
digits. Scenes are prepared as ``tinydigits predict`` prepares a picture. Their random numbers are
others than those of the scenes that the finder was trained on.

    python benchmarks/scenes.py <folder or file> --out records/<date>-scenes
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from PIL.Image import Resampling
from tqdm import tqdm

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.data import unipen
from tinydigits.data.dataset import mnist_part
from tinydigits.data.sources import mnist_folder
from tinydigits.errors import NoDigit, SeveralDigits, exit_code
from tinydigits.files import write_json
from tinydigits.net.contract import SIDE
from tinydigits.net.inference import infer
from tinydigits.net.shipped import DEFAULT
from tinydigits.net.trained import load
from tinydigits.reading.image import to_mnist
from tinydigits.scenes import KINDS, Scene, scene, setting, settings, writing
from tinydigits.scenes.glyphs import from_images, from_shapes, from_written, mixed
from tinydigits.scenes.settings import Part
from tinydigits.scenes.writing import Mark, Source
from tinydigits.seeds import derive
from tinydigits.train import hardware

A_KIND = 100  # scenes
SHOWN = 12  # scenes of a kind in the picture
SIDES = (160, 480)  # pixels: the longer side of a picture, smallest and largest
HEIGHTS = (0.12, 0.6)  # of the shorter side: a digit's longer side
PASTED = 2000  # digits of MNIST on larger fields
SIZES = {"400 pixels": 400, "12 megapixels": 4000}  # width of the pictures that are timed
ROUNDS = 15  # times that they are
TINY = (6, 10)  # pixels
# Gap between two digits and size of the second, in sizes of the first.
PAIRS = [(gap, size) for gap in (0.02, 0.05, 0.1, 0.2, 0.4) for size in (1.0, 0.7, 0.4)]

Rng = np.random.Generator


class Sample(NamedTuple):
    """A picture, and the digit in it; None if it has none or several."""

    picture: npt.NDArray[np.uint8]
    label: int | None


def main() -> None:
    """Measure all kinds; write the figures, and some scenes as a picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("strokes", type=Path, help="a UNIPEN file or a folder of them")
    parser.add_argument("--net", default=DEFAULT, help="net's name or file")
    parser.add_argument("--data-dir", type=Path, default=mnist_folder())
    parser.add_argument("--out", type=Path, required=True, help="folder for the record")
    options = parser.parse_args()

    torch.set_num_threads(1)
    test = mnist_part("test", options.data_dir)
    written = from_written(unipen.read_strokes(options.strokes))
    pictured = from_images(test.images.numpy(), test.labels.numpy())
    kinds = _kinds(mixed((written, pictured), (0.5, 0.5)))
    figures, rows = {}, []
    for name, draw in kinds.items():
        samples = [_sample(draw, name, number) for number in range(A_KIND)]
        figures[name] = _figures(samples, options.net)
        rows.append([Image.fromarray(each.picture) for each in samples[:SHOWN]])
        print(f"{name}: {figures[name]}", flush=True)
    content = {
        "scenes_of_a_kind": A_KIND,
        "net": options.net,
        "kinds": figures,
        "pasted": _pasted(test.images.numpy(), options.net),
        "milliseconds": {name: _milliseconds(side) for name, side in SIZES.items()},
        "environment": hardware.environment(hardware.choose("cpu", "fp32")),
    }
    write_json(options.out / "scenes.json", content)
    _sheet(rows).save(options.out / "scenes.jpg", quality=75, optimize=True)
    print(f"wrote {options.out}")


def _sample(draw: Callable[[Rng], Sample], name: str, number: int) -> Sample:
    return draw(np.random.default_rng(derive(0, "measured scenes", name, number)))


def _kinds(source: Source) -> dict[str, Callable[[Rng], Sample]]:
    """Return a function for each kind that draws a scene of it."""
    single = {name: _one(parts, source) for name, parts in KINDS.items()}
    single["tiny"] = _one((settings.writing, settings.canvas), source, TINY)
    pairs = {f"two, gap {gap}, second {size}": _two(gap, size, 0.0, source) for gap, size in PAIRS}
    return {
        **single,
        **pairs,
        "power": _two(0.1, 0.5, 0.6, source),
        "with a sign between": _with_sign(source),
        "nothing written": _nothing,
        "a letter or sign alone": _sign_alone,
    }


def _one(
    parts: tuple[Part, ...], source: Source, pixels: tuple[int, int] | None = None
) -> Callable[[Rng], Sample]:
    """Return a function that draws one digit somewhere in a picture."""

    def draw(rng: Rng) -> Sample:
        chosen = setting(parts, rng)
        width = int(rng.integers(*SIDES)) if not chosen.pixels else 4 * chosen.pixels
        shape = (round(width * rng.choice((0.75, 1.0))), width)
        least, most = (share * min(shape) for share in HEIGHTS)
        height = float(np.exp(rng.uniform(*np.log(pixels or (least, most)))))
        mark = writing.digit(source, height, rng)
        room = np.maximum(np.array(shape[::-1]) / 2 - 0.7 * height, 0) * 0.8
        x, y = np.array(shape[::-1]) / 2 + rng.uniform(-1, 1, 2) * room
        found = scene([mark], chosen, shape, height, (x, y), rng, source)
        return Sample(found.picture, mark.label)

    return draw


def _several(marks: list[Mark], height: float, rng: Rng, source: Source | None = None) -> Scene:
    """Return marks on a drawing or on paper, as often."""
    parts: tuple[Part, ...] = (settings.writing, settings.canvas)
    chosen = setting(parts[: int(rng.integers(1, 3))], rng)
    low, high = writing.bounds(marks) if marks else (np.zeros(2), np.zeros(2))
    width, tall = np.ceil(high - low + height * rng.uniform(0.6, 3, 2)).astype(int).tolist()
    return scene(marks, chosen, (tall, width), height, (width / 2, tall / 2), rng, source)


def _two(gap: float, size: float, rise: float, source: Source) -> Callable[[Rng], Sample]:
    def draw(rng: Rng) -> Sample:
        height = rng.uniform(40, 150)
        marks = [writing.digit(source, height * each, rng) for each in (1, size)]
        placed = writing.row(marks, [gap * height], [0.0, rise * height])
        return Sample(_several(placed, height, rng).picture, None)

    return draw


def _with_sign(source: Source) -> Callable[[Rng], Sample]:
    def draw(rng: Rng) -> Sample:
        height = rng.uniform(40, 150)
        marks = [
            writing.digit(source, height, rng),
            writing.sign(height * rng.uniform(0.3, 0.8), rng),
            writing.digit(source, height, rng),
        ]
        placed = writing.row(marks, [0.15 * height] * 2, [0.0, 0.2 * height, 0.0])
        return Sample(_several(placed, height, rng).picture, None)

    return draw


def _nothing(rng: Rng) -> Sample:
    """Return a desk, an empty note or page, printed text, clutter or noise."""
    bases = ((), (settings.note, settings.turned), (settings.label,), (settings.bare,))
    parts: tuple[Part, ...] = (settings.writing, *bases[rng.integers(len(bases))])
    for part in (
        settings.desk,
        settings.ruled,
        settings.squared,
        settings.margin,
        settings.hard_shadow,
        settings.soft_shadow,
        settings.texted,
        settings.cluttered,
        settings.grainy,
    ):
        if rng.random() < 0.25:
            parts += (part,)
    height = rng.uniform(30, 120)
    empty = scene([], setting(parts, rng), (240, 320), height, (160, 120), rng)
    return Sample(empty.picture, None)


def _sign_alone(rng: Rng) -> Sample:
    height = rng.uniform(40, 150)
    return Sample(_several([writing.sign(height, rng)], height, rng).picture, None)


def _figures(samples: list[Sample], net: str) -> dict[str, Any]:
    """Return how many scenes are answered correctly, wrongly or not at all."""
    answers = list(_answers(tqdm(samples, leave=False, disable=None), net))
    told = [answer for answer, _ in answers]
    if samples[0].label is None:
        answered = sum(answer is not None for answer in told)
        counts = {"answered": answered, "refused": len(told) - answered}
    else:
        pairs = list(zip(told, (each.label for each in samples), strict=True))
        right = sum(answer == label for answer, label in pairs)
        refused = told.count(None)
        counts = {"right": right, "wrong": len(told) - right - refused, "refused": refused}
    return counts | {"milliseconds": round(statistics.median(ms for _, ms in answers), 1)}


def _answers(samples: Iterable[Sample], net: str) -> Iterator[tuple[int | None, float]]:
    """Yield the answer to each scene, None if it is refused, and how long its preparation took."""
    for each in samples:
        began = time.perf_counter()
        try:
            pixels = to_mnist(Image.fromarray(each.picture))
        except (NoDigit, SeveralDigits):
            yield None, 1000 * (time.perf_counter() - began)
            continue
        took = 1000 * (time.perf_counter() - began)
        yield int(infer(load(net), torch.from_numpy(pixels[None])).argmax()), took


def _pasted(images: npt.NDArray[np.uint8], net: str) -> dict[str, int]:
    """Return how many of MNIST's digits keep their answer, enlarged and put on a larger field."""
    rng = np.random.default_rng(derive(0, "pasted"))
    chosen = images[rng.choice(len(images), PASTED, replace=False)]
    before = infer(load(net), torch.from_numpy(chosen)).argmax(1).tolist()
    fields = [Sample(_field(image, rng), None) for image in chosen]
    after = [answer for answer, _ in _answers(tqdm(fields, leave=False, disable=None), net)]
    stay = sum(one == other for one, other in zip(before, after, strict=True))
    return {"pictures": PASTED, "stay": stay, "refused": after.count(None)}


def _field(digit: npt.NDArray[np.uint8], rng: Rng) -> npt.NDArray[np.uint8]:
    side = round(SIDE * rng.uniform(2, 10))
    resampling = list(Resampling)[rng.integers(4)]
    tile = Image.fromarray(digit).resize((side, side), resampling)
    width, height = (round(side * rng.uniform(1, 3)) for _ in range(2))
    field = Image.new("L", (width, height))
    field.paste(tile, (int(rng.integers(width - side + 1)), int(rng.integers(height - side + 1))))
    light = 255 - np.asarray(field) if rng.random() < 0.5 else np.asarray(field)
    return np.repeat(light[:, :, None], 3, axis=2)


def _milliseconds(width: int) -> float:
    """Return the median time of preparing a photograph of a digit on paper, on one thread."""
    rng = np.random.default_rng(derive(0, "timed"))
    shape = (round(0.75 * width), width)
    height = 0.3 * shape[0]
    mark = writing.digit(from_shapes(), height, rng)
    chosen = setting((settings.writing,), rng)
    photograph = scene([mark], chosen, shape, height, (width / 2, shape[0] / 2), rng)
    answered = _answers([Sample(photograph.picture, mark.label)] * ROUNDS, DEFAULT)
    return round(statistics.median(ms for _, ms in answered), 1)


def _sheet(rows: list[list[Image.Image]]) -> Image.Image:
    """Return the first scenes of each kind, a row each."""
    tile = 100
    sheet = Image.new("RGB", (SHOWN * tile, len(rows) * tile), "grey")
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            image.thumbnail((tile - 4, tile - 4))
            sheet.paste(image, (x * tile, y * tile))
    return sheet


if __name__ == "__main__":
    sys.exit(exit_code(main))
