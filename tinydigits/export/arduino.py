"""Arduino: a folder with a library for Arduino and PlatformIO, in integers only.

A sketch is C++, in which an AVR would copy the weights to RAM. So the library compiles the net's C
header in a C file and declares its function to both languages. The files are in ``arduino_parts/``;
this module fills in the names and the numbers.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinydigits import __version__
from tinydigits.export import c
from tinydigits.export.layers import IntegerConvolution
from tinydigits.export.quantised import logits

PARTS = Path(__file__).parent / "arduino_parts"
EXAMPLE = 3  # the golden picture that the example reads


def net_prefix(prefix: str) -> str:
    """Return the start of the names in the net's header, which the library's own names wrap."""
    return f"{prefix}_net"


def folder(
    layers: list[IntegerConvolution], sha256: str, *, prefix: str = c.PREFIX
) -> dict[str, bytes]:
    """Return the library's files by their paths in the folder; ``prefix`` is its name too."""
    header = c.in_integers(layers, sha256, prefix=net_prefix(prefix))
    picture = c.golden()[EXAMPLE]
    values = {
        "prefix": prefix,
        "version": __version__,
        "sha256": sha256,
        "bits": str(layers[0].bits),
        "one": str(c.LOGIT_ONE),
        "buffers": f"{c.buffers(header):,}",
        "picture": _pixels(picture),
        "digit": str(logits(layers, picture[None]).argmax()),
    }
    files = {
        path.relative_to(PARTS).as_posix().replace("prefix", prefix): _filled(path, values, prefix)
        for path in sorted(PARTS.rglob("*"))
        if path.is_file()
    }
    return files | {header_path(prefix): header.encode()}


def header_path(prefix: str) -> str:
    """Return the path of the net's header in the folder, where sketches do not include it."""
    return f"src/internal/{net_prefix(prefix)}.h"


def _filled(path: Path, values: dict[str, str], prefix: str) -> bytes:
    return c.renamed(c.filled(path.read_text(encoding="utf-8"), values), prefix).encode()


def _pixels(picture: npt.NDArray[np.uint8]) -> str:
    """Return a picture's pixels in C, a row a line, aligned so that the digit can be seen."""
    return ",\n".join("  " + ", ".join(f"{value:3}" for value in row) for row in picture)
