"""Compiled engines."""

import pytest
import torch

from tinydigits.train.engine.build import UnavailableError, build
from tinydigits.train.engine.library import Compiled, load


@pytest.fixture(scope="session")
def floats(compiler: str) -> Compiled:
    """The engine in fp32."""
    assert compiler
    return load(build("fp32"))


@pytest.fixture(scope="session")
def pairs(compiler: str) -> Compiled:
    """The engine with products of bf16."""
    assert compiler
    if not torch.cpu.get_capabilities().get("avx512_bf16"):
        pytest.skip("this processor has no AVX-512 with BF16")
    try:
        return load(build("bf16"))
    except UnavailableError as reason:  # compilers older than gcc 10 do not know it
        pytest.skip(str(reason))
