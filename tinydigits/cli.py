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


Command = (
    Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Verify, tyro.conf.subcommand("verify")]
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``tinydigits`` and return its exit code.

    0: done. 1: an architecture check failed. 2: a wrong input, explained in one line on standard
    error. 130: stopped with Ctrl-C.
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


def _parse(arguments: list[str]) -> Train | Verify:
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            command: Train | Verify = tyro.cli(
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
