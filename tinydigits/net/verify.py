"""The architecture checks, as data: the requirements that a tinydigits net meets."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tinydigits.net.contract import CLASSES, SIDE
from tinydigits.net.model import Layer, parameter_count

PARAMETER_LIMIT = 20_000
FORWARD_BATCHES = (1, 2, 64)


@dataclass(frozen=True)
class Check:
    """One check: its requirement, whether the net meets it, and what was found."""

    name: str
    passed: bool
    detail: str


def check(net: nn.Module) -> list[Check]:
    """Return the result of every architecture check, in a fixed order; the net is not changed."""
    logits = [_forward(net, batch) for batch in FORWARD_BATCHES]
    return [
        _parameters(net),
        _batch_normalisation(net),
        _dropout(net),
        _global_average_pooling(net),
        _output_shape(logits),
        _finite(logits),
        _no_fully_connected(net),
    ]


def _parameters(net: nn.Module) -> Check:
    count = parameter_count(net)
    return Check(
        f"fewer than {PARAMETER_LIMIT:,} parameters", count < PARAMETER_LIMIT, f"{count:,}"
    )


def _batch_normalisation(net: nn.Module) -> Check:
    found = _count(net.modules(), nn.BatchNorm2d)
    return Check("batch normalisation used", found > 0, f"{found} layers")


def _dropout(net: nn.Module) -> Check:
    rates = [module.p for module in net.modules() if isinstance(module, nn.Dropout)]
    detail = f"{len(rates)} layers, rate {', '.join(f'{rate:g}' for rate in sorted(set(rates)))}"
    return Check("dropout used", any(rates), detail if rates else "0 layers")


def _global_average_pooling(net: nn.Module) -> Check:
    sizes = [m.output_size for m in net.modules() if isinstance(m, nn.AdaptiveAvgPool2d)]
    found = sum(size in (1, (1, 1)) for size in sizes)
    return Check("global average pooling used", found > 0, f"{found} layers")


def _output_shape(logits: list[Tensor]) -> Check:
    found = [tuple(output.shape) for output in logits]
    expected = [(batch, CLASSES) for batch in FORWARD_BATCHES]
    return Check(f"output shape (B, {CLASSES})", found == expected, ", ".join(map(str, found)))


def _finite(logits: list[Tensor]) -> Check:
    bad = [
        str(batch)
        for batch, output in zip(FORWARD_BATCHES, logits, strict=True)
        if not output.isfinite().all()
    ]
    tried = ", ".join(map(str, FORWARD_BATCHES))
    detail = f"not finite for {', '.join(bad)}" if bad else "all finite"
    return Check(f"forward pass finite for batches {tried}", not bad, detail)


def _no_fully_connected(net: nn.Module) -> Check:
    found = _count(net.modules(), nn.Linear)
    return Check("no fully connected layer", found == 0, f"{found} nn.Linear")


def _count(modules: Iterable[nn.Module], kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in modules)


def _forward(net: nn.Module, batch: int) -> Tensor:
    images = torch.randn(batch, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        logits: Tensor = copy.deepcopy(net).eval()(images)
    return logits


def render(layers: list[Layer], checks: list[Check]) -> str:
    """Return the layer table and the checks as text."""
    rows = [
        f"{layer.name:10}{layer.kind:20}{_dimensions(layer):>12}"
        f"{layer.parameters:12,}{layer.multiply_adds:15,}"
        for layer in layers
    ]
    parameters = sum(layer.parameters for layer in layers)
    multiply_adds = sum(layer.multiply_adds for layer in layers)
    head = f"{'layer':10}{'kind':20}{'output':>12}{'parameters':>12}{'multiply-adds':>15}"
    total = f"{'total':42}{parameters:12,}{multiply_adds:15,}"
    results = [
        f"{'pass' if each.passed else 'FAIL'}  {each.name} ({each.detail})" for each in checks
    ]
    return "\n".join([head, *rows, total, "", *results])


def _dimensions(layer: Layer) -> str:
    return "x".join(map(str, layer.output_shape))
