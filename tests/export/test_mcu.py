"""examples/mcu: the net on cores without an operating system, under QEMU."""

import json
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import MNIST, ROOT, missing_mnist, need
from tests.export.conftest import array
from tinydigits import load
from tinydigits.data.dataset import Dataset, load_dataset
from tinydigits.export import c
from tinydigits.export.folded import fold
from tinydigits.export.layers import IntegerConvolution
from tinydigits.export.quantised import logits, quantise

EXAMPLE = ROOT / "examples" / "mcu"
(LISTED,) = re.findall(r"^CORES = (.*)$", (EXAMPLE / "Makefile").read_text(), re.MULTILINE)
CORES = LISTED.split()
RECORD = ROOT / "records" / "2026-11-27-mcu" / "result.json"
WHOLE = r"(\d+) of 16 golden pictures as expected\n(\d+) instructions a picture\n(\d+) bytes .*\n"
# In place of the self-test: returns how many digits get other logits than the NumPy reference's.
MAIN = """
int main(void) {
  int wrong = 0;
  for (int n = 0; n < (int)(sizeof digits / 784); n++) {
    tinydigits_logit logits[10];
    int differs = 0;
    tinydigits_predict(digits + 784 * n, logits);
    for (int o = 0; o < 10; o++) differs |= logits[o] != expected[10 * n + o];
    wrong += differs;
  }
  return wrong;
}
"""


def make(target: str, header: Path, core: str, *variables: str) -> subprocess.CompletedProcess[str]:
    """Run make with the folder of a header, which keeps what is built."""
    need("make", "make")
    options = [f"CORE={core}", f"HEADER={header}", f"BUILD={header / 'build'}", *variables]
    return subprocess.run(
        ["make", "-s", *target.split(), *options],
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def usable(core: str, *targets: str) -> str:
    """Return a core; skip its test if a program is missing, as the Makefile says."""
    asked = make(" ".join(targets), EXAMPLE, core)
    if asked.returncode:
        pytest.skip(asked.stdout.strip())
    return core


@pytest.fixture(scope="module", params=CORES)
def core(request: pytest.FixtureRequest) -> str:
    """A core with its compiler and emulator."""
    return usable(request.param, "installed-gcc", "installed-emulator")


@pytest.fixture(scope="module", params=CORES)
def compiled_core(request: pytest.FixtureRequest) -> str:
    """A core with its compiler."""
    return usable(request.param, "installed-gcc")


@pytest.fixture(scope="module")
def layers(drawn: Dataset) -> list[IntegerConvolution]:
    return quantise(fold(load()), drawn.train.images[:200])


def folder_of(header: str, parent: Path) -> Path:
    (parent / "tinydigits.h").write_text(header)
    return parent


@pytest.fixture(scope="module")
def int8(layers: list[IntegerConvolution], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(c.in_integers(layers, "0" * 64), tmp_path_factory.mktemp("int8"))


@pytest.fixture(scope="module")
def int4(in_four_bits: list[IntegerConvolution], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(c.in_integers(in_four_bits, "0" * 64), tmp_path_factory.mktemp("int4"))


@pytest.fixture(scope="module")
def with_digits(
    layers: list[IntegerConvolution], drawn: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A header with another `main`, which reads 40 digits: QEMU needs a second for a hundred."""
    lacking = missing_mnist(MNIST)
    test = drawn.test if lacking else load_dataset("mnist", MNIST).test
    digits = test.images[:40].numpy()
    arrays = array("uint8_t", "digits", digits)
    arrays += array("tinydigits_logit", "expected", logits(layers, digits))
    header = f"#undef TINYDIGITS_SELFTEST\n{c.in_integers(layers, '0' * 64)}{arrays}{MAIN}"
    return folder_of(header, tmp_path_factory.mktemp("digits"))


def test_a_core_gives_the_references_logits(core: str, int8: Path, with_digits: Path) -> None:
    ran = make("run", int8, core)
    assert ran.returncode == 0
    found = re.fullmatch(WHOLE, ran.stderr)  # where QEMU prints what a program says
    assert found is not None
    assert found[1] == "16"
    assert make("run", with_digits, core).returncode == 0


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4", "cortex-m55"], indirect=True)
def test_a_core_gives_the_references_logits_in_four_bits(core: str, int4: Path) -> None:
    assert make("run", int4, core).returncode == 0


def test_a_core_takes_what_the_record_says(core: str, int8: Path) -> None:
    cells = make("row", int8, core).stdout.strip("| \n").split(" | ")
    assert cells[0] == core
    instructions, flash, memory, stack = map(int, cells[1:])
    (recorded,) = (
        row
        for row in json.loads(RECORD.read_text())["rows"]
        if (row["form"], row["core"], row["options"]) == ("int8", core, "-O2")
    )
    # Compilers of other versions differ by some per cent.
    assert instructions == pytest.approx(recorded["instructions"], rel=0.2)
    assert flash <= 16_000
    assert memory <= 4_000
    assert stack <= 3_000


@pytest.mark.parametrize("options", ["-O2", "-Os"])
def test_the_net_needs_no_library(compiled_core: str, options: str, int8: Path) -> None:
    assert make("size", int8, compiled_core, f"OPTIMISE={options}").returncode == 0
    nm = "riscv64-unknown-elf-nm" if compiled_core == "rv32" else "arm-none-eabi-nm"
    built = str(int8 / "build" / f"{compiled_core}{options}" / "read_digit.o")
    command = [nm, "--undefined-only", built]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b""


@pytest.mark.parametrize("core", ["cortex-m4"], indirect=True)
def test_a_wrong_answer_is_noticed(core: str, int8: Path, tmp_path: Path) -> None:
    header = (int8 / "tinydigits.h").read_text()
    broken = re.sub(r"(tinydigits_bias_4\[\d+\] = \{\n)-?\d+", r"\g<1>20000", header)
    assert broken != header
    ran = make("run", folder_of(broken, tmp_path), core)
    assert ran.returncode != 0
    assert "16 of 16" not in ran.stderr
    assert " of 16 golden pictures as expected" in ran.stderr


def test_a_missing_program_is_named_with_its_package(
    int8: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program, package in (("make", "make"), ("sh", "dash"), ("echo", "coreutils")):
        need(program, package)
        (tmp_path / program).symlink_to(str(shutil.which(program)))
    monkeypatch.setenv("PATH", str(tmp_path))
    told = make("table", int8, "cortex-m4").stdout.splitlines()
    assert told[0].startswith("| core |")
    assert told[3:] == [
        f"{core}: no arm-none-eabi-gcc: apt-get install gcc-arm-none-eabi" for core in CORES[:-1]
    ] + ["rv32: no riscv64-unknown-elf-gcc: apt-get install gcc-riscv64-unknown-elf"]
    ran = make("run", int8, "cortex-m4", f"BUILD={tmp_path}")
    assert ran.returncode != 0
    assert ran.stdout == "no arm-none-eabi-gcc: apt-get install gcc-arm-none-eabi\n"


def test_a_missing_header_is_named_with_the_command_that_writes_it(tmp_path: Path) -> None:
    ran = make("size", tmp_path, "cortex-m4")
    assert ran.returncode != 0
    header = tmp_path / "tinydigits.h"
    assert ran.stdout == f"no {header}: tinydigits export c --int8 people {header}\n"


@pytest.mark.parametrize("compiled_core", ["cortex-m4"], indirect=True)
def test_the_innermost_loop_multiplies_as_recorded(compiled_core: str, int8: Path) -> None:
    need("llvm-mca", "llvm")
    benchmark = runpy.run_path(str(ROOT / "benchmarks" / "mcu.py"))
    loop = benchmark["innermost_loop"]("int8", compiled_core, int8, "llvm-mca")
    assert loop.products == 16
    assert loop.cycles >= loop.instructions
