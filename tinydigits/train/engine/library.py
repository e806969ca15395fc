"""The compiled engine's functions, through ctypes."""

import ctypes
from ctypes import POINTER, Structure, byref, c_double, c_float, c_int, c_int64, c_uint64, c_void_p
from dataclasses import dataclass

import torch
from torch import Tensor

from tinydigits.train.engine.build import Built, UnavailableError


class View(Structure):
    """What happens to a batch's digits on their way to the net; see view.h."""

    _fields_ = (
        ("digits", c_void_p),
        ("indices", c_void_p),
        ("offset", c_float),
        ("factor", c_float),
        ("rotation", c_float),
        ("translation", c_float),
        ("scale", c_float),
        ("shear", c_float),
        ("elastic", c_float),
        ("moves", c_void_p),
        ("moves_each", c_int),
        ("level", c_float),
        ("unevenness", c_float),
        ("contrast", c_float),
        ("blur", c_float),
        ("sharpening", c_float),
        ("diagonal", c_float),
        ("outline", c_float),
        ("noise", c_float),
        ("specks", c_float),
        ("turned", c_float),
        ("lit_share", c_float),
        ("patches", c_int),
        ("bars", c_int),
        ("lights", c_void_p),
        ("lights_each", c_int),
    )


class Targets(Structure):
    """A batch's labels, and where its losses and logits go; see net.h."""

    _fields_ = (
        ("batch", c_int),
        ("labels", c_void_p),
        ("smoothing", c_float),
        ("share", c_float),
        ("losses", c_void_p),
        ("logits", c_void_p),
    )


class Step(Structure):
    """A step's input and its gradient; see engine.c.

    Tensors are given as addresses, so ``tensors`` keeps them alive.
    """

    tensors: tuple[Tensor, ...] = ()

    _fields_ = (
        ("view", View),
        ("targets", Targets),
        ("dropout", c_float),
        ("key", c_uint64),
        ("parameters", c_void_p),
        ("running_mean", c_void_p),
        ("running_variance", c_void_p),
        ("gradient", c_void_p),
    )


class Optimizers(Structure):
    """Adam's and Muon's settings and memory; see optimizers.h."""

    _fields_ = (
        ("lr", c_double),
        ("beta1", c_double),
        ("beta2", c_double),
        ("epsilon", c_double),
        ("weight_decay", c_double),
        ("step", c_int64),
        ("mean", c_void_p),
        ("square", c_void_p),
        ("muon_lr", c_double),
        ("momentum", c_double),
        ("muon_mean", c_void_p),
    )


# Parts of a step, in the order of engine.c's times.
PARTS = (
    "layer 1: statistics",
    "layers 1 and 2",
    "layer 3",
    "layer 4",
    "layer 5",
    "layer 6",
    "layer 7 and the loss",
    "layer 6, back",
    "layer 5, back",
    "layer 4, back",
    "layer 3, back",
    "layers 2 and 1, back",
    "gather, augment, relight",
    "optimisers",
)
SIGNATURES = {
    "engine_lanes": (c_int, ()),
    "engine_new": (c_void_p, (c_int, c_int)),
    "engine_free": (None, (c_void_p,)),
    "engine_gradient": (None, (c_void_p, POINTER(Step))),
    "engine_update": (None, (c_void_p, POINTER(Optimizers), c_void_p, c_void_p)),
    "engine_seconds": (POINTER(c_double), (c_void_p,)),
    "engine_view": (None, (c_void_p, POINTER(Step), c_void_p)),
    "engine_kept": (None, (c_void_p, c_float, c_uint64, c_int, c_int, c_void_p)),
}


@dataclass(frozen=True)
class Compiled:
    """A compiled engine, loaded."""

    functions: ctypes.CDLL
    compiler: str
    """The compiler's name and version."""
    seconds: float | None
    """Time that compiling took just now; None if it had been done before."""

    @property
    def lanes(self) -> int:
        """Floats in one of its vectors."""
        lanes: int = self.functions.engine_lanes()
        return lanes


def load(built: Built) -> Compiled:
    """Return a compiled engine with its functions' types declared.

    Raises:
        UnavailableError: the file cannot be loaded, or lacks a function.
    """
    try:
        library = ctypes.CDLL(str(built.path))
        for name, (result, arguments) in SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise UnavailableError(f"{built.path} cannot be loaded ({error})") from error
    return Compiled(library, built.compiler, built.seconds)


class Engine:
    """An engine's memory and threads, for batches of at most ``most`` images."""

    def __init__(self, compiled: Compiled, most: int, threads: int) -> None:
        self.functions = compiled.functions
        self.handle = self.functions.engine_new(most, threads)
        if not self.handle:
            raise MemoryError(f"no memory for batches of {most} images")

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            self.functions.engine_free(self.handle)

    def gradient(self, step: Step) -> None:
        """Compute a batch's losses, logits and gradient; move the running statistics."""
        self.functions.engine_gradient(self.handle, byref(step))

    def update(self, optimizers: Optimizers, gradient: Tensor, parameters: Tensor) -> None:
        """Update the flat parameters by a flat gradient, both (13034,)."""
        self.functions.engine_update(
            self.handle, byref(optimizers), gradient.data_ptr(), parameters.data_ptr()
        )

    def seconds(self) -> dict[str, float]:
        """Return the seconds that each part has taken in all steps."""
        seconds = self.functions.engine_seconds(self.handle)[: len(PARTS)]
        return dict(zip(PARTS, seconds, strict=True))

    def view(self, step: Step) -> Tensor:
        """Return the net's input for a batch, (batch, 1, 28, 28)."""
        seen = torch.empty(step.targets.batch, 1, 28, 28)
        self.functions.engine_view(self.handle, byref(step), seen.data_ptr())
        return seen

    def kept(self, step: Step, layer: int) -> Tensor:
        """Return what dropout keeps of layer 2 or 4, (batch, channels, side, side): 1 or 0."""
        shape = (16, 12, 12) if layer == 2 else (24, 4, 4)
        mask = torch.empty(step.targets.batch, *shape)
        self.functions.engine_kept(
            self.handle, step.dropout, step.key, layer, step.targets.batch, mask.data_ptr()
        )
        return mask
