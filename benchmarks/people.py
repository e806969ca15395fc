"""Measure what the package's nets read of digits that people wrote, a writer at a time.

Digits are given as UNIPEN files of writers that no net has seen. Each net reads all of them, drawn
with a round pen of two pixels in MNIST's frame, and some of each writer's in drawn scenes, prepared
as ``tinydigits predict`` prepares a picture. It reads MNIST's test digits, clean and damaged, too.

    python benchmarks/people.py <folder or file> --out records/<date>-people
    python benchmarks/people.py <folder or file> --nets people mine.pth --out mine
"""

import argparse
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm import tqdm

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.data import unipen
from tinydigits.data.dataset import Digits, digits, mnist_part
from tinydigits.data.paths import in_unit_box, paths_of
from tinydigits.data.pen import Pen, draw
from tinydigits.data.sources import mnist_folder
from tinydigits.data.written import Written
from tinydigits.errors import NoDigit, exit_code
from tinydigits.evaluate import corruptions
from tinydigits.evaluate.assessment import Answers, accuracies, damaged
from tinydigits.evaluate.metrics import report
from tinydigits.files import write_json
from tinydigits.net.inference import infer
from tinydigits.net.shipped import NAMES
from tinydigits.net.trained import load
from tinydigits.reading.image import to_mnist
from tinydigits.scenes import KINDS, scene, setting, writing
from tinydigits.seeds import derive
from tinydigits.train import hardware

PEN = Pen(width=2)
A_WRITER = 10  # digits of each writer that appear in scenes
WORST = 0.1  # of the writers
SHOWN = 12  # scenes of a kind in the picture
SCENES = ("canvas", "page", "board")
SIZES = (32, 320)  # pixels of a digit's longer side in a scene, smallest and largest
MARGINS = (0.15, 0.8)  # around it, in digit sizes


class Scenes(NamedTuple):
    """Scenes of one kind, prepared for a net."""

    read: Digits
    refused: int  # in which no single digit was found: they count as wrong

    def accuracy(self, answers: Answers) -> float:
        """Return the share that a net reads correctly, in per cent."""
        found = report(answers(self.read.images), self.read.labels)
        return 100 * (found.total - found.wrong) / (found.total + self.refused)


def main() -> None:
    """Measure every net of the package; write the figures, and some scenes as a picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("strokes", type=Path, help="a UNIPEN file or a folder of them")
    parser.add_argument("--nets", nargs="+", default=NAMES, help="nets' names or files")
    parser.add_argument("--data-dir", type=Path, default=mnist_folder())
    parser.add_argument("--out", type=Path, required=True, help="folder for the record")
    options = parser.parse_args()

    written = unipen.read_strokes(options.strokes)
    some = _some(written)
    scenes = {kind: _scenes(some, kind) for kind in SCENES}
    nets = _figures(options.nets, written, scenes, mnist_part("test", options.data_dir))
    content = {
        "digits": len(written),
        "writers": len({digit.writer for digit in written}),
        "scenes_of_a_kind": len(some),
        "refused": {kind: each.refused for kind, each in scenes.items()},
        "nets": nets,
        "environment": hardware.environment(hardware.choose("cpu", "fp32")),
    }
    write_json(options.out / "people.json", content)
    _picture(some).save(options.out / "scenes.png", optimize=True)
    print(f"wrote {options.out}")


def _figures(
    names: Sequence[str], written: Sequence[Written], scenes: dict[str, Scenes], test: Digits
) -> dict[str, dict[str, Any]]:
    """Return each net's figures: accuracies in per cent, and errors of each writer."""
    drawn = _drawn(written)
    sets = list(damaged(test, tqdm(corruptions.KINDS, desc="damaging", leave=False, disable=None)))
    figures = {}
    for net in names:
        answers, name = partial(infer, load(net)), Path(net).stem
        figures[name] = {
            **_of_writers(answers, drawn, [digit.writer for digit in written]),
            "scenes": {kind: round(each.accuracy(answers), 2) for kind, each in scenes.items()},
            "mnist": round(report(answers(test.images), test.labels).accuracy, 2),
            "damage": round(float(np.mean(list(accuracies(answers, sets).values()))), 2),
        }
        shown = {key: value for key, value in figures[name].items() if key != "errors"}
        print(f"{name}: {shown}", flush=True)
    return figures


def _drawn(written: Sequence[Written]) -> Digits:
    """Return the digits in MNIST's frame, drawn with PEN."""
    paths = paths_of(digit.strokes for digit in written)
    images = draw(paths, PEN, np.random.default_rng(0))  # all have the same pen
    return digits(images, np.array([digit.label for digit in written], np.uint8))


def _of_writers(answers: Answers, drawn: Digits, writers: Sequence[str]) -> dict[str, Any]:
    """Return the accuracy on all digits and over writers, and each writer's errors and digits."""
    wrong = report(answers(drawn.images), drawn.labels).wrong_indices
    written, errors = Counter(writers), Counter(writers[index] for index in wrong)
    rates = sorted(100 * errors[writer] / count for writer, count in written.items())
    worst = rates[-max(1, round(WORST * len(rates))) :]
    return {
        "digits": round(100 - 100 * len(wrong) / len(writers), 2),
        "writers": round(100 - statistics.mean(rates), 2),
        "worst_tenth": round(100 - statistics.mean(worst), 2),
        "errors": {writer: [errors[writer], count] for writer, count in sorted(written.items())},
    }


def _some(written: Sequence[Written]) -> list[Written]:
    """Return A_WRITER digits of each writer, or all if there are fewer, in random order."""
    shuffled = [written[index] for index in np.random.default_rng(0).permutation(len(written))]
    seen: Counter[str] = Counter()
    some = []
    for digit in shuffled:
        seen[digit.writer] += 1
        if seen[digit.writer] <= A_WRITER:
            some.append(digit)
    return some


def _scenes(written: Sequence[Written], kind: str) -> Scenes:
    """Return one scene of each digit, as ``predict`` prepares it for a net."""
    numbered = enumerate(tqdm(written, desc=kind, leave=False, disable=None))
    inputs = [_input(_scene(digit, kind, number)) for number, digit in numbered]
    images = np.stack([image for image in inputs if image is not None])
    pairs = zip(written, inputs, strict=True)
    labels = [digit.label for digit, image in pairs if image is not None]
    return Scenes(digits(images, np.array(labels, np.uint8)), len(written) - len(labels))


def _input(picture: Image.Image) -> npt.NDArray[np.uint8] | None:
    """Return what a net sees of a picture; None if no single digit is found in it."""
    try:
        return to_mnist(picture)
    except NoDigit:
        return None


def _scene(digit: Written, kind: str, number: int) -> Image.Image:
    rng = np.random.default_rng(derive(0, "scenes", kind, number))
    size = float(np.exp(rng.uniform(*np.log(SIZES))))
    mark = writing.digit(lambda _: (digit.label, in_unit_box(digit.strokes)), size, rng)
    left, top, right, bottom = size * rng.uniform(*MARGINS, 4)
    width, height = np.ceil(mark.high - mark.low + (left + right, top + bottom)).astype(int)
    middle = mark.high + np.array((left, top))  # the digit lies around the origin
    chosen = setting(KINDS[kind], rng)
    found = scene([mark], chosen, (int(height), int(width)), size, (middle[0], middle[1]), rng)
    return Image.fromarray(found.picture)


def _picture(written: Sequence[Written]) -> Image.Image:
    """Return the first scenes of each kind, a row each."""
    tile = 100
    sheet = Image.new("RGB", (SHOWN * tile, len(SCENES) * tile), "grey")
    for row, kind in enumerate(SCENES):
        for column in range(SHOWN):
            image = _scene(written[column], kind, column)
            image.thumbnail((tile - 4, tile - 4))
            sheet.paste(image, (column * tile, row * tile))
    return sheet


if __name__ == "__main__":
    sys.exit(exit_code(main))
