"""``tinydigits train-finder``: what it writes, how it goes on, what it refuses."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.finder.test_training import CONFIG, blocks
from tinydigits.data.dataset import mnist_part
from tinydigits.errors import InputError
from tinydigits.finder import COURSE, course
from tinydigits.net.blocks import unfold
from tinydigits.net.finder import Finder
from tinydigits.net.padded import shipped
from tinydigits.train import drawn
from tinydigits.train.drawn_run import train_drawn

DRAWN = replace(COURSE, stream=lambda _, __, first: blocks(first))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of six small steps on drawn blocks, without MNIST and without other processes."""
    monkeypatch.setattr(course, "BATCH", 4)
    monkeypatch.setattr(drawn, "REPORTED", 2)
    monkeypatch.setattr("tinydigits.train.drawn_run.mnist_part", lambda *_: None)


def test_a_run_writes_a_finder_that_loads(tmp_path: Path) -> None:
    train_drawn(DRAWN, CONFIG, data_dir=tmp_path, out=tmp_path / "out", resume=False)
    told = json.loads((tmp_path / "out" / "report.json").read_text())
    assert told["parameters"] <= 20_000
    assert told["config"]["steps"] == CONFIG.steps
    for name, expected in told["sha256"].items():
        assert sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == expected
    lines = (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [2, 4, 6]
    ink, votes = unfold(Finder(folded=True), shipped(tmp_path / "out" / "finder.json"))(
        torch.rand(1, 1, 32, 48)
    )
    assert (ink.shape, votes.shape) == ((1, 1, 32, 48), (1, 4, 8, 12))


def test_a_resumed_run_ends_as_an_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    train_drawn(DRAWN, CONFIG, data_dir=tmp_path, out=whole, resume=False)

    def stopped(*given: object) -> object:
        told = drawn.fit(*given)  # type: ignore[arg-type]
        yield next(told)
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr("tinydigits.train.drawn_run.fit", stopped)
        with pytest.raises(KeyboardInterrupt):
            train_drawn(DRAWN, CONFIG, data_dir=tmp_path, out=halves, resume=False)
    assert not (halves / "finder.json").exists()
    for _ in range(2):  # to go on with a finished run changes nothing
        train_drawn(DRAWN, CONFIG, data_dir=tmp_path, out=halves, resume=True)
        for name in ("finder.json", "metrics.jsonl"):
            assert (halves / name).read_bytes() == (whole / name).read_bytes()


def test_without_mnist_it_says_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinydigits.train.drawn_run.mnist_part", mnist_part)
    monkeypatch.setattr("tinydigits.data.mnist.MIRRORS", ("http://127.0.0.1:9/",))
    with pytest.raises(InputError, match=r"put the four MNIST files into .*, or name their folder"):
        train_drawn(DRAWN, CONFIG, data_dir=tmp_path, out=tmp_path / "out", resume=False)
    assert not (tmp_path / "out").exists()


def test_there_must_be_a_run_to_resume_with_the_same_options(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing to resume: .* without --resume"):
        train_drawn(DRAWN, CONFIG, data_dir=tmp_path, out=tmp_path / "out", resume=True)
    train_drawn(DRAWN, CONFIG, data_dir=tmp_path, out=tmp_path / "out", resume=False)
    with pytest.raises(InputError, match=r"give the same options, or another --out"):
        train_drawn(
            DRAWN, replace(CONFIG, lr=1e-3), data_dir=tmp_path, out=tmp_path / "out", resume=True
        )


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"seed": -1}, {"lr": 0.0}, {"overlap": -1.0}])
def test_impossible_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"--{next(iter(wrong))} is .*, but must be"):
        replace(CONFIG, **wrong)
