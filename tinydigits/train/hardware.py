"""The machine: choice of device and arithmetic, memory settings, and a description for records."""

import ctypes
import os
import platform
import sys
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tinydigits import __version__
from tinydigits.errors import InputError
from tinydigits.train.config import Device, EngineName, Precision
from tinydigits.train.engine.build import Products
from tinydigits.train.engine.library import Compiled, Engine


@dataclass(frozen=True)
class Compute:
    """The device, arithmetic and engine of a training step."""

    device: torch.device
    dtype: torch.dtype
    compiled: Compiled | None = None
    """The engine in C; without it, PyTorch trains."""
    why_pytorch: str = ""
    """Why PyTorch trains, if the engine could have."""

    @property
    def precision(self) -> Products:
        """The arithmetic's name, ``bf16`` or ``fp32``."""
        return "bf16" if self.dtype is torch.bfloat16 else "fp32"

    @property
    def memory_format(self) -> torch.memory_format:
        """The memory layout of activations: channels last, except on mps."""
        # On mps, gradients of batch normalisation are silently wrong for channels last
        # (github.com/pytorch/pytorch/issues/175189).
        mps = self.device.type == "mps"
        return torch.contiguous_format if mps else torch.channels_last

    @property
    def engine_name(self) -> EngineName:
        """What trains: ``c``, or ``torch``."""
        return "c" if self.compiled else "torch"

    def engine(self, batch_size: int) -> Engine | None:
        """Return the engine for batches of at most ``batch_size`` digits; None for PyTorch."""
        return Engine(self.compiled, batch_size, torch.get_num_threads()) if self.compiled else None

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which a forward pass uses this arithmetic."""
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.dtype is torch.bfloat16
        )


def choose(device: Device, precision: Precision) -> Compute:
    """Return the requested device and arithmetic on this machine.

    Raises:
        InputError: the machine lacks the requested device, or ``bf16`` was requested and the device
            has no native bf16.
    """
    chosen = _device(device)
    native = _native_bf16(chosen)
    if precision == "bf16" and not native:
        raise InputError(
            f"--precision bf16 needs a processor with native bf16, which this {chosen.type} lacks; "
            "use --precision fp32"
        )
    return Compute(chosen, torch.bfloat16 if native and precision != "fp32" else torch.float32)


def _device(name: Device) -> torch.device:
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(device for device, there in available.items() if there))
    if not available[name]:
        here = ", ".join(device for device, there in available.items() if there)
        raise InputError(f"--device {name} is not available here: expected one of {here}")
    return torch.device(name)


def _native_bf16(device: torch.device) -> bool:
    # Without native instructions bf16 is emulated and slower than fp32.
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu" and hasattr(torch.cpu, "get_capabilities"):
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return False


def keep_freed_memory() -> None:
    """Make the C library keep freed memory for later allocations of the same size.

    Every training step frees tens of megabytes and allocates them again at once. By default, glibc
    returns them to the system each time, and the thousands of page faults per step take a third of
    the time. With other C libraries nothing changes.
    """
    mmap_threshold, trim_threshold = -3, -1  # M_MMAP_THRESHOLD and M_TRIM_THRESHOLD in malloc.h
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            libc = ctypes.CDLL("libc.so.6")
            libc.mallopt(mmap_threshold, 2**30)
            libc.mallopt(trim_threshold, 2**31 - 1)


def environment(compute: Compute) -> dict[str, Any]:
    """Return what a result depends on besides the config: versions, processor, threads."""
    return {
        "tinydigits": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),  # a subclass of str, which torch.load would reject
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(compute.device),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": compute.device.type,
        "precision": compute.precision,
        "engine": compute.engine_name,
        "compiler": compute.compiled.compiler if compute.compiled else None,
    }


def _processor(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
