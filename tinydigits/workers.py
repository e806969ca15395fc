"""Workers for long work: processes on this machine, or a Dask cluster.

PyTorch is imported by the work, not here, so that a process can first be limited to one thread.
"""

import asyncio
import logging
import multiprocessing
import os
import pkgutil
import re
import signal
import socket
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import TYPE_CHECKING, Any, TypeVar

from tinydigits import __version__
from tinydigits.errors import InputError, extra

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T")

TIMEOUT = 5.0  # seconds to wait for a cluster to answer
GO_ON = "what is finished is kept; run the same command to continue"


@dataclass(frozen=True)
class Pool:
    """An executor, and the number of calls that it runs at once."""

    executor: Executor
    workers: int

    def in_order(
        self, work: Callable[..., T], calls: Iterable[tuple[Any, ...]], ahead: int
    ) -> Iterator[T]:
        """Yield the results of calls in order; at most ``ahead`` calls run or wait at a time."""
        waiting: deque[Future[T]] = deque()
        for arguments in calls:
            waiting.append(self.executor.submit(work, *arguments))
            if len(waiting) == ahead:
                yield waiting.popleft().result()
        yield from (each.result() for each in waiting)


def pool(workers: int | None, dask: str | None, go_on: str = GO_ON) -> AbstractContextManager[Pool]:
    """Return the workers of the Dask scheduler at ``dask``, or ``workers`` local processes."""
    return local(workers, go_on) if dask is None else cluster(dask, go_on)


@contextmanager
def local(workers: int | None = None, go_on: str = GO_ON) -> Iterator[Pool]:
    """Yield a pool of ``workers`` processes with one thread each, by default one per usable core.

    If the block raises, their work is abandoned. They never outlive this process, even if it is
    killed. ``go_on`` tells the user how to, if one of them dies.

    Raises:
        InputError: a process died.
    """
    workers = workers or _usable_cores()
    others = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(workers, mp_context=_Context(), initializer=_settle)
    try:
        yield Pool(executor, workers)
    except BaseException as error:
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        if isinstance(error, BrokenProcessPool):
            fewer = f", with fewer than --workers {workers} if memory is short"
            raise InputError(
                "a worker process died, killed or out of memory: "
                f"{go_on}{fewer if workers > 1 else ''}"
            ) from error
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Process(SpawnProcess):
    """A process that Ctrl-C never reaches, even while it starts."""

    def start(self) -> None:
        if not hasattr(signal, "pthread_sigmask"):  # on Windows
            super().start()
            return
        # A signal blocked here is blocked in the new process, for as long as that runs.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Context(SpawnContext):
    Process = _Process


def _settle() -> None:
    """Prepare a new process of the pool."""
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # Without this, it would wait for work for ever: its siblings keep the queue open.
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


@contextmanager
def cluster(address: str, go_on: str = GO_ON) -> Iterator[Pool]:
    """Yield the workers of the Dask scheduler at ``address``, such as tcp://127.0.0.1:8786.

    If a worker dies, another takes over its call. ``go_on`` tells the user how to, if all is lost.

    Raises:
        InputError: Dask is not installed, the scheduler does not answer or disappears, it has no
            workers, or one of them has several threads or another version of tinydigits.
    """
    with extra("cluster", "--dask"):
        from distributed import Client, KilledWorker
    _greeted(address)
    # A lost connection is reported in one line below.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    with (
        warnings.catch_warnings(),
        Client(address, timeout=TIMEOUT, set_as_default=False) as client,
    ):
        warnings.filterwarnings("ignore", "Sending large graph")  # of Dask, about large pictures
        workers = _workers(client, address)
        try:
            # Not pure: what is submitted again must run again.
            yield Pool(client.get_executor(pure=False), workers)
        except (CancelledError, KilledWorker) as error:
            raise InputError(
                f"the Dask cluster at {address} lost its scheduler or too many workers: {go_on}"
            ) from error


def _greeted(address: str) -> None:
    """Wait for the first byte from ``address``; Dask would wait for it for ever."""
    found = re.fullmatch(r"tcp://\[?([^]\s]+)]?:([0-9]{1,5})", address)
    if not found:
        raise InputError(
            f"--dask is {address}, but must be an address such as tcp://127.0.0.1:8786"
        )
    try:
        with socket.create_connection((found[1], int(found[2])), TIMEOUT) as connection:
            greeting = connection.recv(1)
    except (OSError, OverflowError, UnicodeError):  # no such host, port or name
        greeting = b""
    if not greeting:
        raise InputError(
            f"no Dask scheduler answers at {address}: start one with dask scheduler, and give the "
            "tcp address that it prints"
        )


def _workers(client: "Client", address: str) -> int:
    """Return the number of workers, each with one thread and this version of tinydigits."""
    command = f"dask worker {address} --nworkers auto --nthreads 1"
    try:
        client.wait_for_workers(1, timeout=TIMEOUT)
    except asyncio.TimeoutError as error:  # in Python 3.10 not the built-in one
        raise InputError(
            f"the Dask scheduler at {address} has no workers: start some with {command}"
        ) from error
    # Through a standard function: one of tinydigits would hang a worker that lacks tinydigits.
    versions = client.run(pkgutil.resolve_name, "tinydigits:__version__", on_error="return")
    other = {worker: found for worker, found in versions.items() if found != __version__}
    if other:
        worker, found = next(iter(other.items()))
        raise InputError(
            f"the Dask worker {worker} lacks tinydigits {__version__} ({found}): install it there "
            "and restart the worker"
        )
    threads: dict[str, int] = client.nthreads()
    if max(threads.values()) > 1:
        # PyTorch's random state is one per process: its threads would only take turns.
        raise InputError(
            f"a Dask worker at {address} has {max(threads.values())} threads, expected 1: start "
            f"workers with {command}"
        )
    return len(threads)
