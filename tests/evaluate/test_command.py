"""``tinydigits evaluate``: figures of a net on MNIST, on IDX files, on folders of pictures."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from sklearn import metrics

from tests.pictures import drawn
from tinydigits import infer, load
from tinydigits.cli import main
from tinydigits.data.dataset import Digits
from tinydigits.evaluate.corruptions import KINDS


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def idx(array: npt.NDArray[np.uint8]) -> bytes:
    head = bytes([0, 0, 8, array.ndim])
    return head + b"".join(size.to_bytes(4, "big") for size in array.shape) + array.tobytes()


@pytest.fixture
def pair(real: tuple[Digits, Digits]) -> Digits:
    """IDX files of 300 training digits, the labels compressed."""
    digits = real[0][:300]
    Path("some-images").write_bytes(idx(digits.images.numpy()))
    Path("some-labels.gz").write_bytes(gzip.compress(idx(digits.labels.numpy())))
    return digits


def figures(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    assert main(["evaluate", "--json", *arguments]) == code
    return json.loads(capsys.readouterr().out)


def test_mnist_figures_agree_with_scikit_learn(
    capsys: pytest.CaptureFixture[str], mnist_folder: Path, real: tuple[Digits, Digits]
) -> None:
    told = figures(capsys, "--data-dir", str(mnist_folder))
    labels = real[1].labels.numpy()
    shares = infer(load(), real[1].images).double().softmax(1).numpy()
    answers = shares.argmax(1)
    assert told["dataset"] == "MNIST test"
    assert told["total"] == 10_000
    assert told["wrong"] == (answers != labels).sum()
    assert told["accuracy"] == pytest.approx(100 * metrics.accuracy_score(labels, answers))
    assert told["interval"][0] < told["accuracy"] < told["interval"][1]
    assert told["confusion"] == metrics.confusion_matrix(labels, answers).tolist()
    assert told["nll"] == pytest.approx(metrics.log_loss(labels, shares))
    assert 0 <= told["ece"] < 0.01
    # 15 labels that most people reject; the net may not be blamed for them.
    assert told["accuracy"] < told["accuracy_undisputed"] < 100
    assert "corruptions" not in told


@pytest.mark.parametrize(
    "order", [["some-images", "some-labels.gz"], ["some-labels.gz", "some-images"]]
)
@pytest.mark.usefixtures("pair")
def test_an_idx_pair_is_evaluated_in_either_order(
    capsys: pytest.CaptureFixture[str], order: list[str]
) -> None:
    told = figures(capsys, *order)
    assert told["total"] == 300
    assert told["accuracy"] > 98
    assert told["accuracy_undisputed"] is None


@pytest.mark.parametrize(
    "changes", [["--invert"], ["--transpose"], ["--invert", "--transpose"]], ids=" ".join
)
@pytest.mark.parametrize("net", ["people", "classic"])
def test_digits_in_another_form_are_named_and_read_where_told(
    capsys: pytest.CaptureFixture[str], pair: Digits, changes: list[str], net: str
) -> None:
    images = pair.images.numpy()
    if "--invert" in changes:
        images = 255 - images
    if "--transpose" in changes:
        images = images.transpose(0, 2, 1)
    Path("other-images").write_bytes(idx(np.ascontiguousarray(images)))
    files = ["--model", net, "other-images", "some-labels.gz"]
    assert main(["evaluate", *files]) == 0
    warning = capsys.readouterr().err
    assert warning.count("\n") == 1
    assert warning.endswith(f": {' and '.join(f'add {name}' for name in changes)}\n")
    assert main(["evaluate", "--json", *files, *changes]) == 0
    printed, warning = capsys.readouterr()
    assert (json.loads(printed)["accuracy"] > 98, warning) == (True, "")
    assert main(["evaluate", "--model", net, "some-images", "some-labels.gz", *changes]) == 0
    warning = capsys.readouterr().err
    assert warning.endswith(f": {' and '.join(f'leave out {name}' for name in changes)}\n")


def test_arrays_in_another_form_are_named_and_read_where_told(
    capsys: pytest.CaptureFixture[str], pair: Digits
) -> None:
    images = 255 - pair.images.numpy().transpose(0, 2, 1)
    np.savez("other.npz", images=images[..., None], labels=pair.labels.numpy())
    np.save("other.npy", (images / 255).astype(np.float32))
    for files in (["other.npz"], ["other.npy", "some-labels.gz"]):
        assert main(["evaluate", *files]) == 0
        assert capsys.readouterr().err.endswith(": add --invert and add --transpose\n")
        told = figures(capsys, *files, "--invert", "--transpose")
        assert (told["dataset"], told["accuracy"] > 98) == (", ".join(files), True)


def test_digits_that_are_hard_get_no_advice(
    capsys: pytest.CaptureFixture[str], pair: Digits
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, pair.images.shape, dtype=np.uint8)
    Path("other-images").write_bytes(idx(noise))
    assert main(["evaluate", "other-images", "some-labels.gz"]) == 0
    assert capsys.readouterr().err == ""


def test_a_folder_of_pictures_is_evaluated(capsys: pytest.CaptureFixture[str]) -> None:
    for digit in range(10):
        Path("mine", str(digit)).mkdir(parents=True)
        drawn(digit).save(f"mine/{digit}/thick.png")
        drawn(digit, pen=6).save(f"mine/{digit}/thin.jpg")
    drawn(3).save("mine/5/wrong.png")
    told = figures(capsys, "mine")
    assert (told["total"], told["wrong"], told["left_out"]) == (21, 1, 0)
    assert told["confusion"][5][3] == 1
    assert told["dataset"] == "mine"


def test_a_folder_named_like_mnist_has_no_disputed_labels(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("MNIST test/1").mkdir(parents=True)
    drawn(1).save("MNIST test/1/one.png")
    assert figures(capsys, "MNIST test")["accuracy_undisputed"] is None


def test_pictures_without_a_digit_are_told_and_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("mine/1").mkdir(parents=True)
    drawn(1).save("mine/1/one.png")
    Image.new("L", (40, 40)).save("mine/1/blank.png")
    assert main(["evaluate", "mine"]) == 1
    printed, told = capsys.readouterr()
    assert "left out: 1 pictures" in printed
    assert told == "error: mine/1/blank.png: the picture is blank\n"


@pytest.mark.usefixtures("pair")
def test_the_text_names_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "some-images", "some-labels.gz", "--corruptions"]) == 0
    text = capsys.readouterr().out
    for part in ("95 % interval", "negative log-likelihood", "calibration error", "recall, %"):
        assert part in text
    assert [line.split()[0] for line in text.splitlines()[-16:]] == [*KINDS, "mean"]
    rows = text.splitlines()
    start = next(number for number, row in enumerate(rows) if row.startswith("label"))
    assert [len(row.split()) for row in rows[start + 1 : start + 11]] == [12] * 10
    assert len(rows[start + 11].split()) == 12  # precision, % and ten of them


@pytest.mark.usefixtures("pair")
def test_pictures_of_the_figures_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    told = figures(capsys, "some-images", "some-labels.gz", "--corruptions", "--plots", "drawn")
    assert list(told["corruptions"]) == list(KINDS)
    assert all(0 <= accuracy <= 100 for accuracy in told["corruptions"].values())
    written = {path.name for path in Path("drawn").iterdir()}
    assert written == {"confusion.png", "mistakes.png", "reliability.png", "corruptions.png"}
    for path in Path("drawn").iterdir():
        with Image.open(path) as image:
            assert min(image.size) > 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone"], "cannot evaluate on gone: expected nothing for MNIST's test digits, two IDX or"),
        (["a", "b", "c"], "cannot evaluate on a b c"),
        (["gone", "gone"], "cannot read gone: No such file"),
        (["some-images", "some-images"], "expected images (N, 28, 28) and labels (N,)"),
        (["some-images", "text"], "text is not an IDX file: magic number"),
        (["some-images", "broken.gz"], "broken.gz is not an IDX file"),
        (["masks", "some-labels.gz"], "the images in masks have no pixel above 1: expected"),
        (["empty", "--invert"], "--invert is for files of images and labels"),
        (["--transpose"], "--transpose is for files of images and labels"),
        (["some-images", "eleven"], "label 11 in eleven: expected 0 to 9"),
        (["images.npy"], "images.npy contains a single array: give images and labels, as in"),
        (["gone.npz"], "cannot read gone.npz: No such file"),
        (["some-images", "images.npy"], "expected images (N, 28, 28) and labels (N,)"),
        (["empty"], "no digits in empty: expected pictures in sub-folders named 0 to 9"),
        (["some-images", "some-labels.gz", "--plots", "text"], "cannot write text/confusion.png"),
        (["--data-dir", "text"], "text is a file: give --data-dir a folder"),
        (["--model", "text"], "text is not a PyTorch file"),
    ],
)
@pytest.mark.usefixtures("pair")
def test_wrong_inputs_get_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    Path("empty").mkdir()
    Path("text").write_text("not a number in sight")
    np.save("images.npy", np.zeros((300, 28, 28), np.uint8))
    Path("broken.gz").write_bytes(b"\x1f\x8b broken")
    Path("masks").write_bytes(idx(np.ones((300, 28, 28), np.uint8)))
    Path("eleven").write_bytes(idx(np.full(300, 11, np.uint8)))
    assert main(["evaluate", *arguments]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
