"""NumPy's files: which arrays are read, and which files get one line instead."""

import io
import resource
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinydigits.data.arrays import PAIRS, read_pair, read_single
from tinydigits.errors import InputError

IMAGES = np.arange(2 * 784, dtype=np.uint16).reshape(2, 28, 28)
LABELS = np.array([3, 4])


def npy(array: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array))
    return buffer.getvalue()


def header(*shape: int) -> bytes:
    """Return the beginning of a file whose header promises this many bytes."""
    buffer = io.BytesIO()
    promise = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, promise)
    return buffer.getvalue()


def test_one_array_is_read_from_either_form(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", IMAGES)
    np.savez_compressed(tmp_path / "images.npz", IMAGES)  # as KMNIST's files
    for name in ("images.npy", "images.npz"):
        values, place = read_single(tmp_path / name)
        assert np.array_equal(values, IMAGES)
        assert place.endswith(str(tmp_path / name))


@pytest.mark.parametrize("names", [*PAIRS, ("X_test", "Y_test")])
def test_a_pair_is_found_by_its_names(tmp_path: Path, names: tuple[str, str]) -> None:
    stored: dict[str, Any] = dict.fromkeys(["x_train", "y_train", "notes"], np.zeros(1))
    np.savez(tmp_path / "digits.npz", **stored | dict(zip(names, (IMAGES, LABELS), strict=True)))
    images, labels = read_pair(tmp_path / "digits.npz")
    assert np.array_equal(images.values, IMAGES)
    assert np.array_equal(labels.values, LABELS)
    assert labels.place == f"{names[1]} of {tmp_path / 'digits.npz'}"


def test_only_the_pair_is_read(tmp_path: Path) -> None:
    pickled = np.array([{}], object)  # reading it would fail
    np.savez(tmp_path / "digits.npz", x_train=pickled, x_test=IMAGES, y_test=LABELS)
    assert np.array_equal(read_pair(tmp_path / "digits.npz")[0].values, IMAGES)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["x_train", "y_train"], "contains the arrays x_train, y_train: expected one pair"),
        (["x", "y", "images", "labels"], "contains the arrays x, y, images, labels: expected one"),
        (["x", "labels"], "expected one pair of images and labels named x_test and y_test, "),
        ([], r"contains the arrays \(none\): expected one pair"),
        (["x"], "contains a single array: give images and labels, as in tinydigits evaluate"),
    ],
)
def test_other_names_are_listed(tmp_path: Path, names: list[str], message: str) -> None:
    stored: dict[str, Any] = dict.fromkeys(names, LABELS)
    np.savez(tmp_path / "digits.npz", **stored)
    with pytest.raises(InputError, match=message):
        read_pair(tmp_path / "digits.npz")


def test_several_arrays_where_one_is_expected_are_listed(tmp_path: Path) -> None:
    np.savez(tmp_path / "digits.npz", a=LABELS, b=LABELS)
    with pytest.raises(InputError, match="contains the arrays a, b: expected a single one"):
        read_single(tmp_path / "digits.npz")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "not a NumPy file: it begins with b''; expected a file that numpy.save"),
        (b"not an array", "is not a NumPy file: it begins with b'not an'"),
        (b"\x80\x04K\x01.", r"is not a NumPy file: it begins with b'\\x80\\x04K"),  # a pickle
        (npy(IMAGES)[:-100], "expected 3136 bytes got 3036; expected a complete file of numbers"),
        (npy(IMAGES)[:40], "EOF: reading array header"),
        (npy(np.array([{}], object)), "cannot read .*: Object arrays cannot be loaded"),
        (header(10**12, 28, 28) + bytes(99), "cannot read .*: "),
        (header(-3, 28, 28), "cannot read .*: negative dimensions"),
        (npy(LABELS).replace(b"'<i8'", b"',i8'"), "cannot read .*: invalid syntax"),
        (npy(LABELS).replace(b"(2,)", b"(2,("), "cannot read .*EOF in multi-line statement"),
        (npy(LABELS).replace(b"'descr'", b"b'desc'"), "cannot read .*: '<' not supported"),
        (b"PK\x03\x04" + bytes(99), "cannot read .*: File is not a zip file"),
    ],
)
def test_files_without_an_array_get_one_line(tmp_path: Path, raw: bytes, message: str) -> None:
    (tmp_path / "file").write_bytes(raw)
    with pytest.raises(InputError, match=message) as caught:
        read_single(tmp_path / "file")
    assert "\n" not in str(caught.value)


def test_damage_in_an_archive_gets_one_line(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, np.random.default_rng(0).random(1000))
    raw = bytearray(buffer.getvalue())
    raw[1000:1020] = bytes(20)
    (tmp_path / "file").write_bytes(raw)
    with pytest.raises(InputError, match="expected a complete file of numbers"):
        read_single(tmp_path / "file")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*gone\.npy: No such file"):
        read_single(tmp_path / "gone.npy")


def test_a_promise_of_many_bytes_costs_no_memory(tmp_path: Path) -> None:
    (tmp_path / "lying.npy").write_bytes(header(10**6, 28, 28) + bytes(99))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError):
        read_single(tmp_path / "lying.npy")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # in KiB, or bytes on macOS
    assert grown < 784_000 / 4


@settings(max_examples=150, deadline=None, derandomize=True)
@given(place=st.integers(0, 127), byte=st.integers(0, 255))
def test_a_changed_byte_gives_an_array_or_an_input_error(
    place: int, byte: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    raw = bytearray(npy(LABELS))
    raw[place] = byte
    path = tmp_path_factory.getbasetemp() / "changed.npy"
    path.write_bytes(raw)
    with suppress(InputError):
        read_single(path)
