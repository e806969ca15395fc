"""Measure the integer headers on seven microcontroller cores: instructions, flash, RAM and stack.

QEMU runs the header's self-test, 16 pictures, and counts instructions, which are not cycles. For
three cores, llvm-mca predicts the cycles of the innermost loop from LLVM's model of the core.

    python benchmarks/mcu.py --out records/<date>-mcu

Each row is one of those that `make table` in examples/mcu prints. The net in int8 is calibrated as
`tinydigits export` does. The one in int4 is the same net, rounded: it takes as much room and time
as one trained with 4-bit weights, and misreads more digits.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tqdm import tqdm

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.data.dataset import load_dataset
from tinydigits.data.sources import mnist_folder
from tinydigits.errors import InputError, exit_code
from tinydigits.export import c
from tinydigits.export.command import CALIBRATION
from tinydigits.export.folded import fold
from tinydigits.export.quantised import quantise
from tinydigits.files import write_json
from tinydigits.net.trained import Source, source_of
from tinydigits.train import hardware

EXAMPLE = ROOT / "examples" / "mcu"
OPTIONS = ("-O2", "-Os")
BITS = (8, 4)
TOOLS = (
    *("arm-none-eabi-gcc", "riscv64-unknown-elf-gcc"),
    *("qemu-system-arm", "qemu-system-riscv32"),
)


@dataclass(frozen=True)
class Multiplier:
    """The instruction with which a core's innermost loop multiplies and adds up."""

    name: str
    products: int
    triple: str
    """LLVM's name of the instruction set."""


MULTIPLIERS = {
    "cortex-m4": Multiplier("smlad", 2, "thumbv7em"),
    "cortex-m7": Multiplier("smlad", 2, "thumbv7em"),
    "cortex-m55": Multiplier("vmladava", 16, "thumbv8.1m.main"),
}
ITERATIONS = 1000  # that llvm-mca looks at


@dataclass(frozen=True)
class Row:
    """What a header takes on a core; room in bytes."""

    form: str
    core: str
    options: str
    instructions: int
    """For a picture, as QEMU counts them."""
    flash: int
    memory: int
    stack: int


@dataclass(frozen=True)
class Loop:
    """A pass through the innermost loop."""

    form: str
    core: str
    instructions: int
    products: int
    """Of an input and a weight."""
    cycles: float | None
    """As llvm-mca predicts them, without a hardware loop's branch; none if it lacks a model."""


def make(target: str, folder: Path, *variables: str) -> str:
    """Return what ``make`` prints in examples/mcu, with a header and results in ``folder``.

    Raises:
        InputError: it fails.
    """
    command = ["make", "-s", target, f"HEADER={folder}", f"BUILD={folder}", *variables]
    ran = subprocess.run(command, cwd=EXAMPLE, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise InputError(f"{' '.join(command)}: {(ran.stdout + ran.stderr).strip()}")
    return ran.stdout


def measured(form: str, options: str, folder: Path) -> list[Row]:
    """Return each core's row for the header in ``folder``.

    Raises:
        InputError: a compiler or an emulator is missing.
    """
    told = make("table", folder, f"OPTIMISE={options}")
    if missing := re.findall(r"apt-get install (.*)", told):
        raise InputError(f"programs are missing: apt-get install {' '.join(sorted(set(missing)))}")
    found = re.findall(r"^\| (\S+)((?: \| \d+){4}) \|$", told, re.MULTILINE)
    return [Row(form, core, options, *map(int, re.findall(r"\d+", told))) for core, told in found]


def innermost_loop(form: str, core: str, folder: Path, analyser: str) -> Loop:
    """Return a core's innermost loop, as compiled from the header in ``folder``."""
    multiplier = MULTIPLIERS[core]
    file = folder / f"{core}{OPTIONS[0]}" / "read_digit.s"
    make(str(file), folder, f"CORE={core}", f"OPTIMISE={OPTIONS[0]}")
    body = loop_with(multiplier.name, file.read_text())
    return Loop(
        form,
        core,
        len(re.findall(r"(?m)^\t[a-z]", body)),
        multiplier.products * len(re.findall(rf"(?m)^\t{multiplier.name}", body)),
        cycles(body, core, analyser),
    )


def loop_with(instruction: str, assembly: str) -> str:
    """Return the first loop without another label in which there is an instruction."""
    loops = re.finditer(
        r"^(?P<label>\.L\d+):\n(?:(?!\.L\d+:).*\n)*?\t(?:b\w+|le)\t(?:lr, )?(?P=label)$",
        assembly,
        re.MULTILINE,
    )
    return next(found[0] for found in loops if f"\n\t{instruction}" in found[0])


def cycles(body: str, core: str, analyser: str) -> float | None:
    """Return the cycles of a pass through a loop by llvm-mca, or None if it lacks a model."""
    # LLVM's models lack the end of a hardware loop, which costs nothing but in the first pass.
    body = re.sub(r"\tle\t.*", "", body)
    command = [analyser, f"-mtriple={MULTIPLIERS[core].triple}", f"-mcpu={core}"]
    command.append(f"-iterations={ITERATIONS}")
    ran = subprocess.run(command, input=body + "\n", capture_output=True, text=True, check=False)
    found = re.search(r"Total Cycles: +(\d+)", ran.stdout)
    return round(int(found[1]) / ITERATIONS, 1) if found else None


def version(program: str) -> str:
    """Return the line in which a program names its version."""
    ran = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return next(
        line.strip() for line in ran.stdout.splitlines() if "version" in line or ")" in line
    )


def table(rows: list[Row]) -> str:
    """Return the record's table, in Markdown."""
    head = "| header | core | options | instructions a picture | flash | static RAM | stack |"
    lines = [
        f"| {row.form} | {row.core} | `{row.options}` | {row.instructions:,} | {row.flash:,} "
        f"| {row.memory:,} | {row.stack:,} |"
        for row in rows
    ]
    return "\n".join([head, "|---|---|---|" + 4 * "---:|", *lines])


def headers(source: Source, data: Path, folder: Path) -> dict[str, Path]:
    """Write a net's headers, and return each one's folder by its form."""
    train, there = load_dataset("mnist", data).train, {}
    for bits in BITS:
        header = c.in_integers(
            quantise(fold(source.net), train.images[:CALIBRATION], bits), source.sha256
        )
        there[f"int{bits}"] = folder / f"int{bits}"
        there[f"int{bits}"].mkdir()
        (there[f"int{bits}"] / "tinydigits.h").write_text(header)
    return there


def main() -> None:
    """Print the table, and write all figures to ``--out``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="people", help="a recipe's name or a checkpoint")
    parser.add_argument("--data-dir", type=Path, default=mnist_folder())
    parser.add_argument("--analyser", default="llvm-mca", help="a version of llvm-mca")
    parser.add_argument("--out", type=Path, help="folder for result.json")
    options = parser.parse_args()

    torch.set_num_threads(1)
    if not shutil.which(options.analyser):
        raise InputError(f"no {options.analyser} was found: install Debian's llvm")
    source = source_of(options.model)
    with tempfile.TemporaryDirectory() as folder:
        there = headers(source, options.data_dir, Path(folder))
        kinds = [(form, each) for form in there for each in OPTIONS]
        rows = [
            row
            for form, each in tqdm(kinds, unit="table")
            for row in measured(form, each, there[form])
        ]
        loops = [
            innermost_loop(form, core, there[form], options.analyser)
            for form in there
            for core in MULTIPLIERS
        ]
    print(table(rows))
    if options.out:
        environment = hardware.environment(hardware.choose("cpu", "fp32"))
        tools = {name: version(name) for name in TOOLS}
        tools["llvm-mca"] = version(options.analyser)
        write_json(
            options.out / "result.json",
            {
                "model": source.name,
                "rows": [asdict(row) for row in rows],
                "loops": [asdict(loop) for loop in loops],
                "tools": tools,
                "environment": environment,
            },
        )


if __name__ == "__main__":
    sys.exit(exit_code(main))
