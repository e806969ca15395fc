"""Whole trainings with the engine: the same bits on any number of threads, and resumed."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tinydigits.data.dataset import Dataset
from tinydigits.net.model import Net
from tinydigits.train.batches import split
from tinydigits.train.checkpoint import Origin, last, restore, save_last
from tinydigits.train.config import Augmentation, Light, Optimiser, TrainConfig, WeightBits
from tinydigits.train.engine import build as building
from tinydigits.train.engine import choice
from tinydigits.train.engine.choice import choose
from tinydigits.train.loop import State, fit, start
from tinydigits.train.run import train_on

CONFIG = TrainConfig(
    epochs=3,
    batch_size=100,
    val=100,
    data=("synthetic",),
    device="cpu",
    precision="fp32",
    engine="c",
    optimizer="muon",
    light=Light(level=0.3, noise=0.1, patches=1),
    augmentation=Augmentation(elastic=1),
    shares=(1.0, 0.4),
)


def trained(config: TrainConfig, drawn: Dataset) -> State:
    digits = split(drawn, config)
    state = start(config, len(digits.train), choose(config))
    list(fit(state, digits, config))
    return state


def same(one: Net, other: Net) -> bool:
    values = other.state_dict()
    return all(torch.equal(value, values[name]) for name, value in one.state_dict().items())


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("config", [CONFIG, replace(CONFIG, optimizer="adam", light=Light())])
def test_the_number_of_threads_changes_no_bit(config: TrainConfig, drawn: Dataset) -> None:
    before, states = torch.get_num_threads(), list[State]()
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            states.append(trained(config, drawn))
    finally:
        torch.set_num_threads(before)
    assert same(states[0].net, states[1].net)
    assert same(states[0].net, states[2].net)


@pytest.mark.usefixtures("compiler")
def test_pytorch_leaves_the_cores_to_the_engine_while_it_steps(drawn: Dataset) -> None:
    during = list[int]()

    def watched(batches: Iterable[Tensor]) -> Iterator[Tensor]:
        for batch in batches:
            during.append(torch.get_num_threads())
            yield batch

    before, digits = torch.get_num_threads(), split(drawn, CONFIG)
    try:
        torch.set_num_threads(2)
        state = start(CONFIG, len(digits.train), choose(CONFIG))
        for _ in fit(state, digits, CONFIG, progress=watched):
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(during) == {1}


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize(("continued", "bits"), [("c", 32), ("c", 4), ("torch", 32)])
def test_a_run_resumes(tmp_path: Path, drawn: Dataset, continued: str, bits: WeightBits) -> None:
    config = replace(CONFIG, weight_bits=bits)
    digits = split(drawn, config)
    state = start(config, len(digits.train), choose(config))
    origin = Origin(config, "synthetic", None)
    results = fit(state, digits, config)
    next(results)
    save_last(tmp_path, state, origin)
    list(results)
    config = replace(config, engine="c" if continued == "c" else "torch")
    resumed = start(config, len(digits.train), choose(config))
    restore(resumed, last(tmp_path, origin))
    list(fit(resumed, digits, config))
    assert same(resumed.net, state.net) == (continued == "c")
    # What one engine began the other can finish: the same steps, but for rounding and dropout.
    ends = [each.history[-1].train_loss for each in (state, resumed)]
    assert ends[0] == pytest.approx(ends[1], rel=0.1)


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize(("optimizer", "bits"), [("adam", 32), ("muon", 32), ("muon", 4)])
def test_it_learns_as_pytorch_does(drawn: Dataset, optimizer: Optimiser, bits: WeightBits) -> None:
    config = replace(CONFIG, epochs=4, shares=(1.0,), light=Light(), dropout=0.0)
    config = replace(config, optimizer=optimizer, weight_bits=bits)
    ours, theirs = (
        trained(config, drawn),
        trained(replace(config, engine="torch"), drawn),
    )
    for one, other in zip(ours.history, theirs.history, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=0.05)
    counted = (each.net.get_buffer("layers.bn1.num_batches_tracked") for each in (ours, theirs))
    assert [each.item() for each in counted] == [20, 20]


@pytest.mark.usefixtures("compiler")
def test_the_first_line_and_the_report_name_the_engine(
    tmp_path: Path, drawn: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    config = replace(CONFIG, epochs=1)
    compute = choose(config)
    train_on(drawn, config, compute, out=tmp_path, resume=False)
    assert compute.compiled is not None
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("engine: C in fp32 on ")
    assert f"compiled by {compute.compiled.compiler}" in first
    told = json.loads((tmp_path / "final" / "report.json").read_text())["environment"]
    assert (told["engine"], told["compiler"]) == ("c", compute.compiled.compiler)


def test_without_a_compiler_the_first_line_says_so(
    tmp_path: Path,
    drawn: Dataset,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(building, "COMPILERS", ())
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    choice._ready.cache_clear()
    config = replace(CONFIG, epochs=1, engine="auto")
    train_on(drawn, config, choose(config), out=tmp_path, resume=False)
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("engine: PyTorch in fp32 on ")
    assert "(no C compiler was found: install gcc or clang, or pip install" in first
    told = json.loads((tmp_path / "final" / "report.json").read_text())["environment"]
    assert told["engine"] == "torch"
