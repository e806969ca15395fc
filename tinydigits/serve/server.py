"""How uvicorn serves the net: what it logs, and how long it waits."""

import warnings
from asyncio import TimerHandle
from functools import partial
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

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
    """HTTP on one connection whose headers must come in time: uvicorn itself waits forever."""

    headers_due: TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start waiting for the first request's headers."""
        super().connection_made(transport)
        self._wait_for_headers()

    def on_message_begin(self) -> None:
        """Start waiting for a further request's headers."""
        super().on_message_begin()
        self._wait_for_headers()

    def on_headers_complete(self) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn says None
        """Keep the connection until a client that has sent all it wants to send has its answer."""
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


def configuration(net: ServedNet, workers: int = 1) -> uvicorn.Config:
    """Return how uvicorn is to serve a net."""
    return uvicorn.Config(
        partial(_worker, net),
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
    )


def _worker(net: ServedNet) -> Any:
    """Return the application, in the process that is to serve it."""
    # Pillow warns of damaged files, which are answered for, and its filters are not a thread's own.
    warnings.simplefilter("ignore")
    return application(net)
