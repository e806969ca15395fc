"""Training: ``fit`` yields one ``EpochResult`` an epoch; it prints, saves and plots nothing.

The whole set is one uint8 tensor on the device and every batch is augmented at once, so that no
Python runs for a single image. Whoever calls ``fit`` decides what to do with a result, and when to
stop: a test takes ``next(fit(...))``.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import OneCycleLR

from tinydigits.augment import augment
from tinydigits.config import TrainConfig
from tinydigits.data.batches import order
from tinydigits.data.dataset import Digits
from tinydigits.evaluation import Report, infer, report
from tinydigits.hardware import Compute
from tinydigits.model import Net, normalise
from tinydigits.seeds import derive

Batches = Iterable[Tensor]


@dataclass(frozen=True)
class EpochResult:
    """What one epoch gave; the validation figures are None where no digits are held out."""

    epoch: int
    train_loss: float
    """Mean cross-entropy over the epoch's augmented digits, dropout on, in nats."""
    train_accuracy: float
    """Share of the same digits answered rightly, in per cent."""
    validation_loss: float | None
    validation_accuracy: float | None
    """In per cent."""
    validation_wrong: int | None
    seconds: float
    """Wall time of the epoch's training and validation."""


@dataclass
class State:
    """All that changes while training: what ``last.pth`` keeps."""

    net: Net
    optimizer: torch.optim.Optimizer
    scheduler: OneCycleLR
    compute: Compute
    history: list[EpochResult] = field(default_factory=list)

    @property
    def epoch(self) -> int:
        """The next epoch to train, counted from 0."""
        return len(self.history)


@dataclass(frozen=True)
class Split:
    """The digits a run learns from and those it is judged by on the way; disjoint."""

    train: Digits
    validation: Digits


def start(config: TrainConfig, digits: int, compute: Compute) -> State:
    """Return the state before the first step of training on ``digits`` digits."""
    with torch.random.fork_rng(_cuda(compute)):
        torch.manual_seed(derive(config.seed, "weights"))
        net = Net(config.dropout)
    # torch's annotations lack the argument.
    net.to(compute.device, memory_format=compute.memory_format)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(
        net.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True
    )
    scheduler = OneCycleLR(
        optimizer,
        max_lr=config.lr,
        total_steps=config.epochs * -(-digits // config.batch_size),
        div_factor=config.div_factor,
        final_div_factor=config.final_div_factor,
    )
    return State(net, optimizer, scheduler, compute)


def fit(
    state: State,
    digits: Split,
    config: TrainConfig,
    *,
    progress: Callable[[Batches], Batches] = iter,
) -> Iterator[EpochResult]:
    """Train ``state`` from where it stands to the config's last epoch, one result an epoch.

    Every random stream is derived from the seed and the epoch, so that going on from a saved state
    gives the very weights of an uninterrupted run. ``progress`` wraps each epoch's batches, as tqdm
    does.
    """
    train = digits.train.to(state.compute.device)
    while state.epoch < config.epochs:
        began = time.perf_counter()
        loss, accuracy = _train_epoch(state, train, config, progress)
        held_out = _validate(state.net, digits.validation)
        result = EpochResult(
            epoch=state.epoch,
            train_loss=loss,
            train_accuracy=accuracy,
            validation_loss=held_out.nll if held_out else None,
            validation_accuracy=held_out.accuracy if held_out else None,
            validation_wrong=held_out.wrong if held_out else None,
            seconds=time.perf_counter() - began,
        )
        state.history.append(result)
        yield result


def _train_epoch(
    state: State,
    digits: Digits,
    config: TrainConfig,
    progress: Callable[[Batches], Batches],
) -> tuple[float, float]:
    """Return the epoch's mean loss in nats and its accuracy in per cent."""
    indices = order(len(digits), seed=config.seed, epoch=state.epoch)
    moves = torch.Generator().manual_seed(derive(config.seed, "augment", state.epoch))
    # Summed on the device: reading a value each step would make a GPU wait for every one.
    totals = torch.zeros(2, device=state.compute.device)
    state.net.train()
    with torch.random.fork_rng(_cuda(state.compute)):
        torch.manual_seed(derive(config.seed, "dropout", state.epoch))
        for batch in progress(torch.split(indices, config.batch_size)):
            chosen = digits[batch.to(state.compute.device)]
            images = augment(chosen.images, config.augmentation, generator=moves)
            totals += _step(state, normalise(images), chosen.labels.long())
    loss, right = (totals / len(digits)).tolist()
    return loss, 100 * right


def _step(state: State, x: Tensor, y: Tensor) -> Tensor:
    """Take one optimiser step; return the batch's summed loss and its number of right answers."""
    x = x.contiguous(memory_format=state.compute.memory_format)
    with state.compute.autocast():
        logits = state.net(x)
    # The loss in fp32: a softmax over bf16 logits would round away small gradients.
    loss = functional.cross_entropy(logits.float(), y)
    state.optimizer.zero_grad()
    torch.autograd.backward(loss)
    state.optimizer.step()
    state.scheduler.step()
    with torch.no_grad():
        return torch.stack([loss * len(y), (logits.argmax(dim=1) == y).sum()])


def _validate(net: Net, digits: Digits) -> Report | None:
    return report(infer(net, digits.images), digits.labels) if len(digits) else None


def _cuda(compute: Compute) -> list[torch.device]:
    """Return the devices whose random state must be put back; forking the CPU's is implied."""
    return [compute.device] if compute.device.type == "cuda" else []
