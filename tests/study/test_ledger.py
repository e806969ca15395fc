"""A study's folder: its lines survive interruptions, and it holds one study only."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tinydigits.errors import InputError
from tinydigits.study import ledger
from tinydigits.study.ledger import Run
from tinydigits.train.config import Augmentation, TrainConfig

CONFIG = TrainConfig(data=("mnist",), device="cpu", precision="fp32")
RUN = Run(3, 98.0, 2, [1, 7], 1.5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study of seeds 3 and 4."""
    folder = tmp_path / "study"
    ledger.begin(folder, CONFIG, None, {"threads": 1})
    ledger.append(folder, RUN)
    ledger.append(folder, replace(RUN, seed=4))
    return folder


def lines(folder: Path) -> list[Any]:
    return [json.loads(line) for line in (folder / "runs.jsonl").read_text().splitlines()]


def test_what_is_written_is_read_back(folder: Path) -> None:
    assert ledger.read(folder).runs == [RUN, replace(RUN, seed=4)]
    assert ledger.read(folder).config == CONFIG
    assert ledger.read(folder).dataset == "mnist"
    assert ledger.read(folder).warning is None
    assert ledger.read(folder).accuracies == {3: 98.0, 4: 98.0}
    assert json.loads((folder / "environment.json").read_text()) == {"threads": 1}


def test_options_are_kept_without_a_seed_and_runs_without_what_was_not_measured(
    folder: Path,
) -> None:
    options = json.loads((folder / "config.json").read_text())
    assert "seed" not in options
    assert options.items() >= {"dataset": "mnist", "warning": None, "epochs": 10}.items()
    assert set(lines(folder)[0]) == {
        "seed",
        "accuracy",
        "wrong",
        "wrong_indices",
        "seconds_training",
    }


def test_a_line_is_on_the_disk_when_append_returns(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(len(lines(folder))))
    ledger.append(folder, replace(RUN, seed=5))
    assert synced == [3]


@pytest.mark.parametrize("half", [b'{"se', b'{"seed": 5, "accuracy": 98.0', b"\0\0\0"])
def test_a_half_written_line_is_not_read_and_cut_off_before_the_next(
    folder: Path, half: bytes
) -> None:
    whole = (folder / "runs.jsonl").read_bytes()
    (folder / "runs.jsonl").write_bytes(whole + half)
    assert [run.seed for run in ledger.read(folder).runs] == [3, 4]
    ledger.begin(folder, CONFIG, None, {"threads": 1})
    ledger.append(folder, replace(RUN, seed=5))
    assert [line["seed"] for line in lines(folder)] == [3, 4, 5]
    assert (folder / "runs.jsonl").read_bytes().startswith(whole)


def test_a_study_killed_before_its_first_line_ended_starts_again(folder: Path) -> None:
    (folder / "runs.jsonl").write_bytes(b'{"seed')
    assert ledger.earlier_runs(folder, CONFIG, damage=False) == []
    ledger.begin(folder, CONFIG, None, {"threads": 1})
    assert (folder / "runs.jsonl").read_bytes() == b""


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "half a line",
        "[]",
        "null",
        '{"seed": 5}',
        json.dumps({**vars(RUN), "seed": "5"}),
        json.dumps({**vars(RUN), "seed": -1}),
        json.dumps({**vars(RUN), "accuracy": 101}),
        json.dumps({**vars(RUN), "accuracy": float("nan")}),
        json.dumps({**vars(RUN), "wrong": 3}),
        json.dumps({**vars(RUN), "seconds_training": None}),
        json.dumps({**vars(RUN), "corruptions": {"fog": "thick"}}),
        json.dumps({**vars(RUN), "colour": "blue"}),
    ],
)
def test_a_damaged_line_is_named(folder: Path, damaged: str) -> None:
    first, second = (folder / "runs.jsonl").read_text().splitlines()
    (folder / "runs.jsonl").write_text(f"{first}\n{damaged}\n{second}\n")
    with pytest.raises(InputError, match=r"runs.jsonl line 2 is damaged: .* delete the line to"):
        ledger.read(folder)


def test_a_seed_that_is_there_twice_is_named(folder: Path) -> None:
    ledger.append(folder, replace(RUN, seed=4, accuracy=99.0))
    with pytest.raises(InputError, match=r"runs.jsonl contains seed 4 twice, expected each"):
        ledger.read(folder)


def test_nothing_was_run_where_there_is_no_folder(tmp_path: Path) -> None:
    assert ledger.earlier_runs(tmp_path / "none", CONFIG, damage=False) == []
    assert ledger.earlier_runs(tmp_path, CONFIG, damage=True) == []


@pytest.mark.parametrize(
    ("given", "sides"),
    [
        ({"epochs": 3, "lr": 0.5}, "--epochs 10 --lr 0.01, not --epochs 3 --lr 0.5:"),
        ({"batch_size": 64}, "--batch-size 128, not --batch-size 64:"),
        ({"data": ("synthetic",)}, "--data mnist, not --data synthetic:"),
        (
            {"augmentation": Augmentation(shear=1.0)},
            "--augmentation.shear 10.0, not --augmentation.shear 1.0:",
        ),
    ],
)
def test_another_study_in_the_folder_is_refused_naming_both(
    folder: Path, given: dict[str, Any], sides: str
) -> None:
    with pytest.raises(InputError, match=f"contains a study with {sides} give its original"):
        ledger.earlier_runs(folder, replace(CONFIG, **given), damage=False)
    with pytest.raises(InputError, match="--corruptions False, not --corruptions True: "):
        ledger.earlier_runs(folder, CONFIG, damage=True)


def test_damage_that_was_measured_must_be_measured_again(folder: Path) -> None:
    (folder / "runs.jsonl").unlink()
    ledger.append(folder, replace(RUN, corruptions={"fog": 11.35}))
    assert len(ledger.earlier_runs(folder, CONFIG, damage=True)) == 1
    with pytest.raises(InputError, match="--corruptions True, not --corruptions False: "):
        ledger.earlier_runs(folder, CONFIG, damage=False)


def test_the_seed_is_no_option_of_a_study(folder: Path) -> None:
    assert len(ledger.earlier_runs(folder, replace(CONFIG, seed=9), damage=False)) == 2


def test_a_study_from_before_an_option_was_there_has_its_default(folder: Path) -> None:
    options = json.loads((folder / "config.json").read_text())
    del options["val"]
    (folder / "config.json").write_text(json.dumps(options))
    assert ledger.read(folder).config == CONFIG


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (None, "contains no study: there is no "),
        ("", "contains no study: there is no "),
        ("{", "does not contain a study's"),
        ("[1]", "does not contain a study's"),
        ("{}", "does not contain a study's"),
        ('{"dataset": "mnist", "warning": null, "epochs": 0}', "--epochs is 0, but must be"),
        ('{"dataset": "mnist", "warning": null, "epochs": "3"}', "does not contain a study's"),
        ('{"dataset": "mnist", "warning": null, "colour": 3}', "unknown option colour"),
    ],
)
def test_what_is_no_study_is_refused(folder: Path, options: str | None, message: str) -> None:
    (folder / "config.json").unlink()
    if options is not None:
        (folder / "config.json").write_text(options)
    with pytest.raises(InputError, match=message):
        ledger.earlier_runs(folder, CONFIG, damage=False)


def test_files_that_cannot_be_read_or_written_are_named(folder: Path) -> None:
    (folder / "runs.jsonl").unlink()
    (folder / "runs.jsonl").mkdir()
    with pytest.raises(InputError, match=r"cannot read .*runs.jsonl: Is a directory"):
        ledger.read(folder)
    with pytest.raises(InputError, match=r"cannot write .*runs.jsonl: Is a directory"):
        ledger.append(folder, RUN)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told(folder: Path) -> None:
    (folder / "runs.jsonl").unlink()
    (folder / "runs.jsonl").symlink_to("/dev/full")
    with pytest.raises(InputError, match=r"runs.jsonl: No space left on device; the seeds in it"):
        ledger.append(folder, RUN)
