"""Compute the golden values that a compiled engine is tried on, with PyTorch in fp64.

    python benchmarks/golden.py

writes tinydigits/train/engine/golden.json.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import json
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from tinydigits.files import write_atomically
from tinydigits.net.model import normalise
from tinydigits.train.engine.trial import GOLDEN, SMOOTHING, trial


def golden() -> dict[str, list[float] | list[list[float]]]:
    """Return a step's losses, logits, gradient in some directions, and running statistics."""
    net, images, labels, directions = trial()
    net.double().train()
    logits = net(normalise(images).double())
    losses = functional.cross_entropy(
        logits, labels.long(), reduction="none", label_smoothing=SMOOTHING
    )
    torch.autograd.backward(losses.mean())
    norms = [each for each in net.modules() if isinstance(each, nn.BatchNorm2d)]
    values = {
        "losses": losses,
        "logits": logits,
        "gradients": directions.double() @ _joined(each.grad for each in net.parameters()),
        "running means": _joined(each.running_mean for each in norms),
        "running variances": _joined(each.running_var for each in norms),
    }
    return {name: value.detach().float().tolist() for name, value in values.items()}


def _joined(tensors: Iterable[Tensor | None]) -> Tensor:
    return torch.cat([each.flatten() for each in tensors if each is not None])


if __name__ == "__main__":
    write_atomically(GOLDEN, f"{json.dumps(golden())}\n".encode())
