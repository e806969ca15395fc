"""examples/mcu: the net on a Cortex-M4, under QEMU."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, need
from tinydigits import load
from tinydigits.data.dataset import Dataset
from tinydigits.export import c
from tinydigits.export.folded import fold
from tinydigits.export.quantised import quantise

PACKAGES = {
    "make": "make",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
}


@pytest.fixture(scope="module")
def header(drawn: Dataset) -> str:
    for program, package in PACKAGES.items():
        need(program, package)
    return c.in_integers(quantise(fold(load()), drawn.train.images[:200]), "0" * 64)


def make(target: str, header: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "tinydigits.h").write_text(header)
    return subprocess.run(
        ["make", "-s", target, f"HEADER={folder}", f"BUILD={folder / 'build'}"],
        cwd=ROOT / "examples" / "mcu",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_chip_answers_as_expected(header: str, tmp_path: Path) -> None:
    ran = make("run", header, tmp_path)
    assert ran.returncode == 0
    first, second = ran.stderr.splitlines()  # where QEMU prints what a program says
    assert first == "16 of 16 golden pictures as expected"
    assert 1e6 < int(re.fullmatch(r"(\d+) instructions a picture", second)[1]) < 2e7  # type: ignore[index]


def test_a_wrong_answer_is_noticed(header: str, tmp_path: Path) -> None:
    start = header.index("tinydigits_weight_4[3456]")
    broken = header[:start] + re.sub(r"\{\n-?\d+,", "{\n127,", header[start:], count=1)
    ran = make("run", broken, tmp_path)
    assert ran.returncode != 0
    assert "16 of 16" not in ran.stderr
    assert " of 16 golden pictures as expected" in ran.stderr


def test_the_net_needs_no_library_and_little_room(header: str, tmp_path: Path) -> None:
    sizes = make("size", header, tmp_path).stdout.splitlines()[-1].split()
    text, data, bss = map(int, sizes[:3])
    assert text + data <= 20_000
    assert data + bss <= 10_000
    undefined = ["arm-none-eabi-nm", "--undefined-only", str(tmp_path / "build" / "read_digit.o")]
    assert subprocess.run(undefined, capture_output=True, check=True).stdout == b""
