"""Images and labels in two files, or in one: forms that are read alike, and messages for others."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tinydigits.data import synthetic
from tinydigits.errors import InputError
from tinydigits.sets import pairs

IMAGES, LABELS = synthetic.draw(20, seed=3)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("images.npy", IMAGES)
    np.save("labels.npy", LABELS)


def read(*names: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    digits = pairs.read([Path(name) for name in names])
    return digits.images.numpy(), digits.labels.numpy()


@pytest.mark.parametrize(
    "images",
    [
        IMAGES[..., None],
        IMAGES[:, None],
        IMAGES.reshape(-1, 784),
        np.asfortranarray(IMAGES),
        IMAGES.astype(np.int64),
        IMAGES.astype(">u2"),
        IMAGES.astype(np.float32) / 255,
        (IMAGES.astype(np.float32) / 255 - 0.1307) / 0.3081,
        IMAGES / 255 * 16,
    ],
    ids=["channel last", "channel first", "flat", "columns", "int64", "u2", "0-1", "norm", "0-16"],
)
def test_every_form_of_images_gives_the_same_pixels(images: npt.NDArray[Any]) -> None:
    np.save("other.npy", images)
    for names in (["other.npy", "labels.npy"], ["labels.npy", "other.npy"]):
        pixels, labels = read(*names)
        assert pixels.dtype == labels.dtype == np.uint8
        assert np.array_equal(pixels, IMAGES)
        assert np.array_equal(labels, LABELS)


@pytest.mark.parametrize("kind", ["i8", "i1", ">u4", "u8"])
@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_every_form_of_labels_is_read(kind: str, shape: tuple[int, ...]) -> None:
    np.save("other.npy", LABELS.astype(kind).reshape(shape))
    assert np.array_equal(read("images.npy", "other.npy")[1], LABELS)


def test_one_file_may_hold_both() -> None:
    np.savez("both.npz", x_train=IMAGES[:1], y_train=LABELS[:1], x_test=IMAGES, y_test=LABELS)
    np.savez("images.npz", IMAGES)
    for names in (["both.npz"], ["images.npz", "labels.npy"]):
        pixels, labels = read(*names)
        assert np.array_equal(pixels, IMAGES)
        assert np.array_equal(labels, LABELS)


def test_faint_bytes_stay_faint() -> None:
    faint = IMAGES // 5  # reduced contrast is damage, not a scale
    np.save("other.npy", faint)
    assert np.array_equal(read("other.npy", "labels.npy")[0], faint)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES[:, :20], LABELS, r"shape \(20, 20, 28\) and \(20,\): expected images \(N, 28, 28"),
        (np.stack([IMAGES] * 3, -1), LABELS, r"shape \(20, 28, 28, 3\)"),
        (IMAGES, np.eye(10)[LABELS], r"and \(20, 10\): expected images .* and labels \(N,\)"),
        (IMAGES, np.uint8(3), r"and \(\): expected images"),
        (IMAGES[:0], LABELS[:0], r"shape \(0, 28, 28\) and \(0,\): expected images"),
        (IMAGES, LABELS[1:], "other.npy contains 20 images and others.npy 19 labels: expected one"),
        (IMAGES, LABELS + 1, "^label 10 in others.npy: expected 0 to 9$"),
        (IMAGES, LABELS.astype(int) - 10, "^label -[0-9]+ in others.npy: expected 0 to 9$"),
        (IMAGES, LABELS.astype(float), "the labels in others.npy are float64: expected integers"),
        (IMAGES.astype(str), LABELS, "the images in other.npy are <U3: expected numbers"),
        (IMAGES.astype(complex), LABELS, "the images in other.npy are complex128: expected num"),
        (IMAGES // 255, LABELS, "the images in other.npy have no pixel above 1: expected pixels"),
        (IMAGES / 255 / 9, LABELS, "the images in other.npy have no pixel above 28: expected pix"),
    ],
)
def test_other_arrays_get_one_line(images: object, labels: object, message: str) -> None:
    np.save("other.npy", np.asarray(images))
    np.save("others.npy", np.asarray(labels))
    with pytest.raises(InputError, match=message):
        read("other.npy", "others.npy")
