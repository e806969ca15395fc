"""Training the finder, as a stream of progress; prints, saves and plots nothing."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, repeat
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim import Adam, Optimizer

from tinydigits.finder.batches import Batch, choose
from tinydigits.finder.config import FinderConfig
from tinydigits.finder.views import Views
from tinydigits.net.finder import Finder
from tinydigits.seeds import derive
from tinydigits.train import hardware
from tinydigits.train.optimizers import Muon

BATCH = 32
KEPT = 24  # blocks of views that batches are drawn from
STEPS_A_BLOCK = 40  # then a new block replaces the oldest: each view is shown 2.6 times
RISE = 0.15  # share of the steps in which the learning rate rises
REPORTED = 100  # steps
SMOOTH = 20.0  # pixels of ink that count as overlapping anyway: few pixels matter less
CLOSE = 0.1  # error of a vote, in digit sizes, from which its loss rises evenly

Blocks = Callable[[int], Iterator[Views]]
"""Returns the stream of blocks of views from the block of this number on."""


class Losses(NamedTuple):
    """Means over views."""

    ink: Tensor
    overlap: Tensor
    votes: Tensor


@dataclass
class FinderState:
    """A training run between two steps."""

    net: Finder
    optimizers: list[Optimizer]
    step: int = 0
    """Steps taken."""


class Progress(NamedTuple):
    """Mean losses of the steps since the last report."""

    step: int
    ink: float
    overlap: float
    votes: float


def start(config: FinderConfig) -> FinderState:
    """Return an untrained finder."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(config.seed, "finder"))
        net = Finder()
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    mixing = [each for each in net.parameters() if each.ndim == 4 and each.shape[1] > 1]
    rest = [each for each in net.parameters() if each.ndim < 4 or each.shape[1] == 1]
    return FinderState(net, [Muon(mixing, lr=config.muon_lr), Adam(rest, lr=config.lr)])


def fit(state: FinderState, blocks: Blocks, config: FinderConfig) -> Iterator[Progress]:
    """Train the finder in ``state``; yield progress after every ``REPORTED`` steps.

    Steps depend on the seed and their number only, so a run that was interrupted can continue.
    """
    state.net.train()
    losses: list[Losses] = []
    for kept in islice(_kept(blocks, state.step), config.steps - state.step):
        losses.append(_take_step(state, kept, config))
        state.step += 1
        if state.step % REPORTED == 0 or state.step == config.steps:
            means = (float(torch.stack(each).mean()) for each in zip(*losses, strict=True))
            yield Progress(state.step, *means)
            losses = []


def _kept(blocks: Blocks, step: int) -> Iterator[deque[Views]]:
    """Yield the blocks that each step chooses from, beginning with ``step``."""
    newest, taken = divmod(step, STEPS_A_BLOCK)
    source = blocks(max(0, newest - KEPT + 1))
    kept = deque(islice(source, min(newest, KEPT - 1)), maxlen=KEPT)
    for block in source:
        kept.append(block)
        yield from repeat(kept, STEPS_A_BLOCK - taken)
        taken = 0


def _take_step(state: FinderState, kept: deque[Views], config: FinderConfig) -> Losses:
    generator = torch.Generator().manual_seed(derive(config.seed, "batch", state.step))
    batch = choose(kept, BATCH, generator)
    for optimizer in state.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = optimizer.defaults["lr"] * _cycle(state.step, config.steps)
    with hardware.choose("cpu", "auto").autocast():
        ink, votes = state.net(batch.light.contiguous(memory_format=torch.channels_last))
    losses = losses_of(ink.float(), votes.float(), batch)
    state.net.zero_grad()
    total = config.ink * losses.ink + config.overlap * losses.overlap + losses.votes
    torch.autograd.backward(total)
    for optimizer in state.optimizers:
        optimizer.step()
    return Losses(*(each.detach() for each in losses))


def _cycle(step: int, steps: int) -> float:
    """Return the share of the peak learning rate at a step: it rises, then falls to a hundredth."""
    share = step / steps
    return max(0.01, share / RISE if share < RISE else (1 - share) / (1 - RISE))


def losses_of(ink: Tensor, votes: Tensor, batch: Batch) -> Losses:
    """Return the losses of a finder's answers, as from ``Finder.forward``."""
    missed = functional.binary_cross_entropy_with_logits(ink, batch.ink)
    marked, dims = ink.sigmoid(), (1, 2, 3)
    both = 2 * (marked * batch.ink).sum(dims) + SMOOTH
    overlap = both / ((marked**2).sum(dims) + (batch.ink**2).sum(dims) + SMOOTH)
    off = functional.smooth_l1_loss(votes, batch.votes, reduction="none", beta=CLOSE)
    # Most digits stand upright: an absolute loss would always vote for that where it is in doubt.
    turn = (votes[:, 3] - batch.votes[:, 3]) ** 2
    error = off[:, 0] + off[:, 1] + off[:, 2] / 2 + 2 * turn
    error = (error * batch.weight).sum((1, 2))
    weight = batch.weight.sum((1, 2)) + SMOOTH
    return Losses(missed, 1 - overlap.mean(), (error / weight).mean())
