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
from tinydigits.net.contract import SIDE
from tinydigits.net.runtime import Session, logits, session_of
from tinydigits.net.shipped import net_file

ONNX = ".onnx"
SAME_ORIGIN = "; connect-src 'self'"  # lets a user call the API from the page's console


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
    """Return the net of a recipe, an ONNX file or a checkpoint; ``model`` is its name or path.

    Raises:
        InputError: there is no such net, or the file holds no float net of tinydigits.
    """
    file = net_file(model, suffix=ONNX)
    content = read_bytes(file) if file.suffix == ONNX else _exported(str(file))
    name = file.stem if file.suffix == ONNX else file.name
    page = html.page(onnx.layers_of(content), name, allowed=SAME_ORIGIN)
    _refuse_useless(content)
    return ServedNet(name, content, page)


def _exported(checkpoint: str) -> bytes:
    # Only this needs PyTorch: in a process of its own, its memory is freed at the end.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_from_checkpoint, checkpoint).result()


def _from_checkpoint(path: str) -> bytes:
    try:
        from tinydigits.export.folded import fold
        from tinydigits.net.checkpoint import load_net
    except ImportError as error:
        raise InputError(
            f"a checkpoint needs {error.name}, which is not installed: on a machine that "
            f"has it, type tinydigits export onnx {path} net.onnx; then serve net.onnx"
        ) from error
    return onnx.in_floats(fold(load_net(Path(path))))


def _refuse_useless(content: bytes) -> None:
    found = probabilities(session_of(content), np.zeros((1, SIDE, SIDE), np.uint8))
    if found.shape != (1, 10) or not np.isfinite(found).all():
        raise InputError(f"the net returns {found.tolist()}: expected ten probabilities")


def probabilities(net: Session, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return the probabilities (N, 10) of the digits 0 to 9 for pixels (N, 28, 28)."""
    found: npt.NDArray[np.float64] = softmax(logits(net, pixels).astype(np.float64), axis=1)
    return found
