"""Time complete trainings: the fast recipe, the classic recipe, and the classic one the usual way.

The usual way is that of benchmarks/pipeline.py: the same net in fp32, one image at a time through
Pillow and a ``DataLoader``, trained with the classic recipe for its ten epochs. Each round runs all
trainings one after the other, so that a slow moment of the machine affects all of them. The fast
recipe runs before and after each of the others, since such a moment can last as long as its
training. Ratios compare medians within a round. Times run from the first step to the final weights,
without imports and file reading.

    python benchmarks/fast.py --out records/<date>-fast
"""

import argparse
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pipeline  # beside this file; puts the clone on the path

from tinydigits.data.dataset import Digits, load_dataset
from tinydigits.data.sources import mnist_folder
from tinydigits.errors import exit_code
from tinydigits.files import write_json
from tinydigits.train import hardware
from tinydigits.train.batches import hold_out
from tinydigits.train.engine.choice import choose
from tinydigits.train.recipes import RECIPES

ROUND = ("fast", "classic", "fast", "usual way", "fast")


def trainings(digits: Digits, workers: int) -> dict[str, Callable[[], float]]:
    """Return the trainings to time; each trains once and returns its seconds."""
    compute = choose(pipeline.CONFIG)
    classic, fast = RECIPES["classic"], RECIPES["fast"]
    learned = digits[hold_out(len(digits), classic.val)[0]]
    return {
        "fast": lambda: pipeline.time_tinydigits(digits, fast, compute),
        "classic": lambda: pipeline.time_tinydigits(digits, classic, compute),
        "usual way": lambda: pipeline.time_reference(learned, workers, classic.epochs),
    }


def main() -> None:
    """Run the rounds, print the ratio, and write all figures to ``--out``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--workers", type=int, default=0, help="workers of the usual way's DataLoader"
    )
    parser.add_argument("--data-dir", type=Path, default=mnist_folder())
    parser.add_argument("--out", type=Path, help="folder for timing.json")
    options = parser.parse_args()

    digits = load_dataset("mnist", options.data_dir).train
    timed = trainings(digits, options.workers)
    # Not timed: the first training also loads parts of PyTorch.
    timed["fast"]()
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    ratios = []
    for number in range(options.rounds):
        latest = defaultdict(list)
        for name in ROUND:
            latest[name].append(timed[name]())
            print(f"round {number}: {name} {latest[name][-1]:.1f} s", flush=True)
        for name, values in latest.items():
            seconds[name] += values
        ratios.append(latest["usual way"][0] / statistics.median(latest["fast"]))
    result = {
        "seconds": {name: [round(value, 3) for value in all_] for name, all_ in seconds.items()},
        "workers": options.workers,
        "ratios": [round(ratio, 3) for ratio in ratios],
        "ratio_median": round(statistics.median(ratios), 3),
        "environment": hardware.environment(choose(pipeline.CONFIG)),
    }
    print(
        f"fast: {statistics.median(seconds['fast']):.1f} s, {result['ratio_median']:.1f} times "
        f"less than the usual way (median of {options.rounds}, {min(ratios):.1f} to "
        f"{max(ratios):.1f})"
    )
    if options.out:
        write_json(options.out / "timing.json", result)


if __name__ == "__main__":
    sys.exit(exit_code(main))
