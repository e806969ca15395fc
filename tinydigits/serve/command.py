"""``tinydigits serve``: answers requests on one socket until a signal stops it."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from tinydigits.errors import InputError
from tinydigits.serve.observe import SHARED
from tinydigits.serve.served import served_net
from tinydigits.serve.server import Workers, configuration


def serve(model: str, *, host: str, port: int, workers: int, origins: Collection[str] = ()) -> None:
    """Serve predictions over HTTP until SIGTERM or Ctrl-C, then finish the requests under way.

    Raises:
        InputError: there is no such net, the server cannot listen on ``host`` and ``port``, or
            several workers are wanted from a thread that receives no signals.
    """
    if workers > 1 and not _receives_signals():
        raise InputError(f"--workers is {workers}, but must be 1 outside the main thread")
    net = served_net(model)
    with _listening(host, port) as listening, _counting_together(workers), _process_kept():
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        print(f"serving {net.name} on http://{shown}:{port}; press Ctrl-C to stop", file=sys.stderr)
        _run(configuration(net, workers, origins), listening)


def _run(options: uvicorn.Config, listening: socket.socket) -> None:
    if options.workers > 1:
        Workers(options, [listening]).run()
        return
    server = uvicorn.Server(options)
    if _receives_signals():
        # At its end uvicorn raises the signal again: SIGTERM would then kill the process.
        signal.signal(signal.SIGTERM, lambda *_: None)
    if not _has_event_loop():
        server.run([listening])
        return
    # A notebook's thread, which cannot run a second event loop, only waits.
    with ThreadPoolExecutor(1) as thread, server.capture_signals():
        thread.submit(server.run, [listening]).result()


def _receives_signals() -> bool:
    return threading.current_thread() is threading.main_thread()


def _has_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def _process_kept() -> Iterator[None]:
    """Put the process's signals and warnings back as they were: a notebook goes on after us."""
    handlers = {each: signal.getsignal(each) for each in signal.valid_signals()}
    try:
        with warnings.catch_warnings():
            yield
    finally:
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


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
        try:
            yield
        finally:
            del os.environ[SHARED]
