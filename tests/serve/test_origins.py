"""Pages of other sites that call the API."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.serve.test_api import DIGITS, LABELS, error_of
from tests.serving import Server, server
from tinydigits.cli import main
from tinydigits.serve import api, limits
from tinydigits.serve.served import ServedNet

MINE, OTHER = "https://digits.example", "https://other.example"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-encoding,content-type,x-request-id",
}
ALLOWED = "access-control-allow-origin"


def client_of(net: ServedNet, *origins: str) -> TestClient:
    return TestClient(api.application(net, origins), raise_server_exceptions=False)


def preflight(client: TestClient, origin: str, path: str = "/predict") -> Any:
    return client.options(path, headers={"origin": origin, **PREFLIGHT})


def test_no_other_site_is_allowed_by_default(client: TestClient) -> None:
    assert preflight(client, MINE).status_code == 405
    answer = client.post("/predict", json={"images": [784 * [0]]}, headers={"origin": MINE})
    assert answer.status_code == 200
    assert ALLOWED not in answer.headers


def test_named_sites_are_allowed_and_no_others(net: ServedNet) -> None:
    client = client_of(net, MINE, "http://localhost:3000")
    for origin in (MINE, "http://localhost:3000"):
        answer = preflight(client, origin)
        assert (answer.status_code, answer.headers[ALLOWED]) == (200, origin)
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert "Origin" in answer.headers["vary"]
        assert client.get("/healthz", headers={"origin": origin}).headers[ALLOWED] == origin
    for origin in (OTHER, "null", "http://localhost", f"{MINE}.evil.example"):
        assert ALLOWED not in preflight(client, origin).headers
        assert ALLOWED not in client.get("/healthz", headers={"origin": origin}).headers


def test_a_star_allows_all_sites(net: ServedNet) -> None:
    client = client_of(net, "*")
    for origin in (MINE, OTHER, "null"):
        assert preflight(client, origin).headers[ALLOWED] == "*"
        assert client.get("/healthz", headers={"origin": origin}).headers[ALLOWED] == "*"


def test_refusals_and_failures_can_be_read_too(
    net: ServedNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(net, MINE)
    headers = {"origin": MINE, "content-type": "application/json"}
    answers = [
        client.post("/predict", content=content, headers={**headers, **more})
        for content, more in [
            (b"{}", {}),
            (b"{", {}),
            (b"", {"content-type": "text/plain"}),
            (b"", {"content-encoding": "br"}),
            (b" " * (limits.MOST_BYTES + 1), {}),
        ]
    ]
    answers.append(client.get("/nothing", headers=headers))
    answers.append(client.get("/predict", headers=headers))
    monkeypatch.setattr(api, "probabilities", None)
    answers.append(client.get("/healthz", headers=headers))
    assert [each.status_code for each in answers] == [422, 400, 415, 415, 413, 404, 405, 500]
    for answer in answers:
        assert error_of(answer)
        assert answer.headers[ALLOWED] == MINE
        assert "x-request-id" in answer.headers["access-control-expose-headers"].lower()
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        ("digits.example", "expected scheme://host or scheme://host:port, such as https://"),
        ("", "expected scheme://host"),
        ("null", "expected scheme://host"),
        ("https://", "expected scheme://host"),
        ("https://*.example", "expected scheme://host"),
        ("https://a b.example", "expected scheme://host"),
        ("https://digits.example:99999", "expected scheme://host"),
        ("https://[::1", "expected scheme://host"),
        ("https://digits.example/", "browsers send 'https://digits.example': type that"),
        ("https://digits.example/app?a#b", "browsers send 'https://digits.example'"),
        ("https://Digits.example:443", "browsers send 'https://digits.example'"),
        ("http://me@digits.example:80", "browsers send 'http://digits.example'"),
    ],
)
def test_what_no_browser_sends_is_refused(
    capsys: pytest.CaptureFixture[str], origin: str, words: str
) -> None:
    assert main(["serve", "--allow-origin", MINE, "--allow-origin", origin]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: --allow-origin is {origin!r}")
    assert words in told
    assert told.count("\n") == 1


class Blank(BaseHTTPRequestHandler):
    """A site with one empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[int]:
    """The port of another site."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Blank) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        yield other.server_port
        other.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def shared(site: int) -> Iterator[Server]:
    with server("--allow-origin", MINE, "--allow-origin", f"http://127.0.0.1:{site}") as running:
        yield running


@pytest.mark.parametrize(("host", "is_allowed"), [("127.0.0.1", True), ("localhost", False)])
def test_a_page_of_another_site_calls_the_api(
    shared: Server, site: int, browser: Any, host: str, is_allowed: bool
) -> None:
    page = browser.new_page()
    page.goto(f"http://{host}:{site}/")
    found = page.evaluate(
        """async ([url, body, wrong]) => {
          const headers = { "content-type": "application/json", "x-request-id": "mine" };
          const ask = (body) => fetch(url, { method: "POST", headers, body });
          try {
            const answers = [await ask(body), await ask(wrong)];
            const told = [];
            for (const each of answers)
              told.push([each.status, each.headers.get("x-request-id"), await each.json()]);
            return told;
          } catch (error) { return error.name; }
        }""",
        [f"{shared.url}/predict", json.dumps({"images": DIGITS[:1].tolist()}), "{}"],
    )
    page.close()
    if not is_allowed:
        assert found == "TypeError"
        return
    (right, name, answer), (wrong, _, refusal) = found
    assert (right, name, wrong) == (200, "mine", 422)
    assert answer["predictions"][0]["digit"] == LABELS[0]
    assert refusal == {"error": "images: Field required"}
