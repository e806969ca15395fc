import dataclasses
import pickle
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tinydigits.data.dataset import Dataset
from tinydigits.errors import InputError
from tinydigits.net.formats import load_net
from tinydigits.net.model import Net
from tinydigits.train import checkpoint
from tinydigits.train.batches import Split, split
from tinydigits.train.checkpoint import (
    LAST,
    Origin,
    last,
    restore,
    save_last,
    save_model,
    set_aside,
)
from tinydigits.train.config import Light, TrainConfig
from tinydigits.train.hardware import Compute
from tinydigits.train.loop import EpochResult, State, fit, start
from tinydigits.train.schedule import OneCycle


@pytest.fixture
def origin(small: TrainConfig) -> Origin:
    return Origin(small, "synthetic", "not MNIST")


@pytest.fixture
def digits(drawn: Dataset, small: TrainConfig) -> Split:
    return split(drawn, small)


@pytest.fixture
def fresh(digits: Split, small: TrainConfig, compute: Compute) -> Callable[[], State]:
    return lambda: start(small, len(digits.train), compute)


def test_plain_torch_load_gives_a_state_that_fits_net(
    tmp_path: Path, fresh: Callable[[], State], origin: Origin
) -> None:
    state = fresh()
    save_model(tmp_path / "model.pth", state, origin)
    content = torch.load(tmp_path / "model.pth")
    net = Net()
    net.load_state_dict(content["model_state_dict"])
    assert content["dataset"] == "synthetic"
    assert content["warning"] == "not MNIST"
    assert TrainConfig.from_dict(content["config"]) == origin.config
    x = torch.rand(2, 1, 28, 28)
    torch.testing.assert_close(net.eval()(x), state.net.eval()(x))
    assert torch.equal(load_net(tmp_path / "model.pth")(x), net(x))
    pairs = zip(net.state_dict().values(), state.net.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("epochs", [0, 1, 2])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer": "muon", "shares": (0.5, 0.2), "light": Light(level=0.3, noise=0.1)},
        {"optimizer": "muon", "weight_bits": 4},
    ],
)
def test_resumed_weights_equal_uninterrupted_ones(
    tmp_path: Path,
    digits: Split,
    small: TrainConfig,
    compute: Compute,
    epochs: int,
    options: dict[str, Any],
) -> None:
    config = dataclasses.replace(small, **options)
    origin = Origin(config, "synthetic", "not MNIST")

    def fresh() -> State:
        return start(config, len(digits.train), compute)

    whole = fresh()
    list(fit(whole, digits, config))

    interrupted = fresh()
    results = fit(interrupted, digits, config)
    for _ in range(epochs):
        next(results)
    save_last(tmp_path, interrupted, origin)
    resumed = fresh()
    restore(resumed, last(tmp_path, origin))
    assert resumed.epoch == epochs
    list(fit(resumed, digits, config))

    for name, value in whole.net.state_dict().items():
        assert torch.equal(value, resumed.net.state_dict()[name]), name
    wholes, parts = (
        [dataclasses.replace(r, seconds=0) for r in s.history] for s in (whole, resumed)
    )
    assert wholes == parts


def test_a_further_cycle_rises_from_the_finished_net(
    tmp_path: Path, digits: Split, small: TrainConfig, compute: Compute, origin: Origin
) -> None:
    finished = start(small, len(digits.train), compute)
    list(fit(finished, digits, small))
    save_last(tmp_path, finished, origin)
    five = dataclasses.replace(small, epochs=5)
    content = last(tmp_path, dataclasses.replace(origin, config=five))

    def begun(content: dict[str, Any]) -> State:
        state = start(five, len(digits.train), compute, cycles=content["cycles"])
        restore(state, content)
        return state

    state = begun(content)
    assert (state.epoch, state.cycles) == (3, [0, 3])
    for name, value in finished.net.state_dict().items():
        assert torch.equal(value, state.net.state_dict()[name]), name
    assert finished.optimizers[0].param_groups[0]["lr"] < 0.01 * small.lr
    rates = list[float]()

    def watch(batches: Iterable[Tensor]) -> Iterable[Tensor]:
        for batch in batches:
            yield batch
            rates.append(state.optimizers[0].param_groups[0]["lr"])

    # Stopped in the further cycle, it resumes in it and ends with the same weights.
    results = fit(state, digits, five, progress=watch)
    next(results)
    save_last(tmp_path, state, dataclasses.replace(origin, config=five))
    list(results)
    cycle = OneCycle(2 * 8, five)  # two epochs of 500 digits
    assert rates == [cycle.rate(step, peak=small.lr) for step in range(16)]
    resumed = begun(last(tmp_path, dataclasses.replace(origin, config=five)))
    assert (resumed.epoch, resumed.cycles) == (4, [0, 3])
    list(fit(resumed, digits, five))
    for name, value in state.net.state_dict().items():
        assert torch.equal(value, resumed.net.state_dict()[name]), name


@pytest.mark.parametrize(
    ("done", "epochs", "message"),
    [
        (1, 5, r"has 1 of 3 epochs, .* first finish them with --resume --epochs 3; more --epochs"),
        (1, 2, r"has 1 of 3 epochs, .* first finish them with --resume --epochs 3"),
        (3, 2, r"has 3 epochs already: give --epochs above 3 to train it further"),
    ],
)
def test_another_end_is_refused_where_the_schedule_does_not_allow_it(
    tmp_path: Path,
    fresh: Callable[[], State],
    origin: Origin,
    done: int,
    epochs: int,
    message: str,
) -> None:
    state = fresh()
    state.history = [EpochResult(epoch, 1, 50, 1, 90, 10, 1) for epoch in range(done)]
    save_last(tmp_path, state, origin)
    config = dataclasses.replace(origin.config, epochs=epochs)
    with pytest.raises(InputError, match=message):
        last(tmp_path, dataclasses.replace(origin, config=config))


def test_a_run_of_an_earlier_version_can_be_resumed(
    tmp_path: Path, fresh: Callable[[], State], origin: Origin
) -> None:
    save_last(tmp_path, fresh(), origin)
    content = torch.load(tmp_path / LAST)
    del content["cycles"], content["masters"], content["config"]["weight_bits"]
    torch.save(content, tmp_path / LAST)
    earlier = last(tmp_path, origin)
    assert earlier["cycles"] == [0]
    restore(fresh(), earlier)


class Code:
    """What a malicious file does when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path("code-ran").touch, ())


def valid(**changes: Any) -> dict[str, Any]:
    return {"format": "tinydigits", "version": 1, "model_state_dict": Net().state_dict()} | changes


def few_weights() -> dict[str, Any]:
    return {name: value for name, value in Net().state_dict().items() if ".bn1." not in name}


def other_net(**tensors: torch.Tensor) -> dict[str, Any]:
    return valid(model_state_dict={**Net().state_dict(), **tensors})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds no weights of a net: expected a checkpoint, state_dict"),
        ({"model_state_dict": {}}, "holds no weights of a net"),
        (valid(version=2), "has format version 2, expected 1: .* upgrade"),
        (valid(model_state_dict={}), "holds no weights of a net"),
        (valid(model_state_dict=None), "holds no weights of a net"),
        (few_weights(), r"holds another net: layers.bn1.bias is absent, expected \(8,\)"),
        ({1: torch.zeros(1), "x": torch.zeros(1)}, r"holds another net: .* absent"),
        (other_net(extra=torch.zeros(1)), r"extra is \(1,\), expected absent"),
        (
            other_net(**{"layers.conv1.weight": torch.zeros(9, 1, 3, 3)}),
            r"layers.conv1.weight is \(9, 1, 3, 3\), expected \(8, 1, 3, 3\)",
        ),
        (valid(model_state_dict=Code()), "could run code; save the weights alone"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content, "model.pth")
    with pytest.raises(InputError, match=message):
        load_net("model.pth")
    assert not Path("code-ran").exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw[:-1],
        lambda _: b"not a checkpoint",
        lambda _: pickle.dumps({"format": "tinydigits"}),
        lambda raw: raw[:200] + bytes(200) + raw[400:],
    ],
)
def test_damaged_files_are_refused(
    tmp_path: Path,
    fresh: Callable[[], State],
    origin: Origin,
    damage: Callable[[bytes], bytes],
) -> None:
    path = tmp_path / "model.pth"
    save_model(path, fresh(), origin)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=str(path)):
        load_net(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*model.pth: No such file"):
        load_net(tmp_path / "model.pth")


def test_resuming_nothing_is_refused(tmp_path: Path, origin: Origin) -> None:
    with pytest.raises(InputError, match=r"nothing to resume: there is no .*last.pth"):
        last(tmp_path, origin)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"config": {"seed": 1}}, "started with --seed 0, not --seed 1: give the original options"),
        ({"config": {"lr": 0.02, "batch_size": 32}}, "--batch-size 64 --lr 0.01, not --batch"),
        ({"dataset": "mnist"}, "started with --data synthetic, not --data mnist"),
    ],
)
def test_resuming_another_run_is_refused(
    tmp_path: Path,
    fresh: Callable[[], State],
    origin: Origin,
    changed: dict[str, Any],
    message: str,
) -> None:
    save_last(tmp_path, fresh(), origin)
    before = (tmp_path / LAST).read_bytes()
    if "config" in changed:
        changed = {"config": dataclasses.replace(origin.config, **changed["config"])}
    with pytest.raises(InputError, match=message):
        last(tmp_path, dataclasses.replace(origin, **changed))
    assert (tmp_path / LAST).read_bytes() == before


def test_resuming_from_a_plain_model_is_refused(
    tmp_path: Path, fresh: Callable[[], State], origin: Origin
) -> None:
    save_model(tmp_path / LAST, fresh(), origin)
    with pytest.raises(InputError, match="so the run cannot be resumed"):
        last(tmp_path, origin)


def test_resuming_from_a_file_without_options_is_refused(tmp_path: Path, origin: Origin) -> None:
    torch.save(valid(), tmp_path / LAST)
    with pytest.raises(InputError, match="lacks 'config', so the run cannot be resumed"):
        last(tmp_path, origin)


def test_an_earlier_run_is_moved_and_nothing_else(tmp_path: Path) -> None:
    assert set_aside(tmp_path) is None
    for number in (1, 2):
        (tmp_path / "final").mkdir()
        for name in (LAST, "model_epoch_0_acc_90.00.pth", "final/report.json", "notes.txt"):
            (tmp_path / name).write_text(str(number))
        assert set_aside(tmp_path) == tmp_path / f"previous-{number}"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "notes.txt",
        "previous-1",
        "previous-2",
    ]
    assert (tmp_path / "previous-1" / "final" / "report.json").read_text() == "1"
    assert (tmp_path / "previous-2" / checkpoint.LAST).read_text() == "2"
