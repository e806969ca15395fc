"""MNIST's files, on a miniature set and a real HTTP server on loopback."""

import gzip
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from tests.data.test_idx import encode
from tinydigits.data import mnist
from tinydigits.data.mnist import File, UnavailableError
from tinydigits.errors import InputError

IMAGES = encode(3, 28, 28, content=bytes(range(256)) * 9 + bytes(48))
LABELS = encode(3, content=b"\x07\x02\x01")
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")


@pytest.fixture(autouse=True)
def _miniature(monkeypatch: pytest.MonkeyPatch) -> None:
    for table, name, raw in (
        (mnist.IMAGES, NAMES[0], IMAGES),
        (mnist.LABELS, NAMES[1], LABELS),
    ):
        digest = hashlib.sha256(raw).hexdigest()
        monkeypatch.setitem(table, "train", File(name, len(raw), digest))
    # Port 9 refuses at once: a test that should not download fails, and none leaves this machine.
    monkeypatch.setattr(mnist, "MIRRORS", ("http://127.0.0.1:9/",))


def put(folder: Path, *, compressed: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, raw in zip(NAMES, (IMAGES, LABELS), strict=True):
        if compressed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(raw))
        else:
            (folder / name).write_bytes(raw)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(handler: Callable[..., Quiet]) -> Iterator[str]:
    """Run a server and yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server's address, and the folder it serves."""
    served = tmp_path / "served" / "by" / "mirror"  # deeper than files are looked for
    put(served, compressed=True)
    with serving(partial(Quiet, directory=str(served))) as address:
        yield address, served


@pytest.mark.parametrize("below", ["", "MNIST/raw"])
@pytest.mark.parametrize("compressed", [False, True])
def test_files_are_found_raw_or_compressed_here_or_where_torchvision_puts_them(
    tmp_path: Path, below: str, compressed: bool
) -> None:
    put(tmp_path / below, compressed=compressed)
    images, labels = mnist.load("train", tmp_path)
    assert images.shape == (3, 28, 28)
    assert np.array_equal(images.ravel(), np.frombuffer(IMAGES[16:], np.uint8))
    assert labels.tolist() == [7, 2, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it holds 0 bytes; expected the original MNIST file of 2,368 bytes"),
        (IMAGES[:-1], "it holds 2,367 bytes"),
        (IMAGES + b"\0", "it holds more than 2,368 bytes"),
        (b"\0\0\x0d" + IMAGES[3:], "magic number: 00000d"),
        (encode(3, 28, 27, content=bytes(2352)), "length: 2,368 bytes, expected 2,284"),
        (IMAGES[:-1] + b"\x01", "its SHA-256 is not"),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_a_damaged_file_is_refused_and_left_alone(
    tmp_path: Path, content: bytes, message: str, compressed: bool
) -> None:
    put(tmp_path, compressed=compressed)
    path = tmp_path / (NAMES[0] + (".gz" if compressed else ""))
    path.write_bytes(gzip.compress(content) if compressed else content)
    before = path.read_bytes()
    with pytest.raises(InputError, match=message) as refusal:
        mnist.load("train", tmp_path)
    assert str(path) in str(refusal.value)
    assert "delete it and run again" in str(refusal.value)
    assert path.read_bytes() == before


LAYOUTS = {
    "Kaggle": ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
    "one folder a file": (
        "train-images-idx3-ubyte/train-images-idx3-ubyte",
        "train-labels-idx1-ubyte/train-labels-idx1-ubyte",
    ),
    "one folder a file, with dots": (
        "train-images.idx3-ubyte/train-images-idx3-ubyte",
        "train-labels.idx1-ubyte/train-labels-idx1-ubyte",
    ),
    "folders called .gz": ("train-images-idx3-ubyte.gz/data", "train-labels-idx1-ubyte.gz/data"),
    "capitals": ("TRAIN-IMAGES-IDX3-UBYTE", "Train-Labels.IDX1-ubyte.GZ"),
    "underscores": ("train_images_idx3_ubyte", "train_labels_idx1_ubyte"),
    "shortened": ("train-images.gz", "train_labels.idx"),
    "downloaded twice": ("train-images-idx3-ubyte (1).gz", "train-labels-idx1-ubyte(1).gz"),
    "below": ("mnist/train-images-idx3-ubyte.gz", "mnist/train-labels-idx1-ubyte.gz"),
    "below, apart": ("a/train-images.idx3-ubyte", "b/train-labels.idx1-ubyte"),
    "raw, below": ("raw/train-images-idx3-ubyte", "raw/train-labels-idx1-ubyte"),
    "torchvision in small letters": (
        "mnist/raw/train-images-idx3-ubyte",
        "mnist/raw/train-labels-idx1-ubyte",
    ),
    "unpacked, below": (
        "mnist/train-images.idx3-ubyte/train-images-idx3-ubyte",
        "mnist/train-labels.idx1-ubyte/train-labels-idx1-ubyte",
    ),
    "above": ("../train-images-idx3-ubyte.gz", "../train-labels.idx1-ubyte"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("compressed", [False, True])
def test_files_are_found_by_content_under_the_names_that_others_give_them(
    tmp_path: Path, layout: str, compressed: bool
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name, raw in zip(LAYOUTS[layout], (IMAGES, LABELS), strict=True):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whatever the suffix says: browsers decompress .gz and keep its name, and the reverse.
        path.write_bytes(gzip.compress(raw) if compressed else raw)
    images, labels = mnist.load("train", folder)
    assert images.tobytes() == IMAGES[16:]
    assert labels.tolist() == [7, 2, 1]


def test_the_original_is_found_beside_others_that_have_its_name(tmp_path: Path) -> None:
    put(tmp_path / "MNIST" / "raw")
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(IMAGES)[:-20])
    (tmp_path / "TRAIN-IMAGES.IDX3-UBYTE").write_bytes(bytes(len(IMAGES)))
    (tmp_path / "._train-images-idx3-ubyte").write_bytes(b"of a Macintosh")
    assert mnist.load("train", tmp_path)[0].tobytes() == IMAGES[16:]


def test_the_test_part_is_not_taken_for_the_training_part(tmp_path: Path) -> None:
    put(tmp_path)
    for name in NAMES:
        (tmp_path / name).rename(tmp_path / name.replace("train", "test"))
    with pytest.raises(UnavailableError):
        mnist.load("train", tmp_path)


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-images.idx3-ubyte.gz"])
def test_another_set_with_mnists_names_and_sizes_is_refused(tmp_path: Path, name: str) -> None:
    put(tmp_path)
    (tmp_path / NAMES[0]).unlink()
    (tmp_path / name).write_bytes(IMAGES[:-1] + b"\x01")
    with pytest.raises(InputError, match=rf"{name} is damaged: its SHA-256 is not"):
        mnist.load("train", tmp_path)


@pytest.mark.parametrize("folder", ["FashionMNIST/raw", "fashion", ".."])
def test_another_set_nearby_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: tuple[str, Path], folder: str
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (mirror[0],))
    directory = tmp_path / "one" / "data"
    (directory / folder).mkdir(parents=True, exist_ok=True)
    (directory / folder / NAMES[0]).write_bytes(IMAGES[:-1] + b"\x01")
    assert mnist.load("train", directory)[0].tobytes() == IMAGES[16:]
    assert (directory / f"{NAMES[0]}.gz").exists()


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    put(tmp_path)
    with (
        mock.patch("os.access", return_value=False),  # root may read everything
        pytest.raises(InputError, match=f"cannot read {tmp_path}: check its permissions"),
    ):
        mnist.load("train", tmp_path)


def test_labels_of_another_count_are_refused(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / NAMES[1]).write_bytes(encode(2, content=b"\x07\x02"))
    with pytest.raises(InputError, match=r"it holds 10 bytes; expected .* of 11 bytes"):
        mnist.load("train", tmp_path)


@pytest.mark.parametrize(
    "damage",
    [lambda raw: raw[:-20], lambda _: b"not gzip", lambda raw: raw[:30] + b"\xff" * 9 + raw[39:]],
    ids=["cut short", "no gzip", "garbled"],
)
def test_a_damaged_gzip_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    put(tmp_path, compressed=True)
    path = tmp_path / f"{NAMES[0]}.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match="is damaged"):
        mnist.load("train", tmp_path)


def test_a_file_for_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="is a file: give --data-dir a folder"):
        mnist.load("train", tmp_path / "file")


def test_missing_files_come_from_the_first_mirror_that_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: tuple[str, Path]
) -> None:
    address, _ = mirror
    mirrors = ("http://127.0.0.1:9/", address + "nothing-here/", address)
    monkeypatch.setattr(mnist, "MIRRORS", mirrors)
    folder = tmp_path / "data"
    images, _ = mnist.load("train", folder)
    assert len(images) == 3
    assert sorted(os.listdir(folder)) == [f"{name}.gz" for name in NAMES]


def test_a_mirror_with_other_bytes_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: tuple[str, Path]
) -> None:
    address, served = mirror
    (served / "bad").mkdir()
    for name in NAMES:
        (served / "bad" / f"{name}.gz").write_bytes(gzip.compress(b"something else"))
    monkeypatch.setattr(mnist, "MIRRORS", (address + "bad/", address))
    assert len(mnist.load("train", tmp_path / "data")[0]) == 3


@pytest.mark.parametrize(
    "content",
    [b"<html>", gzip.compress(IMAGES)[:-9], gzip.compress(b"x")],
    ids=["page", "cut short", "other bytes"],  # gzip writes the time, which is no name for a test
)
def test_nothing_is_kept_when_no_mirror_has_the_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: tuple[str, Path], content: bytes
) -> None:
    address, served = mirror
    (served / f"{NAMES[0]}.gz").write_bytes(content)
    monkeypatch.setattr(mnist, "MIRRORS", (address,))
    with pytest.raises(UnavailableError, match="none of the 1 mirrors provides it"):
        mnist.load("train", tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_without_network_the_message_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"put the four MNIST files into .*--data-dir"):
        mnist.load("train", tmp_path)


def test_only_what_is_missing_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: tuple[str, Path]
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (mirror[0],))
    folder = tmp_path / "data"
    put(folder)
    (folder / NAMES[1]).unlink()
    (mirror[1] / f"{NAMES[0]}.gz").unlink()
    assert len(mnist.load("train", folder)[1]) == 3
    assert sorted(os.listdir(folder)) == [NAMES[0], f"{NAMES[1]}.gz"]


class Slow(Quiet):
    """Sends ten bytes a second, by the clock of the test; then it has sent everything."""

    clock = 0.0
    began = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        type(self).began.wait(30)
        for _ in range(40):
            type(self).clock += 1
            self.wfile.write(bytes(10))


def test_a_mirror_that_sends_ten_bytes_a_second_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clock() -> float:
        now = Slow.clock
        Slow.began.set()
        return now

    monkeypatch.setattr(Slow, "began", threading.Event())
    monkeypatch.setattr(mnist, "monotonic", clock)
    with serving(Slow) as address:
        monkeypatch.setattr(mnist, "MIRRORS", (address,))
        with pytest.raises(UnavailableError, match=r"the mirror sends fewer than 5,000 bytes a se"):
            mnist.load("train", tmp_path / "data")


class Endless(Quiet):
    """Sends more than any file of MNIST has."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "as much as you like")
        self.end_headers()
        self.wfile.write(bytes(1 << 20))


def test_a_mirror_that_sends_too_much_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(Endless) as address:
        monkeypatch.setattr(mnist, "MIRRORS", (address,))
        with pytest.raises(UnavailableError, match="the mirror sends more than 3,368 bytes"):
            mnist.load("train", tmp_path / "data")


DOWNLOAD = """
import sys
from pathlib import Path
from tinydigits.data import mnist
name, size, digest, address, folder = sys.argv[1:]
file = mnist.File(name, int(size), digest)
mnist.MIRRORS = (address,)
path = Path(folder) / f"{name}.gz"
for _ in range(20):
    mnist._download(file, path)
    mnist._original(path, file)
"""


def test_two_processes_downloading_at_once_read_whole_files(
    tmp_path: Path, mirror: tuple[str, Path]
) -> None:
    # Each writes the file twenty times over while the other reads it.
    digest = hashlib.sha256(IMAGES).hexdigest()
    command = [sys.executable, "-c", DOWNLOAD, NAMES[0], str(len(IMAGES)), digest, mirror[0]]
    folder = tmp_path / "data"
    folder.mkdir()
    both = [
        subprocess.Popen([*command, str(folder)], stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    errors = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert [path.name for path in folder.iterdir()] == [f"{NAMES[0]}.gz"]


def test_real_mnist_is_what_its_papers_say(mnist_folder: Path) -> None:
    images, labels = mnist.load("test", mnist_folder)
    assert images.shape == (10_000, 28, 28)
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
