"""``tinydigits train-finder`` and ``train-strip``: what they write, resume and refuse."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from tests.finder import test_training as finder_training
from tests.strips import test_course as strip_training
from tinydigits import finder, strips
from tinydigits.data.dataset import mnist_part
from tinydigits.errors import InputError
from tinydigits.finder import course as finder_course
from tinydigits.net.blocks import unfold
from tinydigits.net.contract import CLASSES, STRIP
from tinydigits.net.finder import Finder
from tinydigits.net.padded import shipped
from tinydigits.net.strip import StripNet
from tinydigits.strips import course as strip_course
from tinydigits.train import drawn
from tinydigits.train.drawn import Course
from tinydigits.train.drawn_config import DrawnConfig
from tinydigits.train.drawn_run import train_drawn


class Trained(NamedTuple):
    """A net that is trained on drawings."""

    course: Course
    config: DrawnConfig
    folded: nn.Module
    """Takes the trained weights."""
    most_parameters: int
    file: str
    shown: torch.Size
    """Of what it is given."""
    answers: list[tuple[int, ...]]
    """The shapes of what it returns."""


TRAINED = {
    "finder": Trained(
        replace(finder.COURSE, stream=lambda _, __, first: finder_training.blocks(first)),
        finder_training.CONFIG,
        Finder(folded=True),
        20_000,
        "finder.json",
        torch.Size((1, 1, 32, 48)),
        [(1, 1, 32, 48), (1, 4, 8, 12)],
    ),
    "strip": Trained(
        replace(strips.COURSE, stream=lambda _, __, first: strip_training.blocks(first)),
        strip_training.CONFIG,
        StripNet(folded=True),
        60_000,
        "strip.json",
        torch.Size((1, 1, STRIP, 48)),
        [(24, 1, CLASSES + 1)],
    ),
}


@pytest.fixture(params=TRAINED)
def trained(request: pytest.FixtureRequest) -> Trained:
    return TRAINED[request.param]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of six small steps on drawn blocks, without MNIST and without other processes."""
    for course in (finder_course, strip_course):
        monkeypatch.setattr(course, "BATCH", 4)
    monkeypatch.setattr(drawn, "REPORTED", 2)
    monkeypatch.setattr("tinydigits.train.drawn_run.mnist_part", lambda *_: None)


def run(trained: Trained, out: Path, *, resume: bool = False, **options: float) -> None:
    config = replace(trained.config, **options)  # type: ignore[arg-type]
    train_drawn(trained.course, config, data_dir=out, out=out, resume=resume)


def test_a_run_writes_a_net_that_loads(tmp_path: Path, trained: Trained) -> None:
    run(trained, tmp_path / "out")
    told = json.loads((tmp_path / "out" / "report.json").read_text())
    assert told["parameters"] <= trained.most_parameters
    assert told["config"]["steps"] == trained.config.steps
    assert trained.file in told["sha256"]
    for name, expected in told["sha256"].items():
        assert sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == expected
    lines = (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [2, 4, 6]
    found = unfold(trained.folded, shipped(tmp_path / "out" / trained.file))(
        torch.zeros(trained.shown)
    )
    assert [each.shape for each in (found if isinstance(found, tuple) else (found,))] == [
        torch.Size(shape) for shape in trained.answers
    ]


def test_a_resumed_run_ends_as_an_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: Trained
) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    run(trained, whole)

    def stopped(*given: object) -> object:
        told = drawn.fit(*given)  # type: ignore[arg-type]
        yield next(told)
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr("tinydigits.train.drawn_run.fit", stopped)
        with pytest.raises(KeyboardInterrupt):
            run(trained, halves)
    assert not (halves / trained.file).exists()
    for _ in range(2):  # to go on with a finished run changes nothing
        run(trained, halves, resume=True)
        for name in (trained.file, "metrics.jsonl"):
            assert (halves / name).read_bytes() == (whole / name).read_bytes()


def test_without_mnist_it_says_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: Trained
) -> None:
    monkeypatch.setattr("tinydigits.train.drawn_run.mnist_part", mnist_part)
    monkeypatch.setattr("tinydigits.data.mnist.MIRRORS", ("http://127.0.0.1:9/",))
    with pytest.raises(InputError, match=r"put the four MNIST files into .*, or name their folder"):
        run(trained, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_there_must_be_a_run_to_resume_with_the_same_options(
    tmp_path: Path, trained: Trained
) -> None:
    with pytest.raises(InputError, match=r"nothing to resume: .* without --resume"):
        run(trained, tmp_path / "out", resume=True)
    run(trained, tmp_path / "out")
    with pytest.raises(InputError, match=r"give the same options, or another --out"):
        run(trained, tmp_path / "out", resume=True, lr=1e-3)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"seed": -1}, {"lr": 0.0}, {"muon_lr": -1.0}])
def test_impossible_options_are_refused(trained: Trained, wrong: dict[str, Any]) -> None:
    name = next(iter(wrong)).replace("_", "-")
    with pytest.raises(InputError, match=f"--{name} is .*, but must be"):
        replace(trained.config, **wrong)


def test_a_loss_has_a_weight_above_0() -> None:
    with pytest.raises(InputError, match=r"--overlap is -1\.0, but"):
        replace(finder_training.CONFIG, overlap=-1.0)
