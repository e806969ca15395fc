"""Sets of one's own, in the forms and under the names that people give them."""

import gzip
import re
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from tinydigits.data import synthetic
from tinydigits.errors import InputError
from tinydigits.sets import own

IMAGES, LABELS = synthetic.draw(120, seed=3)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def idx(array: npt.NDArray[np.uint8], kind: int = 8) -> bytes:
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, kind, array.ndim]) + sizes + array.tobytes()


def keep(folder: str, images: str, labels: str, part: slice) -> None:
    """Write part of the digits as gzipped IDX files."""
    Path(folder).mkdir(exist_ok=True)
    for name, array in ((images, IMAGES), (labels, LABELS)):
        (Path(folder) / name).write_bytes(gzip.compress(idx(array[part])))


def draw(folder: str, part: slice) -> None:
    """Write part of the digits as pictures in sub-folders."""
    for number, (image, label) in enumerate(zip(IMAGES[part], LABELS[part], strict=True)):
        path = Path(folder) / str(label) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


@pytest.mark.parametrize("given", ["kuzushiji", "kuzushiji/train-images-idx3-ubyte.gz"])
def test_files_named_as_mnists_are_its_two_parts(given: str) -> None:
    keep("kuzushiji", "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", slice(100))
    keep("kuzushiji", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", slice(100, None))
    found = own.read(Path(given))
    assert np.array_equal(found.train.images, IMAGES[:100])
    assert np.array_equal(found.test.labels, LABELS[100:])
    assert not found.is_held_out


def test_one_of_several_sets_in_a_folder_is_named_by_its_file() -> None:
    for kind, part in (("digits", slice(60)), ("letters", slice(60, None))):
        name = f"emnist-{kind}-train"
        keep("emnist", f"{name}-images-idx3-ubyte", f"{name}-labels-idx1-ubyte", part)
    with pytest.raises(InputError, match=r"several sets.*emnist-digits-train.* or .*letters"):
        own.read(Path("emnist"))
    found = own.read(Path("emnist/emnist-digits-train-images-idx3-ubyte"))
    assert len(found.train) + len(found.test) == 60


def test_labels_of_several_numbers_begin_with_the_class() -> None:
    keep("qmnist", "qmnist-train-images-idx3-ubyte.gz", "unused", slice(None))
    Path("qmnist/unused").unlink()
    rows = np.zeros((120, 8), ">i4")
    rows[:, 0], rows[:, 1:] = LABELS, 77
    Path("qmnist/qmnist-train-labels-idx2-int").write_bytes(idx(rows, kind=0x0C))
    found = own.read(Path("qmnist"))
    assert sorted([*found.train.labels, *found.test.labels]) == sorted(LABELS)


@pytest.mark.parametrize("names", [("x_train", "y_train", "x_test", "y_test"), ("x", "y")])
def test_an_archive_may_hold_one_part_or_two(names: tuple[str, ...]) -> None:
    arrays = (IMAGES[:100], LABELS[:100], IMAGES[100:], LABELS[100:])
    np.savez("mine.npz", **dict(zip(names, arrays, strict=False)))  # type: ignore[arg-type]
    found = own.read(Path("mine.npz"))
    assert found.is_held_out == (len(names) == 2)
    assert len(found.train) + len(found.test) == (100 if len(names) == 2 else 120)


def test_each_array_may_have_a_file() -> None:
    for split, part in (("train", slice(100)), ("test", slice(100, None))):
        np.savez(f"kmnist-{split}-imgs.npz", IMAGES[part])
        np.savez(f"kmnist-{split}-labels.npz", LABELS[part])
    found = own.read(Path("kmnist-train-imgs.npz"))
    assert np.array_equal(found.train.images, IMAGES[:100])
    assert np.array_equal(found.test.images, IMAGES[100:])


@pytest.mark.parametrize(
    "header", ["", "label," + ",".join(f"pixel{n}" for n in range(784)) + "\n"]
)
def test_a_table_has_a_label_and_the_pixels_in_each_line(header: str) -> None:
    rows = np.column_stack([LABELS, IMAGES.reshape(-1, 784)])
    text = header + "\n".join(",".join(map(str, row)) for row in rows.tolist()) + "\n"
    Path("train.csv").write_text(text)
    found = own.read(Path("train.csv"))
    together = torch.cat((found.train.images, found.test.images)).flatten(1).tolist()
    assert sorted(together) == sorted(IMAGES.reshape(-1, 784).tolist())


def test_a_label_may_be_in_the_last_column() -> None:
    names = ",".join([*(f"p{n}" for n in range(784)), "Class"])
    rows = np.column_stack([IMAGES.reshape(-1, 784), LABELS])
    Path("m.csv").write_text("\n".join([names, *(",".join(map(str, row)) for row in rows)]))
    found = own.read(Path("m.csv"))
    assert sorted([*found.train.labels, *found.test.labels]) == sorted(LABELS)


def test_pictures_without_a_test_hold_out_every_sixth_of_a_class() -> None:
    draw("mine", slice(None))
    found, again = own.read(Path("mine")), own.read(Path("mine"))
    kept, held_out = (np.bincount(each.labels) for each in (found.train, found.test))
    assert np.array_equal(held_out, (kept + held_out) // 6)
    assert kept.sum() + held_out.sum() > 110  # a digit may be refused
    assert torch.equal(found.test.images, again.test.images)


def test_a_folder_called_test_is_what_nets_are_tested_with(
    capsys: pytest.CaptureFixture[str],
) -> None:
    draw("mine/train", slice(60))
    draw("mine/test", slice(60, 70))
    draw("mine/train/unsure", slice(3))
    found = own.read(Path("mine"))
    assert (len(found.train), len(found.test), found.is_held_out) == (60, 10, False)
    told = capsys.readouterr().err
    assert told == (
        f"warning: left out: 3 pictures in {Path('mine/train/unsure')}, which is not a digit's "
        "folder\n"
    )


def test_a_picture_without_a_digit_is_named_and_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    draw("mine", slice(60))
    Image.new("L", (90, 90), 255).save("mine/3/blank.png")
    found = own.read(Path("mine"))
    assert len(found.train) + len(found.test) == 60
    assert re.search(r"error: mine/3/blank\.png: ", capsys.readouterr().err)


def wrong_folder(name: str, part: slice) -> None:
    draw("mine", part)
    if name:
        Path("mine", name).mkdir(parents=True, exist_ok=True)


@pytest.mark.parametrize(
    ("folder", "part", "told"),
    [
        ("", slice(0), "there is no mine: expected mnist, synthetic, or a path"),
        ("scans", slice(0), "no digits in mine: expected sub-folders of pictures named 0 to 9"),
        ("10", slice(60), "mine/10 is not a digit's folder: expected sub-folders named 0 to 9"),
        ("", slice(2), "mine has 2 digits that can be read: expected at least 10"),
    ],
)
def test_folders_of_another_form_are_refused(folder: str, part: slice, told: str) -> None:
    wrong_folder(folder, part)
    with pytest.raises(InputError, match=re.escape(told)):
        own.read(Path("mine"))


def test_a_single_class_is_refused() -> None:
    sevens = LABELS == 7
    np.savez("sevens.npz", x=np.concatenate(3 * [IMAGES[sevens]]), y=np.tile(LABELS[sevens], 3))
    with pytest.raises(InputError, match=r"sevens\.npz has 7s only: expected at least two"):
        own.read(Path("sevens.npz"))


def test_twenty_six_classes_are_refused() -> None:
    labels = np.arange(120) % 26 + 1
    np.savez("letters.npz", x=IMAGES, y=labels)
    with pytest.raises(InputError, match=r"label 10 in y of letters\.npz: expected 0 to 9"):
        own.read(Path("letters.npz"))


def test_images_without_labels_say_which_file_is_missing() -> None:
    keep("mine", "train-images-idx3-ubyte", "train-labels-idx1-ubyte", slice(None))
    Path("mine/train-labels-idx1-ubyte").unlink()
    with pytest.raises(InputError, match=r"their labels in mine/train-labels-idx1-ubyte$"):
        own.read(Path("mine"))


def test_a_file_of_another_kind_is_refused() -> None:
    Image.new("L", (28, 28)).save("seven.png")
    with pytest.raises(
        InputError, match=r"seven\.png is not a set of digits: expected sub-folders"
    ):
        own.read(Path("seven.png"))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["1," + "0," * 782 + "0"], r"t\.csv contains 1 lines of 784 numbers: expected 785"),
        (["1," + "0," * 783 + "0", "2,0"], r"cannot read t\.csv: .*columns changed"),
        (["1," + "0," * 783 + "0", "2," + "a," * 783 + "0"], r"cannot read t\.csv: could not conv"),
        ([""], r"t\.csv contains no digits: expected lines of 785 numbers"),
        (["label,pixel0", ""], r"t\.csv contains no digits"),
    ],
)
def test_tables_of_another_form_are_refused(lines: list[str], told: str) -> None:
    Path("t.csv").write_text("\n".join(lines))
    with pytest.raises(InputError, match=told):
        own.read(Path("t.csv"))
