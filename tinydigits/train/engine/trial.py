"""Try a compiled engine: a step must give the golden values, which PyTorch computed in fp64."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tinydigits.net.model import Net
from tinydigits.train.engine.build import Products, UnavailableError
from tinydigits.train.engine.flat import Flat
from tinydigits.train.engine.library import Compiled, Engine
from tinydigits.train.engine.steps import step_of

GOLDEN = Path(__file__).parent / "golden.json"  # made by benchmarks/golden.py
IMAGES = 21  # no multiple of any block
# Of these random images, no ReLU and no maximum is so close that rounding could decide it.
SEED = 2
SMOOTHING = 0.1
DIRECTIONS = 32  # in which the gradient is compared, instead of 13,034 parameters
# Relative error, as norms. In bf16 the gradient of random images errs by 0.2 to 0.3, PyTorch's too.
TOLERANCE: dict[Products, float] = {"fp32": 1e-4, "bf16": 0.6}


def refuse_wrong(compiled: Compiled, products: Products) -> None:
    """Compare a step of an engine with the golden values.

    Raises:
        UnavailableError: they differ.
    """
    net, images, labels, directions = trial()
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    for name, found in _step(compiled, net, images, labels, directions).items():
        wanted = torch.tensor(golden[name])
        error = ((found - wanted).norm() / wanted.norm()).item()
        if not error <= TOLERANCE[products]:
            raise UnavailableError(
                f"{compiled.compiler} makes a faulty engine: its {name} differ by {error:.2g} from "
                f"PyTorch's, expected at most {TOLERANCE[products]:g}"
            )


def trial() -> tuple[Net, Tensor, Tensor, Tensor]:
    """Return a net, images (21, 28, 28), labels (21,) and directions (32, 13034), all random.

    They come from NumPy, whose streams do not change from version to version.
    """
    rng = np.random.default_rng(SEED)
    net = Net(dropout=0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(_normal(rng, parameter.shape) / parameter[0].numel() ** 0.5)
    images = torch.from_numpy(rng.integers(256, size=(IMAGES, 28, 28), dtype=np.uint8))
    labels = torch.from_numpy(rng.integers(10, size=IMAGES, dtype=np.uint8))
    directions = _normal(rng, (DIRECTIONS, sum(each.numel() for each in net.parameters())))
    return net, images, labels, directions


def _normal(rng: np.random.Generator, shape: Any) -> Tensor:
    return torch.from_numpy(rng.standard_normal(tuple(shape), np.float32))


def _step(
    compiled: Compiled, net: Net, images: Tensor, labels: Tensor, directions: Tensor
) -> dict[str, Tensor]:
    flat, indices = Flat(net, []), torch.arange(IMAGES)
    losses, logits = torch.empty(IMAGES), torch.empty(IMAGES, 10)
    step = step_of(flat, images, indices, labels, losses, logits)
    step.targets.smoothing, step.targets.share = SMOOTHING, 1 / IMAGES
    Engine(compiled, IMAGES, threads=2).gradient(step)
    return {
        "losses": losses,
        "logits": logits,
        "gradients": directions @ flat.gradient,
        "running means": flat.running_mean,
        "running variances": flat.running_variance,
    }
