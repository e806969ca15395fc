"""C: one C99 header with the net, in floats or in integers only.

Two convolutions and the maximum after them run row by row, so no whole picture between them is
stored. The parts of the header are in ``c_parts/``; this module fills in the numbers.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tinydigits import __version__
from tinydigits.data import synthetic
from tinydigits.export import camera as frames
from tinydigits.export import folded, quantised
from tinydigits.export.layers import IntegerConvolution
from tinydigits.export.quantised import LOGIT
from tinydigits.net.layers import Convolution, Numbers, largest
from tinydigits.net.model import Net

PARTS = Path(__file__).parent / "c_parts"
GOLDEN = 16  # pictures in the self-test
PREFIX = "tinydigits"  # of every name in a header
TOLERANCE = "1e-3f"  # of float logits: compilers order sums differently
WIDTH = 100  # characters a line
LOGIT_ONE = round(1 / LOGIT)  # integer logits are so many times a float net's


def in_floats(
    layers: list[Convolution],
    logits: Numbers,
    sha256: str,
    *,
    prefix: str = PREFIX,
    camera: bool = False,
) -> str:
    """Return the header of a float net with ``logits`` (16, 10) for the pictures of ``golden``.

    With ``camera`` it also reads a camera's frames.
    """
    arrays, rows = list[str](), list[str]()
    for number, layer in enumerate(layers, 1):
        arrays += [
            # Outputs last: they are computed side by side, as vectors.
            _array("float", f"weight_{number}", layer.weight.transpose(2, 3, 1, 0)),
            _array("float", f"bias_{number}", layer.bias),
        ]
        rows.append(_row(_names(number, "weight", "bias"), layer, ()))
    return _header(
        "rows_float.h",
        prefix=prefix,
        camera=camera,
        layers=_table(arrays, rows),
        logits=_rows(logits.astype(np.float32)),
        tolerance=TOLERANCE,
        unit="floats",
        sha256=sha256,
    )


def in_integers(
    layers: list[IntegerConvolution], sha256: str, *, prefix: str = PREFIX, camera: bool = False
) -> str:
    """Return the header of an integer net; two weights of 4 bits share a byte.

    With ``camera`` it also reads a camera's frames.
    """
    bits = layers[0].bits
    return _header(
        f"weights_int{bits}.h",
        "rows_integers.h",
        prefix=prefix,
        camera=camera,
        layers=_integer_layers(layers),
        logits=_rows(quantised.logits(layers, golden())),
        tolerance="0",
        unit="integers, TINYDIGITS_LOGIT_ONE times a float net's",
        sha256=sha256,
        option=f" --int{bits}",
        defines=f"#define TINYDIGITS_LOGIT_ONE {LOGIT_ONE}\n",
        constant=_constants(layers),
        unit_of_multipliers=str(2 ** _absent(bits)),
        sums=_sums(),
    )


def _integer_layers(layers: list[IntegerConvolution]) -> str:
    """Return the numbers of the layers; their weights are one array, read beyond a layer's end."""
    weights = [grouped(layer.weight) for layer in layers]
    together = np.concatenate([weight.ravel() for weight in weights])
    stored = together if layers[0].bits == 8 else packed(together)
    arrays = [_array("tinydigits_weights", "all_weights", stored, "TINYDIGITS_ALIGNED ")]
    rows, groups = list[str](), 0
    for number, (layer, weight) in enumerate(zip(layers, weights, strict=True), 1):
        arrays += [
            _array("tinydigits_constant", f"bias_{number}", layer.bias),
            _array("tinydigits_constant", f"multiplier_{number}", layer.multiplier),
        ]
        names = (
            f"all_weights + {groups} * TINYDIGITS_GROUP",
            *_names(number, "bias", "multiplier"),
        )
        shift = layer.shift + _absent(layer.bits) - 32
        rows.append(_row(names, layer, (weight.shape[2], shift)))
        groups += weight.size // 4
    return _table(arrays, rows)


def _absent(bits: int) -> int:
    """Return how many lower bits of a multiplier are 0 and not stored."""
    return 32 - 4 * bits


def _sums() -> str:
    """Return the C of every way to add up products, each guarded by what it needs."""
    ways = {path.stem.removeprefix("sums_"): path.read_text() for path in PARTS.glob("sums_*.h")}
    return filled((PARTS / "sums.h").read_text(), ways)


def grouped(weight: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Return weights (out, in, kernel, kernel) as (out / 8, kernel, groups, 8, 4).

    A group holds the weights of four consecutive inputs in a row of pixels. Zeros fill the last
    group of a row and the last eight outputs.
    """
    out, _, kernel, _ = weight.shape
    rows = weight.transpose(0, 2, 3, 1).reshape(out, kernel, -1)
    full = np.pad(rows, ((0, -out % 8), (0, 0), (0, -rows.shape[2] % 4)))
    return full.reshape(len(full) // 8, 8, kernel, -1, 4).transpose(0, 2, 3, 1, 4)


def packed(weights: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
    """Return an even number of weights two a byte, each plus 8, the first in the lower half.

    ``weights``, of any shape, are from -8 to 7.
    """
    first, second = (weights.astype(int) + 8).reshape(-1, 2).T
    both: npt.NDArray[np.uint8] = (first + 16 * second).astype(np.uint8)
    return both


def _constants(layers: list[IntegerConvolution]) -> str:
    """Return the narrowest C type that holds all biases and multipliers."""
    numbers = np.concatenate([[*layer.bias, *layer.multiplier] for layer in layers])
    return "int16_t" if np.abs(numbers).max() <= largest(16) else "int32_t"


def filled(text: str, values: dict[str, str]) -> str:
    """Return text in which each @name@ that ``values`` has is replaced by its value."""
    return re.sub(r"@(\w+)@", lambda found: values.get(found[1], found[0]), text)


def renamed(source: str, prefix: str) -> str:
    """Return C source in which the names that begin with tinydigits begin with ``prefix``."""
    source = re.sub(r"\btinydigits_", f"{prefix}_", source)
    return re.sub(r"\bTINYDIGITS_", f"{prefix.upper()}_", source)


def golden() -> npt.NDArray[np.uint8]:
    """Return the self-test's pictures, uint8 (16, 28, 28): synthetic digits, a black, a white."""
    images, _ = synthetic.draw(GOLDEN - 2, seed=2)
    return np.concatenate([images, np.zeros_like(images[:1]), np.full_like(images[:1], 255)])


def golden_logits(net: Net) -> Numbers:
    """Return a net's logits for the self-test's pictures, (16, 10), the same on every processor."""
    return folded.logits(folded.fold(net), torch.from_numpy(golden())).numpy()


def buffers(header: str) -> int:
    """Return the bytes of static memory that a header's net needs."""
    sizes = {"float": 4, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4}
    (kind, name), *_ = re.findall(r"typedef (\w+) (\w+_value);", header)
    sizes[name] = sizes[kind]
    found = re.findall(r"^static (\w+) \w+\[([0-9 *]+)\];", header, re.MULTILINE)
    return sum(sizes[kind] * prod(map(int, count.split("*"))) for kind, count in found)


def constants(header: str) -> int:
    """Return the bytes of a header's weights, biases and multipliers."""
    sizes = {"float": 4, "uint8_t": 1, "int8_t": 1, "int16_t": 2, "int32_t": 4}
    for kind, name in re.findall(r"^typedef (\w+) (\w+);", header, re.MULTILINE):
        sizes[name] = sizes.get(kind, 0)
    found = re.findall(
        r"^static \w+_CONST (\w+) \w+\[(\d+)\] (?:\w+_ALIGNED )?=", header, re.MULTILINE
    )
    return sum(sizes[kind] * int(count) for kind, count in found)


def _header(
    *middle: str, prefix: str, camera: bool, option: str = "", defines: str = "", **values: str
) -> str:
    parts = ["head.h", *middle, "net.h", *(frames.PARTS if camera else ()), "selftest.h"]
    values |= {
        "version": __version__,
        "defines": defines,
        "pixels": _rows(golden().reshape(GOLDEN, -1)),
        "misframed": "",
        **(frames.values() if camera else {}),
    }
    text = "\n".join((PARTS / part).read_text() for part in parts)
    text = renamed(filled(text, values) + "\n#endif\n", prefix)
    option += " --camera" if camera else ""
    option += f" --prefix {prefix}" if prefix != PREFIX else ""
    # Two files with one prefix are the same net only if they are the same text.
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return text.replace("@option@", option).replace("@digest@", digest)


def _table(arrays: Iterable[str], rows: Sequence[str]) -> str:
    table = ",\n  ".join(rows)
    return "\n".join(arrays) + (
        f"\nstatic const tinydigits_layer tinydigits_layers[{len(rows)}] = {{\n  {table}\n}};"
    )


def _names(number: int, *arrays: str) -> list[str]:
    return [f"{name}_{number}" for name in arrays]


def _row(names: Iterable[str], layer: Convolution | IntegerConvolution, more: Iterable[int]) -> str:
    out, channels, kernel, _ = layer.weight.shape
    values = [channels, out, kernel, int(layer.pool == "max"), *more]
    return f"{{{', '.join([*(f'tinydigits_{name}' for name in names), *map(str, values)])}}}"


def _array(kind: str, name: str, values: npt.NDArray[Any], how: str = "") -> str:
    if kind == "float":
        values = values.astype(np.float32)
    declared = f"static TINYDIGITS_CONST {kind} tinydigits_{name}[{values.size}]"
    return f"{declared} {how}= {{\n{_lines(values)}}};"


def _rows(values: npt.NDArray[Any]) -> str:
    return ",\n".join(f"{{\n{_lines(row)}}}" for row in values)


def _lines(values: npt.NDArray[Any]) -> str:
    """Return the numbers, separated by commas, as lines."""
    lines = [""]
    for value in values.ravel():
        word = f"{_literal(value)},"
        if len(lines[-1]) + len(word) > WIDTH:
            lines.append("")
        lines[-1] += word
    return "\n".join(lines)[:-1]


def _literal(value: Any) -> str:
    if not isinstance(value, np.float32):
        return str(value)
    # Nine digits restore every float32; C requires a point or an exponent before the f.
    text = f"{value:.9g}"
    return text + ("f" if re.search(r"[.e]", text) else ".0f")
