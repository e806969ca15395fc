"""Digits for the tests: real ones if they are available, and a few drawn ones everywhere."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tinydigits.data import mnist
from tinydigits.data.dataset import Dataset, Digits, load_dataset
from tinydigits.data.finding import named, similar
from tinydigits.export import parity
from tinydigits.train.config import TrainConfig
from tinydigits.train.hardware import Compute

ROOT = Path(__file__).parent.parent
MNIST = (ROOT / os.environ.get("TINYDIGITS_DATA", "data")).resolve()

# The tests' nets are too small for several threads: if other programs use the same cores, threads
# that wait for each other take fifty times as long.
torch.set_num_threads(1)


def need(program: str, package: str) -> None:
    """Skip a test whose program this machine lacks; ``package`` is the name of Debian's."""
    if not shutil.which(program):
        pytest.skip(f"no {program}: apt-get install {package}")


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """The folder of the real MNIST files; tests never download them."""
    for name in missing_mnist(MNIST):
        pytest.skip(f"{name} is not in {MNIST}: name MNIST's folder in TINYDIGITS_DATA")
    return MNIST


def missing_mnist(folder: Path) -> list[str]:
    """Return the names of MNIST's files that are not in or near a folder."""
    names = [file.name for file in (*mnist.IMAGES.values(), *mnist.LABELS.values())]
    return [name for name in names if not any((*named(name, folder), *similar(name, folder)))]


@pytest.fixture(scope="session")
def real(mnist_folder: Path) -> tuple[Digits, Digits]:
    """MNIST's training and test digits."""
    data = load_dataset("mnist", mnist_folder)
    return data.train, data.test


@pytest.fixture(scope="session")
def drawn() -> Dataset:
    """600 synthetic digits to train on and 200 to test."""
    return load_dataset("synthetic", Path(), synthetic_counts=(600, 200))


@pytest.fixture
def small() -> TrainConfig:
    """Options for three short epochs on the drawn digits."""
    return TrainConfig(epochs=3, batch_size=64, val=100, data=("synthetic",))


@pytest.fixture
def compute() -> Compute:
    """The CPU in fp32, which every machine has."""
    return Compute(torch.device("cpu"), torch.float32)


@pytest.fixture(scope="session")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A C compiler that has a C library's headers beside it."""
    program = "#include <stdio.h>\nint main(void) { return 0; }\n"
    try:
        found = parity.c_compiler()
        parity.compiled(found, "", program, tmp_path_factory.mktemp("compiler"), ())
    except parity.UnmeasuredError as reason:
        pytest.skip(f"{reason}: apt-get install gcc libc6-dev")
    return found


@pytest.fixture(scope="session")
def chromium() -> str:
    """A Chromium that opens files in the temporary folder, which one from a snap does not."""
    try:
        parity.ask_page("<body></body>", "() => [1]", torch.zeros(1, 28, 28, dtype=torch.uint8))
        return parity.browser()
    except parity.UnmeasuredError as reason:
        pytest.skip(f"{reason}: apt-get install chromium")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    """Chromium, driven by playwright."""
    reason = "no playwright: pip install playwright"
    playwright_api = pytest.importorskip("playwright.sync_api", reason=reason)
    with playwright_api.sync_playwright() as playwright:
        # Containers run as root, where Chromium's sandbox does not.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()
