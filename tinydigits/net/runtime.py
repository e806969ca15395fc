"""onnxruntime, without its telemetry.

Since 1.29 it reports every process that loads it to its makers, and leaves a file in the temporary
folder. Here pictures stay where they are, and nobody is told: the variable is read once, when the
library is loaded. Whoever wants it otherwise sets the variable to 0.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

from tinydigits.errors import InputError
from tinydigits.net.contract import SIDE


class Session(Protocol):
    """What is used of onnxruntime's sessions, which declare no types."""

    def run(self, outputs: list[str], inputs: dict[str, Any]) -> list[Any]:
        """Return the arrays of these names."""
        ...

    def get_inputs(self) -> list[Any]:
        """Return the inputs, each with its name, type and shape."""
        ...


def session_of(content: bytes, *, threads: int = 1) -> Session:
    """Return the net in an ONNX file, ready to run on the CPU.

    Raises:
        InputError: onnxruntime cannot run the file, or it takes other inputs than tinydigits' nets.
    """
    with _explained():
        session = _started(content, threads)
    found = [(each.name, each.type, each.shape[1:]) for each in session.get_inputs()]
    if found != [("pixels", "tensor(uint8)", [SIDE, SIDE])]:
        raise InputError(
            f"the ONNX model takes {found}, expected pixels, uint8 (N, {SIDE}, {SIDE}): give one "
            "made by tinydigits export onnx"
        )
    with _explained():  # layers that do not fit each other are noticed when they run
        logits(session, np.zeros((1, SIDE, SIDE), np.uint8))
    return session


def logits(session: Session, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the logits (N, 10) for pixels (N, 28, 28)."""
    (found,) = session.run(["logits"], {"pixels": pixels})
    return np.asarray(found)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # each of onnxruntime's errors is a class of its own
        reason = str(error).splitlines()[0]
        raise InputError(f"onnxruntime cannot run the net: {reason}") from error


def _started(content: bytes, threads: int) -> Session:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # errors are raised; they need not be logged too
    ready: Session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    return ready
