"""Time one training epoch of tinydigits against the same net trained the usual way.

The usual way is written out below: Pillow moves one image at a time inside a ``DataLoader``, and
the net computes in fp32 with PyTorch's default memory layout. Both train on 60,000 MNIST digits
with the same augmentation, optimiser, schedule and batch size. Rounds are interleaved, so that a
slow moment of the machine affects both. Each round's ratio is against the reference with its
fastest number of workers.

    python benchmarks/pipeline.py --out records/<date>-pipeline
"""

import argparse
import math
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, Dataset

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.data.dataset import Digits, load_dataset
from tinydigits.data.sources import mnist_folder
from tinydigits.errors import exit_code
from tinydigits.files import write_json
from tinydigits.net.contract import MEAN, STD
from tinydigits.net.model import Net
from tinydigits.train import hardware
from tinydigits.train.batches import Split, hold_out
from tinydigits.train.config import TrainConfig
from tinydigits.train.engine.choice import choose
from tinydigits.train.loop import fit, start

CONFIG = TrainConfig(epochs=1, val=0, data=("mnist",), device="cpu")


class PillowDigits(Dataset[tuple[Tensor, int]]):
    """MNIST with each image moved, converted and normalised separately."""

    def __init__(self, digits: Digits) -> None:
        self.images = digits.images.numpy()
        self.labels = digits.labels.tolist()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.images[index])
        moved = image.transform(
            (28, 28), Image.Transform.AFFINE, _random_affine(), Image.Resampling.BILINEAR
        )
        pixels = torch.from_numpy(np.array(moved)).unsqueeze(0).float() / 255
        return (pixels - MEAN) / STD, self.labels[index]


def _random_affine() -> tuple[float, ...]:
    """Return Pillow's six coefficients of a random rotation, scale, shear and shift."""
    most = CONFIG.augmentation
    angle = math.radians(random.uniform(-most.rotation, most.rotation))
    shear = math.tan(math.radians(random.uniform(-most.shear, most.shear)))
    scale = random.uniform(1 - most.scale, 1 + most.scale)
    shift_x, shift_y = (28 * random.uniform(-most.translation, most.translation) for _ in "xy")
    cos, sin = math.cos(angle) / scale, math.sin(angle) / scale
    a, b, c, d = cos + shear * sin, sin - shear * cos, -sin, cos
    x, y = 14 + shift_x, 14 + shift_y
    return a, b, 14 - a * x - b * y, c, d, 14 - c * x - d * y


def time_reference(digits: Digits, workers: int, epochs: int = 1) -> float:
    """Train the usual way and return the seconds; ``workers`` are the loader's processes."""
    loader = DataLoader(PillowDigits(digits), CONFIG.batch_size, shuffle=True, num_workers=workers)
    net = Net().train()
    optimizer = torch.optim.Adam(net.parameters(), lr=CONFIG.lr, weight_decay=CONFIG.weight_decay)
    scheduler = OneCycleLR(
        optimizer,
        max_lr=CONFIG.lr,
        total_steps=epochs * len(loader),
        div_factor=CONFIG.div_factor,
        final_div_factor=CONFIG.final_div_factor,
    )
    began = time.perf_counter()
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss = functional.cross_entropy(net(x), y)
            torch.autograd.backward(loss)
            optimizer.step()
            scheduler.step()
    return time.perf_counter() - began


def time_tinydigits(digits: Digits, config: TrainConfig, compute: hardware.Compute) -> float:
    """Train with tinydigits and return the seconds from the first step to the final weights."""
    split = Split(*(digits[part] for part in hold_out(len(digits), config.val)))
    state = start(config, len(split.train), compute)
    return sum(result.seconds for result in fit(state, split, config))


def peak_megabytes(data_dir: Path) -> float:
    """Return the peak memory of ``python train.py --epochs 1`` in megabytes (1e6 bytes)."""
    script = (
        "import resource, sys, tempfile\n"
        "from tinydigits.cli import main\n"
        "with tempfile.TemporaryDirectory() as out:\n"
        "    main(['train', '--epochs', '1', '--out', out, '--data-dir', sys.argv[1]])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    command = [sys.executable, "-c", script, str(data_dir.resolve())]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kilobytes on Linux
    return int(printed.split()[-1]) * unit / 1e6


def main() -> None:
    """Run the rounds, print the ratio, and write all figures to ``--out``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[0, 1, 2], help="worker counts of the reference"
    )
    parser.add_argument("--data-dir", type=Path, default=mnist_folder())
    parser.add_argument("--out", type=Path, help="folder for result.json")
    options = parser.parse_args()

    digits = load_dataset("mnist", options.data_dir).train
    compute = choose(CONFIG)
    seconds: dict[str, list[float]] = {
        name: [] for name in ("tinydigits", *(f"{n} workers" for n in options.workers))
    }
    for number in range(options.rounds):
        seconds["tinydigits"].append(time_tinydigits(digits, CONFIG, compute))
        for workers in options.workers:
            seconds[f"{workers} workers"].append(time_reference(digits, workers))
        row = "  ".join(f"{name} {values[-1]:.1f} s" for name, values in seconds.items())
        print(f"round {number}: {row}", flush=True)

    best = min(list(seconds)[1:], key=lambda name: statistics.median(seconds[name]))
    ratios = [
        usual / ours for usual, ours in zip(seconds[best], seconds["tinydigits"], strict=True)
    ]
    result = {
        "seconds_per_epoch": {
            name: [round(value, 3) for value in values] for name, values in seconds.items()
        },
        "best_reference": best,
        "ratios": [round(ratio, 3) for ratio in ratios],
        "ratio_median": round(statistics.median(ratios), 3),
        "peak_megabytes": round(peak_megabytes(options.data_dir)),
        "environment": hardware.environment(compute),
    }
    print(
        f"one epoch, {best} against tinydigits: {result['ratio_median']:.2f} times faster "
        f"(median of {options.rounds}, {min(ratios):.2f} to {max(ratios):.2f}); "
        f"peak memory {result['peak_megabytes']} MB"
    )
    if options.out:
        write_json(options.out / "result.json", result)


if __name__ == "__main__":
    sys.exit(exit_code(main))
