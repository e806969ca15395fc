"""The served net: an ONNX model for the API, and a page that runs the net in the browser."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from tinydigits.errors import InputError
from tinydigits.export import html, onnx
from tinydigits.files import read_bytes
from tinydigits.net.graph import layers_of
from tinydigits.net.runtime import Session, logits, session_of
from tinydigits.net.shipped import ONNX, net_file
from tinydigits.serve.headers import SAME_ORIGIN


@dataclass(frozen=True)
class ServedNet:
    """One net in the two forms that the server needs."""

    name: str
    """Of the recipe or the file."""
    onnx: bytes
    """The model in float32."""
    page: bytes
    """HTML, UTF-8."""


def served_net(model: str) -> ServedNet:
    """Return the net of a recipe or a file; ``model`` is its name or path, as for ``load``.

    Raises:
        InputError: there is no such net, or the file holds no float net of tinydigits.
    """
    file, content = onnx_of(model)
    name = file.stem if file.suffix.lower() == ONNX else file.name
    page = html.page(layers_of(content, file), name, allowed=SAME_ORIGIN)
    session_of(content)  # rejects a net that cannot answer
    return ServedNet(name, content, page)


def onnx_of(model: str) -> tuple[Path, bytes]:
    """Return the file of a net and its ONNX model; ``model`` is as for ``served_net``.

    Raises:
        InputError: there is no such net, or it cannot be exported.
    """
    file = net_file(model, suffix=ONNX)
    return file, read_bytes(file) if file.suffix.lower() == ONNX else _exported(str(file))


def _exported(file: str) -> bytes:
    # Only this needs PyTorch: in a process of its own, its memory is freed at the end.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_from_pytorch, file).result()


def _from_pytorch(path: str) -> bytes:
    try:
        from tinydigits.export.folded import fold
        from tinydigits.net.formats import load_net
    except ImportError as error:
        raise InputError(
            f"{path} needs {error.name}, which is not installed: on a machine that has it, type "
            f"tinydigits export onnx {path} net.onnx; then serve net.onnx"
        ) from error
    return onnx.in_floats(fold(load_net(Path(path))))


def probabilities(net: Session, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return the probabilities (N, 10) of the digits 0 to 9 for pixels (N, 28, 28)."""
    found: npt.NDArray[np.float64] = softmax(logits(net, pixels).astype(np.float64), axis=1)
    return found
