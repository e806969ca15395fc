"""Training a net on an endless stream of drawn blocks; prints, saves and plots nothing.

The finder and the strip net are trained this way: each has a ``Course`` that says what is drawn and
what the net should answer.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from tinydigits.seeds import derive
from tinydigits.train.drawn_config import DrawnConfig
from tinydigits.train.optimizers import Muon

KEPT = 24  # blocks that batches are drawn from
STEPS_A_BLOCK = 40  # then a new block replaces the oldest
RISE = 0.15  # share of the steps in which the learning rate rises
REPORTED = 100  # steps

Block = Any
"""What a course draws at a time: a batch is chosen from some of them."""
Blocks = Callable[[int], Iterator[Block]]
"""Returns the stream of blocks from the block of this number on."""


@dataclass(frozen=True)
class Course:
    """What is trained, and on what."""

    name: str
    net: Callable[[], nn.Module]
    """Returns an untrained net."""
    stream: Callable[[int, Path | None, int], Iterator[Block]]
    """Takes a seed, MNIST's folder, and the number of the first block."""
    losses: Callable[[nn.Module, Sequence[Block], torch.Generator, Any], dict[str, Tensor]]
    """Takes the net, blocks to choose from, and the config. Returns means over a batch."""
    weights: Callable[[Any], dict[str, float]]
    """Takes the config. Returns the weight of each loss in the sum that is made smaller."""
    files: Callable[[nn.Module], dict[str, bytes]]
    """Returns the trained net as the package holds it, by file name."""


@dataclass
class DrawnState:
    """A training run between two steps."""

    net: nn.Module
    optimizers: list[Optimizer]
    step: int = 0
    """Steps taken."""


class DrawnProgress(NamedTuple):
    """Mean losses of the steps since the last report."""

    step: int
    losses: dict[str, float]


def start(course: Course, config: DrawnConfig) -> DrawnState:
    """Return an untrained net of a course."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(config.seed, course.name))
        net = course.net()
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    mixing = [each for each in net.parameters() if each.ndim == 4 and each.shape[1] > 1]
    rest = [each for each in net.parameters() if each.ndim < 4 or each.shape[1] == 1]
    return DrawnState(net, [Muon(mixing, lr=config.muon_lr), Adam(rest, lr=config.lr)])


def fit(
    state: DrawnState, course: Course, blocks: Blocks, config: DrawnConfig
) -> Iterator[DrawnProgress]:
    """Train the net in ``state``; yield progress after every ``REPORTED`` steps.

    Steps depend on the seed and their number only, so a run that was interrupted can continue.
    """
    state.net.train()
    losses: list[dict[str, Tensor]] = []
    for kept in islice(_kept(blocks, state.step), config.steps - state.step):
        losses.append(_take_step(state, course, kept, config))
        state.step += 1
        if state.step % REPORTED == 0 or state.step == config.steps:
            means = {
                name: float(torch.stack([each[name] for each in losses]).mean())
                for name in losses[0]
            }
            yield DrawnProgress(state.step, means)
            losses = []


def _kept(blocks: Blocks, step: int) -> Iterator[deque[Block]]:
    """Yield the blocks that each step chooses from, beginning with ``step``."""
    newest, taken = divmod(step, STEPS_A_BLOCK)
    source = blocks(max(0, newest - KEPT + 1))
    kept = deque(islice(source, min(newest, KEPT - 1)), maxlen=KEPT)
    for block in source:
        kept.append(block)
        yield from repeat(kept, STEPS_A_BLOCK - taken)
        taken = 0


def _take_step(
    state: DrawnState, course: Course, kept: deque[Block], config: DrawnConfig
) -> dict[str, Tensor]:
    for optimizer in state.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = optimizer.defaults["lr"] * _cycle(state.step, config.steps)
    with torch.random.fork_rng(devices=[]):  # dropout
        torch.manual_seed(derive(config.seed, "step", state.step))
        generator = torch.Generator().manual_seed(derive(config.seed, "batch", state.step))
        losses = course.losses(state.net, kept, generator, config)
    state.net.zero_grad()
    weighted = [course.weights(config)[name] * loss for name, loss in losses.items()]
    torch.autograd.backward(sum(weighted[1:], weighted[0]))
    for optimizer in state.optimizers:
        optimizer.step()
    return {name: loss.detach() for name, loss in losses.items()}


def _cycle(step: int, steps: int) -> float:
    """Return the share of the peak learning rate at a step: it rises, then falls to a hundredth."""
    share = step / steps
    return max(0.01, share / RISE if share < RISE else (1 - share) / (1 - RISE))
