"""Train on synthetic digits only and test on real MNIST: how useful is the generator?

Trains one net per seed with a recipe, on 60,000 synthetic digits and the recipe's hands. After the
last epoch each net reads MNIST's 10,000 test digits once.

    python benchmarks/synthetic.py --recipe people --seeds 0 1 2 --out records/<date>-synthetic
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.data.dataset import Dataset, Digits, drawn_hands, load_dataset
from tinydigits.data.sources import mnist_folder
from tinydigits.errors import exit_code
from tinydigits.evaluate.metrics import Report, report
from tinydigits.files import write_json
from tinydigits.net.inference import infer
from tinydigits.train import hardware
from tinydigits.train.batches import split
from tinydigits.train.config import TrainConfig
from tinydigits.train.engine.choice import choose
from tinydigits.train.loop import fit, start
from tinydigits.train.recipes import RECIPES


def read_mnist(config: TrainConfig, synthetic: Dataset, mnist: Digits) -> Report:
    """Train on synthetic digits and return the figures on MNIST's test digits."""
    digits = split(synthetic, config)
    state = start(config, len(digits.train), choose(config))
    for result in fit(state, digits, config):
        print(f"seed {config.seed} epoch {result.epoch}: {result.seconds:.1f} s", flush=True)
    return report(infer(state.net, mnist.images), mnist.labels)


def main() -> None:
    """Train every seed, and append its line to ``runs.jsonl`` in ``--out`` as soon as it ends."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", choices=RECIPES, default="people")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data-dir", type=Path, default=mnist_folder())
    parser.add_argument(
        "--out", type=Path, help="folder for runs.jsonl, config, environment and a picture"
    )
    options = parser.parse_args()

    recipe = replace(RECIPES[options.recipe], val=0, data=("synthetic",))
    synthetic = replace(
        load_dataset("synthetic", options.data_dir), hands=drawn_hands(recipe.hands)
    )
    mnist = load_dataset("mnist", options.data_dir).test
    if options.out:
        _picture(options.out, synthetic.train)
    for seed in options.seeds:
        config = replace(recipe, seed=seed)
        tested = read_mnist(config, synthetic, mnist)
        print(f"seed {seed}: {tested} on MNIST", flush=True)
        if options.out:
            _append(options.out, config, tested)


def _picture(out: Path, digits: Digits) -> None:
    """Write the first 100 digits as a picture, twenty per row."""
    out.mkdir(parents=True, exist_ok=True)
    rows = digits.images[:100].view(5, 20, 28, 28).permute(0, 2, 1, 3).reshape(5 * 28, 20 * 28)
    Image.fromarray(rows.numpy()).resize((1120, 280)).save(out / "digits.png", optimize=True)


def _append(out: Path, config: TrainConfig, tested: Report) -> None:
    line = {
        "seed": config.seed,
        "accuracy": round(tested.accuracy, 4),
        "wrong": tested.wrong,
        "total": tested.total,
        "wrong_indices": tested.wrong_indices,
    }
    with (out / "runs.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    write_json(out / "environment.json", hardware.environment(choose(config)))
    write_json(out / "config.json", config.to_dict())


if __name__ == "__main__":
    sys.exit(exit_code(main))
