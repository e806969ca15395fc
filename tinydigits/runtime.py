"""onnxruntime, without its telemetry.

Since 1.29 it reports every process that loads it to its makers, and leaves a file in the temporary
folder. Here pictures stay where they are, and nobody is told: the variable is read once, when the
library is loaded. Whoever wants it otherwise sets the variable to 0.
"""

import os
from typing import Any, Protocol

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime


class Session(Protocol):
    """What is used of onnxruntime's sessions, which declare no types."""

    def run(self, outputs: list[str], inputs: dict[str, Any]) -> list[Any]:
        """Return the arrays of these names."""
        ...

    def get_inputs(self) -> list[Any]:
        """Return the inputs, each with its name, type and shape."""
        ...


def session(content: bytes, *, threads: int = 1) -> Session:
    """Return an ONNX file ready to run on the CPU; what is wrong with it is raised, not logged."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    ready: Session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    return ready
