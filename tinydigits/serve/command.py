"""What ``tinydigits serve`` does: one socket, answered until it is told to stop."""

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
    """Answer over HTTP until SIGTERM or Ctrl-C; requests under way are answered before the end.

    Raises:
        InputError: there is no such net, or ``host`` and ``port`` cannot be listened on.
    """
    net = served_net(model)
    with _listening(host, port) as listening, _counting_together(workers):
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        print(f"serving {net.name} on http://{shown}:{port}, Ctrl-C stops it", file=sys.stderr)
        _run(net, listening, workers)


def _run(net: ServedNet, listening: socket.socket, workers: int) -> None:
    options = configuration(net, workers)
    if workers > 1:
        Multiprocess(options, [listening]).run()
        return
    # When it has ended, uvicorn raises again the signal that it was ended by.
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
            f"cannot listen on {host}, port {port}: {reason}; give another --host or --port"
        ) from error
    with listening:
        yield listening


@contextmanager
def _counting_together(workers: int) -> Iterator[None]:
    """Give several workers a folder in which their counts are added up, in memory where it can."""
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
