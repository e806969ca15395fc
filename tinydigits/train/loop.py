"""The training loop: ``fit`` yields one ``EpochResult`` per epoch; it prints and saves nothing.

The training set is one uint8 tensor on the device and each batch is augmented as a whole, so no
Python code runs per image. The caller of ``fit`` decides what to do with a result and when to stop;
a test calls ``next(fit(...))``.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tinydigits.data.dataset import Digits
from tinydigits.errors import InputError
from tinydigits.evaluate.metrics import Report, report
from tinydigits.net.inference import infer
from tinydigits.net.model import Net
from tinydigits.net.trained import load
from tinydigits.seeds import derive
from tinydigits.train.augment import NONE as STILL
from tinydigits.train.batches import Split, count, order, steps
from tinydigits.train.config import TrainConfig
from tinydigits.train.distributed import ALONE, World
from tinydigits.train.engine.library import Engine
from tinydigits.train.engine.steps import engine_steps
from tinydigits.train.hardware import Compute, keep_freed_memory
from tinydigits.train.masters import masters_of, round_kernels
from tinydigits.train.optimizers import optimizers_for
from tinydigits.train.schedule import OneCycle
from tinydigits.train.steps import TakeStep, devices_with_streams, pytorch_steps

Batches = Iterable[Tensor]


@dataclass(frozen=True)
class EpochResult:
    """The figures of one epoch; the validation figures are None if no digits are held out."""

    epoch: int
    train_loss: float
    """Mean cross-entropy over the epoch's augmented digits, with dropout, in nats."""
    train_accuracy: float
    """Accuracy on the same digits, in per cent."""
    validation_loss: float | None
    """Mean cross-entropy on the validation digits, in nats."""
    validation_accuracy: float | None
    """Accuracy on the validation digits, in per cent."""
    validation_wrong: int | None
    """Number of validation digits misread."""
    seconds: float
    """Wall time of the epoch's training and validation."""


@dataclass
class State:
    """Everything that changes during training; ``last.pth`` stores it."""

    net: Net
    masters: Net
    """What the optimisers update: ``net``, or with few ``weight_bits`` its unrounded form."""
    model: nn.Module
    """The net for training steps; with several processes, wrapped to synchronise them."""
    optimizers: list[Optimizer]
    compute: Compute
    losses: Tensor
    """Each training digit's loss when last seen, in nats, (digits,); 0 if not seen yet."""
    cycles: list[int]
    """The first epoch of each cycle of the learning rate: 0, and where a finished run went on."""
    history: list[EpochResult] = field(default_factory=list)

    @property
    def epoch(self) -> int:
        """The next epoch to train, counted from 0."""
        return len(self.history)


def start(
    config: TrainConfig,
    digits: int,
    compute: Compute,
    *,
    world: World = ALONE,
    cycles: Sequence[int] = (0,),
) -> State:
    """Return the initial state for training on ``digits`` digits.

    The learning rate's last cycle goes from the last of ``cycles`` to the last epoch.

    Raises:
        InputError: a batch has fewer digits than there are processes, or the net to start from
            cannot be used.
    """
    _refuse_empty_shares(config, digits, world)
    keep_freed_memory()
    with torch.random.fork_rng(devices_with_streams(compute)):
        torch.manual_seed(derive(config.seed, "weights"))
        net = Net(config.dropout)
    if config.start:
        net.load_state_dict(load(config.start).state_dict())
    elif config.first_filters == "cosine":
        _start_with_cosines(net)
    # PyTorch's annotations lack the argument.
    net.to(compute.device, memory_format=compute.memory_format)  # type: ignore[call-overload]
    model = world.wrap(net, local_statistics=config.local_statistics)
    masters = masters_of(net, config.weight_bits)
    optimizers = optimizers_for(masters, config)
    losses = torch.zeros(digits, device=compute.device)
    return State(net, masters, model, optimizers, compute, losses, list(cycles))


def _refuse_empty_shares(config: TrainConfig, digits: int, world: World) -> None:
    sizes = (count(config, digits, epoch) for epoch in range(config.epochs))
    smallest = min(size % config.batch_size or config.batch_size for size in sizes)
    if smallest < world.size:
        raise InputError(
            f"--batch-size {config.batch_size} leaves a batch of {smallest} digits for "
            f"{world.size} processes, expected at least 1 for each: give another --batch-size"
        )


@torch.no_grad()
def _start_with_cosines(net: Net) -> None:
    """Set the first convolution's kernels to eight of the nine 3x3 cosine patterns (DCT-II).

    The patterns resemble the principal components of small image patches, which the net then need
    not learn first. The finest pattern, a chequerboard, is left out. For CIFAR-10,
    github.com/KellerJordan/cifar10-airbench uses whitening filters from the training data instead.
    """
    weight, bias = (net.get_parameter(f"layers.conv1.{name}") for name in ("weight", "bias"))
    place = torch.arange(3)
    waves = torch.cos(math.pi * (place + 0.5) * place.unsqueeze(1) / 3)
    waves = waves / waves.norm(dim=1, keepdim=True)
    patterns = torch.einsum("iy,jx->ijyx", waves, waves).flatten(0, 1)
    weight.copy_(patterns[: len(weight)].unsqueeze(1))
    bias.zero_()


def fit(
    state: State,
    digits: Split,
    config: TrainConfig,
    *,
    world: World = ALONE,
    progress: Callable[[Batches], Batches] = iter,
) -> Iterator[EpochResult]:
    """Train ``state`` from its current epoch to the config's last; yield one result per epoch.

    Every random stream is derived from the seed and the epoch, so training resumed from a saved
    state gives exactly the weights of an uninterrupted run. Several processes go through the same
    batches, each with its share of every batch, and yield the same results. ``progress`` wraps each
    epoch's batches, as tqdm does.

    Raises:
        InputError: training diverged; the state is then unusable.
    """
    train = digits.train.to(state.compute.device)
    engine = state.compute.engine(config.batch_size)
    while state.epoch < config.epochs:
        began = time.perf_counter()
        loss, accuracy = _train_epoch(state, train, config, engine, world, progress)
        _refuse_divergence(state.epoch, loss, config)
        if state.epoch == config.epochs - 1 and config.blend < 1:
            _blend(state.net, load(config.start), config.blend)
        held_out = _validate(state.net, digits.validation, world)
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


@torch.no_grad()
def _blend(net: Net, start: Net, share: float) -> None:
    """Move a net's weights and running statistics back towards the net that training began with.

    M. Wortsman et al. (2022), "Robust fine-tuning of zero-shot models", arXiv:2109.01903.
    """
    earlier = start.state_dict()
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            value.lerp_(earlier[name].to(value.device), 1 - share)


def _refuse_divergence(epoch: int, loss: float, config: TrainConfig) -> None:
    if not math.isfinite(loss):
        raise InputError(
            f"training diverged in epoch {epoch}: its loss is {loss}, expected a finite number; "
            f"--lr {config.lr:g} is too large, try --lr 0.01"
        )


def _train_epoch(
    state: State,
    digits: Digits,
    config: TrainConfig,
    engine: Engine | None,
    world: World,
    progress: Callable[[Batches], Batches],
) -> tuple[float, float]:
    """Return the epoch's mean loss in nats and its accuracy in per cent."""
    indices = _visits(state, config)
    # Summed on the device: reading a value in every step would make a GPU wait.
    right = torch.zeros((), device=state.compute.device)
    seen = torch.zeros_like(state.losses)
    cycle = range(state.cycles[-1], config.epochs)
    schedule = OneCycle(steps(config, len(digits), cycle), config)
    done = steps(config, len(digits), range(cycle.start, state.epoch))
    state.net.train()
    with _steps(state, digits, config, engine, world) as take_step:
        batches = progress(torch.split(indices, config.batch_size))
        for number, batch in enumerate(batches, start=done):
            schedule.set(state.optimizers, number)
            share = world.share(batch)
            losses, hits = take_step(share, len(batch))
            seen[share] = losses
            right += hits
    # The engine's steps leave the net behind its masters until here.
    round_kernels(state.net, state.masters, config.weight_bits)
    if config.local_statistics:
        world.average_statistics(state.net)
    state.losses[indices] = world.sum(seen)[indices]
    return state.losses[indices].mean().item(), 100 * world.sum(right).item() / len(indices)


def _steps(
    state: State, digits: Digits, config: TrainConfig, engine: Engine | None, world: World
) -> AbstractContextManager[TakeStep]:
    """Return the next epoch's steps, with the engine if there is one, otherwise with PyTorch."""
    epoch = state.epoch
    strength = config.augmentation if epoch < config.epochs - config.still_epochs else STILL
    if engine:
        return engine_steps(
            engine,
            state.masters,
            state.optimizers,
            digits,
            config,
            strength,
            epoch=epoch,
            world=world,
        )
    return pytorch_steps(
        state.model,
        state.masters,
        state.optimizers,
        digits,
        config,
        strength,
        compute=state.compute,
        epoch=epoch,
        world=world,
    )


def _visits(state: State, config: TrainConfig) -> Tensor:
    """Return the indices of the digits that the next epoch uses, in training order."""
    shuffled = order(len(state.losses), seed=config.seed, epoch=state.epoch)
    shuffled = shuffled.to(state.losses.device)
    seen = count(config, len(shuffled), state.epoch)
    hardest = state.losses[shuffled].topk(seen).indices
    return shuffled[hardest.sort().values]


def _validate(net: Net, digits: Digits, world: World) -> Report | None:
    if not len(digits):
        return None
    logits = world.collect(infer(net, world.share(digits.images)), len(digits))
    return report(logits, digits.labels)
