"""``tinydigits serve``: answers requests on one socket until a signal stops it."""

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from uvicorn.supervisors import Multiprocess

from tinydigits.errors import InputError
from tinydigits.serve.observe import SHARED
from tinydigits.serve.served import ServedNet, served_net
from tinydigits.serve.server import configuration


def serve(model: str, *, host: str, port: int, workers: int) -> None:
    """Serve predictions over HTTP until SIGTERM or Ctrl-C, then finish the requests under way.

    Raises:
        InputError: there is no such net, or the server cannot listen on ``host`` and ``port``.
    """
    net = served_net(model)
    with _listening(host, port) as listening, _counting_together(workers):
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        print(f"serving {net.name} on http://{shown}:{port}; press Ctrl-C to stop", file=sys.stderr)
        _run(net, listening, workers)


def _run(net: ServedNet, listening: socket.socket, workers: int) -> None:
    options = configuration(net, workers)
    if workers > 1:
        Multiprocess(options, [listening]).run()
        return
    # At its end uvicorn raises the signal again: SIGTERM would then kill the process.
    signal.signal(signal.SIGTERM, lambda *_: None)
    uvicorn.Server(options).run([listening])


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"cannot listen on {host}, port {port}: {reason}; choose another --host or --port"
        ) from error
    with listening:
        yield listening


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
        yield
        del os.environ[SHARED]
