"""A training step, by the engine and by PyTorch."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tinydigits.data import synthetic
from tinydigits.net.model import Net, normalise
from tinydigits.train.engine.flat import Flat
from tinydigits.train.engine.library import Compiled, Engine, Step
from tinydigits.train.engine.steps import step_of

SMOOTHING = 0.1
KEY = 12345678901
MARGIN = 1e-6


@dataclass(frozen=True)
class Result:
    """What a step computes; the gradient is flat."""

    losses: Tensor
    logits: Tensor
    gradient: Tensor
    mean: Tensor
    variance: Tensor

    def items(self) -> Iterator[tuple[str, Tensor]]:
        """Yield each part with its name."""
        return iter(vars(self).items())


def digits(count: int, seed: int = 5) -> tuple[Tensor, Tensor]:
    """Return synthetic images (count, 28, 28) and labels (count,), uint8."""
    images, labels = synthetic.draw(count, seed=seed)
    return torch.from_numpy(images), torch.from_numpy(labels)


def unusual_net(dropout: float) -> Net:
    """Return a net with negative and zero weights in batch norms."""
    torch.manual_seed(0)
    net = Net(dropout)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "bn" in name:
                parameter.add_(0.3 * torch.randn_like(parameter))
        for layer in range(1, 7):
            weight = net.get_parameter(f"layers.bn{layer}.weight")
            weight[1], weight[2] = -0.5, 0
    return net


def by_engine(
    compiled: Compiled,
    net: Net,
    images: Tensor,
    labels: Tensor,
    *,
    dropout: float,
    threads: int = 2,
) -> Result:
    """Return the engine's result."""
    count, flat = len(images), Flat(net, [])
    engine = Engine(compiled, count, threads)
    step = whole_step(flat, images, labels, dropout)
    engine.gradient(step)
    losses, logits = step.tensors[-2:]
    return Result(losses, logits, flat.gradient, flat.running_mean, flat.running_variance)


def kept_by(compiled: Compiled, count: int, dropout: float) -> list[Tensor]:
    """Return what an engine's two dropouts keep: 0 or 1."""
    step = whole_step(Flat(Net(), []), *digits(count), dropout)
    engine = Engine(compiled, count, threads=1)
    return [engine.kept(step, layer) for layer in (2, 4)]


def whole_step(flat: Flat, images: Tensor, labels: Tensor, dropout: float) -> Step:
    """Return a step on all images as they are."""
    count = len(images)
    buffers = torch.empty(count), torch.empty(count, 10)
    step = step_of(flat, images, torch.arange(count), labels, *buffers)
    step.targets.smoothing, step.targets.share = SMOOTHING, 1 / count
    step.dropout, step.key = dropout, KEY
    return step


class Masked(nn.Module):
    """Dropout that keeps what a mask says."""

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.mask = mask

    def forward(self, x: Tensor) -> Tensor:
        """Return x where the mask is not 0, raised as the mask says."""
        return x * self.mask


def masked(net: Net, kept: list[Tensor], *, dropout: float, dtype: torch.dtype) -> Net:
    """Return a copy of the net in a precision, with the given dropout."""
    net = copy.deepcopy(net).to(dtype).train()
    for number, mask in enumerate(kept, start=1):
        setattr(net.layers, f"dropout{number}", Masked(mask.to(dtype) / (1 - dropout)))
    return net


def by_pytorch(
    net: Net,
    images: Tensor,
    labels: Tensor,
    kept: list[Tensor],
    *,
    dropout: float,
    dtype: torch.dtype,
) -> Result:
    """Return PyTorch's result in a precision, with the given dropout."""
    net = masked(net, kept, dropout=dropout, dtype=dtype)
    logits = net(normalise(images).to(dtype))
    losses = functional.cross_entropy(
        logits, labels.long(), reduction="none", label_smoothing=SMOOTHING
    )
    torch.autograd.backward(losses.mean())
    norms = [each for each in net.modules() if isinstance(each, nn.BatchNorm2d)]
    return Result(
        losses.detach(),
        logits.detach(),
        joined(each.grad for each in net.parameters()),
        joined(each.running_mean for each in norms),
        joined(each.running_var for each in norms),
    )


def decided(net: Net, kept: list[Tensor], *, dropout: float) -> tuple[Tensor, Tensor]:
    """Return digits for which no ReLU and no maximum is so close that rounding could decide it."""
    double = masked(net, kept, dropout=dropout, dtype=torch.float64)
    found = (digits(len(kept[0]), seed) for seed in range(1000))
    return next(each for each in found if margin(double, each[0]) > MARGIN)


@torch.no_grad()
def margin(net: Net, images: Tensor) -> float:
    """Return how far the closest ReLU is from 0, and the closest maximum from the next value."""
    x, margins = normalise(images).double(), list[float]()
    for name, layer in net.layers.named_children():
        if name.startswith("relu"):
            margins.append(x.abs().min().item())
        if name.startswith("pool"):
            windows = x.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
            first, second = windows.topk(2).values.unbind(-1)
            gaps = (first - second)[(first > 0) & (first > second)]  # equal ones are no matter
            margins.append(gaps.min().item())
        x = layer(x)
    return min(margins)


def joined(tensors: Any) -> Tensor:
    """Return tensors as one flat tensor."""
    return torch.cat([each.detach().flatten() for each in tensors])


def error(found: Tensor, wanted: Tensor) -> float:
    """Return the largest difference, relative to the largest number."""
    return ((found.double() - wanted.double()).abs().max() / wanted.double().abs().max()).item()
