"""``POST /read``: whole numbers, in every kind of body, as ``tinydigits.read`` reads them."""

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

import tinydigits
from tests.pictures import page, row
from tests.serve.test_api import DIGITS, error_of, file_of, form_of, sums
from tinydigits.reading import page as reading
from tinydigits.serve import api

TWO = page("407", "38")
FILE = file_of(TWO)
TEXT = base64.b64encode(FILE).decode()


def pages_of(answer: Any) -> list[Any]:
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["pages"]
    pages: list[Any] = answer.json()["pages"]
    return pages


def test_it_reads_what_python_reads(client: TestClient) -> None:
    (found,) = pages_of(client.post("/read", files=form_of(two=FILE)))
    assert {key: found[key] for key in ("file", "text")} == {"file": "two", "text": "407\n38"}
    expected = tinydigits.read(TWO)
    assert len(found["lines"]) == len(expected.lines)
    for line, other in zip(found["lines"], expected.lines, strict=True):
        assert (line["text"], line["box"]) == (other.text, list(other.box))
        assert line["probability"] == pytest.approx(other.probability, abs=1e-3)
        told = [(each["digit"], each["box"]) for each in line["digits"]]
        assert told == [(each.digit, list(each.box)) for each in other.digits]
        sure = [each["probability"] for each in line["digits"]]
        assert sure == pytest.approx([each.probability for each in other.digits], abs=1e-3)


def test_bodies_are_those_of_predict(client: TestClient) -> None:
    raw = client.post("/read", content=FILE, headers={"content-type": "image/png"})
    url = f"data:image/png;base64,{TEXT}"
    texts = client.post("/read", json={"images": [TEXT, url]})
    (named,) = pages_of(client.post("/read", files=form_of(two=FILE)))
    assert named.pop("file") == "two"
    assert pages_of(raw) == pages_of(texts)[:1] == pages_of(texts)[1:] == [named]


def test_numbers_are_a_picture_of_28_pixels(client: TestClient) -> None:
    images = [*DIGITS.tolist(), TEXT, DIGITS[0].ravel().tolist()]
    found = pages_of(client.post("/read", json={"images": images}))
    expected = [tinydigits.read(Image.fromarray(each)).text for each in DIGITS]
    assert [each["text"] for each in found] == [*expected, "407\n38", expected[0]]
    assert sum(len(text) == 1 for text in expected) > len(expected) / 2


def test_what_is_wrong_with_a_file_is_told_beside_the_others(client: TestClient) -> None:
    answer = client.post(
        "/read",
        files=form_of(
            notes=b"no picture",
            two=FILE,
            half=FILE[:200],
            empty=file_of(Image.new("L", (90, 90), 255)),
            huge=file_of(Image.new("L", (5_000, 4_000))),
            eps=file_of(TWO, "EPS"),
        ),
    )
    found = {each.pop("file"): each for each in pages_of(answer)}
    assert found.pop("two")["text"] == "407\n38"
    assert found.pop("empty") == {"text": "", "lines": []}
    assert all(list(each) == ["error"] for each in found.values())
    for file, reason in {
        "notes": "not a picture",
        "half": "damaged",
        "huge": "too large: expected at most 16 megapixels",
        "eps": "not a picture",
    }.items():
        assert reason in found[file]["error"]


@pytest.mark.parametrize(
    ("limit", "most", "message"),
    [
        ("MOST_DIGITS", 4, "5 digits, but at most 4 are read: crop the picture"),
        ("MOST_LINES", 1, "2 lines of digits, but at most 1 are read: crop the picture"),
    ],
)
def test_more_than_is_read_is_an_error(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, limit: str, most: int, message: str
) -> None:
    monkeypatch.setattr(reading, limit, most)
    large, small = pages_of(client.post("/read", files=form_of(a=FILE, b=file_of(row("19")))))
    assert large == {"error": message, "file": "a"}
    assert small["text"] == "19"


def test_large_pictures_are_read_one_after_the_other(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = [0, 0]

    def counted(*given: Any) -> Any:
        at_once[0] += 1
        at_once[1] = max(at_once)
        told = reading.page_of(*given)
        at_once[0] -= 1
        return told

    monkeypatch.setattr(api, "page_of", counted)
    with ThreadPoolExecutor(4) as clients:
        asked = [clients.submit(client.post, "/read", json={"images": 5 * [TEXT]}) for _ in "1234"]
    assert [len(pages_of(each.result())) for each in asked] == [5] * 4
    assert at_once == [0, 1]


def test_an_error_of_the_servers_tells_nothing_of_it(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: Any) -> None:
        raise RuntimeError("/secret/place")

    monkeypatch.setattr(api, "page_of", breaks)
    answer = client.post("/read", files=form_of(two=FILE))
    assert answer.status_code == 500
    assert error_of(answer) == "internal error: see the server's log"
    found = sums(client)
    assert found["tinydigits_errors_total", "POST", "/read"] == 1
    assert found["tinydigits_requests_total", "POST", "/read", "500"] == 1


def test_it_is_documented(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    paths = document["paths"]
    assert paths["/read"]["post"]["requestBody"] == paths["/predict"]["post"]["requestBody"]
    content = paths["/read"]["post"]["responses"]["200"]["content"]["application/json"]
    assert content["schema"]["$ref"].endswith("/Pages")
    told = pages_of(client.post("/read", files=form_of(two=FILE)))[0]
    schemas = document["components"]["schemas"]
    for name, value in (
        ("FilePage", told),
        ("Line", told["lines"][0]),
        ("Digit", told["lines"][0]["digits"][0]),
    ):
        assert set(schemas[name]["properties"]) == set(schemas[name]["required"]) == set(value)


def test_answers_do_not_depend_on_what_else_is_read(client: TestClient) -> None:
    (alone,) = pages_of(client.post("/read", json={"images": [TEXT]}))
    noise = np.random.default_rng(0).integers(0, 256, (90, 120), dtype=np.uint8)
    images = [base64.b64encode(file_of(each)).decode() for each in (Image.fromarray(noise), TWO)]
    assert pages_of(client.post("/read", json={"images": [*images, TEXT]}))[1:] == [alone, alone]
