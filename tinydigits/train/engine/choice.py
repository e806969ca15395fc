"""Whether the engine trains, or PyTorch, and why."""

import functools
from dataclasses import replace

import torch

from tinydigits.errors import InputError
from tinydigits.train import hardware
from tinydigits.train.config import TrainConfig
from tinydigits.train.distributed import ALONE, World
from tinydigits.train.engine import trial
from tinydigits.train.engine.build import Products, UnavailableError, build
from tinydigits.train.engine.library import Compiled, load
from tinydigits.train.hardware import Compute

MOST_DIGITS = 8192  # in a batch: the engine keeps all activations of one


def choose(config: TrainConfig, world: World = ALONE) -> Compute:
    """Return the device, arithmetic and engine that train a run on this machine.

    Raises:
        InputError: the machine lacks what ``--device``, ``--precision`` or ``--engine`` ask for.
    """
    compute = hardware.choose(config.device, config.precision)
    try:
        _refuse_what_it_cannot(config, compute, world)
        return replace(compute, compiled=_ready(compute.precision))
    except UnavailableError as reason:
        if config.engine == "c":
            raise InputError(
                f"--engine c cannot be used: {reason}; with --engine auto, PyTorch trains"
            ) from reason
        return replace(compute, why_pytorch=str(reason))


def _refuse_what_it_cannot(config: TrainConfig, compute: Compute, world: World) -> None:
    """Raise UnavailableError if the engine cannot train such a run."""
    if config.engine == "torch":
        raise UnavailableError("--engine torch was given")
    if compute.device.type != "cpu":
        raise UnavailableError(f"the engine in C does not use {compute.device.type}")
    if world.size > 1 and not config.local_statistics:
        raise UnavailableError("with several processes the engine in C needs --local-statistics")
    if config.batch_size > MOST_DIGITS:
        raise UnavailableError(f"the engine in C takes at most {MOST_DIGITS:,} digits a batch")
    if compute.precision == "bf16" and not torch.cpu.get_capabilities().get("avx512_bf16"):
        raise UnavailableError("the engine in C has bf16 for AVX-512 only")


@functools.cache
def _ready(products: Products) -> Compiled:
    """Return the engine, compiled if necessary and tried.

    Raises:
        UnavailableError: it cannot be compiled or loaded, or it computes something else.
    """
    compiled = load(build(products))
    trial.refuse_wrong(compiled, products)
    return compiled
