"""Servers that tests start as users do, and what they log."""

import json
import re
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import IO, Any

from tests.processes import started, wait_for


class Log:
    """The lines of a stream, read in a thread so that the pipe never fills up."""

    def __init__(self, stream: IO[str] | None) -> None:
        assert stream is not None
        self.lines = list[str]()
        self.has_grown = threading.Condition()
        self.thread = threading.Thread(target=self._read, args=(stream,))
        self.thread.start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            with self.has_grown:
                self.lines.append(line)
                self.has_grown.notify_all()

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests logged so far."""
        return [json.loads(line) for line in list(self.lines)]

    def wait_for(self, text: str) -> dict[str, Any]:
        """Wait for a line with the text and return its request."""
        with self.has_grown:
            assert self.has_grown.wait_for(lambda: any(text in line for line in self.lines), 30)
        (line,) = (line for line in self.lines if text in line)
        request: dict[str, Any] = json.loads(line)
        return request


@dataclass(frozen=True)
class Server:
    """A running ``tinydigits serve``."""

    process: "Popen[str]"
    port: int
    log: "Log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def resident(self) -> int:
        """Return its resident memory in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])


@contextmanager
def server(*options: str) -> Iterator[Server]:
    """Run a server that cannot write to any file, and wait until it answers."""
    command = ("-m", "tinydigits", "serve", "--port", "0", *options)
    with started(*command, before=_forbid_files) as process:
        port = port_in(wait_for("serving", process.stderr))
        log, events = Log(process.stdout), Log(process.stderr)
        yield Server(process, port, log)
        process.kill()
        for each in (log, events):
            each.thread.join()


def port_in(line: str) -> int:
    """Return the port in the first line of a server."""
    return int(re.findall(r"http://127\.0\.0\.1:(\d+)", line)[0])


def _forbid_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
