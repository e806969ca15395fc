"""What operators see of each request: a log line in JSON, counts, durations, and an id."""

import json
import logging
import os
import re
import time
import uuid
from datetime import datetime, timezone

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ACCESS = logging.getLogger("tinydigits.access")
SHARED = "PROMETHEUS_MULTIPROC_DIR"  # folder in which several workers share their counts
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)  # seconds


class Metrics:
    """Request counts and durations for Prometheus."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels, registry = ["method", "path"], self.registry
        self.requests = Counter(
            "tinydigits_requests", "Requests answered.", [*labels, "status"], registry=registry
        )
        self.errors = Counter(
            "tinydigits_errors", "Requests answered with 4xx or 5xx.", labels, registry=registry
        )
        self.seconds = Histogram(
            "tinydigits_request_seconds",
            "Seconds from a request's headers to the end of its response.",
            labels,
            registry=registry,
            buckets=BUCKETS,
        )

    def count(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count one request, which took ``seconds``."""
        self.requests.labels(method, path, status).inc()
        if status >= 400:
            self.errors.labels(method, path).inc()
        self.seconds.labels(method, path).observe(seconds)

    def text(self) -> bytes:
        """Return the totals over all workers in Prometheus' text format."""
        if SHARED not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)
        return generate_latest(together)


class Observer:
    """ASGI middleware that gives each request an id, and counts and logs it at its end.

    Requests for any path not in ``paths`` are counted together.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: frozenset[str]) -> None:
        self.app = app
        self.metrics = metrics
        self.paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, then count and log it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        name = _request_id(scope)
        status, sent, received = 500, 0, 0

        async def hear() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def tell(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = name
            sent += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, hear, tell)
        finally:
            seconds = time.perf_counter() - began
            # Requests must not be able to add labels without limit.
            method = scope["method"] if scope["method"] in METHODS else "other"
            path = scope["path"] if scope["path"] in self.paths else "other"
            self.metrics.count(method, path, status, seconds)
            ACCESS.info(
                json.dumps(
                    {
                        "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
                        "id": name,
                        "client": scope["client"][0] if scope["client"] else None,
                        "method": scope["method"],
                        "path": scope["path"],
                        "status": status,
                        "received": received,
                        "sent": sent,
                        "ms": round(1000 * seconds, 2),
                    }
                )
            )


def _request_id(scope: Scope) -> str:
    """Return the id that a proxy gave the request if it is safe to log, else a new one."""
    given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return given if re.fullmatch(r"[\w.-]{1,64}", given, re.ASCII) else uuid.uuid4().hex
