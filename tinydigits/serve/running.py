"""Run a server in this process, on one socket, until a signal stops it."""

import asyncio
import signal
import socket
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import uvicorn

from tinydigits.errors import InputError


@contextmanager
def listening(host: str, port: int, options: str) -> Iterator[socket.socket]:
    """Yield a socket that listens on an address; ``options`` are the flags that choose another.

    Raises:
        InputError: it cannot listen there.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"cannot listen on {host}, port {port}: {reason}; choose another {options}"
        ) from error
    with found:
        yield found


def run_here(server: uvicorn.Server, on: socket.socket) -> None:
    """Serve until SIGTERM, or until Ctrl-C, which then raises KeyboardInterrupt."""
    if receives_signals():
        # At its end uvicorn raises the signal again: SIGTERM would then kill the process.
        signal.signal(signal.SIGTERM, lambda *_: None)
    if not _has_event_loop():
        server.run([on])
        return
    # A notebook's thread, which cannot run a second event loop, only waits.
    with ThreadPoolExecutor(1) as thread, server.capture_signals():
        thread.submit(server.run, [on]).result()


def receives_signals() -> bool:
    """Return whether this thread receives the process's signals."""
    return threading.current_thread() is threading.main_thread()


def _has_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def process_kept() -> Iterator[None]:
    """Put the process's signals and warnings back as they were: a notebook goes on after us."""
    handlers = {each: signal.getsignal(each) for each in signal.valid_signals()}
    try:
        with warnings.catch_warnings():
            yield
    finally:
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
