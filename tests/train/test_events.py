"""TensorBoard's events, read back by TensorBoard."""

import dataclasses
import sys
from pathlib import Path

import pytest

from tinydigits.cli import main
from tinydigits.data.dataset import Dataset
from tinydigits.errors import InputError
from tinydigits.train.config import TrainConfig
from tinydigits.train.hardware import Compute
from tinydigits.train.loop import EpochResult
from tinydigits.train.run import events, train_on

reason = "no tensorboard: pip install tensorboard"
accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason=reason
)

FIRST = EpochResult(0, 1.5, 60.0, 0.5, 90.0, 10, 3.0)
SECOND = EpochResult(1, 0.5, 95.0, 0.25, 97.5, 5, 2.0)


def shown(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return what TensorBoard shows: each curve's steps and values."""
    read = accumulator.EventAccumulator(str(folder))
    read.Reload()
    return {
        name: [(each.step, each.value) for each in read.Scalars(name)]
        for name in read.Tags()["scalars"]
    }


def test_every_epoch_is_there_under_its_number(tmp_path: Path) -> None:
    with events(tmp_path, is_resumed=False) as write:
        write(FIRST)
        # While the run goes on, too.
        assert shown(tmp_path)["loss/train"] == [(0, 1.5)]
        write(SECOND)
    assert shown(tmp_path) == {
        "loss/train": [(0, 1.5), (1, 0.5)],
        "loss/held out": [(0, 0.5), (1, 0.25)],
        "accuracy/train": [(0, 60.0), (1, 95.0)],
        "accuracy/held out": [(0, 90.0), (1, 97.5)],
        "seconds/epoch": [(0, 3.0), (1, 2.0)],
    }


def test_without_held_out_digits_there_are_no_curves_of_them(tmp_path: Path) -> None:
    with events(tmp_path, is_resumed=False) as write:
        write(EpochResult(0, 1.5, 60.0, None, None, None, 3.0))
    assert shown(tmp_path).keys() == {"loss/train", "accuracy/train", "seconds/epoch"}


def test_a_resumed_run_has_each_epoch_once(
    tmp_path: Path, drawn: Dataset, small: TrainConfig, compute: Compute
) -> None:
    out, logs = tmp_path / "out", tmp_path / "logs"
    train_on(drawn, small, compute, out=out, resume=False, log_dir=logs)
    before = shown(logs)
    # As after a crash between saving and logging, with nothing left to train.
    train_on(drawn, small, compute, out=out, resume=True, log_dir=logs)
    assert [step for step, _ in before["loss/train"]] == [0, 1, 2]
    assert shown(logs) == before


def test_no_folder_no_events() -> None:
    with events(None, is_resumed=False) as write:
        write(dataclasses.replace(FIRST, epoch=1))


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match=r"cannot write .*file.*; give another --log-dir"),
        events(tmp_path / "file" / "below", is_resumed=False),
    ):
        pytest.fail("there is no such folder")


def test_a_missing_extra_is_told_before_anything_is_written(
    tmp_path: Path,
    drawn: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setattr("tinydigits.train.run.load_digits", lambda *_, **__: drawn)
    monkeypatch.chdir(tmp_path)
    arguments = ["train", "--data", "synthetic", "--val", "0", "--log-dir", "logs"]
    assert main(arguments) == 2
    assert list(tmp_path.iterdir()) == []
    assert "pip install 'tinydigits[tensorboard]'" in capsys.readouterr().err
