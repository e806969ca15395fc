"""The golden values are PyTorch's, and rounding decides nothing about them."""

import json

import pytest
import torch

from tests.train.engine.steps import by_pytorch, error, margin
from tinydigits.train.engine.library import Compiled
from tinydigits.train.engine.trial import GOLDEN, refuse_wrong, trial


def test_the_golden_values_are_those_of_pytorch_in_fp64() -> None:
    net, images, labels, directions = trial()
    ones = [torch.ones(1), torch.ones(1)]
    wanted = by_pytorch(net, images, labels, ones, dropout=0, dtype=torch.float64)
    golden = {name: torch.tensor(values) for name, values in json.loads(GOLDEN.read_text()).items()}
    assert error(golden["losses"], wanted.losses) < 1e-6
    assert error(golden["logits"], wanted.logits) < 1e-6
    assert error(golden["gradients"], directions.double() @ wanted.gradient) < 1e-6
    assert error(golden["running means"], wanted.mean) < 1e-6
    assert error(golden["running variances"], wanted.variance) < 1e-6


def test_no_relu_and_no_maximum_is_close() -> None:
    net, images, *_ = trial()
    assert margin(net.double().train(), images) > 1e-5


def test_both_engines_pass(floats: Compiled, request: pytest.FixtureRequest) -> None:
    refuse_wrong(floats, "fp32")
    refuse_wrong(request.getfixturevalue("pairs"), "bf16")
