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
from typing import Annotated, Protocol

import tyro

from tinydigits import __version__
from tinydigits.config import TrainConfig
from tinydigits.errors import InputError, exit_code, extra
from tinydigits.recipes import DEFAULT, RECIPES, Recipe, options_of
from tinydigits.seeds import parse_seeds


class Runnable(Protocol):
    """A subcommand with its options."""

    def run(self) -> int:
        """Do it and return the exit code."""
        ...


def _data_dir() -> Path:
    return Path(os.environ.get("TINYDIGITS_DATA") or "data")


@dataclass(frozen=True)
class Train:
    """Train the net and write checkpoints, curves and a report."""

    recipe: Recipe = "classic"
    """What to train for; options given beside it change it."""
    config: Annotated[TrainConfig, tyro.conf.arg(name="")] = field(default_factory=TrainConfig)
    data_dir: Path = field(default_factory=_data_dir)
    """Folder of the MNIST files; $TINYDIGITS_DATA names it too."""
    out: Path = Path("checkpoints")
    """Folder to write to; an earlier run in it is moved to previous-N inside."""
    resume: bool = False
    """Go on with the run in --out, after its last whole epoch."""
    log_dir: Path | None = None
    """Folder for TensorBoard's events: the curves, while the run goes on."""
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
            train(
                self.config,
                data_dir=self.data_dir,
                out=self.out,
                resume=self.resume,
                log_dir=self.log_dir,
            )
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
    model: Annotated[str, tyro.conf.arg(metavar="NAME|PATH")] = DEFAULT
    """Net to use: one that comes with tinydigits, by its recipe's name, or a checkpoint."""
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
    model: Annotated[str, tyro.conf.arg(metavar="NAME|PATH")] = DEFAULT
    """Net to use: one that comes with tinydigits, by its recipe's name, a checkpoint, or a .onnx
    file of tinydigits export."""
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


@dataclass(frozen=True)
class Study:
    """Train many seeds of one recipe: a line for each, then mean, spread and interval.

    The same command goes on where it was stopped, and with more seeds it adds them.
    """

    seeds: str
    """Which seeds to train, such as 0-99 or 0,3,7-9."""
    out: Path
    """Folder to write to: config.json, environment.json, and a line a seed in runs.jsonl."""
    recipe: Recipe = "classic"
    """What to train for; options given beside it change it."""
    config: Annotated[TrainConfig, tyro.conf.arg(name="")] = field(default_factory=TrainConfig)
    data_dir: Path = field(default_factory=_data_dir)
    """Folder of the MNIST files; $TINYDIGITS_DATA names it too."""
    workers: int | None = None
    """Processes to train in, one thread each; as many as there are cores where not given."""
    dask: str | None = None
    """Address of a Dask scheduler whose workers train instead, such as tcp://127.0.0.1:8786."""
    corruptions: bool = False
    """Measure the accuracy under fifteen kinds of damage too."""

    def __post_init__(self) -> None:
        parse_seeds(self.seeds)
        if self.config.seed != TrainConfig.seed:
            raise InputError(
                f"--seed {self.config.seed} is for a single run: name the seeds of a study with "
                "--seeds alone"
            )
        if self.workers is not None and (self.workers < 1 or self.dask is not None):
            raise InputError(
                f"--workers is {self.workers}, but must be at least 1, and left out with --dask"
            )

    def run(self) -> int:
        """Run the seeds."""
        from tinydigits.study import study
        from tinydigits.workers import cluster, local

        study(
            self.config,
            parse_seeds(self.seeds),
            local(self.workers) if self.dask is None else cluster(self.dask),
            data_dir=self.data_dir,
            out=self.out,
            damage=self.corruptions,
        )
        return 0


@dataclass(frozen=True)
class Compare:
    """Compare two studies seed by seed: difference, interval, p-value, seeds needed for more."""

    a: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="A")]
    """Folder of the study to compare with."""
    b: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="B")]
    """Folder of the other study."""
    json: bool = False
    """Print one JSON object."""

    def run(self) -> int:
        """Compare the two."""
        from tinydigits.comparison import compare

        compare(self.a, self.b, as_json=self.json)
        return 0


@dataclass(frozen=True)
class Onnx:
    """Write an ONNX file: pixels uint8 (N, 28, 28) in, logits (N, 10) out."""

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")]
    """Net to use: one that comes with tinydigits, by its recipe's name, or a checkpoint."""
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT.onnx")]
    """File to write."""
    int8: bool = False
    """Weights and activations of 8 bits, calibrated on training digits."""
    data_dir: Path = field(default_factory=_data_dir)
    """Folder of the MNIST files; $TINYDIGITS_DATA names it too."""

    def run(self) -> int:
        """Write the file."""
        from tinydigits.shipping import to_onnx

        to_onnx(self.model, self.out, integers=self.int8, data_dir=self.data_dir)
        return 0


@dataclass(frozen=True)
class C:
    """Write a C99 header that needs no library and allocates no memory."""

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")]
    """Net to use: one that comes with tinydigits, by its recipe's name, or a checkpoint."""
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT.h")]
    """File to write."""
    int8: bool = False
    """Integers only, for microcontrollers; calibrated on training digits."""
    data_dir: Path = field(default_factory=_data_dir)
    """Folder of the MNIST files; $TINYDIGITS_DATA names it too."""

    def run(self) -> int:
        """Write the file."""
        from tinydigits.shipping import to_c

        to_c(self.model, self.out, integers=self.int8, data_dir=self.data_dir)
        return 0


@dataclass(frozen=True)
class Html:
    """Write one page to draw digits on, which works by a double click and without a network."""

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")]
    """Net to use: one that comes with tinydigits, by its recipe's name, or a checkpoint."""
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT.html")]
    """File to write."""
    data_dir: Path = field(default_factory=_data_dir)
    """Folder of the MNIST files; $TINYDIGITS_DATA names it too."""

    def run(self) -> int:
        """Write the file."""
        from tinydigits.shipping import to_html

        to_html(self.model, self.out, data_dir=self.data_dir)
        return 0


@dataclass(frozen=True)
class Safetensors:
    """Write a folder in Hugging Face's layout: weights, configuration and model card."""

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")]
    """Net to use: one that comes with tinydigits, by its recipe's name, or a checkpoint."""
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """Folder to write to."""
    data_dir: Path = field(default_factory=_data_dir)
    """Folder of the MNIST files; $TINYDIGITS_DATA names it too."""

    def run(self) -> int:
        """Write the folder."""
        from tinydigits.shipping import to_safetensors

        to_safetensors(self.model, self.out, data_dir=self.data_dir)
        return 0


@dataclass(frozen=True)
class Export:
    """Write a trained net for other places, and compare what was written with it."""

    form: Annotated[
        Annotated[Onnx, tyro.conf.subcommand("onnx", prefix_name=False)]
        | Annotated[C, tyro.conf.subcommand("c", prefix_name=False)]
        | Annotated[Html, tyro.conf.subcommand("html", prefix_name=False)]
        | Annotated[Safetensors, tyro.conf.subcommand("safetensors", prefix_name=False)],
        tyro.conf.arg(name=""),
    ]

    def run(self) -> int:
        """Write it."""
        return self.form.run()


@dataclass(frozen=True)
class Serve:
    """Answer over HTTP: a page to draw on, an API at /docs, metrics."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 is every one that this machine has."""
    port: int = 8000
    """Port to listen on; 0 takes a free one."""
    model: Annotated[str, tyro.conf.arg(metavar="NAME|PATH")] = DEFAULT
    """Net to use: one that comes with tinydigits, by its recipe's name, a .onnx file of
    tinydigits export, or a checkpoint."""
    workers: int = 1
    """Processes that answer, each on one core."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise InputError(f"--port is {self.port}, but must be from 0 to 65535")
        if self.workers < 1:
            raise InputError(f"--workers is {self.workers}, but must be at least 1")

    def run(self) -> int:
        """Serve until told to stop."""
        with extra("serve", "serve"):
            from tinydigits.serve.server import serve

        serve(self.model, host=self.host, port=self.port, workers=self.workers)
        return 0


Command = (
    Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Predict, tyro.conf.subcommand("predict")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Study, tyro.conf.subcommand("study")]
    | Annotated[Compare, tyro.conf.subcommand("compare")]
    | Annotated[Export, tyro.conf.subcommand("export")]
    | Annotated[Serve, tyro.conf.subcommand("serve")]
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
        return exit_code(lambda: _parse(given).run())
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the lines, such as `head`, has enough. Python flushes once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _parse(arguments: list[str]) -> Runnable:
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            command: Runnable = tyro.cli(
                Command,
                prog="tinydigits",
                args=_with_recipe(arguments),
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as stop:
        if stop.code == 0:  # --help
            raise
        raise InputError(_one_line(complaint.getvalue())) from None
    return command


def _with_recipe(arguments: list[str]) -> list[str]:
    """Put the options of the recipe that is named last, if any, before the others, which win."""
    command, rest = arguments[:1], arguments[1:]
    if command not in (["train"], ["study"]):
        return arguments
    for number, argument in reversed(list(enumerate(rest))):
        flag, _, value = argument.partition("=")
        name = value or "".join(rest[number + 1 : number + 2])
        if flag == "--recipe" and name in RECIPES:
            return [*command, *options_of(name), *rest]
    return arguments


def _one_line(box: str) -> str:
    """Return tyro's framed message as one line, without title, frame, colours and option help."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", box)
    # The frame is drawn with line characters, or not at all where the terminal has none.
    _title, *lines = [line for line in (line.strip(" │") for line in text.splitlines()) if line]
    inside = "\n".join(line for line in lines if not line.startswith("╰"))
    sections = [" ".join(section.split()) for section in re.split(r"(?m)^[─-]{4,}$", inside)]
    told = (each for each in sections if each and not each.startswith("Argument helptext"))
    return "; ".join(told)
