"""The server as a process: stopped, attacked, watched, and opened in a browser."""

import json
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

import pytest
import uvicorn
from PIL import Image

from tests.conftest import ROOT, need
from tests.pictures import drawn
from tests.processes import started, wait_for
from tests.serve.test_api import DIGITS, LABELS, file_of
from tests.serving import Log, Server, port_in, server
from tinydigits.cli import main
from tinydigits.serve import limits
from tinydigits.serve.served import served_net
from tinydigits.serve.server import configuration

pytest.importorskip("playwright", reason="no playwright: pip install playwright")
from playwright.sync_api import Browser, Page, expect

from tests.drawing import expect_answer, write

SUBPATH = re.findall(
    r"^location /digits/ \{\n    proxy_pass http://127.0.0.1:8000/;\n\}$",
    (ROOT / "docs" / "guide" / "serving.md").read_text(),
    re.MULTILINE,
)
BODY = json.dumps({"images": [DIGITS[0].ravel().tolist()]}).encode()
MEMORY = 300e6  # most bytes of memory after any request; a new server holds 140e6


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    """One server for all attacks: it must still answer, without any 5xx and without growing."""
    with server() as running:
        yield running
        assert digit_of(post(running)) == LABELS[0]
        assert not [each for each in running.log.requests() if each["status"] >= 500]
        assert running.resident() < MEMORY
        assert running.process.poll() is None


def post(running: Server, body: bytes = BODY, kind: str = "application/json") -> bytes:
    request = urllib.request.Request(f"{running.url}/predict", body, {"content-type": kind})
    with urllib.request.urlopen(request, timeout=30) as answer:
        content: bytes = answer.read()
        return content


def digit_of(content: bytes) -> int:
    digit: int = json.loads(content)["predictions"][0]["digit"]
    return digit


def text_of(running: Server, path: str) -> str:
    with urllib.request.urlopen(running.url + path, timeout=30) as answer:
        text: str = answer.read().decode()
        return text


def head(body: bytes, *more: str) -> bytes:
    lines = [
        "POST /predict HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def connection(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def listens(port: int) -> bool:
    try:
        connection(port).close()
    except ConnectionError:
        return False
    return True


def everything(connected: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    received = b""
    try:
        while part := connected.recv(65536):
            received += part
    except ConnectionResetError:
        pass
    return received


def test_the_api_keeps_what_its_schema_promises(running: Server, tmp_path: Path) -> None:
    """Requests that the schema allows get the documented answers; others are refused."""
    # A wrong scale is refused, which no schema describes.
    (tmp_path / "schemathesis.toml").write_text(
        '[checks.positive_data_acceptance]\nexpected-statuses = ["2xx", 422]\n'
    )
    program = "from schemathesis.cli import schemathesis; schemathesis()"
    options = ["--max-examples", "25", "--seed", "1", "--no-color"]
    ran = subprocess.run(
        [sys.executable, "-c", program, "run", f"{running.url}/openapi.json", *options],
        cwd=tmp_path,  # schemathesis writes a folder there
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout
    assert "Tested: 4" in ran.stdout


def test_torch_is_not_loaded_and_little_memory_is_taken(running: Server) -> None:
    maps = Path(f"/proc/{running.process.pid}/maps").read_text()
    assert "onnxruntime" in maps
    assert "torch" not in maps


def test_random_bytes_as_pictures_are_answered(running: Server) -> None:
    rng = random.Random(0)
    forms = [form for form in limits.FORMATS if form in Image.SAVE]
    whole = [file_of(drawn(digit), form) for digit in (3, 8) for form in forms]
    for _ in range(60):
        content = bytearray(rng.choice(whole))
        for _ in range(rng.randrange(1, 30)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        files = [
            bytes(content),
            rng.randbytes(rng.randrange(2_000)),
            bytes(content)[: rng.randrange(500)],
        ]
        parts = [
            b'--a\r\nContent-Disposition: form-data; name="files"; filename="x"\r\n\r\n'
            + each
            + b"\r\n"
            for each in files
        ]
        answer = post(running, b"".join([*parts, b"--a--\r\n"]), "multipart/form-data; boundary=a")
        found = json.loads(answer)["predictions"]
        assert len(found) == len(files)
        assert not any("\n" in each.get("error", "") for each in found)


def test_bytes_that_are_no_requests_end_the_connection(running: Server) -> None:
    rng = random.Random(1)
    for _ in range(50):
        with connection(running.port) as connected:
            connected.sendall(rng.randbytes(rng.randrange(1, 3_000)) + b"\r\n\r\n")
            connected.shutdown(socket.SHUT_WR)
            answer = everything(connected)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


def test_connections_that_are_dropped_anywhere_do_no_harm(running: Server) -> None:
    rng = random.Random(2)
    request = head(BODY) + BODY
    for _ in range(50):
        with connection(running.port) as connected:
            connected.sendall(request[: rng.randrange(1, len(request))])


def test_whoever_has_sent_all_and_closes_that_half_gets_an_answer(running: Server) -> None:
    with connection(running.port) as connected:
        connected.sendall(head(BODY) + BODY)
        connected.shutdown(socket.SHUT_WR)
        answer = everything(connected)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert digit_of(answer.partition(b"\r\n\r\n")[2]) == LABELS[0]


def test_whoever_sends_half_a_body_and_closes_that_half_gets_nothing(running: Server) -> None:
    with connection(running.port) as connected:
        connected.sendall(head(BODY) + BODY[:100])
        connected.shutdown(socket.SHUT_WR)
        assert everything(connected) == b""


def test_a_body_that_is_announced_too_large_is_not_read(running: Server) -> None:
    with connection(running.port) as connected:
        connected.sendall(head(b"").replace(b"Length: 0", b"Length: 99999999999"))
        answer = everything(connected)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer


def test_requests_in_one_go_are_answered_in_their_order(running: Server) -> None:
    bodies = [json.dumps({"images": [DIGITS[n].tolist()]}).encode() for n in range(5)]
    with connection(running.port) as connected:
        requests = [head(body) + body for body in bodies[:-1]]
        requests += [head(bodies[-1], "Connection: close") + bodies[-1]]
        connected.sendall(b"".join(requests))
        answers = everything(connected).split(b"HTTP/1.1 ")[1:]
    assert [digit_of(each.partition(b"\r\n\r\n")[2]) for each in answers] == LABELS[:5].tolist()


def test_large_bodies_at_once_leave_memory_as_it_was(running: Server) -> None:
    body = BODY[:-2] + (limits.MOST_BYTES - len(BODY)) * b" " + BODY[-2:]
    answers = list[bytes]()

    def send() -> None:
        answers.append(post(running, body))

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [digit_of(answer) for answer in answers] == 6 * [LABELS[0]]


def test_a_line_of_json_is_logged_for_each_request(running: Server) -> None:
    headers = {"content-type": "application/json", "x-request-id": "a-request-of-mine"}
    large = BODY[:-2] + 200_000 * b" " + BODY[-2:]  # arrives in several parts
    request = urllib.request.Request(f"{running.url}/predict", large, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.headers["x-request-id"] == "a-request-of-mine"
        assert "server" not in answer.headers
        sent = len(answer.read())
    line = running.log.wait_for("a-request-of-mine")
    assert line.pop("time") < datetime.now(timezone.utc).isoformat()
    assert line.pop("ms") > 0
    assert line == {
        "id": "a-request-of-mine",
        "client": "127.0.0.1",
        "method": "POST",
        "path": "/predict",
        "status": 200,
        "received": len(large),
        "sent": sent,
    }


@pytest.fixture
def page(running: Server, browser: Browser) -> Iterator[Page]:
    """A page whose requests all go to the server, and which reports no error."""
    page = browser.new_page()
    faults, asked = list[str](), list[str]()
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    yield page
    page.close()
    assert not faults
    assert asked
    assert all(url.startswith((running.url, "data:")) for url in asked)


def test_the_page_reads_a_drawn_digit(running: Server, page: Page) -> None:
    page.goto(running.url)
    write(page, 5)
    expect_answer(page, 5)


def test_the_api_can_be_called_from_the_page(running: Server, page: Page) -> None:
    page.goto(running.url)
    found = page.evaluate(
        """async (images) => {
          const headers = { "content-type": "application/json" };
          const body = JSON.stringify({ images });
          const answer = await fetch("predict", { method: "POST", headers, body });
          return (await answer.json()).predictions.map(({ digit }) => digit);
        }""",
        DIGITS.tolist(),
    )
    assert found == LABELS.tolist()


@pytest.fixture(scope="module")
def proxied(running: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the server below a path of nginx, which the server does not know."""
    need("nginx", "nginx")
    folder = tmp_path_factory.mktemp("nginx")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    lines = [f"{kind}_temp_path {kind};" for kind in kinds]
    lines += ["access_log off;", f"server {{ listen 127.0.0.1:{port};", *SUBPATH, "}"]
    (folder / "nginx.conf").write_text(
        "pid pid; daemon off; master_process off; error_log stderr;\n"
        "events {}\nhttp {\n" + "\n".join(lines).replace("8000", str(running.port)) + "\n}\n"
    )
    command = ["nginx", "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not listens(port):
            assert process.poll() is None
        yield f"http://127.0.0.1:{port}/digits"
        process.terminate()


def test_pages_work_below_a_path_of_a_proxy(proxied: str, browser: Browser) -> None:
    page = browser.new_page()
    asked = list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{proxied}/")
    write(page, 5)
    expect_answer(page, 5)
    page.goto(f"{proxied}/docs/")
    execute(page)
    page.close()
    assert f"{proxied}/predict" in asked
    assert [url for url in asked if not url.startswith((proxied, "data:"))] == []


def test_the_documents_example_works_when_clicked(running: Server, page: Page) -> None:
    page.goto(f"{running.url}/docs")
    execute(page)


def execute(page: Page) -> None:
    """Send the example from the documentation."""
    page.locator("#operations-digits-predict_predict_post").click()
    page.get_by_role("button", name="Execute").click()
    answer = page.locator(".live-responses-table")
    expect(answer.locator(".response-col_status").last).to_contain_text("200")
    expect(answer).to_contain_text('"probabilities"')


@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGINT])
def test_requests_under_way_are_answered_before_the_end(ended_by: signal.Signals) -> None:
    with server() as running, connection(running.port) as connected:
        connected.sendall(head(BODY, "Expect: 100-continue"))
        assert connected.recv(1_000).startswith(b"HTTP/1.1 100 ")  # the request is being read
        running.process.send_signal(ended_by)
        while listens(running.port):  # while the request under way is still read
            continue
        connected.sendall(BODY)
        answer = everything(connected)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert digit_of(answer.partition(b"\r\n\r\n")[2]) == LABELS[0]
        assert running.process.wait(30) == (0 if ended_by == signal.SIGTERM else 130)


NOTEBOOK = """
import asyncio, signal, sys, warnings
from tinydigits.cli import main

def handlers():
    return [signal.getsignal(each) for each in signal.valid_signals()]

async def cell():
    before = handlers()
    code = main(["serve", "--port", "0", *sys.argv[1:]])
    print(code, handlers() == before, warnings.filters[0] != ("ignore", None, Warning, None, 0))

if __name__ == "__main__":
    asyncio.new_event_loop().run_until_complete(cell())
"""


@pytest.mark.parametrize(
    ("ended_by", "workers", "code"),
    [(signal.SIGINT, "1", 130), (signal.SIGTERM, "1", 0), (signal.SIGINT, "2", 0)],
)
def test_a_notebooks_cell_serves_until_it_is_interrupted(
    tmp_path: Path, ended_by: signal.Signals, workers: str, code: int
) -> None:
    script = tmp_path / "notebook.py"
    script.write_text(NOTEBOOK)
    with started(str(script), "--workers", workers) as process:
        port = port_in(wait_for("serving", process.stderr))
        running = Server(process, port, Log(process.stdout))
        assert digit_of(post(running)) == LABELS[0]
        process.send_signal(ended_by)
        assert process.wait(30) == 0
        running.log.thread.join()
        assert running.log.lines[-1] == f"{code} True True\n"


def test_several_workers_are_refused_where_no_signal_arrives(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ThreadPoolExecutor(1) as other:
        assert other.submit(main, ["serve", "--workers", "2"]).result() == 2
    assert "--workers is 2, but must be 1 outside the main thread" in capsys.readouterr().err


def test_several_workers_count_together_and_end_together(tmp_path: Path) -> None:
    command = ("-m", "tinydigits", "serve", "--port", "0", "--workers", "2")
    with started(*command, environment={"TMPDIR": str(tmp_path)}) as process:
        port = port_in(wait_for("serving", process.stderr))
        running = Server(process, port, Log(process.stdout))
        assert [digit_of(post(running)) for _ in range(40)] == 40 * [LABELS[0]]
        total = 'tinydigits_requests_total{method="POST",path="/predict",status="200"} 40.0'
        assert [total in text_of(running, "/metrics") for _ in range(8)] == 8 * [True]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert not listens(port)
    assert not list(tmp_path.iterdir())


WORKERS_THAT_DIE = """
import os, socket
from tinydigits.serve.server import Workers, configuration

class Fatal:
    def __reduce__(self):
        return os._exit, (3,)  # ends the process that unpickles it, before it answers anything

if __name__ == "__main__":
    Workers(configuration(Fatal(), 2), [socket.create_server(("127.0.0.1", 0))]).run()
"""


def test_workers_that_die_while_they_start_are_not_waited_for(tmp_path: Path) -> None:
    script = tmp_path / "workers.py"
    script.write_text(WORKERS_THAT_DIE)
    with started(str(script)) as process:
        assert process.wait(limits.WORKER_SECONDS - 15) == 0
        wait_for("failed to start", process.stderr)


def test_wrong_options_get_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for options, words in [
            (["--port", port], f"cannot listen on 127.0.0.1, port {port}: Address already in use"),
            (["--port", "0", "--host", "no.such.host.invalid"], "cannot listen on no.such.host"),
            (["--port", "65536"], "--port is 65536, but must be from 0 to 65535"),
            (["--workers", "0"], "--workers is 0, but must be at least 1"),
            (["--model", "gone.pth"], "there is no gone.pth: expected the path of a checkpoint"),
            (["--model", str(ROOT / "README.md")], "README.md"),
        ]:
            assert main(["serve", *options]) == 2
            told = capsys.readouterr().err
            assert told.count("\n") == 1
            assert words in told


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server, in this process, that waits only briefly for headers."""
    monkeypatch.setattr(limits, "HEADER_SECONDS", 0.2)
    served = uvicorn.Server(configuration(served_net("people")))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=served.run, args=([listening],))
        thread.start()
        yield listening.getsockname()[1]
        served.should_exit = True
        thread.join()


@pytest.mark.parametrize("sent", [b"", b"POST /predict HT", head(BODY)[:-2]])
def test_headers_that_do_not_come_are_not_waited_for(impatient: int, sent: bytes) -> None:
    with connection(impatient) as connected:
        connected.sendall(sent)
        assert everything(connected) == b""


def test_a_second_requests_headers_are_not_waited_for_either(impatient: int) -> None:
    with connection(impatient) as connected:
        connected.sendall(head(BODY) + BODY + b"POST /predict HT")
        assert everything(connected).count(b"HTTP/1.1 200 ") == 1


def test_a_body_may_take_longer_than_headers(impatient: int) -> None:
    with connection(impatient) as connected:
        connected.sendall(head(BODY))
        connected.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connected.recv(1)
        connected.sendall(BODY)
        assert connected.recv(1_000).startswith(b"HTTP/1.1 200 ")


def test_headers_that_trickle_in_are_not_waited_for(impatient: int) -> None:
    with connection(impatient) as connected:
        connected.settimeout(0.05)  # between two bytes: the headers take minutes
        assert any(is_closed_after(byte, connected) for byte in 10 * head(BODY))


def is_closed_after(byte: int, connected: socket.socket) -> bool:
    try:
        connected.send(bytes([byte]))
        return connected.recv(1) == b""
    except (ConnectionResetError, BrokenPipeError):
        return True
    except TimeoutError:
        return False


def test_a_second_request_may_take_as_long_as_the_first(impatient: int) -> None:
    with connection(impatient) as connected:
        for more in ((), ("Connection: close",)):
            connected.sendall(head(BODY, *more) + BODY)
        assert everything(connected).count(b"HTTP/1.1 200 ") == 2


def test_the_wheels_extra_names_what_the_server_imports() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    extra = project.partition("serve = [")[2].partition("]")[0]
    assert {"fastapi", "uvicorn", "onnxruntime", "onnx"} <= {
        line.strip(' ",').partition(">=")[0] for line in extra.splitlines()
    }
    assert "torch" not in extra


def test_a_missing_extra_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in [name for name in sys.modules if name.startswith("tinydigits.serve")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve"]) == 2
    assert "pip install 'tinydigits[serve]'" in capsys.readouterr().err
