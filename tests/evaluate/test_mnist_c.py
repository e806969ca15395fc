"""``tinydigits evaluate`` on a folder with a set for each kind of damage, as MNIST-C has it."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tinydigits.cli import main
from tinydigits.data import synthetic
from tinydigits.evaluate.corruptions import corrupt

COUNT = 50
KINDS = ("identity", "fog", "rotate")


@pytest.fixture(autouse=True)
def _mnist_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write test digits of three kinds, and training files that nothing may read."""
    monkeypatch.chdir(tmp_path)
    images, labels = synthetic.draw(COUNT, seed=4)
    for kind in KINDS:
        damaged = images if kind == "identity" else corrupt(images, kind, seed=0)
        write(kind, damaged, labels)
        for file in ("train_images.npy", "train_labels.npy"):
            Path("mnist_c", kind, file).write_text("not an array")


def write(kind: str, images: Any, labels: Any) -> None:
    folder = Path("mnist_c", kind)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "test_images.npy", images[..., None])
    np.save(folder / "test_labels.npy", labels.astype(np.int64))


def figures(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    assert main(["evaluate", "mnist_c", "--json", *arguments]) == code
    return json.loads(capsys.readouterr().out)


def test_each_kind_has_the_figures_of_its_files(capsys: pytest.CaptureFixture[str]) -> None:
    told = figures(capsys)
    assert list(told["kinds"]) == ["fog", "rotate"]
    for kind, found in (told["kinds"] | {"identity": told["undamaged"]}).items():
        files = [f"mnist_c/{kind}/test_images.npy", f"mnist_c/{kind}/test_labels.npy"]
        assert main(["evaluate", "--json", *files]) == 0
        alone = json.loads(capsys.readouterr().out)
        assert found == {name: alone[name] for name in ("accuracy", "wrong", "total", "interval")}
    assert (told["dataset"], told["left_out"]) == ("mnist_c", 0)


def test_the_mean_is_over_the_kinds_of_damage_alone(capsys: pytest.CaptureFixture[str]) -> None:
    images, labels = synthetic.draw(10, seed=5)
    write("fog", images, (labels + 1) % 10)  # fewer digits, and none is right
    told = figures(capsys)
    rotate = told["kinds"]["rotate"]["accuracy"]
    assert told["kinds"]["fog"]["accuracy"] <= 10 < 80 < rotate
    assert told["mean"] == pytest.approx((told["kinds"]["fog"]["accuracy"] + rotate) / 2)


def test_the_table_begins_with_the_undamaged_digits_and_ends_with_the_mean(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["evaluate", "mnist_c/"]) == 0
    title, header, identity, *kinds, mean = capsys.readouterr().out.splitlines()
    told = figures(capsys)
    assert title == "mnist_c: 2 kinds of damage"
    assert header.split() == ["kind", "digits", "accuracy", "95", "%", "interval"]
    assert identity.split()[:3] == ["identity", "50", f"{told['undamaged']['accuracy']:.2f}"]
    assert identity.endswith(" %  undamaged, not in the mean")
    assert [row.split()[0] for row in kinds] == ["fog", "rotate"]
    low, high = told["kinds"]["fog"]["interval"]
    assert kinds[0].endswith(f" %  {low:.2f}–{high:.2f} %")
    assert mean.split() == ["mean", f"{told['mean']:.2f}", "%"]


@pytest.mark.parametrize("missing", ["test_labels.npy", "test_images.npy"])
def test_an_incomplete_kind_is_named_and_left_out(
    capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    Path("mnist_c/fog", missing).unlink()
    assert main(["evaluate", "mnist_c"]) == 1
    printed, told = capsys.readouterr()
    assert told == (
        f"error: no {missing} in mnist_c/fog: expected test_images.npy and test_labels.npy; this "
        "kind is left out\n"
    )
    assert "left out: 1 kinds that could not be read" in printed
    assert "rotate" in printed
    assert figures(capsys, code=1)["left_out"] == 1


def test_an_empty_folder_among_the_kinds_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mnist_c/zigzag").mkdir()
    Path("mnist_c/.cache").mkdir()
    assert main(["evaluate", "mnist_c"]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "error: no test_images.npy and no test_labels.npy in mnist_c/zigzag" in told


def test_a_damaged_kind_is_named_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("mnist_c/rotate/test_images.npy")
    path.write_bytes(path.read_bytes()[:-9])
    assert main(["evaluate", "mnist_c"]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error: cannot read {path}: ")
    assert told.count("\n") == 1


@pytest.mark.parametrize("changes", [["--invert"], ["--transpose"], ["--invert", "--transpose"]])
def test_another_form_is_named_once_and_read_where_told(
    capsys: pytest.CaptureFixture[str], changes: list[str]
) -> None:
    before = figures(capsys)
    for path in Path("mnist_c").glob("*/test_images.npy"):
        images = np.load(path)
        images = 255 - images if "--invert" in changes else images
        np.save(path, images.transpose(0, 2, 1, 3) if "--transpose" in changes else images)
    assert main(["evaluate", "mnist_c"]) == 0
    warning = capsys.readouterr().err
    assert warning.count("\n") == 1
    assert warning.endswith(f": {' and '.join(f'add {name}' for name in changes)}\n")
    assert figures(capsys, *changes) == before


def test_digits_without_damage_have_no_mean(capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("fog", "rotate"):
        shutil.rmtree(Path("mnist_c", kind))
    assert figures(capsys)["mean"] is None
    assert main(["evaluate", "mnist_c"]) == 0
    assert "mean  " not in capsys.readouterr().out


def test_pictures_beside_training_files_are_still_pictures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    images, labels = synthetic.draw(30, seed=6)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = Path("pictures", str(label))
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).resize((112, 112)).save(folder / f"{number}.png")
        shutil.copy("mnist_c/fog/test_images.npy", folder / "train_images.npy")
    assert main(["evaluate", "pictures", "--json"]) in (0, 1)
    assert "confusion" in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mnist_c", "--plots", "p"], "--plots is for one set of digits, but mnist_c contains sev"),
        (["mnist_c", "--corruptions"], "--corruptions is for one set of digits, but mnist_c cont"),
        (["mnist_c", "--model", "gone.pth"], "gone.pth"),
        (["mnist_c/fog"], "or test_images.npy and test_labels.npy in a sub-folder for each kind"),
        (["broken"], "no kind of damage is left of the 1 in broken: correct them"),
    ],
)
def test_wrong_inputs_end_with_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    Path("broken/fog").mkdir(parents=True)
    shutil.copy("mnist_c/fog/test_labels.npy", "broken/fog")
    assert main(["evaluate", *arguments]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
