"""Train nets from nothing in the page, in headless Chromium, and test them on MNIST.

The page trains one net for each seed, as its button does. Nets are tested on MNIST's first 1,000
test digits, and on all; with ``--part train``, on the last 10,000 training digits, on which options
are chosen.

    python benchmarks/scratch.py --seeds 5 --out records/<date>-scratch
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from tqdm import trange

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.data.dataset import Digits, mnist_part
from tinydigits.data.sources import mnist_folder
from tinydigits.errors import exit_code
from tinydigits.export import parity
from tinydigits.files import write_json
from tinydigits.train import hardware

from teach import Pupil, per_cent, taught  # isort: skip

FEW, HELD_OUT = 1_000, 10_000  # digits
TRAIN = """async (seed) => {
  TRAINING.seed = seed;
  const start = performance.now();
  const numbers = await tinydigits.scratch.train(new AbortController().signal);
  return [[...numbers], (performance.now() - start) / 1000];
}"""


def trained(seeds: int, page: Path, tests: dict[str, Digits]) -> tuple[list[dict[str, Any]], str]:
    """Return a row for each seed: seconds, and accuracy on each test; and Chromium's version."""
    from playwright.sync_api import sync_playwright

    rows = []
    with sync_playwright() as playwright:
        path = parity.browser()
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        pupil = Pupil(browser, page)
        for seed in trange(1, seeds + 1, leave=False):
            numbers, seconds = pupil.page.evaluate(TRAIN, seed)
            net = taught(numbers)
            found = {
                name: per_cent(net, digits.images.numpy(), digits.labels.numpy())
                for name, digits in tests.items()
            }
            rows.append({"seed": seed, "seconds": round(seconds, 1), **found})
        version = browser.version
        browser.close()
    return rows, version


def main() -> None:
    """Train, test, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--part", choices=("test", "train"), default="test")
    parser.add_argument("--data-dir", type=Path, default=mnist_folder())
    parser.add_argument("--out", type=Path, help="folder for the record")
    options = parser.parse_args()
    torch.set_num_threads(1)
    digits = mnist_part(options.part, options.data_dir)
    tests = (
        {f"first {FEW:,}": digits[:FEW], "all": digits}
        if options.part == "test"
        else {"held out": digits[-HELD_OUT:]}
    )
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        rows, version = trained(options.seeds, Path(folder) / "page.html", tests)
    for row in rows:
        print(row)
    if options.out:
        content = {
            "part": options.part,
            "runs": rows,
            "load": round(load_before, 1),
            "chromium": version,
            "environment": hardware.environment(hardware.choose("cpu", "fp32")),
        }
        write_json(options.out / "result.json", content)


if __name__ == "__main__":
    sys.exit(exit_code(main))
