"""``tinydigits serve``: answers requests on one socket until a signal stops it."""

import os
import socket
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from tinydigits.errors import InputError
from tinydigits.serve.observe import SHARED
from tinydigits.serve.running import listening, process_kept, receives_signals, run_here
from tinydigits.serve.served import served_net
from tinydigits.serve.server import Workers, configuration


def serve(model: str, *, host: str, port: int, workers: int, origins: Collection[str] = ()) -> None:
    """Serve predictions over HTTP until SIGTERM or Ctrl-C, then finish the requests under way.

    Raises:
        InputError: there is no such net, the server cannot listen on ``host`` and ``port``, or
            several workers are wanted from a thread that receives no signals.
    """
    if workers > 1 and not receives_signals():
        raise InputError(f"--workers is {workers}, but must be 1 outside the main thread")
    net = served_net(model)
    with (
        listening(host, port, "--host or --port") as on,
        _counting_together(workers),
        process_kept(),
    ):
        host, port = on.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        print(f"serving {net.name} on http://{shown}:{port}; press Ctrl-C to stop", file=sys.stderr)
        _run(configuration(net, workers, origins), on)


def _run(options: uvicorn.Config, on: socket.socket) -> None:
    if options.workers > 1:
        Workers(options, [on]).run()
    else:
        run_here(uvicorn.Server(options), on)


@contextmanager
def _counting_together(workers: int) -> Iterator[None]:
    """Give several workers a folder for their shared counts, in memory if possible."""
    if workers == 1:
        yield
        return
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="tinydigits-", dir=memory if os.access(memory, os.W_OK) else None
    ) as folder:
        os.environ[SHARED] = folder
        try:
            yield
        finally:
            del os.environ[SHARED]
