"""A complete run as a user sees it: its output and its files."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import ROOT
from tinydigits.data.dataset import Dataset
from tinydigits.errors import InputError
from tinydigits.evaluate.metrics import report
from tinydigits.net.formats import load_net
from tinydigits.net.inference import infer
from tinydigits.train import checkpoint, run
from tinydigits.train.checkpoint import Origin
from tinydigits.train.config import TrainConfig
from tinydigits.train.hardware import Compute
from tinydigits.train.loop import EpochResult, State, start
from tinydigits.train.run import train_on

REPORT_KEYS = {
    "dataset",
    "test_accuracy",
    "test_wrong",
    "test_total",
    "wrong_indices",
    "seconds_training",
    "seconds_per_epoch",
    "parameters",
    "config",
    "environment",
}


@pytest.fixture(scope="module")
def finished(drawn: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of three epochs."""
    out = tmp_path_factory.mktemp("finished")
    config = TrainConfig(epochs=3, batch_size=64, val=100, data=("synthetic",))
    train_on(drawn, config, Compute(torch.device("cpu"), torch.float32), out=out, resume=False)
    return out


def test_a_checkpoint_is_kept_at_each_new_best_and_at_the_end(finished: Path) -> None:
    history = json.loads((finished / "final" / "report.json").read_text())["history"]
    best, expected = -1.0, set()
    for result in history:
        if result["validation_accuracy"] > best:
            best = result["validation_accuracy"]
            expected.add(f"model_epoch_{result['epoch']}_acc_{best:.2f}.pth")
    assert {path.name for path in finished.glob("model_*")} == expected
    assert {path.name for path in (finished / "final").iterdir()} == {
        "model_epoch_2.pth",
        "curves.png",
        "report.json",
    }


def test_equal_or_worse_accuracy_is_no_new_best(
    tmp_path: Path, small: TrainConfig, compute: Compute
) -> None:
    state = start(small, 500, compute)
    kept = []
    for epoch, accuracy in enumerate((90.0, 90.0, 95.0, 94.0)):
        state.history.append(EpochResult(epoch, 1, 50, 1, accuracy, 10, 1))
        kept.append(run._keep(tmp_path, state, Origin(small, "synthetic", None)))
    assert kept == [True, False, True, False]
    assert {path.name for path in tmp_path.glob("model_*")} == {
        "model_epoch_0_acc_90.00.pth",
        "model_epoch_2_acc_95.00.pth",
    }


def test_report_describes_the_final_net(finished: Path, drawn: Dataset) -> None:
    content = json.loads((finished / "final" / "report.json").read_text())
    assert content.keys() >= REPORT_KEYS
    net = load_net(finished / "final" / "model_epoch_2.pth")
    tested = report(infer(net, drawn.test.images), drawn.test.labels)
    assert content["wrong_indices"] == tested.wrong_indices
    assert content["test_wrong"] == len(tested.wrong_indices)
    assert content["test_total"] == 200
    assert content["test_accuracy"] == pytest.approx(tested.accuracy)
    assert content["parameters"] == 13_034
    assert len(content["seconds_per_epoch"]) == 3
    assert content["seconds_training"] == pytest.approx(sum(content["seconds_per_epoch"]), abs=0.01)
    assert content["config"]["epochs"] == 3
    assert content["environment"]["torch"] == torch.__version__


def test_every_file_of_a_synthetic_run_says_that_it_is_no_mnist_result(finished: Path) -> None:
    content = json.loads((finished / "final" / "report.json").read_text())
    assert content["dataset"] == "synthetic"
    assert "not MNIST" in content["warning"]
    for path in finished.rglob("*.pth"):
        assert "not MNIST" in torch.load(path)["warning"], path


def test_reports_name_no_path_of_the_machine(finished: Path) -> None:
    assert str(ROOT) not in (finished / "final" / "report.json").read_text()


def test_output_tells_data_epochs_result_and_time(
    tmp_path: Path,
    drawn: Dataset,
    small: TrainConfig,
    compute: Compute,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tested = train_on(drawn, small, compute, out=tmp_path, resume=False)
    printed, warned = capsys.readouterr()
    lines = printed.splitlines()
    assert lines[0].startswith("engine: PyTorch in fp32 on ")
    assert lines[1].startswith("synthetic: 500 digits to train on, 100 held out, 200 to test")
    assert lines[2] == "net: 13,034 parameters"
    assert [line[:8] for line in lines[3:6]] == ["epoch  0", "epoch  1", "epoch  2"]
    assert f"test: {tested.wrong} of 200 wrong ({tested.accuracy:.2f} %)" in lines
    assert any(line.startswith("time: ") for line in lines)
    assert warned.count("not MNIST results") == 2


def test_a_new_run_keeps_the_earlier_one(
    tmp_path: Path, drawn: Dataset, small: TrainConfig, compute: Compute
) -> None:
    once = dataclasses.replace(small, epochs=1)
    train_on(drawn, once, compute, out=tmp_path, resume=False)
    before = (tmp_path / "final" / "report.json").read_text()
    train_on(drawn, dataclasses.replace(once, seed=1), compute, out=tmp_path, resume=False)
    assert (tmp_path / "previous-1" / "final" / "report.json").read_text() == before
    assert json.loads((tmp_path / "final" / "report.json").read_text())["config"]["seed"] == 1


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("val", 600, "--val 600 leaves no digit to train on: expected fewer than 600"),
        ("batch_size", 501, "--batch-size 501 exceeds the training set: expected at most 500"),
    ],
)
def test_options_that_do_not_fit_the_digits_are_refused_before_anything_is_written(
    tmp_path: Path,
    drawn: Dataset,
    small: TrainConfig,
    compute: Compute,
    option: str,
    value: int,
    message: str,
) -> None:
    config = dataclasses.replace(small, **{option: value})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        train_on(drawn, config, compute, out=tmp_path, resume=False)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def few(drawn: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """600 digits instead of 60,000."""
    monkeypatch.setattr(run, "load_digits", lambda *_, **__: drawn)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val": 600}, "--val 600 leaves no digit to train on: expected fewer than 600"),
        ({"val": 590}, "--batch-size 64 exceeds the training set: expected at most 10"),
        ({"batch_size": 501}, "--batch-size 501 exceeds the training set: expected at most 500"),
        ({"out": "file/below"}, "cannot write file/below: Not a directory"),
        ({"out": "file"}, "cannot write file: "),
        ({"log_dir": "file/logs"}, "cannot write file/logs: Not a directory"),
    ],
)
@pytest.mark.usefixtures("few")
def test_a_dry_run_refuses_what_the_run_would(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    small: TrainConfig,
    options: dict[str, Any],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    given = {"out": "out", **options}
    places = {str(name): Path(given.pop(name)) for name in ("out", "log_dir") if name in given}
    places["data_dir"] = Path()
    config = dataclasses.replace(small, **given)
    with pytest.raises(InputError, match=message):
        run.try_out(config, **places)
    with pytest.raises(InputError, match=message):
        run.train(config, resume=False, **places)
    assert [path.name for path in tmp_path.iterdir() if path.name != "out"] == ["file"]


@pytest.mark.usefixtures("few")
def test_a_dry_run_takes_every_step_and_keeps_nothing(
    tmp_path: Path, small: TrainConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    config = dataclasses.replace(small, still_epochs=3)
    for out in ("out", "new/folder"):
        run.try_out(config, data_dir=Path(), out=tmp_path / out, log_dir=tmp_path / "logs")
        printed = capsys.readouterr().out
        assert "64 digits to train on, 64 held out, 64 to test" in printed
        assert "epoch  0 " in printed
        assert [path.name for path in tmp_path.rglob("*")] == ["out"]


def test_a_finished_run_is_trained_further_in_a_new_cycle(
    tmp_path: Path,
    drawn: Dataset,
    small: TrainConfig,
    compute: Compute,
    capsys: pytest.CaptureFixture[str],
) -> None:
    two, four = (dataclasses.replace(small, epochs=epochs) for epochs in (2, 4))
    train_on(drawn, two, compute, out=tmp_path, resume=False)
    before = torch.load(tmp_path / "last.pth")
    capsys.readouterr()
    train_on(drawn, four, compute, out=tmp_path, resume=True)
    printed = capsys.readouterr().out
    assert f"resuming after 2 epochs from {tmp_path / 'last.pth'}\n" in printed
    assert "epochs 2 to 3 are a further cycle: the learning rate rises and falls again" in printed
    after = torch.load(tmp_path / "last.pth")
    assert after["history"][:2] == before["history"]
    assert [result["epoch"] for result in after["history"]] == [0, 1, 2, 3]
    assert after["history"][2]["train_loss"] < before["history"][1]["train_loss"]
    final = tmp_path / "final"
    told = json.loads((final / "report.json").read_text())
    for content in (after, torch.load(final / "model_epoch_3.pth"), told):
        assert (content["cycles"], content["config"]["epochs"]) == ([0, 2], 4)
    assert torch.load(final / "model_epoch_1.pth")["cycles"] == [0]
    assert not list(tmp_path.glob("previous-*"))


def test_a_run_killed_after_its_last_state_was_saved_lacks_no_metrics(
    drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = checkpoint.save_last

    def save_and_die(out: Path, state: State, origin: Origin) -> None:
        saved(out, state, origin)
        if state.epoch == 2:
            raise KeyboardInterrupt

    config = TrainConfig(epochs=2, batch_size=64, val=100, data=("synthetic",))
    cpu = Compute(torch.device("cpu"), torch.float32)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_last", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            train_on(drawn, config, cpu, out=tmp_path, resume=False)
    train_on(drawn, config, cpu, out=tmp_path, resume=True)
    lines = (tmp_path / checkpoint.METRICS).read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [0, 1]
