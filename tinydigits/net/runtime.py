"""onnxruntime, with its telemetry turned off.

Since version 1.29, onnxruntime reports every process that loads it to its vendor and leaves a file
in the temporary folder. tinydigits disables this through ORT_DISABLE_TELEMETRY, which the library
reads once, when it is loaded. Set the variable to 0 to keep the telemetry.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

from tinydigits.errors import InputError
from tinydigits.net.broken import refuse_broken
from tinydigits.net.contract import CLASSES, SIDE
from tinydigits.net.graph import constants_of
from tinydigits.net.padded import FINDER_ONNX, STRIP_ONNX, Floats


class Session(Protocol):
    """The part of onnxruntime's untyped session class that tinydigits uses."""

    def run(self, outputs: list[str], inputs: dict[str, Any]) -> list[Any]:
        """Return the arrays named in ``outputs``."""
        ...

    def get_inputs(self) -> list[Any]:
        """Return the inputs, each with a name, a type and a shape."""
        ...


def session_of(content: bytes, *, threads: int = 1) -> Session:
    """Return a session for an ONNX file's content, on the CPU, with ``threads`` threads.

    Raises:
        InputError: onnxruntime cannot run the file, its inputs or outputs are not those of a
            tinydigits net, or its weights are not numbers.
    """
    with _explained():
        session = _started(content, threads)
        constants = constants_of(content)
    found = [(each.name, each.type, each.shape[1:]) for each in session.get_inputs()]
    if found != [("pixels", "tensor(uint8)", [SIDE, SIDE])]:
        raise InputError(
            f"the ONNX model takes {found}, expected pixels, uint8 (N, {SIDE}, {SIDE}): give a "
            "file written by tinydigits export onnx"
        )
    refuse_broken("the ONNX model", constants)
    with _explained():  # incompatible layers fail only when they run
        blank = logits(session, np.zeros((1, SIDE, SIDE), np.uint8))
    if blank.shape != (1, CLASSES) or not np.isfinite(blank).all():
        raise InputError(f"the ONNX model answers {blank.tolist()}: expected ten finite logits")
    return session


def logits(session: Session, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return float32 logits (N, 10) for uint8 pixels (N, 28, 28)."""
    (found,) = session.run(["logits"], {"pixels": pixels})
    return np.asarray(found)


def finder(path: Path = FINDER_ONNX) -> Callable[[Floats], tuple[Floats, Floats]]:
    """Return the finder in an ONNX file as a function of a view, for any number of threads at once.

    It takes and returns what ``reading.finding.Finder`` describes.
    """
    session = _started(path.read_bytes(), threads=1)

    def find(view: Floats) -> tuple[Floats, Floats]:
        ink, votes = session.run(["ink", "votes"], {"view": view})
        return ink, votes

    return find


def reader(path: Path = STRIP_ONNX) -> Callable[[Floats], Floats]:
    """Return the strip net in an ONNX file as a function of a strip, as ``finder`` does.

    It takes and returns what ``reading.page.Reader`` describes.
    """
    session = _started(path.read_bytes(), threads=1)

    def read(strip: Floats) -> Floats:
        (answers,) = session.run(["answers"], {"strip": strip})
        return np.asarray(answers)

    return read


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # onnxruntime's errors have no common base class
        reason = str(error).splitlines()[0]
        raise InputError(f"onnxruntime cannot run the net: {reason}") from error


def _started(content: bytes, threads: int) -> Session:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # errors are raised anyway, so logging them repeats them
    ready: Session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    return ready
