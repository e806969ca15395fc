"""uvicorn's configuration: its logs and its time limits."""

import warnings
from asyncio import TimerHandle
from collections.abc import Collection
from functools import partial
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors import Multiprocess

from tinydigits.serve import limits
from tinydigits.serve.api import application
from tinydigits.serve.observe import ACCESS
from tinydigits.serve.served import ServedNet

_LINES = {"class": "logging.StreamHandler"}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(message)s"},
        "event": {"format": "%(asctime)s %(levelname)s %(message)s"},
    },
    "handlers": {
        "requests": {**_LINES, "stream": "ext://sys.stdout", "formatter": "line"},
        "events": {**_LINES, "stream": "ext://sys.stderr", "formatter": "event"},
    },
    "loggers": {
        ACCESS.name: {"handlers": ["requests"], "level": "INFO", "propagate": False},
        "uvicorn": {"handlers": ["events"], "level": "WARNING", "propagate": False},
    },
}


class Impatient(HttpToolsProtocol):
    """One HTTP connection, closed if headers arrive too late: uvicorn alone waits forever."""

    headers_due: TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start the timer for the first request's headers."""
        super().connection_made(transport)
        self._wait_for_headers()

    def on_message_begin(self) -> None:
        """Start the timer for a further request's headers."""
        super().on_message_begin()
        self._wait_for_headers()

    def on_headers_complete(self) -> None:
        """Stop the timer."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn says None
        """Return whether to stay open: a client that has closed its half still gets a response."""
        if self.cycle is None or self.cycle.more_body or self.cycle.response_complete:
            return False
        self.cycle.keep_alive = False
        return True

    def _wait_for_headers(self) -> None:
        if self.headers_due is None:
            self.headers_due = self.loop.call_later(limits.HEADER_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self.headers_due is not None:
            self.headers_due.cancel()
            self.headers_due = None


class Workers(Multiprocess):
    """uvicorn's processes; it notices at once if one dies before its first sign of life."""

    def keep_subprocess_alive(self) -> None:
        """Replace the workers that have died or do not respond."""
        for process in self.processes:
            # While this end is open here too, waiting for a dead worker takes all of its time.
            process.child_conn.close()
        super().keep_subprocess_alive()


def configuration(
    net: ServedNet, workers: int = 1, origins: Collection[str] = ()
) -> uvicorn.Config:
    """Return uvicorn's configuration for a net; ``origins`` are those of ``application``."""
    return uvicorn.Config(
        partial(_worker, net, origins),
        factory=True,
        workers=workers,
        http=Impatient,
        ws="none",
        log_config=LOGGING,
        access_log=False,
        server_header=False,
        limit_concurrency=limits.MOST_CONNECTIONS,
        timeout_keep_alive=limits.IDLE_SECONDS,
        timeout_graceful_shutdown=limits.SHUTDOWN_SECONDS,
        timeout_worker_healthcheck=limits.WORKER_SECONDS,
    )


def _worker(net: ServedNet, origins: Collection[str]) -> Any:
    """Return the application; called in each worker's process."""
    # Damaged files get an error: Pillow's warnings add nothing, and filters are not thread-safe.
    warnings.simplefilter("ignore")
    return application(net, origins)
