"""What a training run's digits are: sources put together, and sets of one's own."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from tinydigits.data import synthetic
from tinydigits.data.dataset import Dataset, digits
from tinydigits.data.sources import parse_sources
from tinydigits.errors import InputError
from tinydigits.train import digits as sources
from tinydigits.train.batches import split
from tinydigits.train.config import TrainConfig
from tinydigits.train.digits import load_digits


@pytest.fixture(autouse=True)
def _drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """600 synthetic digits for MNIST, and 120 others in mine.npz, 20 of them to test with."""
    monkeypatch.chdir(tmp_path)
    train, test = (digits(*synthetic.draw(count, seed=count)) for count in (600, 50))
    mnist = Dataset("mnist", train, test, origin="here")
    monkeypatch.setattr(sources, "load_dataset", lambda *_, **__: mnist)
    images, labels = synthetic.draw(120, seed=9)
    np.savez(
        "mine.npz",
        x_train=images[:100],
        y_train=labels[:100],
        x_test=images[100:],
        y_test=labels[100:],
    )


def load(*data: str) -> Dataset:
    return load_digits(data, Path(), hands=0, strokes="model")


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (["mnist"], (600, 0)),
        (["mine.npz"], (0, 100)),
        (["mnist", "mine.npz"], (600, 100)),
        (["mnist", "mine.npz=0.25"], (600, 200)),
        (["mnist=0.5", "mine.npz"], (600, 600)),
        (["mnist=0.9", "mine.npz=0.1"], (900, 100)),
    ],
)
def test_shares_repeat_the_digits_of_sources_that_are_too_small(
    data: list[str], wanted: tuple[int, int]
) -> None:
    dataset = load(*data)
    used = split(dataset, TrainConfig(val=0, batch_size=10)).train.images
    mine = {image.tobytes() for image in np.load("mine.npz")["x_train"]}
    counts = Counter(image.numpy().tobytes() for image in used)
    own = sum(count for image, count in counts.items() if image in mine)
    assert (len(used) - own, own) == wanted
    assert max(counts.values()) - min(counts.values()) <= max(wanted) // 100


def test_no_digit_is_both_held_out_and_trained_on() -> None:
    found = split(load("mnist=0.5", "mine.npz"), TrainConfig(val=60, batch_size=10))
    held_out = {image.numpy().tobytes() for image in found.validation.images}
    assert len(held_out) == 60
    assert held_out.isdisjoint(image.numpy().tobytes() for image in found.train.images)


def test_of_few_own_digits_a_sixth_is_held_out() -> None:
    assert len(split(load("mine.npz"), TrainConfig(batch_size=10)).validation) == 16


def test_too_few_own_digits_for_a_batch_are_for_adapting() -> None:
    with pytest.raises(InputError, match=r"expected at most 84, or for .* --recipe adapt"):
        split(load("mine.npz"), TrainConfig())


def test_several_sources_are_tested_one_by_one() -> None:
    dataset = load("mnist", "mine.npz")
    assert [count for _, count in dataset.tests] == [50, 20]
    assert dataset.name.startswith("mnist + mine.npz (")
    assert len(dataset.test) == 70


def test_another_set_of_the_same_name_has_another_name() -> None:
    before = load("mine.npz").name
    arrays = dict(np.load("mine.npz"))
    arrays["y_train"][0] ^= 1
    np.savez("mine.npz", **arrays)
    assert load("mine.npz").name != before


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("transpose", [False, True])
def test_transposed_and_inverted_digits_are_put_right_and_said_to_be_so(
    invert: bool, transpose: bool
) -> None:
    arrays, images = dict(np.load("mine.npz")), load("mine.npz").train.images
    for name in ("x_train", "x_test"):
        turned = arrays[name].swapaxes(1, 2) if transpose else arrays[name]
        arrays[name] = 255 - turned if invert else turned
    np.savez("other.npz", **arrays)
    found = load("other.npz")
    assert torch.equal(found.train.images, images)
    assert ("inverted" in found.origin) == invert
    assert ("transposed" in found.origin) == transpose


def test_classes_that_are_no_digits_are_said_to_be_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rng = np.random.default_rng(0)
    np.savez("noise.npz", x=rng.integers(0, 256, (60, 28, 28), np.uint8), y=np.arange(60) % 10)
    load("noise.npz")
    assert "of noise.npz as it is labelled: its classes 0 to 9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (["mnist=0.5"], "shares of --data add up to 0.5: add your own digits without a share"),
        (["mnist=1", "mine.npz"], "add up to 1: expected less than 1"),
        (["mnist=0", "mine.npz"], "--data mnist=0: the share is 0, but must be above 0"),
        (["mnist=1.5"], "--data mnist=1.5: the share is 1.5, but must be above 0, at most 1"),
        (["none.npz"], "there is no none.npz: expected mnist, synthetic, or a path of"),
    ],
)
def test_sources_that_make_no_set_are_refused(data: list[str], told: str) -> None:
    with pytest.raises(InputError, match=told.replace("(", r"\(")):
        load(*data)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (["mnist", "mine", "mine=0.2"], [("mnist", None), ("mine", 0.2)]),
        (["auto=0.5", "mine", "mnist=0.3"], [("mnist", 0.3), ("mine", None)]),
        (["mnist", "automatic"], [("mnist", None), ("automatic", None)]),
    ],
)
def test_of_a_source_named_twice_the_last_share_counts(
    data: list[str], told: list[tuple[str, float | None]]
) -> None:
    assert parse_sources(data) == told


def test_a_file_whose_name_ends_like_a_share_is_found() -> None:
    Path("mine.npz").rename("a=0.5")
    with pytest.raises(InputError, match=r"no digits|cannot read|is not|a=0\.5"):
        load("a=0.5")
