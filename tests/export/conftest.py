"""Nets and what MNIST is compared with, computed once, and what compiles for an AVR."""

import subprocess
from typing import Any

import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from tests.conftest import need
from tinydigits import Net, infer, load
from tinydigits.data.dataset import Dataset, Digits
from tinydigits.export.folded import fold
from tinydigits.export.layers import IntegerConvolution
from tinydigits.export.quantised import logits, quantise
from tinydigits.net.grid import on_grid


def array(kind: str, name: str, values: npt.NDArray[Any]) -> str:
    """Return a constant array in C, for a program that includes a header."""
    numbers = ",".join(map(str, values.ravel().tolist()))
    return f"static TINYDIGITS_CONST {kind} {name}[] = {{{numbers}}};\n"


@pytest.fixture(scope="session")
def calibrated(real: tuple[Digits, Digits]) -> list[IntegerConvolution]:
    """The default net in integers, calibrated as ``tinydigits export`` does."""
    return quantise(fold(load()), real[0].images[:2000])


@pytest.fixture(scope="session")
def tested(real: tuple[Digits, Digits]) -> Digits:
    """MNIST's first 2,000 test digits; the commands of the pages compare exports on all 10,000."""
    return real[1][:2000]


@pytest.fixture(scope="session")
def integer_logits(calibrated: list[IntegerConvolution], tested: Digits) -> Tensor:
    """Its int64 logits for these digits."""
    parts = torch.split(tested.images, 250)
    return torch.cat([torch.from_numpy(logits(calibrated, part.numpy())) for part in parts])


@pytest.fixture(scope="session")
def net_logits(tested: Digits) -> Tensor:
    """The default net's own logits for them."""
    return infer(load(), tested.images)


@pytest.fixture(scope="session")
def rounded() -> Net:
    """The default net with weights that are 4-bit integers in each channel."""
    net = Net()
    weights = load().state_dict().items()
    net.load_state_dict({name: on_grid(w, 4) if w.ndim == 4 else w for name, w in weights})
    return net.eval()


@pytest.fixture(scope="session")
def in_four_bits(rounded: Net, drawn: Dataset) -> list[IntegerConvolution]:
    """The same in integers, calibrated on a few digits."""
    return quantise(fold(rounded), drawn.train.images[:200], bits=4)


@pytest.fixture(scope="session")
def avr(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The compiler for AVRs, its C library and the simulator."""
    need("avr-gcc", "avr-libc")
    need("simavr", "simavr")
    folder = tmp_path_factory.mktemp("avr")
    (folder / "library.c").write_text("#include <avr/io.h>\n")
    command = ["avr-gcc", "-mmcu=atmega1284", "-E", "library.c"]
    if subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode:
        pytest.skip("no avr/io.h: apt-get install avr-libc")
