"""Load ``tinydigits serve`` over loopback: requests per second, latencies, memory.

Starts a server with one worker and sends it MNIST's test digits, one picture as JSON per request.
A round has three loads: full load, from a few connections that each wait for an answer before they
send again; a fixed rate; and half of the full load's rate. The last two send at random moments
without waiting, so that a slow answer delays no later request; their latencies count from the
moment a request was due. Then 50,000 more requests are sent while the server's resident memory is
measured. Every answer is compared with the net's. Client and server share the machine's cores.

    python benchmarks/serve.py --out records/<date>-serve
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import numpy as np
from tqdm import tqdm

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.data.dataset import load_dataset
from tinydigits.data.sources import mnist_folder
from tinydigits.errors import exit_code
from tinydigits.files import write_json
from tinydigits.net.inference import infer
from tinydigits.net.trained import load
from tinydigits.train import hardware

CONNECTIONS = 8
PICTURES = 500  # distinct ones, sent repeatedly
WARM_UP = 1000  # requests before the measurement
SAMPLES = 10  # memory readings over all requests


@dataclass(frozen=True)
class Request:
    """A request, and the digit expected in its answer."""

    content: bytes
    digit: int


@dataclass
class Load:
    """The result of a series of requests."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    """Of each request, in seconds."""
    errors: int = 0
    """Answers with a status other than 200 or a digit other than the net's."""

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds

    def milliseconds(self, share: float) -> float:
        """Return the latency in milliseconds that a share (0 to 1) of the requests stays below."""
        return 1000 * float(np.quantile(self.latencies, share))


@contextmanager
def server(model: str) -> Iterator[tuple[int, int]]:
    """Run a server with one worker; yield its process id and port."""
    command = [sys.executable, "-m", "tinydigits", "serve", "--port", "0", "--model", model]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        if not found:
            sys.exit(f"the server did not start: {line}")
        yield process.pid, int(found[1])
    finally:
        process.terminate()
        process.wait()


def requests(model: str, data_dir: Path) -> list[Request]:
    """Return the requests to send, each with the net's answer."""
    digits = load_dataset("mnist", data_dir).test.images[:PICTURES]
    answers = infer(load(model), digits).argmax(dim=1).tolist()
    return [
        Request(_content(pixels.flatten().tolist()), digit)
        for pixels, digit in zip(digits, answers, strict=True)
    ]


def _content(pixels: list[int]) -> bytes:
    body = json.dumps({"images": [pixels]}).encode()
    head = (
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection:
    """A kept-alive connection for one request after another."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def open(self) -> "Connection":
        """Connect."""
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def ask(self, request: Request) -> bool:
        """Send a request; return whether the answer is right."""
        self.writer.write(request.content)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None
        body = await self.reader.readexactly(int(length[1]))
        if not head.startswith(b"HTTP/1.1 200 "):
            return False
        return bool(json.loads(body)["predictions"][0]["digit"] == request.digit)


async def as_many_as_it_answers(port: int, asked: Iterator[Request], count: int) -> Load:
    """Send ``count`` requests from a few connections, each after the answer to the last."""
    connections = [await Connection(port).open() for _ in range(CONNECTIONS)]
    load, left = Load(), iter(range(count))

    async def work(connection: Connection) -> None:
        for _ in left:
            began = time.perf_counter()
            load.errors += not await connection.ask(next(asked))
            load.latencies.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*map(work, connections))
    load.seconds = time.perf_counter() - began
    return load


async def at_a_rate(port: int, asked: Iterator[Request], rate: float, seconds: float) -> Load:
    """Send requests as a Poisson process, over as many connections as needed."""
    load, idle = Load(seconds=seconds), list[Connection]()
    gaps = np.random.default_rng(0).exponential(1 / rate, round(rate * seconds))
    began = time.perf_counter()

    async def one(due: float) -> None:
        connection = idle.pop() if idle else await Connection(port).open()
        load.errors += not await connection.ask(next(asked))
        load.latencies.append(time.perf_counter() - due)
        idle.append(connection)

    tasks = []
    for due in began + np.cumsum(gaps):
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(due)))
    await asyncio.gather(*tasks)
    return load


def resident(process: int) -> int:
    """Return the resident memory of a process in bytes."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(port: int, asked: Iterator[Request], rate: float, seconds: float) -> dict[str, Load]:
    """Return one round: full load, a fixed rate, and half of the full load's rate."""
    trial = asyncio.run(as_many_as_it_answers(port, asked, WARM_UP))
    most = asyncio.run(as_many_as_it_answers(port, asked, round(trial.rate * seconds)))
    return {
        "most": most,
        "fixed": asyncio.run(at_a_rate(port, asked, rate, seconds)),
        "half": asyncio.run(at_a_rate(port, asked, most.rate / 2, seconds)),
    }


def figures(load: Load) -> dict[str, float]:
    """Return a load's figures for the record: rate per second, latencies in milliseconds."""
    return {"rate": load.rate, "p50": load.milliseconds(0.5), "p99": load.milliseconds(0.99)}


def line(name: str, rounds: list[dict[str, dict[str, float]]]) -> str:
    """Return a load's figures as text: medians of the rounds, and the range of the 99 %."""
    found = [each[name] for each in rounds]
    rate, p50, p99 = (statistics.median(each[key] for each in found) for key in found[0])
    worst = [each["p99"] for each in found]
    return (
        f"{rate:.0f} a second: half answered within {p50:.1f} ms, 99 % within {p99:.1f} ms "
        f"({min(worst):.1f} to {max(worst):.1f})"
    )


def main() -> None:
    """Print the figures, and write them to ``--out``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="people", help="a recipe's name or a checkpoint")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="seconds per load")
    parser.add_argument(
        "--rate", type=float, default=200.0, help="requests per second of the fixed load"
    )
    parser.add_argument(
        "--requests", type=int, default=50_000, help="requests sent while memory is measured"
    )
    parser.add_argument("--data-dir", type=Path, default=mnist_folder())
    parser.add_argument("--out", type=Path, help="folder for result.json")
    options = parser.parse_args()

    asked = cycle(requests(options.model, options.data_dir))
    with server(options.model) as (process, port):
        loads = [
            measure(port, asked, options.rate, options.seconds)
            for _ in tqdm(range(options.rounds), unit="round")
        ]
        memory, some = [resident(process)], options.requests // SAMPLES
        many = list[Load]()
        for _ in tqdm(range(SAMPLES), unit="sample"):
            many.append(asyncio.run(as_many_as_it_answers(port, asked, some)))
            memory.append(resident(process))
    rounds = [{name: figures(load) for name, load in each.items()} for each in loads]
    every = [load for each in loads for load in each.values()] + many
    result = {
        "rounds": rounds,
        "requests": sum(len(load.latencies) for load in every),
        "errors": sum(load.errors for load in every),
        "memory": memory,
    }
    print(f"full load, from {CONNECTIONS} connections: {line('most', rounds)}")
    print(f"fixed rate, at random moments: {line('fixed', rounds)}")
    print(f"half of the full load, at random moments: {line('half', rounds)}")
    print(
        f"{result['requests']:,} requests, {result['errors']} errors; resident memory "
        f"{memory[0] / 1e6:.1f} MB, after {SAMPLES * some:,} more {memory[-1] / 1e6:.1f} MB"
    )
    if options.out:
        environment = hardware.environment(hardware.choose("cpu", "fp32"))
        write_json(options.out / "result.json", {**result, "environment": environment})


if __name__ == "__main__":
    sys.exit(exit_code(main))
