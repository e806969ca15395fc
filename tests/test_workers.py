"""Workers that end with their parent process, and clusters that answer or are refused."""

import asyncio
import logging
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.processes import scheduler, worker
from tinydigits import __version__, workers
from tinydigits.errors import InputError
from tinydigits.workers import _workers, cluster, local


def settings() -> tuple[str | None, bool]:
    """How many threads a process was told to use, and whether Ctrl-C can reach it."""
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    blocked = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    return os.environ.get("OMP_NUM_THREADS"), ignored and blocked


def work_for_ever(began: Any) -> None:
    began.set()
    threading.Event().wait()


def interrupted(began: Any) -> None:
    with local(1) as pool:
        pool.executor.submit(work_for_ever, began)
        assert began.wait(60)
        raise KeyboardInterrupt


def test_a_process_uses_one_thread_and_is_deaf_to_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with local(1) as pool:
        assert pool.workers == 1
        assert pool.executor.submit(settings).result() == ("1", True)
    assert multiprocessing.active_children() == []
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_process_that_dies_is_told() -> None:
    told = "a worker process died, .* run the same command to continue"
    with pytest.raises(InputError, match=told), local(1) as pool:
        pool.executor.submit(os._exit, 1).result()
    assert multiprocessing.active_children() == []


def test_what_runs_is_abandoned_at_an_exception() -> None:
    with multiprocessing.get_context("spawn").Manager() as manager:
        began = manager.Event()
        others = multiprocessing.active_children()
        with pytest.raises(KeyboardInterrupt):
            interrupted(began)
        assert multiprocessing.active_children() == others


@pytest.mark.parametrize("asked", [None, 4])
def test_there_are_as_many_processes_as_usable_cores(
    asked: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5, 6}, raising=False)
    with local(asked) as pool:
        assert pool.workers == (asked or 3)
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    with local(asked) as pool:
        assert pool.workers == (asked or 7)


def refusal(address: str) -> str:
    with pytest.raises(InputError) as refused, cluster(address):
        pass
    return str(refused.value)


def test_without_dask_its_installation_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "type pip install 'tinydigits[cluster]'" in refusal("tcp://127.0.0.1:8786")


@pytest.mark.parametrize("address", ["here", "tcp://", "127.0.0.1:8786", "zzz://1:2", "tcp://a b"])
def test_what_is_no_address_is_refused(address: str) -> None:
    told = refusal(address)
    assert told == f"--dask is {address}, but must be an address such as tcp://127.0.0.1:8786"


@pytest.mark.parametrize("host", ["127.0.0.1:9", "[::1]:9", "127.0.0.1:99999", "a..b:1"])
def test_where_nobody_listens_no_scheduler_answers(host: str) -> None:
    assert f"no Dask scheduler answers at tcp://{host}: start one" in refusal(f"tcp://{host}")


def test_who_listens_and_says_nothing_is_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "no Dask scheduler answers" in refusal(f"tcp://127.0.0.1:{silent.getsockname()[1]}")


class Cluster:
    """A stand-in for a cluster's client that reports these workers."""

    def __init__(self, *threads: int, version: str = __version__) -> None:
        self.threads = threads
        self.version = version

    def wait_for_workers(self, count: int, timeout: float) -> None:
        if len(self.threads) < count:
            raise asyncio.TimeoutError(f"no worker after {timeout} s")

    def nthreads(self) -> dict[str, int]:
        return {f"tcp://127.0.0.1:{port}": n for port, n in enumerate(self.threads)}

    def run(self, function: Any, name: str, on_error: str) -> dict[str, str]:
        assert (function(name), on_error) == (__version__, "return")
        return dict.fromkeys(self.nthreads(), self.version)


def test_only_workers_of_one_thread_are_used() -> None:
    address = "tcp://127.0.0.1:8786"
    command = f"dask worker {address} --nworkers auto --nthreads 1"
    assert _workers(Cluster(1, 1, 1), address) == 3  # type: ignore[arg-type]
    with pytest.raises(InputError, match=f"has no workers: start some with {command}"):
        _workers(Cluster(), address)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=f"16 threads, expected 1: start workers with {command}"):
        _workers(Cluster(1, 16), address)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"0.1:0 lacks tinydigits .* \(0.0.9\): install it"):
        _workers(Cluster(1, version="0.0.9"), address)  # type: ignore[arg-type]


def killed(scheduler: "subprocess.Popen[str]", address: str) -> None:
    with cluster(address) as pool:
        assert pool.workers == 1
        running = pool.executor.submit(signal.pause)
        scheduler.kill()
        running.result()


def test_a_cluster_that_goes_away_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (
        scheduler() as (process, address),
        worker(address, "--local-directory", str(tmp_path)),
        pytest.raises(InputError, match=f"the Dask cluster at {address} lost its scheduler"),
    ):
        killed(process, address)
    # What Dask notes for itself, now and then, nobody is shown.
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []
