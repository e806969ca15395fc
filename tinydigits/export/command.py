"""The command ``tinydigits export``: one trained net, written for other programs and devices.

Each file is run at once as its users will run it, and compared with the net.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from torch import Tensor

from tinydigits.data.dataset import Dataset, load_dataset
from tinydigits.errors import InputError, extra, warn
from tinydigits.evaluate.metrics import report
from tinydigits.export import arduino, c, parity
from tinydigits.export.folded import fold
from tinydigits.export.layers import IntegerConvolution
from tinydigits.export.quantised import off_grid, quantise
from tinydigits.files import write_atomically, write_folder
from tinydigits.net.formats import load_net
from tinydigits.net.inference import infer, infer_onnx
from tinydigits.net.layers import Convolution
from tinydigits.net.padded import FINDER, FINDER_ONNX, STRIP, STRIP_ONNX
from tinydigits.net.shipped import IN_FOLDER
from tinydigits.net.trained import Source, source_of

FINDER_CARD = Path(__file__).parent / "finder.md"
STRIP_CARD = Path(__file__).parent / "strip.md"
CALIBRATION = 2000  # training digits that show how large the activations are
OFF_GRID = 0.05  # units of a 4-bit weight: what half precision may move it
SYNTHETIC_COUNTS = (CALIBRATION, 1000)  # training and test digits if there is no MNIST


def to_onnx(model: str, out: Path, *, integers: bool, data_dir: Path) -> None:
    """Write an ONNX file, int8 with ``integers``, and print its parity with the net.

    Raises:
        InputError: there is no such net, ``out`` cannot be written, or onnx is not installed.
    """
    with extra("onnx", "export onnx"):
        from tinydigits.export import onnx
    source, dataset = _source_and_digits(model, data_dir)
    layers = fold(source.net)
    content = onnx.in_integers(_quantised(layers, dataset)) if integers else onnx.in_floats(layers)
    exported = infer_onnx(content, dataset.test.images)
    _write(out, content)
    _tell(exported, source, dataset)


def to_c(
    model: str,
    out: Path,
    *,
    bits: Literal[4, 8] | None,
    prefix: str,
    camera: bool,
    data_dir: Path,
) -> None:
    """Write a C header, and print its size and its parity with the net.

    It computes in floats, or with ``bits`` in integers only, with weights of so many bits.
    ``prefix``, a C identifier, begins every name in it. With ``camera`` it also reads frames.

    Raises:
        InputError: there is no such net, its weights are not rounded to 4 bits as ``bits`` asks, or
            ``out`` cannot be written.
    """
    source, dataset = _source_and_digits(model, data_dir)
    layers = fold(source.net)
    if bits:
        integers = _of_bits(model, layers, dataset, bits)
        header = c.in_integers(integers, source.sha256, prefix=prefix, camera=camera)
    else:
        logits = c.golden_logits(source.net)
        header = c.in_floats(layers, logits, source.sha256, prefix=prefix, camera=camera)
    _write(out, header.encode())
    _tell_header(header, prefix, source, dataset)


def to_arduino(model: str, out: Path, *, bits: Literal[4, 8], prefix: str, data_dir: Path) -> None:
    """Write a library for Arduino and PlatformIO, and print its net's size and parity.

    It computes in integers, with weights of so many ``bits``. ``prefix``, a C identifier, is its
    name and begins every name in it.

    Raises:
        InputError: there is no such net, its weights are not rounded to 4 bits as ``bits`` asks, or
            ``out`` is a file or cannot be written.
    """
    _refuse_file(out)
    source, dataset = _source_and_digits(model, data_dir)
    integers = _of_bits(model, fold(source.net), dataset, bits)
    files = arduino.folder(integers, source.sha256, prefix=prefix)
    _write_folder(out, files)
    header = files[arduino.header_path(prefix)].decode()
    _tell_header(header, arduino.net_prefix(prefix), source, dataset)


def to_html(model: str, out: Path, *, data_dir: Path) -> None:
    """Write a page that reads digits offline, and print its parity with the net.

    Raises:
        InputError: there is no such net, or ``out`` cannot be written.
    """
    from tinydigits.export import html

    source, dataset = _source_and_digits(model, data_dir)
    page = html.page(fold(source.net), source.name)
    _write(out, page)
    with _measured("parity"):
        _tell(parity.page_logits(page.decode(), dataset.test.images), source, dataset)


def to_safetensors(model: str, out: Path, *, data_dir: Path) -> None:
    """Write a folder with weights, configuration and model card, and print its parity with the net.

    Raises:
        InputError: there is no such net, ``out`` is a file or cannot be written, or safetensors is
            not installed.
    """
    from tinydigits.export import safetensors

    _refuse_file(out)
    source, dataset = _source_and_digits(model, data_dir)
    logits = infer(source.net, dataset.test.images)
    files = safetensors.folder(source, report(logits, dataset.test.labels), _name(dataset))
    _write_folder(out, files)
    _tell(infer(load_net(out / IN_FOLDER), dataset.test.images), source, dataset)


def to_finder(out: Path) -> None:
    """Write a folder with the finder's files and its card, and print the parity of its ONNX file.

    Raises:
        InputError: ``out`` is a file or cannot be written.
    """
    _copy_shipped(out, (FINDER_ONNX, FINDER), FINDER_CARD)
    with _measured("parity"):
        ink, votes = parity.of_finder(out / FINDER_ONNX.name)
        print(f"parity on drawn scenes: ink differs by at most {ink:.1g}, votes by {votes:.1g}")


def to_strip(out: Path) -> None:
    """Write a folder with the strip net's files and its card, and print its ONNX file's parity.

    Raises:
        InputError: ``out`` is a file or cannot be written.
    """
    _copy_shipped(out, (STRIP_ONNX, STRIP), STRIP_CARD)
    with _measured("parity"):
        most = parity.of_strip(out / STRIP_ONNX.name)
        print(f"parity on drawn scenes: probabilities differ by at most {most:.1g}")


def _copy_shipped(out: Path, files: tuple[Path, ...], card: Path) -> None:
    _refuse_file(out)
    content = {path.name: path.read_bytes() for path in files}
    _write_folder(out, content | {"README.md": card.read_bytes()})


def _refuse_file(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: expected a folder to write to")


def _source_and_digits(model: str, data_dir: Path) -> tuple[Source, Dataset]:
    source = source_of(model)
    dataset = load_dataset("auto", data_dir, synthetic_counts=SYNTHETIC_COUNTS)
    warn(dataset.warning)
    return source, dataset


def _quantised(
    layers: list[Convolution], dataset: Dataset, bits: int = 8
) -> list[IntegerConvolution]:
    return quantise(layers, dataset.train.images[:CALIBRATION], bits)


def _of_bits(
    model: str, layers: list[Convolution], dataset: Dataset, bits: Literal[4, 8]
) -> list[IntegerConvolution]:
    if bits == 4:
        _refuse_unrounded(model, layers)
    return _quantised(layers, dataset, bits)


def _refuse_unrounded(model: str, layers: list[Convolution]) -> None:
    off = off_grid(layers, bits=4)
    if off > OFF_GRID:
        raise InputError(
            f"{model} was trained without --weight-bits 4: its weights are up to {off:.2f} units "
            f"off a grid of 4 bits, expected at most {OFF_GRID}; train one with tinydigits train "
            "--recipe best --epochs 60 --weight-bits 4, or export this one with --int8"
        )


def _write(path: Path, content: bytes) -> None:
    write_atomically(path, content)
    _tell_written(path, content)


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    write_folder(folder, files)
    for name, content in files.items():
        _tell_written(folder / name, content)


def _tell_written(path: Path, content: bytes) -> None:
    print(f"wrote {path} ({len(content):,} bytes)")


@contextmanager
def _measured(what: str) -> Iterator[None]:
    """Print why something could not be measured here; the file that was written stays valid."""
    try:
        yield
    except parity.UnmeasuredError as reason:
        print(f"{what}: not measured, {reason}")


def _tell_header(header: str, prefix: str, source: Source, dataset: Dataset) -> None:
    print(f"{c.buffers(header):,} bytes of static memory")
    with _measured("size"):
        size = parity.footprint(header, prefix)
        print(f"{size.flash:,} bytes of code and constants ({size.compiler})")
    with _measured("parity"):
        _tell(parity.c_logits(header, dataset.test.images, prefix), source, dataset)


def _tell(exported: Tensor, source: Source, dataset: Dataset) -> None:
    net = infer(source.net, dataset.test.images)
    print(f"parity on {_name(dataset)}: {parity.parity(exported, net, dataset.test.labels)}")


def _name(dataset: Dataset) -> str:
    return "MNIST's test digits" if dataset.name == "mnist" else "synthetic digits"
