"""What several exports are compared with on MNIST: computed once, since it takes seconds."""

import pytest
import torch
from torch import Tensor

from tinydigits import infer, load
from tinydigits.data.dataset import Digits
from tinydigits.export.folded import fold
from tinydigits.export.layers import IntegerConvolution
from tinydigits.export.quantised import logits, quantise


@pytest.fixture(scope="session")
def calibrated(real: tuple[Digits, Digits]) -> list[IntegerConvolution]:
    """The default net in integers, calibrated as ``tinydigits export`` does."""
    return quantise(fold(load()), real[0].images[:2000])


@pytest.fixture(scope="session")
def integer_logits(calibrated: list[IntegerConvolution], real: tuple[Digits, Digits]) -> Tensor:
    """Its int64 logits for MNIST's test digits."""
    parts = torch.split(real[1].images, 250)
    return torch.cat([torch.from_numpy(logits(calibrated, part.numpy())) for part in parts])


@pytest.fixture(scope="session")
def net_logits(real: tuple[Digits, Digits]) -> Tensor:
    """The default net's own logits for MNIST's test digits."""
    return infer(load(), real[1].images)
