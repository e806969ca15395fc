"""The command line: each subcommand is one dataclass of options and one call.

PyTorch is imported inside the call, so ``--help`` and errors in options appear at once.
"""

import os
import re
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
from tinydigits.finder.config import FinderConfig
from tinydigits.net.shipped import DEFAULT
from tinydigits.seeds import parse_seeds
from tinydigits.serve import origins
from tinydigits.strips.config import StripConfig
from tinydigits.terminal import plain_where_needed
from tinydigits.train.config import TrainConfig
from tinydigits.train.recipes import Recipe

Model = Annotated[
    str,
    tyro.conf.arg(
        metavar="NAME|PATH",
        help="Built-in net, or file of its weights: .pth, .onnx, safetensors (also a folder).",
    ),
]
Json = Annotated[bool, tyro.conf.arg(help="Print a JSON object; predict prints one per picture.")]
Damage = Annotated[bool, tyro.conf.arg(help="Also measure accuracy under 15 kinds of damage.")]


@dataclass(frozen=True, kw_only=True)
class _OnMnist:
    data_dir: Path = field(default_factory=mnist_folder)
    """Folder of the MNIST files; $TINYDIGITS_DATA sets the default."""


@dataclass(frozen=True, kw_only=True)
class _Trains(_OnMnist):
    recipe: Recipe = "classic"
    """Named set of training options; other options override it."""
    config: Annotated[TrainConfig, tyro.conf.arg(name="")] = field(default_factory=TrainConfig)


@dataclass(frozen=True, kw_only=True)
class _Exports(_OnMnist):
    model: tyro.conf.Positional[Model]
    out: tyro.conf.Positional[Path]
    """File to write; for safetensors and c --arduino, a folder."""


@dataclass(frozen=True, kw_only=True)
class _Quantises(_Exports):
    int8: bool = False
    """Use 8-bit integers instead of floats, calibrated on training digits."""


@dataclass(frozen=True)
class Train(_Trains):
    """Train a net and write checkpoints, curves and a report."""

    out: Path = Path("checkpoints")
    """Folder to write to; an earlier run there moves to its subfolder previous-N."""
    resume: bool = False
    """Continue the run in --out; a finished run goes on if --epochs is larger than it was."""
    log_dir: Path | None = None
    """Folder for TensorBoard events, updated after every epoch."""
    dry_run: bool = False
    """Test every step with a single batch and keep nothing."""

    def __post_init__(self) -> None:
        if self.dry_run and self.resume:
            raise InputError("--dry-run cannot be combined with --resume: leave out one of the two")

    def run(self) -> None:
        from tinydigits.train.run import train, try_out

        if self.dry_run:
            try_out(self.config, data_dir=self.data_dir, out=self.out, log_dir=self.log_dir)
        else:
            train(
                self.config,
                data_dir=self.data_dir,
                out=self.out,
                resume=self.resume,
                log_dir=self.log_dir,
            )


@dataclass(frozen=True)
class TrainFinder(_OnMnist):
    """Train the finder, the net that marks the ink of digits in a picture, on random scenes."""

    config: Annotated[FinderConfig, tyro.conf.arg(name="")] = field(default_factory=FinderConfig)
    out: Path = Path("finder")
    """Folder for the weights and the course of training."""
    resume: bool = False
    """Continue the run in --out."""

    def run(self) -> None:
        from tinydigits.finder.course import COURSE
        from tinydigits.train.drawn_run import train_drawn

        train_drawn(COURSE, self.config, data_dir=self.data_dir, out=self.out, resume=self.resume)


@dataclass(frozen=True)
class TrainStrip(_OnMnist):
    """Train the strip net, which reads lines of digits, on random scenes seen by the finder."""

    config: Annotated[StripConfig, tyro.conf.arg(name="")] = field(default_factory=StripConfig)
    out: Path = Path("strip")
    """Folder for the weights and the course of training."""
    resume: bool = False
    """Continue the run in --out."""

    def run(self) -> None:
        from tinydigits.strips.course import COURSE
        from tinydigits.train.drawn_run import train_drawn

        train_drawn(COURSE, self.config, data_dir=self.data_dir, out=self.out, resume=self.resume)


@dataclass(frozen=True)
class Predict:
    """Recognise the digit in each picture, whether dark on light or light on dark."""

    pictures: tyro.conf.Positional[tuple[str, ...]]
    """Files, folders or patterns such as 'scans/*.png'; - reads standard input."""
    model: Model = DEFAULT
    json: Json = False
    save_inputs: Path | None = None
    """Folder for the 28x28-pixel net input made from each picture."""

    def run(self) -> int:
        from tinydigits.reading.command import read

        return read(self.pictures, model=self.model, as_json=self.json, inputs=self.save_inputs)


@dataclass(frozen=True)
class Read:
    """Read the numbers in each picture: a line of digits is a line of text."""

    pictures: tyro.conf.Positional[tuple[str, ...]]
    """Files, folders or patterns such as 'scans/*.png'; - reads standard input."""
    json: Annotated[bool, tyro.conf.arg(help="Print a JSON object for each picture.")] = False
    csv: bool = False
    """Print a table: file, line, text, probability."""
    doubt: float = 0.0
    """Write ? for digits less probable than this, such as 0.9."""
    save_marked: Path | None = None
    """Folder for copies of the pictures with boxes and answers."""
    workers: int | None = None
    """Reading processes; by default one, and one per core for more than 64 pictures."""
    dask: str | None = None
    """Address of a Dask scheduler, such as tcp://127.0.0.1:8786; its workers do the reading."""

    def __post_init__(self) -> None:
        if self.json and self.csv:
            raise InputError("--json and --csv cannot be given together: leave out one of the two")
        if not 0 <= self.doubt <= 1:
            raise InputError(f"--doubt is {self.doubt}, but must be from 0 to 1")
        if self.workers is not None and self.workers < 1:
            raise InputError(f"--workers is {self.workers}, but must be at least 1")
        if self.workers is not None and self.dask is not None:
            raise InputError("--workers counts local processes: leave it out with --dask")

    def run(self) -> int:
        from tinydigits.reading.read_command import read

        return read(
            self.pictures,
            form="json" if self.json else "csv" if self.csv else "text",
            doubt=self.doubt,
            marked=self.save_marked,
            processes=self.workers,
            dask=self.dask,
        )


@dataclass(frozen=True)
class Evaluate(_OnMnist):
    """Measure a net's accuracy, with a confidence interval, confusion matrix and calibration.

    Digits are images and labels in two IDX or .npy files or in one .npz file, or a folder: of
    pictures in subfolders 0 to 9, or MNIST-C's. A CSV file lists pictures of whole numbers: columns
    file, text and optionally kind.
    """

    digits: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Files of images and labels, a folder, or a CSV file; by default MNIST's test digits."""
    model: Model = DEFAULT
    json: Json = False
    plots: Path | None = None
    """Folder for confusion.png, mistakes.png, reliability.png; with a CSV, for each mistake."""
    corruptions: Damage = False
    invert: bool = False
    """Invert images in IDX and NumPy's files that are black on white."""
    transpose: bool = False
    """Exchange rows and columns of images in such files, as EMNIST's need it."""

    def run(self) -> int:
        from tinydigits.evaluate.command import evaluate

        return evaluate(
            self.digits,
            data_dir=self.data_dir,
            model=self.model,
            as_json=self.json,
            plots=self.plots,
            damage=self.corruptions,
            invert=self.invert,
            transpose=self.transpose,
        )


@dataclass(frozen=True)
class Study(_Trains):
    """Train many seeds of one recipe and report mean, standard deviation and confidence interval.

    Run the same command again to continue a stopped study; list more seeds to add them.
    """

    seeds: str
    """Seeds to train, such as 0-99 or 0,3,7-9."""
    out: Path
    """Folder for config.json, environment.json and runs.jsonl, which has one line per seed."""
    workers: int | None = None
    """Training processes, one thread each; by default one per core."""
    dask: str | None = None
    """Address of a Dask scheduler, such as tcp://127.0.0.1:8786; its workers do the training."""
    corruptions: Damage = False

    def __post_init__(self) -> None:
        parse_seeds(self.seeds)
        if self.config.seed != TrainConfig.seed:
            raise InputError(
                f"--seed {self.config.seed} is for a single run: give a study's seeds as --seeds"
            )
        if self.workers is not None and (self.workers < 1 or self.dask is not None):
            raise InputError(f"--workers is {self.workers}, but must be at least 1, without --dask")

    def run(self) -> None:
        from tinydigits.study.command import study
        from tinydigits.workers import pool

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
    """Compare two studies seed by seed: difference, interval, p-value and seeds needed."""

    a: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="A")]
    """Folder of the baseline study."""
    b: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="B")]
    """Folder of the study to compare with it."""
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
    """Write a C99 header; it needs no library and allocates no memory."""

    int4: bool = False
    """Use integers with 4-bit weights, for a net trained with --weight-bits 4."""
    arduino: bool = False
    """Write a library for Arduino and PlatformIO, in 8-bit integers unless --int4 is given."""
    prefix: Annotated[str, tyro.conf.arg(metavar="NAME")] = "tinydigits"
    """Start of every name in the header, so that a program can hold several nets."""
    camera: bool = False
    """Add tinydigits_from_grey, which finds the digit in a frame of up to 160x120 grey pixels."""

    def __post_init__(self) -> None:
        if self.int8 and self.int4:
            raise InputError("--int8 and --int4 cannot be combined: leave out one of the two")
        if self.arduino and self.camera:
            raise InputError(
                "--arduino and --camera cannot be combined: leave out --arduino for a "
                "header with both functions"
            )
        if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", self.prefix):
            raise InputError(
                f"--prefix is {self.prefix!r}, but must be letters, digits and underscores, "
                "beginning with a letter"
            )

    def run(self) -> None:
        from tinydigits.export.command import to_arduino, to_c

        if self.arduino:
            to_arduino(
                self.model,
                self.out,
                bits=4 if self.int4 else 8,
                prefix=self.prefix,
                data_dir=self.data_dir,
            )
        else:
            to_c(
                self.model,
                self.out,
                bits=8 if self.int8 else 4 if self.int4 else None,
                prefix=self.prefix,
                camera=self.camera,
                data_dir=self.data_dir,
            )


@dataclass(frozen=True)
class Html(_Exports):
    """Write a web page that reads the digits drawn on it, in one file that works offline."""

    def run(self) -> None:
        from tinydigits.export.command import to_html

        to_html(self.model, self.out, data_dir=self.data_dir)


@dataclass(frozen=True)
class Safetensors(_Exports):
    """Write a folder in Hugging Face layout: weights, configuration and model card."""

    def run(self) -> None:
        from tinydigits.export.command import to_safetensors

        to_safetensors(self.model, self.out, data_dir=self.data_dir)


@dataclass(frozen=True)
class Finder:
    """Write a folder with the finder, the net that marks digits' ink: ONNX, JSON, model card."""

    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """Folder to write."""

    def run(self) -> None:
        from tinydigits.export.command import to_finder

        to_finder(self.out)


@dataclass(frozen=True)
class Strip:
    """Write a folder with the strip net, which reads lines of digits: ONNX, JSON, model card."""

    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """Folder to write."""

    def run(self) -> None:
        from tinydigits.export.command import to_strip

        to_strip(self.out)


@dataclass(frozen=True)
class Export:
    """Export a trained net to another format and check the export against the net."""

    form: Annotated[Onnx | C | Html | Safetensors | Finder | Strip, tyro.conf.arg(name="")]


@dataclass(frozen=True)
class Serve:
    """Serve predictions over HTTP: a page to draw on, an API documented at /docs, metrics."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 listens on all addresses of this machine."""
    port: int = 8000
    """Port to listen on; 0 picks a free port."""
    model: Model = DEFAULT
    workers: int = 1
    """Server processes, one core each."""
    allow_origin: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Site whose pages may call the API, such as https://example.com; * allows all sites."""

    def __post_init__(self) -> None:
        _check_port(self.port)
        if self.workers < 1:
            raise InputError(f"--workers is {self.workers}, but must be at least 1")
        for origin in self.allow_origin:
            origins.check(origin)

    def run(self) -> None:
        with extra("serve", "serve"):
            from tinydigits.serve.command import serve

        serve(
            self.model,
            host=self.host,
            port=self.port,
            workers=self.workers,
            origins=self.allow_origin,
        )


@dataclass(frozen=True)
class Label:
    """Sort pictures into folders by digit on a local page, where one key confirms or corrects each.

    Doubtful pictures come first. Each decision is saved at once; run the same command again to go
    on.
    """

    folders: tyro.conf.Positional[tuple[Path, ...]]
    """Folders with pictures, which are not changed."""
    out: Path
    """Folder for labelled copies, in subfolders 0 to 9, and for labels.jsonl, the journal."""
    model: Model = DEFAULT
    port: int = 0
    """Port of the page on 127.0.0.1; 0 picks a free port."""
    no_browser: bool = False
    """Print the page's address only, without opening a browser."""

    def __post_init__(self) -> None:
        _check_port(self.port)

    def run(self) -> int:
        with extra("serve", "label"):
            from tinydigits.label.command import label

        return label(
            self.folders,
            out=self.out,
            model=self.model,
            port=self.port,
            browser=not self.no_browser,
        )


def _check_port(port: int) -> None:
    if not 0 <= port <= 65535:
        raise InputError(f"--port is {port}, but must be from 0 to 65535")


@dataclass(frozen=True)
class Verify:
    """Print the layer table and the architecture checks; exit with 1 if a check fails."""

    def run(self) -> int:
        from tinydigits.net.command import verify

        return verify()


Command = (
    Train
    | TrainFinder
    | TrainStrip
    | Predict
    | Read
    | Evaluate
    | Study
    | Compare
    | Export
    | Serve
    | Label
    | Verify
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``tinydigits`` and return its exit code.

    0: success. 1: an architecture check failed, or some pictures got no answer. 2: invalid input,
    explained in one line on standard error. 130: Ctrl-C. 141: the reader closed the output.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with plain_where_needed():
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
