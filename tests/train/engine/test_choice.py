"""Whether the engine trains, and why not."""

from dataclasses import replace

import pytest
import torch

from tinydigits.errors import InputError
from tinydigits.train import hardware
from tinydigits.train.config import TrainConfig
from tinydigits.train.distributed import ALONE, World
from tinydigits.train.engine import choice, trial
from tinydigits.train.engine.build import Built, UnavailableError
from tinydigits.train.engine.choice import choose
from tinydigits.train.engine.library import Compiled, load
from tinydigits.train.hardware import Compute

CONFIG = TrainConfig(device="cpu", precision="fp32")


@pytest.fixture
def _no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def ready(_: str) -> Compiled:
        raise UnavailableError("no C compiler was found")

    monkeypatch.setattr(choice, "_ready", ready)


def test_the_engine_trains_where_it_can(floats: Compiled) -> None:
    compute = choose(CONFIG)
    assert compute.compiled is not None
    assert compute.compiled.compiler == floats.compiler
    assert compute.why_pytorch == ""


@pytest.mark.parametrize(
    ("config", "world", "reason"),
    [
        (replace(CONFIG, engine="torch"), ALONE, "--engine torch was given"),
        (replace(CONFIG, batch_size=9000), ALONE, "takes at most 8,192 digits a batch"),
        (CONFIG, World(0, 2), "with several processes the engine in C needs --local-statistics"),
    ],
)
def test_pytorch_trains_what_the_engine_cannot(
    config: TrainConfig, world: World, reason: str
) -> None:
    compute = choose(config, world)
    assert compute.compiled is None
    assert reason in compute.why_pytorch
    if config.engine == "auto":
        with pytest.raises(InputError, match=r"--engine c cannot be used: .*--engine auto"):
            choose(replace(config, engine="c"), world)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_other_devices_are_pytorchs(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    there = Compute(torch.device(device), torch.float32)
    monkeypatch.setattr(hardware, "choose", lambda *_: there)
    assert choose(CONFIG).why_pytorch == f"the engine in C does not use {device}"


def test_bf16_without_avx512_is_pytorchs(monkeypatch: pytest.MonkeyPatch) -> None:
    there = Compute(torch.device("cpu"), torch.bfloat16)  # such as on Arm
    monkeypatch.setattr(hardware, "choose", lambda *_: there)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"bf16": True}, raising=False)
    assert "bf16 for AVX-512 only" in choose(CONFIG).why_pytorch


@pytest.mark.usefixtures("_no_engine")
def test_without_an_engine_pytorch_trains() -> None:
    assert choose(CONFIG).why_pytorch == "no C compiler was found"
    with pytest.raises(InputError, match="--engine c cannot be used: no C compiler was found"):
        choose(replace(CONFIG, engine="c"))


def test_a_faulty_engine_is_refused(floats: Compiled, monkeypatch: pytest.MonkeyPatch) -> None:
    trial.refuse_wrong(floats, "fp32")
    monkeypatch.setattr(trial, "SMOOTHING", 0.2)  # what is computed is not what is expected
    with pytest.raises(UnavailableError, match=r"makes a faulty engine: its losses differ by"):
        trial.refuse_wrong(floats, "fp32")


def test_what_is_no_library_is_refused(tmp_path: pytest.TempPathFactory) -> None:
    path = tmp_path / "engine.so"  # type: ignore[operator]
    path.write_bytes(b"\x7fELF not a library")
    with pytest.raises(UnavailableError, match=r"engine\.so cannot be loaded"):
        load(Built(path, "cc", None))
