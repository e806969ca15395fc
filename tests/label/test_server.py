"""The server: what it tells and saves, and whose requests it refuses."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.label.conftest import labelled
from tests.pictures import drawn
from tinydigits.label.page import page
from tinydigits.label.server import LARGEST, application
from tinydigits.label.session import Session

TOKEN = "the-token"
HOST = "127.0.0.1:8001"
OWN = f"http://{HOST}"


@pytest.fixture
def session(begin: Callable[[], Session]) -> Session:
    return begin()


@pytest.fixture
def finished() -> list[bool]:
    return []


@pytest.fixture
def client(session: Session, finished: list[bool]) -> Iterator[TestClient]:
    """A tab of the page."""
    content = page("tinydigits label a&b", "tinydigits train --data out")
    app = application(session, content, TOKEN, lambda: finished.append(True))
    with TestClient(app, f"{OWN}/{TOKEN}/", headers={"origin": OWN}) as client:
        yield client


def decide(client: TestClient, picture: Any, label: Any) -> Any:
    asked = {"key": picture["key"], "label": label, "was": picture["label"]}
    return client.post("decide", json=asked)


def test_the_page_allows_nothing_but_its_own_server(client: TestClient) -> None:
    answer = client.get("")
    assert answer.status_code == 200
    assert "label a&amp;b</code>" in answer.text
    policy = answer.headers["content-security-policy"]
    allowed = dict(each.split(" ", 1) for each in policy.split("; "))
    assert allowed.pop("style-src").startswith("'sha256-")
    assert allowed.pop("script-src").startswith("'sha256-")
    assert allowed == {
        "default-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "frame-ancestors": "'none'",
    }
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


def test_a_picture_is_told_with_its_answer_and_counted_when_decided(
    client: TestClient, tmp_path: Path
) -> None:
    told = client.get("state").json()
    assert (told["total"], told["left"], told["labelled"], told["none"]) == (4, 4, 0, 0)
    two, one = told["next"]
    assert (two["file"], two["digit"]) == ("two.png", None)
    assert two["reason"] == "there is more than one digit"
    assert (one["file"], one["digit"], one["probability"]) == ("b/1.png", 1, 0.6)
    assert one["seen"].startswith("data:image/png;base64,")
    decide(client, two, "none")
    told = decide(client, one, 2).json()
    assert (told["total"], told["left"], told["labelled"], told["none"]) == (4, 2, 1, 1)
    assert [(each["file"], each["label"]) for each in told["recent"]] == [
        ("b/1.png", 2),
        ("two.png", "none"),
    ]
    assert list(labelled(tmp_path / "out")) == ["2/1"]


def test_two_tabs_see_the_same_and_the_second_decision_is_refused(
    client: TestClient, tmp_path: Path
) -> None:
    _, first = client.get("state").json()["next"]
    assert decide(client, first, 2).status_code == 200
    answer = decide(client, first, 3)  # as the other tab still shows it
    assert answer.status_code == 409
    assert answer.json() == client.get("state").json()  # what the tab then shows
    assert client.post("postpone", json={"key": first["key"]}).status_code == 409
    assert list(labelled(tmp_path / "out")) == ["2/1"]


def test_undo_asks_again_at_once(client: TestClient, tmp_path: Path) -> None:
    two, one = client.get("state").json()["next"]
    told = decide(client, one, 2).json()
    told = decide(client, told["recent"][0], None).json()
    assert [each["file"] for each in told["next"]] == ["b/1.png", "two.png"]
    assert labelled(tmp_path / "out") == {}
    told = client.post("postpone", json={"key": one["key"]}).json()
    assert told["next"][0]["key"] == two["key"]


def test_pictures_are_shown_upright_and_not_too_large(
    client: TestClient, session: Session, scans: Path
) -> None:
    key = session.left[0]
    exif = Image.Exif()
    exif[0x0112] = 6  # turned to the right
    large = drawn(3, size=(2 * LARGEST, LARGEST), mode="RGB")
    large.save(session.scans[key].file, "PNG", exif=exif)
    answer = client.get(f"pictures/{key}")
    assert Image.open(io.BytesIO(answer.content)).size == (LARGEST // 2, LARGEST)
    assert "immutable" in answer.headers["cache-control"]
    assert client.get("pictures/unknown").status_code == 404
    (scans / "two.png").unlink()
    answer = client.get(f"pictures/{key}")
    assert (answer.status_code, answer.text.count("\n")) == (500, 0)


def test_a_decision_that_cannot_be_saved_is_told(
    client: TestClient, session: Session, tmp_path: Path
) -> None:
    (tmp_path / "out" / "2").write_bytes(b"in the way")
    _, one = client.get("state").json()["next"]
    answer = decide(client, one, 2)
    assert answer.status_code == 500
    assert answer.text.startswith("cannot write ")
    assert session.decided == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"oops",
        b"[]",
        b"{}",
        b'{"key": 3}',
        b'{"key": "a", "label": 10}',
        b'{"key": "a", "label": true}',
        b'{"key": "a", "label": 3.0}',
        b'{"key": "a", "label": [3]}',
        b'{"key": "a", "was": "nine"}',
        b'{"key": "a"' + 2_000 * b" " + b"}",
        b'{"key": ' + 400 * b"[" + 400 * b"]" + b"}",
    ],
)
def test_what_the_page_does_not_send_is_refused(client: TestClient, body: bytes) -> None:
    assert client.post("decide", content=body).status_code == 400


def test_finishing_ends_the_server(client: TestClient, finished: list[bool]) -> None:
    assert client.post("finish", json={}).json()["left"] == 4
    assert finished == [True]


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"host": "evil.example"}, "open the page at 127.0.0.1"),  # a name of the attacker's
        ({"host": "evil.example:8001", "origin": "http://evil.example:8001"}, "open the page at"),
        ({"host": "127.0.0.1.evil.example"}, "open the page at 127.0.0.1"),
        ({"host": ""}, "open the page at 127.0.0.1"),
        ({"origin": "http://evil.example"}, "does not come from the page itself"),
        ({"origin": "http://127.0.0.1:9999"}, "does not come from the page itself"),
        ({"origin": "https://127.0.0.1:8001"}, "does not come from the page itself"),
        ({"origin": "null"}, "does not come from the page itself"),
        ({"origin": ""}, "does not come from the page itself"),
    ],
)
def test_requests_of_other_sites_change_nothing(
    client: TestClient, session: Session, headers: dict[str, str], words: str
) -> None:
    asked = {"key": session.left[0], "label": 3, "was": None}
    for path in ("decide", "postpone", "finish"):
        answer = client.post(path, json=asked, headers=headers)
        assert (answer.status_code, answer.text.count("\n")) == (403, 1)
        assert words in answer.text
    assert session.decided == {}


@pytest.mark.parametrize(
    "path", ["/", "//", "/state", "/decide", "/the-toke/state", "/the-token\u00e9/"]
)
def test_nobody_without_the_token_sees_or_changes_anything(client: TestClient, path: str) -> None:
    for answer in (client.get(f"{OWN}{path}"), client.post(f"{OWN}{path}", json={})):
        assert answer.status_code == 403
        assert "open the one that the command printed last" in answer.text


def test_other_names_of_this_machine_and_forwarded_ports_are_allowed(
    client: TestClient, session: Session
) -> None:
    asked = {"key": session.left[0], "label": "none", "was": None}
    headers = {"host": "localhost:9000", "origin": "http://localhost:9000"}
    assert client.post("decide", json=asked, headers=headers).status_code == 200
