from pathlib import Path

import pytest
import torch

from tinydigits.data import mnist, synthetic
from tinydigits.data.dataset import drawn_hands, load_dataset
from tinydigits.errors import InputError


@pytest.fixture(autouse=True)
def _offline_and_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", ("http://127.0.0.1:9/",))
    assert load_dataset.__kwdefaults__
    monkeypatch.setitem(load_dataset.__kwdefaults__, "synthetic_counts", (30, 20))


def test_auto_falls_back_to_synthetic_digits_and_says_so(tmp_path: Path) -> None:
    data = load_dataset("auto", tmp_path)
    assert (data.name, len(data.train), len(data.test)) == ("synthetic", 30, 20)
    assert "not MNIST results" in str(data.warning)
    assert "none of the 1 mirrors" in data.origin


def test_mnist_fails_where_auto_falls_back(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none of the 1 mirrors .*--data synthetic"):
        load_dataset("mnist", tmp_path)


def test_a_damaged_file_is_an_error_for_auto_too(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"damage")
    with pytest.raises(InputError, match="is damaged"):
        load_dataset("auto", tmp_path)


def test_auto_takes_mnist_where_it_is(mnist_folder: Path) -> None:
    data = load_dataset("auto", mnist_folder)
    assert (data.name, len(data.train), len(data.test)) == ("mnist", 60_000, 10_000)
    assert data.warning is None
    assert data.train.images.dtype == data.train.labels.dtype == torch.uint8


def test_synthetic_needs_no_folder_and_its_parts_differ() -> None:
    data = load_dataset("synthetic", Path("nowhere"))
    assert not torch.equal(data.train.images[:20], data.test.images)
    drawn, labels = synthetic.draw(30, seed=0)
    assert torch.equal(data.train.images, torch.from_numpy(drawn))
    assert torch.equal(data.train.labels, torch.from_numpy(labels))


def test_hands_differ_from_synthetic_training_digits() -> None:
    drawn = drawn_hands(70)
    assert len(drawn) == 70
    assert torch.equal(drawn.images, drawn_hands(70).images)
    assert not torch.equal(drawn.images[:30], load_dataset("synthetic", Path()).train.images[:30])
    assert len(drawn_hands(0)) == 0


def test_hands_are_drawn_from_given_strokes(tmp_path: Path) -> None:
    lines = [".PEN_DOWN\n0 100\n0 50\n0 0\n.PEN_UP"]
    for label in range(10):
        # A horizontal line stands for every digit but 1.
        lines.append(f'.SEGMENT DIGIT {0 if label == 1 else label + 1} ? "{label}"')
        lines.append(".PEN_DOWN\n0 0\n50 0\n100 0\n.PEN_UP")
    strokes = tmp_path / "lines.tra"
    strokes.write_text("\n".join(lines))
    hands = drawn_hands(200, str(strokes))
    height, width = (hands.images.amax(axis).gt(0).sum(1) for axis in (2, 1))
    assert torch.equal(height > width, hands.labels == 1)


def test_strokes_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        drawn_hands(1, str(tmp_path / "none.dat"))
