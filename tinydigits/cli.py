"""The command line: one subcommand is one class of options and one call.

PyTorch is imported by the call, not here, so that ``--help`` and wrong options answer at once.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from tinydigits import __version__
from tinydigits.arguments import parse
from tinydigits.data.sources import mnist_folder
from tinydigits.errors import InputError, exit_code, extra
from tinydigits.net.shipped import DEFAULT
from tinydigits.seeds import parse_seeds
from tinydigits.train.config import TrainConfig
from tinydigits.train.recipes import Recipe

# Options that several subcommands share.
Model = Annotated[
    str,
    tyro.conf.arg(
        metavar="NAME|PATH",
        help="A shipped net's name or a checkpoint; for evaluate and serve also an exported .onnx.",
    ),
]
Json = Annotated[bool, tyro.conf.arg(help="Print JSON: one object, or one a line for predict.")]
Damage = Annotated[bool, tyro.conf.arg(help="Also measure the accuracy under 15 kinds of damage.")]


@dataclass(frozen=True, kw_only=True)
class _OnMnist:
    data_dir: Path = field(default_factory=mnist_folder)
    """Folder of the MNIST files; $TINYDIGITS_DATA names it too."""


@dataclass(frozen=True, kw_only=True)
class _Trains(_OnMnist):
    recipe: Recipe = "classic"
    """What to train for; options given beside it change it."""
    config: Annotated[TrainConfig, tyro.conf.arg(name="")] = field(default_factory=TrainConfig)


@dataclass(frozen=True, kw_only=True)
class _Exports(_OnMnist):
    model: tyro.conf.Positional[Model]
    out: tyro.conf.Positional[Path]
    """File to write; for safetensors, the folder."""


@dataclass(frozen=True, kw_only=True)
class _Quantises(_Exports):
    int8: bool = False
    """Integers of 8 bits instead of floats, calibrated on training digits."""


@dataclass(frozen=True)
class Train(_Trains):
    """Train the net and write checkpoints, curves and a report."""

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
            raise InputError("--dry-run and --resume exclude each other: leave out one of the two")

    def run(self) -> None:
        from tinydigits.train.run import train, try_out

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


@dataclass(frozen=True)
class Predict:
    """Name the digit in each picture: what is dark on light paper, or light on dark."""

    pictures: tyro.conf.Positional[tuple[str, ...]]
    """Files, folders, patterns such as 'scans/*.png', or - for standard input."""
    model: Model = DEFAULT
    json: Json = False
    save_inputs: Path | None = None
    """Folder for what the net saw of each picture, 28x28 pixels."""

    def run(self) -> int:
        from tinydigits.reading.command import read

        return read(self.pictures, model=self.model, as_json=self.json, inputs=self.save_inputs)


@dataclass(frozen=True)
class Evaluate(_OnMnist):
    """Tell how good a net is: accuracy with its interval, confusion, calibration."""

    digits: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Nothing for MNIST's test digits; two IDX files, images and labels; or a folder of pictures in
    sub-folders 0 to 9."""
    model: Model = DEFAULT
    json: Json = False
    plots: Path | None = None
    """Folder for confusion.png, mistakes.png and reliability.png."""
    corruptions: Damage = False

    def run(self) -> int:
        from tinydigits.evaluate.command import evaluate

        return evaluate(
            self.digits,
            data_dir=self.data_dir,
            model=self.model,
            as_json=self.json,
            plots=self.plots,
            damage=self.corruptions,
        )


@dataclass(frozen=True)
class Study(_Trains):
    """Train many seeds of one recipe: a line for each, then mean, spread and interval.

    The same command goes on where it was stopped, and with more seeds it adds them.
    """

    seeds: str
    """Which seeds to train, such as 0-99 or 0,3,7-9."""
    out: Path
    """Folder to write to: config.json, environment.json, and a line a seed in runs.jsonl."""
    workers: int | None = None
    """Processes to train in, one thread each; as many as there are cores where not given."""
    dask: str | None = None
    """Address of a Dask scheduler whose workers train instead, such as tcp://127.0.0.1:8786."""
    corruptions: Damage = False

    def __post_init__(self) -> None:
        parse_seeds(self.seeds)
        if self.config.seed != TrainConfig.seed:
            raise InputError(
                f"--seed {self.config.seed} is for a single run: name the seeds of a study with "
                "--seeds alone"
            )
        if self.workers is not None and (self.workers < 1 or self.dask is not None):
            expected = "but must be at least 1, and left out with --dask"
            raise InputError(f"--workers is {self.workers}, {expected}")

    def run(self) -> None:
        from tinydigits.study.command import study
        from tinydigits.study.workers import pool

        study(
            self.config,
            parse_seeds(self.seeds),
            pool(self.workers, self.dask),
            data_dir=self.data_dir,
            out=self.out,
            damage=self.corruptions,
        )


@dataclass(frozen=True)
class Compare:
    """Compare two studies seed by seed: difference, interval, p-value, seeds needed for more."""

    a: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="A")]
    """Folder of the study to compare with."""
    b: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="B")]
    """Folder of the other study."""
    json: Json = False

    def run(self) -> None:
        from tinydigits.study.command import compare

        compare(self.a, self.b, as_json=self.json)


@dataclass(frozen=True)
class Onnx(_Quantises):
    """Write an ONNX file: pixels uint8 (N, 28, 28) in, logits (N, 10) out."""

    def run(self) -> None:
        from tinydigits.export.command import to_onnx

        to_onnx(self.model, self.out, integers=self.int8, data_dir=self.data_dir)


@dataclass(frozen=True)
class C(_Quantises):
    """Write a C99 header that needs no library and allocates no memory."""

    def run(self) -> None:
        from tinydigits.export.command import to_c

        to_c(self.model, self.out, integers=self.int8, data_dir=self.data_dir)


@dataclass(frozen=True)
class Html(_Exports):
    """Write one page to draw digits on, which works by a double click and without a network."""

    def run(self) -> None:
        from tinydigits.export.command import to_html

        to_html(self.model, self.out, data_dir=self.data_dir)


@dataclass(frozen=True)
class Safetensors(_Exports):
    """Write a folder in Hugging Face's layout: weights, configuration and model card."""

    def run(self) -> None:
        from tinydigits.export.command import to_safetensors

        to_safetensors(self.model, self.out, data_dir=self.data_dir)


@dataclass(frozen=True)
class Export:
    """Write a trained net for other places, and compare what was written with it."""

    form: Annotated[Onnx | C | Html | Safetensors, tyro.conf.arg(name="")]

    def run(self) -> None:
        self.form.run()


@dataclass(frozen=True)
class Serve:
    """Answer over HTTP: a page to draw on, an API at /docs, metrics."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 is every one that this machine has."""
    port: int = 8000
    """Port to listen on; 0 takes a free one."""
    model: Model = DEFAULT
    workers: int = 1
    """Processes that answer, each on one core."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise InputError(f"--port is {self.port}, but must be from 0 to 65535")
        if self.workers < 1:
            raise InputError(f"--workers is {self.workers}, but must be at least 1")

    def run(self) -> None:
        with extra("serve", "serve"):
            from tinydigits.serve.command import serve

        serve(self.model, host=self.host, port=self.port, workers=self.workers)


@dataclass(frozen=True)
class Verify:
    """Print the layer table and the architecture checks; exit with 1 where one fails."""

    def run(self) -> int:
        from tinydigits.net.command import verify

        return verify()


Command = Train | Predict | Evaluate | Study | Compare | Export | Serve | Verify


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``tinydigits`` and return its exit code.

    0: done. 1: an architecture check failed, or some pictures could not be answered. 2: a wrong
    input, explained in one line on standard error. 130: Ctrl-C. 141: nobody reads the output.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        try:
            if given == ["--version"]:
                print(f"tinydigits {__version__}")
                return 0
            return exit_code(lambda: parse(Command, given).run())
        finally:
            # Otherwise Python flushes at exit, where a closed pipe cannot be caught.
            print(end="", flush=True)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader, such as `head`, has closed the pipe; Python still flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
