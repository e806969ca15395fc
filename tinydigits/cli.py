"""The command line: one subcommand is one options dataclass and one call.

Torch is imported by the call, not here, so that ``--help`` and wrong options answer at once.
"""

import io
import os
import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from tinydigits import __version__
from tinydigits.config import TrainConfig
from tinydigits.errors import InputError


def _data_dir() -> Path:
    return Path(os.environ.get("TINYDIGITS_DATA") or "data")


@dataclass(frozen=True)
class Train:
    """Train the net and write checkpoints, curves and a report."""

    config: Annotated[TrainConfig, tyro.conf.arg(name="")] = field(default_factory=TrainConfig)
    data_dir: Path = field(default_factory=_data_dir)
    """Folder of the MNIST files; $TINYDIGITS_DATA names it too."""
    out: Path = Path("checkpoints")
    """Folder to write to; an earlier run in it is moved to previous-N inside."""
    resume: bool = False
    """Go on with the run in --out, after its last whole epoch."""
    dry_run: bool = False
    """Try everything with a single batch and keep nothing."""

    def __post_init__(self) -> None:
        if self.dry_run and self.resume:
            raise InputError(
                "--dry-run keeps nothing and resumes nothing: leave out one of the two"
            )

    def run(self) -> int:
        """Train as told."""
        from tinydigits.run import train, try_out

        if self.dry_run:
            try_out(self.config, data_dir=self.data_dir)
        else:
            train(self.config, data_dir=self.data_dir, out=self.out, resume=self.resume)
        return 0


@dataclass(frozen=True)
class Verify:
    """Print the layer table and the architecture checks; exit with 1 where one fails."""

    def run(self) -> int:
        """Check the net."""
        from tinydigits.model import Net, layer_table
        from tinydigits.verify import check, render

        net = Net()
        checks = check(net)
        print(render(layer_table(net), checks))
        return 0 if all(each.passed for each in checks) else 1


@dataclass(frozen=True)
class Predict:
    """Name the digit in each picture: what is dark on light paper, or light on dark."""

    pictures: tyro.conf.Positional[tuple[str, ...]]
    """Files, folders, patterns such as 'scans/*.png', or - for standard input."""
    model: Path | None = None
    """Checkpoint to use instead of the net that comes with tinydigits."""
    json: bool = False
    """Print one JSON object a line: file, digit, probability, top."""
    save_inputs: Path | None = None
    """Folder for what the net saw of each picture, 28x28 pixels."""

    def run(self) -> int:
        """Read the pictures."""
        from tinydigits.reading import read

        return read(self.pictures, model=self.model, as_json=self.json, inputs=self.save_inputs)


@dataclass(frozen=True)
class Evaluate:
    """Tell how good a net is: accuracy with its interval, confusion, calibration."""

    digits: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Nothing for MNIST's test digits; two IDX files, images and labels; or a folder of pictures in
    sub-folders 0 to 9."""
    data_dir: Path = field(default_factory=_data_dir)
    """Folder of the MNIST files; $TINYDIGITS_DATA names it too."""
    model: Path | None = None
    """Checkpoint to use instead of the net that comes with tinydigits."""
    json: bool = False
    """Print one JSON object."""
    plots: Path | None = None
    """Folder for confusion.png, mistakes.png and reliability.png."""
    corruptions: bool = False
    """Measure the accuracy under fifteen kinds of damage too."""

    def run(self) -> int:
        """Evaluate as told."""
        from tinydigits.assessment import evaluate

        return evaluate(
            self.digits,
            data_dir=self.data_dir,
            model=self.model,
            as_json=self.json,
            plots=self.plots,
            damage=self.corruptions,
        )


Command = (
    Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Predict, tyro.conf.subcommand("predict")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Verify, tyro.conf.subcommand("verify")]
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``tinydigits`` and return its exit code.

    0: done. 1: an architecture check failed, or some pictures could not be answered. 2: a wrong
    input, explained in one line on standard error. 130: stopped with Ctrl-C. 141: the
    reader of the output has gone.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["--version"]:
        print(f"tinydigits {__version__}")
        return 0
    try:
        return _parse(given).run()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the lines, such as `head`, has enough. Python flushes once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _parse(arguments: list[str]) -> Train | Predict | Evaluate | Verify:
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            command: Train | Predict | Evaluate | Verify = tyro.cli(
                Command,
                prog="tinydigits",
                args=arguments,
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as stop:
        if stop.code == 0:  # --help
            raise
        raise InputError(_one_line(complaint.getvalue())) from None
    return command


def _one_line(box: str) -> str:
    """Return tyro's framed message as one line, without title, frame, colours and option help."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", box)
    # The frame is drawn with line characters, or not at all where the terminal has none.
    _title, *lines = [line for line in (line.strip(" │") for line in text.splitlines()) if line]
    inside = "\n".join(line for line in lines if not line.startswith("╰"))
    sections = [" ".join(section.split()) for section in re.split(r"(?m)^[─-]{4,}$", inside)]
    told = (each for each in sections if each and not each.startswith("Argument helptext"))
    return "; ".join(told)
