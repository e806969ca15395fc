"""An epoch's steps in the engine."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from tinydigits.data.dataset import Digits
from tinydigits.net.contract import MEAN, SIDE, STD
from tinydigits.net.model import Net
from tinydigits.net.threads import one_thread
from tinydigits.seeds import derive
from tinydigits.train import augment, light
from tinydigits.train.config import Augmentation, Light, TrainConfig
from tinydigits.train.distributed import World
from tinydigits.train.engine.flat import Flat
from tinydigits.train.engine.library import Engine, Optimizers, Step, Targets, View
from tinydigits.train.steps import TakeStep, streams

# Fields of the same name and meaning in Light and in the engine's view.
LIGHT = (
    "level", "unevenness", "contrast", "blur", "sharpening", "diagonal", "outline", "noise",
    "specks", "patches", "bars", "turned",
)  # fmt: skip


@contextmanager
def engine_steps(
    engine: Engine,
    masters: Net,
    optimizers: list[Optimizer],
    digits: Digits,
    config: TrainConfig,
    strength: Augmentation,
    *,
    epoch: int,
    world: World,
) -> Iterator[TakeStep]:
    """Yield the function that takes an epoch's steps; write the masters back after the last one."""
    flat, images = Flat(masters, optimizers), digits.images.contiguous()
    move_stream, light_stream = streams(config, epoch, world)
    taken = 0

    def take_step(share: Tensor, total: int) -> tuple[Tensor, Tensor]:
        nonlocal taken
        share, count = share.contiguous(), len(share)
        losses, logits = torch.empty(count), torch.empty(count, 10)
        labels = digits.labels[share]
        step = step_of(flat, images, share, labels, losses, logits)
        parameters = flat.on_grid(config.weight_bits)
        step.parameters = parameters.data_ptr()
        step.targets.smoothing, step.targets.share = config.label_smoothing, 1 / total
        step.dropout = config.dropout
        step.key = derive(config.seed, "dropout", epoch, *world.stream, taken)
        moves = augment.numbers(count, strength, generator=move_stream)
        lights = light.numbers(count, config.light, SIDE * SIDE, generator=light_stream)
        set_moves(step.view, strength, moves)
        set_light(step.view, config.light, lights)
        engine.gradient(step)
        flat.gradient.copy_(world.sum(flat.gradient))
        taken += 1
        flat.steps += 1
        engine.update(settings_of(flat, optimizers), flat.gradient, flat.parameters)
        return losses, (logits.argmax(dim=1) == labels).sum()

    # The cores are left to the engine's threads. Where light is varied, which takes many random
    # numbers, a step took as long on two of PyTorch's threads as on one.
    with one_thread():
        yield take_step
    flat.write_back(taken)


def step_of(
    flat: Flat, images: Tensor, indices: Tensor, labels: Tensor, losses: Tensor, logits: Tensor
) -> Step:
    """Return a step on the images at the indices as they are, without dropout."""
    step = Step(
        view=View(
            digits=images.data_ptr(),
            indices=indices.data_ptr(),
            offset=255 * MEAN,
            factor=1 / (255 * STD),
        ),
        targets=Targets(
            batch=len(indices),
            labels=labels.data_ptr(),
            losses=losses.data_ptr(),
            logits=logits.data_ptr(),
        ),
        parameters=flat.parameters.data_ptr(),
        running_mean=flat.running_mean.data_ptr(),
        running_variance=flat.running_variance.data_ptr(),
        gradient=flat.gradient.data_ptr(),
    )
    step.tensors = (images, indices, labels, losses, logits)
    return step


def set_moves(view: View, strength: Augmentation, numbers: Tensor | None) -> None:
    """Let the digits of a view be moved by random numbers, which the caller keeps alive."""
    if numbers is None:
        return
    view.moves, view.moves_each = numbers.data_ptr(), numbers.shape[1]
    view.rotation, view.shear = math.radians(strength.rotation), math.radians(strength.shear)
    view.translation, view.scale = strength.translation, strength.scale
    view.elastic = strength.elastic


def set_light(view: View, strength: Light, numbers: Tensor | None) -> None:
    """Let the digits of a view be lit by random numbers, which the caller keeps alive."""
    if numbers is None:
        return
    view.lights, view.lights_each = numbers.data_ptr(), numbers.shape[1]
    view.lit_share = strength.share
    for name in LIGHT:
        setattr(view, name, getattr(strength, name))


def settings_of(flat: Flat, optimizers: list[Optimizer]) -> Optimizers:
    """Return what the optimisers' next step takes; the caller keeps ``flat`` alive."""
    settings = Optimizers(
        step=flat.steps,
        mean=flat.memory["exp_avg"].data_ptr(),
        square=flat.memory["exp_avg_sq"].data_ptr(),
    )
    for optimizer in optimizers:
        (group,) = optimizer.param_groups
        if isinstance(optimizer, Adam):
            settings.lr, (settings.beta1, settings.beta2) = group["lr"], group["betas"]
            settings.epsilon, settings.weight_decay = group["eps"], group["weight_decay"]
        else:
            settings.muon_lr, settings.momentum = group["lr"], group["momentum"]
            settings.muon_mean = flat.memory["mean"].data_ptr()
    return settings
