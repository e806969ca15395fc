"""The engine on other processors and with other compilers, and under sanitizers."""

import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.conftest import need
from tests.train.engine.steps import digits, error, unusual_net
from tinydigits.train import augment, light
from tinydigits.train.engine.build import CLANG, FLAGS, GCC, SOURCE
from tinydigits.train.engine.flat import Flat
from tinydigits.train.recipes import RECIPES

pytestmark = pytest.mark.usefixtures("compiler")  # one that has a C library's headers
PROGRAM = Path(__file__).with_name("step.c")
STRICT = ["-Wall", "-Wextra", "-Werror"]
BATCH = 37
PARTS = {
    "losses": BATCH,
    "logits": 10 * BATCH,
    "gradient": 13_034,
    "running means": 104,
    "running variances": 104,
    "parameters": 13_034,
}
# A compiler, its flags for a processor, and the program that runs it.
PROCESSORS = {
    "avx2": ("gcc", ["-mavx2", "-mfma"], []),
    "sse2": ("gcc", [], []),
    "clang": ("clang", ["-march=native"], []),
    "neon": ("aarch64-linux-gnu-gcc", ["-static"], ["qemu-aarch64"]),
}
PACKAGES = {
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    "qemu-aarch64": "qemu-user",
}


def compiled(compiler: str, flags: list[str], folder: Path) -> Path:
    need(compiler, PACKAGES.get(compiler, compiler))
    program = folder / "step"
    optimised = CLANG if compiler == "clang" else GCC
    files = [f"-I{SOURCE}", str(PROGRAM), "-o", str(program), "-lm", "-pthread"]
    subprocess.run([compiler, *FLAGS, *optimised, *STRICT, *flags, *files], check=True)
    return program


def step(command: list[str], threads: int = 2) -> dict[str, torch.Tensor]:
    """Return what the program computes for 37 moved and lit digits, with dropout."""
    images, labels = digits(BATCH)
    flat = Flat(unusual_net(0.1), [])
    people = RECIPES["people"]
    moves = augment.numbers(BATCH, people.augmentation, generator=torch.Generator().manual_seed(1))
    lights = light.numbers(BATCH, people.light, 784, generator=torch.Generator().manual_seed(2))
    assert moves is not None
    assert lights is not None
    given: list[npt.NDArray[np.generic]] = [
        np.array([BATCH, threads], np.int32),
        np.array([0.1, 0.1], np.float32),
        *(each.numpy() for each in (flat.parameters, flat.running_mean, flat.running_variance)),
        *(each.numpy() for each in (images, labels, moves, lights)),
    ]
    content = b"".join(each.tobytes() for each in given)
    ran = subprocess.run(command, input=content, capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")
    found = torch.frombuffer(bytearray(ran.stdout), dtype=torch.float32)
    return dict(zip(PARTS, torch.split(found, list(PARTS.values())), strict=True))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """The step on this processor, whose parts other tests compare with PyTorch."""
    return step([str(compiled("gcc", ["-march=native"], tmp_path_factory.mktemp("plain")))])


@pytest.mark.parametrize("processor", PROCESSORS)
def test_every_processor_takes_the_same_step(
    tmp_path: Path, plain: dict[str, torch.Tensor], processor: str
) -> None:
    compiler, flags, runner = PROCESSORS[processor]
    if processor == "avx2" and not torch.cpu.get_capabilities().get("avx2"):
        pytest.skip("this processor has no AVX2")
    for program in runner:
        need(program, PACKAGES[program])
    found = step([*runner, str(compiled(compiler, flags, tmp_path))])
    for name, value in found.items():
        # Rounding decides about single ReLUs, and Muon's iteration enlarges differences.
        assert (value - plain[name]).norm() <= 2e-3 * plain[name].norm(), name
        assert error(value, plain[name]) < 0.05, name


@pytest.mark.parametrize("flags", ["-march=native", "-march=native -DBF16", "-O1"])
def test_sanitizers_find_nothing(tmp_path: Path, flags: str) -> None:
    if "-DBF16" in flags and not torch.cpu.get_capabilities().get("avx512_bf16"):
        pytest.skip("this processor has no AVX-512 with BF16")
    checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1"]
    program = compiled("gcc", [*flags.split(), *checks], tmp_path)
    assert all(value.isfinite().all() for value in step([str(program)], threads=3).values())


def test_threads_race_for_nothing(tmp_path: Path) -> None:
    program = compiled("gcc", ["-march=native", "-fsanitize=thread", "-g", "-O1"], tmp_path)
    need("setarch", "util-linux")
    if subprocess.run(["setarch", "-R", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this container forbids setarch -R")
    # The sanitizer's memory map does not fit a randomised one.
    step(["setarch", "-R", str(program)], threads=3)
