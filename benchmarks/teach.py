"""Measure what the net in the page learns from ten examples, and what it forgets.

The page is opened in headless Chromium. It learns ten digits of a style that the net misreads; then
twenty others in that style are read, and synthetic digits and MNIST's. Styles are those of
``styles.py`` of which the net reads at most half, and digits of UNIPEN writers that no net has
seen, where the net misreads at least a tenth of a writer's. Every third style served to choose the
lesson's options; the record says which.

    python benchmarks/teach.py <folder or file> --out records/<date>-teach
"""

import argparse
import base64
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from tqdm import tqdm

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.data import synthetic, unipen
from tinydigits.data.dataset import mnist_part
from tinydigits.data.paths import in_unit_box, paths_of
from tinydigits.data.pen import Pen, draw
from tinydigits.data.sources import mnist_folder
from tinydigits.errors import exit_code
from tinydigits.export import html, parity
from tinydigits.export.folded import fold
from tinydigits.files import write_json
from tinydigits.net.formats import unfolded
from tinydigits.net.inference import infer
from tinydigits.net.model import Net
from tinydigits.net.shipped import DEFAULT
from tinydigits.net.trained import load
from tinydigits.train import hardware

from styles import styles  # isort: skip

TAUGHT, READ = 10, 20  # digits of a style
MISREAD = 0.5  # at most as many of the taught digits of a drawn style are read before
FEWEST = 20  # digits of a writer and label
READ_OF_WRITER = 0.9  # at most
PEN = Pen(width=2)  # for people's strokes, as in people.py
SYNTHETIC, MNIST = 2000, 1000  # digits that must not be forgotten

Pixels = npt.NDArray[np.uint8]


class Task(NamedTuple):
    """Digits of one style."""

    name: str
    label: int
    taught: Pixels
    read: Pixels
    chose: bool
    """Whether the lesson's options were chosen on it."""


def drawn_tasks() -> Iterator[Task]:
    """Yield the drawn styles that the net misreads."""
    number = 0
    for style in styles():
        taught = style.digits(TAUGHT, "teach")
        if right(load(DEFAULT), taught, style.label) <= MISREAD:
            read = style.digits(READ, "read")
            yield Task(style.name, style.label, taught, read, number % 3 == 0)
            number += 1


def written_tasks(strokes: Path) -> Iterator[Task]:
    """Yield digits of writers of whom the net misreads many."""
    groups = defaultdict(list)
    for digit in unipen.read_strokes(strokes):
        groups[digit.writer, digit.label].append(in_unit_box(digit.strokes))
    for (writer, label), digits in sorted(groups.items()):
        if len(digits) < FEWEST:
            continue
        pictures = draw(paths_of(digits), PEN, np.random.default_rng(0))
        if right(load(DEFAULT), pictures, label) <= READ_OF_WRITER:
            name = f"{label} by writer {writer}"
            yield Task(name, label, pictures[:TAUGHT], pictures[TAUGHT:], False)


def right(net: Net, pictures: Pixels, labels: Any) -> float:
    """Return the share of pictures that are read right."""
    return float((infer(net, torch.from_numpy(pictures)).argmax(1).numpy() == labels).mean())


LEARN = """async ([content, label]) => {
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const examples = Array.from({ length: bytes.length / 784 }, (_, n) =>
    ({ pixels: bytes.subarray(784 * n, 784 * (n + 1)), label }));
  const start = performance.now();
  const numbers = await tinydigits.lessons.learn(examples, new AbortController().signal);
  return [[...numbers], (performance.now() - start) / 1000];
}"""


class Pupil:
    """The page in a browser."""

    def __init__(self, browser: Any, path: Path) -> None:
        path.write_bytes(html.page(fold(load(DEFAULT)), DEFAULT))
        self.processes = browser.new_browser_cdp_session()
        self.page = browser.new_page()
        self.page.goto(path.as_uri())

    def learn(self, task: Task) -> tuple[Net, float, float]:
        """Return the taught net, the seconds that it took, and those of the processor."""
        sent = [base64.b64encode(task.taught.tobytes()).decode(), task.label]
        before = self._processor()
        numbers, seconds = self.page.evaluate(LEARN, sent)
        return taught(numbers), seconds, self._processor() - before

    def _processor(self) -> float:
        told = self.processes.send("SystemInfo.getProcessInfo")["processInfo"]
        return float(sum(each["cpuTime"] for each in told if each["type"] == "renderer"))


def taught(numbers: list[float]) -> Net:
    """Return the net with the page's numbers."""
    layers, start = fold(load(DEFAULT)), 0
    for layer in layers:
        for values in (layer.weight, layer.bias):
            values[:] = np.reshape(numbers[start : start + values.size], values.shape)
            start += values.size
    net = Net()
    net.load_state_dict(unfolded(Path("the page"), layers))
    return net.eval()


def measured(tasks: list[Task], pupil: Pupil, kept: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row for each task: shares read before and after, in per cent."""
    before = load(DEFAULT)
    for task in tqdm(tasks, leave=False):
        net, seconds, processor = pupil.learn(task)
        yield {
            "name": task.name,
            "label": task.label,
            "chose": task.chose,
            "digits": len(task.read),
            "before": per_cent(before, task.read, task.label),
            "after": per_cent(net, task.read, task.label),
            **{name: per_cent(net, *digits) for name, digits in kept.items()},
            "seconds": round(seconds, 3),
            "processor": round(processor, 3),
        }


def per_cent(net: Net, pictures: Pixels, labels: Any) -> float:
    """Return how many of the pictures are read right, in per cent."""
    return round(100 * right(net, pictures, labels), 2)


def _sheet(tasks: list[Task]) -> Image.Image:
    """Return the taught digits, a style a row."""
    return Image.fromarray(np.concatenate([np.concatenate(list(t.taught), axis=1) for t in tasks]))


def main() -> None:
    """Teach every style; write the figures, and the examples as a picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("strokes", type=Path, help="a UNIPEN file or a folder of them")
    parser.add_argument("--data-dir", type=Path, default=mnist_folder())
    parser.add_argument("--out", type=Path, required=True, help="folder for the record")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    torch.set_num_threads(1)
    test = mnist_part("test", options.data_dir)
    kept = {
        "synthetic": synthetic.draw(SYNTHETIC, seed=1001),
        "mnist": (test.images[:MNIST].numpy(), test.labels[:MNIST].numpy()),
    }
    kept_before = {name: per_cent(load(DEFAULT), *told) for name, told in kept.items()}
    drawn, written = list(drawn_tasks()), list(written_tasks(options.strokes))
    print(f"{len(drawn)} drawn styles, {len(written)} of writers")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = parity.browser()
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        pupil = Pupil(browser, Path(folder) / "page.html")
        first = pupil.learn(drawn[0])[1:]  # draws the synthetic digits, too
        load_before = os.getloadavg()[0]
        rows = {
            "drawn": list(measured(drawn, pupil, kept)),
            "written": list(measured(written, pupil, kept)),
        }
        version = browser.version
        browser.close()
    content: dict[str, Any] = {
        "net": DEFAULT,
        "taught": TAUGHT,
        "kept": kept_before,
        "first": {"seconds": round(first[0], 3), "processor": round(first[1], 3)},
        **rows,
        "load": round(load_before, 1),
        "chromium": version,
        "environment": hardware.environment(hardware.choose("cpu", "fp32")),
    }
    for name, told in rows.items():
        if told:
            after = statistics.mean(row["after"] for row in told)
            lost = [kept_before["synthetic"] - row["synthetic"] for row in told]
            print(f"{name}: read {after:.1f} %, synthetic digits lose {statistics.mean(lost):.2f}")
    write_json(options.out / "result.json", content)
    _sheet(drawn + written).save(options.out / "styles.png", optimize=True)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    sys.exit(exit_code(main))
