"""What the machine offers: device, arithmetic, and a description for every record."""

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
from tinydigits.train.config import Device, Precision


@dataclass(frozen=True)
class Compute:
    """Where a training step runs and in which arithmetic."""

    device: torch.device
    dtype: torch.dtype

    @property
    def precision(self) -> str:
        """The arithmetic's name, ``bf16`` or ``fp32``."""
        return "bf16" if self.dtype is torch.bfloat16 else "fp32"

    @property
    def memory_format(self) -> torch.memory_format:
        """How activations lie in memory: channels last, where that is fast and right."""
        # On mps, batch normalisation's gradients are silently wrong for channels last
        # (github.com/pytorch/pytorch/issues/175189).
        mps = self.device.type == "mps"
        return torch.contiguous_format if mps else torch.channels_last

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which a forward pass uses this arithmetic."""
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.dtype is torch.bfloat16
        )


def choose(device: Device, precision: Precision) -> Compute:
    """Return the device and arithmetic that the two options name on this machine.

    Raises:
        InputError: the machine has no such device, or no native bf16 where bf16 was asked for.
    """
    chosen = _device(device)
    native = _native_bf16(chosen)
    if precision == "bf16" and not native:
        raise InputError(
            f"--precision bf16 needs native bf16, which this {chosen.type} does not have; "
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
    """Have the process keep the memory that it frees, for its next allocations of that size.

    Every training step frees tens of megabytes and asks for them again at once. Where the C library
    is glibc, it would hand them back to the system each time, and thousands of page faults a step
    take a third of the time. Elsewhere nothing changes.
    """
    mmap_threshold, trim_threshold = -3, -1  # M_MMAP_THRESHOLD and M_TRIM_THRESHOLD in malloc.h
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            libc = ctypes.CDLL("libc.so.6")
            libc.mallopt(mmap_threshold, 2**30)
            libc.mallopt(trim_threshold, 2**31 - 1)


def environment(compute: Compute) -> dict[str, Any]:
    """Return what a number depends on beside the config: versions, processor, threads."""
    return {
        "tinydigits": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),  # a subclass of str, which torch.load would refuse
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(compute.device),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": compute.device.type,
        "precision": compute.precision,
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
