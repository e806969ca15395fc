"""Programs that tests start, watch and end."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import tinydigits

ROOT = Path(tinydigits.__file__).parent.parent
LOOPBACK = ("--host", "127.0.0.1", "--no-dashboard")


@contextmanager
def started(
    *command: str,
    before: Callable[[], None] = lambda: None,
    environment: Mapping[str, str] | None = None,
) -> Iterator["subprocess.Popen[str]"]:
    """Run a Python program in its own process group, and kill it at the end.

    ``before`` is called in the new process before it becomes that program.
    """

    def prepare() -> None:
        # A shell's background jobs ignore Ctrl-C, and their children inherit that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        before()

    process = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **(environment or {})},
        start_new_session=True,
        preexec_fn=prepare,
    )
    try:
        yield process
    finally:
        with process:
            process.kill()


def wait_for(text: str, stream: IO[str] | None) -> str:
    """Read lines until one holds the text, and return it."""
    assert stream is not None
    return next(line for line in stream if text in line)


@contextmanager
def scheduler() -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run a Dask scheduler; yield its process and its address."""
    with started("-m", "dask", "scheduler", *LOOPBACK, "--port", "0") as process:
        yield process, wait_for("Scheduler at:", process.stderr).split()[-1]


@contextmanager
def worker(address: str, *options: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a Dask worker with one thread and no nanny: killing its process ends it."""
    command = ("-m", "dask", "worker", address, *LOOPBACK, "--no-nanny", "--nthreads", "1")
    with started(*command, *options, environment=environment) as process:
        yield process
