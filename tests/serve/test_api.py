"""The API: its answers, its refusals and their messages."""

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from onnx import load_from_string
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from tests.pictures import drawn
from tinydigits import InputError, infer, load
from tinydigits.data import synthetic
from tinydigits.export import html, onnx
from tinydigits.export.folded import fold
from tinydigits.export.quantised import quantise
from tinydigits.net.shipped import NAMES, WEIGHTS
from tinydigits.serve import api, limits
from tinydigits.serve.headers import SAME_ORIGIN
from tinydigits.serve.limits import Limits
from tinydigits.serve.served import ServedNet, served_net

PNG, JPEG = "image/png", "image/jpeg"
DIGITS, LABELS = synthetic.draw(12, seed=11)


def file_of(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, form, **options)
    return content.getvalue()


def form_of(**files: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (name, content)) for name, content in files.items()]


def error_of(answer: Any) -> str:
    told = answer.json()
    assert list(told) == ["error"]
    assert "\n" not in told["error"]
    error: str = told["error"]
    return error


@pytest.mark.parametrize("shape", [(-1, 784), (-1, 28, 28)])
def test_numbers_get_the_nets_answers(client: TestClient, shape: tuple[int, ...]) -> None:
    answer = client.post("/predict", json={"images": DIGITS.reshape(shape).tolist()})
    assert answer.status_code == 200
    assert answer.json()["model"] == "people"
    found = answer.json()["predictions"]
    logits = infer(load("people"), torch.from_numpy(DIGITS))
    expected = torch.softmax(logits.double(), dim=1).numpy()
    np.testing.assert_allclose([each["probabilities"] for each in found], expected, atol=1e-5)
    assert [each["digit"] for each in found] == expected.argmax(axis=1).tolist()
    assert [each["probability"] for each in found] == [max(each["probabilities"]) for each in found]


def test_flat_pictures_and_rows_go_together_and_fractions_are_rounded(client: TestClient) -> None:
    # Grey noise: the net is so unsure of it that one grey level changes the answer.
    noise = np.random.default_rng(0).integers(0, 255, (28, 28))
    images = [noise.ravel(), noise + 0.4, noise + 0.6, noise + 1]
    answer = client.post("/predict", json={"images": [image.tolist() for image in images]})
    flat, less, more, next_level = answer.json()["predictions"]
    assert flat == less != more == next_level


@pytest.mark.parametrize("form", limits.FORMATS)
def test_pictures_of_every_format_are_read(client: TestClient, form: str) -> None:
    if form == "HEIF":
        pytest.importorskip("pillow_heif", reason="no pillow-heif: pip install pillow-heif")
    answer = client.post("/predict", files=form_of(seven=file_of(drawn(7), form)))
    (found,) = answer.json()["predictions"]
    assert (answer.status_code, found["file"], found["digit"]) == (200, "seven", 7)
    assert sum(found["probabilities"]) == pytest.approx(1, abs=1e-5)


def test_a_form_is_answered_file_by_file_with_what_is_wrong(client: TestClient) -> None:
    pair = np.minimum(*(np.asarray(drawn(1, box=(x, 60, 100, 280))) for x in (60, 240)))
    answer = client.post(
        "/predict",
        files=form_of(
            four=file_of(drawn(4)),
            empty=file_of(Image.new("L", (300, 300), 255)),
            pair=file_of(Image.fromarray(pair)),
            notes=b"no picture",
            half=file_of(drawn(3))[:300],
            nothing=b"",
            animation=file_of(drawn(2), "GIF", save_all=True, append_images=[drawn(3)]),
            nine=file_of(drawn(9)),
        ),
    )
    assert answer.status_code == 200
    found = {each.pop("file"): each for each in answer.json()["predictions"]}
    assert list(found) == ["four", "empty", "pair", "notes", "half", "nothing", "animation", "nine"]
    assert (found["four"]["digit"], found["nine"]["digit"]) == (4, 9)
    for file, reason in {
        "empty": "the picture is blank",
        "pair": "more than one digit: crop the picture to one, or post it to /read",
        "notes": "not a picture",
        "half": "damaged",
        "nothing": "not a picture",
        "animation": "2 frames",
    }.items():
        assert list(found[file]) == ["error"]
        assert reason in found[file]["error"]


def test_what_runs_a_program_to_be_opened_is_refused(client: TestClient) -> None:
    content = file_of(drawn(5).convert("L"), "EPS")
    (found,) = client.post("/predict", files=form_of(eps=content)).json()["predictions"]
    assert "not a picture" in found["error"]


def test_too_many_pixels_are_refused_before_they_are_read(client: TestClient) -> None:
    content = file_of(Image.new("L", (5_000, 4_000)))
    assert len(content) < 100_000
    (found,) = client.post("/predict", files=form_of(huge=content)).json()["predictions"]
    assert found["error"].startswith("too large: expected at most 16 megapixels")


ZEROS = [0] * 784


def raw(kind: str, content: bytes) -> dict[str, Any]:
    return {"content": content, "headers": {"content-type": kind}}


def numbers(*images: Any) -> dict[str, Any]:
    return {"json": {"images": images}}


def starting(value: Any) -> dict[str, Any]:
    return raw("application/json", json.dumps({"images": [[value, *ZEROS[1:]]]}).encode())


JSON, FORM = "application/json", "multipart/form-data; boundary=a"
WRONG: dict[str, tuple[dict[str, Any], int, str]] = {
    "no body": ({}, 415, "content type missing: expected application/json, multipart/"),
    "a text": (raw("text/plain", b"7"), 415, "content type text/plain: expected application"),
    "half of a JSON": (raw(JSON, b'{"images": ['), 400, "the body is not valid JSON: EOF"),
    "JSON in another coding": (raw(JSON, b"\xff\xfe"), 400, "the body is not valid JSON: "),
    "lists in lists": (raw(JSON, 100_000 * b"["), 400, "the body is not valid JSON: "),
    "a list": ({"json": [ZEROS]}, 422, "the body: Input should be an object"),
    "no images": ({"json": {}}, 422, "images: Field required"),
    "another key": ({"json": {"images": [ZEROS], "top": 3}}, 422, "top: Extra inputs"),
    "a number": ({"json": {"images": 7}}, 422, "images: Input should be a valid array"),
    "an empty list": (numbers(), 422, "images: List should have at least 1"),
    "257 pictures": (numbers(*257 * [[0]]), 422, "images"),
    "783 numbers": (numbers(ZEROS[1:]), 422, "images[0]: List should have at least 784"),
    "27 rows": (numbers(27 * [28 * [0]]), 422, "images[0]: List should have at least 28"),
    "a short row": (numbers(ZEROS, [*27 * [28 * [0]], [0]]), 422, "images[1][27]: List should"),
    "256": (starting(256), 422, "images[0][0]: Input should be less than or equal to 255"),
    "-1": (starting(-1), 422, "images[0][0]: Input should be greater than or equal to 0"),
    "digits as text": (starting("7"), 422, "images[0][0]: Input should be a valid number"),
    "true": (starting(True), 422, "images[0][0]: Input should be a valid number"),
    "null": (starting(None), 422, "images[0][0]: Input should be a valid number"),
    "not a number": (starting(float("nan")), 422, "images[0][0]: Input should be a finite"),
    "33 files": ({"files": 33 * form_of(a=b"x")}, 422, "Too many files"),
    "another field": ({"files": {"image": b"x"}}, 422, "the field 'image' is unknown: expected"),
    "a text field": ({"files": {"files": (None, b"x")}}, 422, "the field 'files' holds no file"),
    "no boundary": (raw(FORM.partition(";")[0], b"x"), 422, "Missing boundary"),
    "a broken form": (raw(FORM, b"nonsense"), 422, "invalid form"),
    "an empty form": (raw(FORM, b"--a--\r\n"), 422, "the form has no file"),
}


@pytest.mark.parametrize("path", ["/predict", "/read"])
@pytest.mark.parametrize("name", WRONG)
def test_wrong_inputs_get_one_line(client: TestClient, path: str, name: str) -> None:
    request, status, words = WRONG[name]
    answer = client.post(path, **request)
    assert answer.status_code == status
    assert words in error_of(answer)
    assert len(answer.content) < 300


def test_places_and_methods_that_do_not_exist_are_told(client: TestClient) -> None:
    assert client.get("/nothing").status_code == 404
    answer = client.get("/predict")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert client.get("/docs/static/../../api.py").status_code == 404


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_body_has_a_largest_size(client: TestClient, is_announced: bool) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(9):
            yield 2**20 * b" "

    content = b"".join(parts()) if is_announced else parts()
    answer = client.post("/predict", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert "expected at most 8,388,608" in error_of(answer)
    assert answer.headers["connection"] == "close"


def test_bodies_together_have_a_largest_size(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_BYTES_TOGETHER", 5_000)
    small, large = ({"images": n * [ZEROS]} for n in (1, 5))
    assert client.post("/predict", json=large).status_code == 429
    # Requests that have ended no longer count.
    assert [client.post("/predict", json=small).status_code for _ in range(9)] == 9 * [200]


Application = Callable[[Scope, Receive, Send], Any]


def through(
    application: Application, **seconds: float
) -> tuple[list[Message], BaseException | None]:
    """Send a request whose body never arrives; return the limits' response and error."""
    sent = list[Message]()

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": [], "method": "POST", "path": "/predict"}
    try:
        asyncio.run(Limits(application, **seconds)(scope, receive, send))
    except BaseException as error:
        return sent, error
    return sent, None


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def reads(_: Scope, receive: Receive, __: Send) -> None:
        await receive()

    _, error = through(reads, body_seconds=0.01)
    assert getattr(error, "status_code", None) == 408
    assert "did not arrive within 0.01 seconds" in str(error)


def test_an_answer_that_does_not_come_is_an_error_of_the_servers() -> None:
    async def hangs(*_: Any) -> None:
        await asyncio.Event().wait()

    sent, error = through(hangs, request_seconds=0.01)
    assert error is None
    assert sent[0]["status"] == 503
    assert json.loads(sent[1]["body"]) == {"error": "no answer within 0.01 seconds: try again"}


def test_half_an_answer_does_not_look_whole() -> None:
    async def hangs(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.Event().wait()

    sent, error = through(hangs, request_seconds=0.01)
    assert isinstance(error, asyncio.TimeoutError)
    assert [message["type"] for message in sent] == ["http.response.start"]


def test_an_error_of_the_servers_tells_nothing_of_it(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: Any) -> None:
        raise RuntimeError("/secret/place")

    monkeypatch.setattr(api, "probabilities", breaks)
    answer = client.post("/predict", json={"images": [ZEROS]})
    assert answer.status_code == 500
    assert error_of(answer) == "internal error: see the server's log"
    assert sums(client)["tinydigits_errors_total", "POST", "/predict"] == 1


def test_the_page_is_that_of_export_but_for_its_policy(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.text == html.page(fold(load("people")), "people", allowed=SAME_ORIGIN).decode()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "connect-src 'self'" in policy
    assert policy.endswith("frame-ancestors 'none'")
    assert "unsafe" not in policy.replace("'wasm-unsafe-eval'", "")  # with which the page learns


@pytest.mark.parametrize("path", [*sorted(api.PATHS), "/docs/static/swagger-ui.css", "/nothing"])
def test_head_is_answered_as_get_without_the_body(client: TestClient, path: str) -> None:
    whole, bare = client.get(path), client.head(path)
    assert (bare.status_code, bare.content) == (whole.status_code, b"")
    changing = {"x-request-id", "content-length"} if path == "/metrics" else {"x-request-id"}
    assert all(
        bare.headers[name] == value for name, value in whole.headers.items() if name not in changing
    )


@pytest.mark.parametrize("path", sorted(api.PATHS - {"/"}))
def test_a_slash_at_the_end_leads_to_the_path_without_it(client: TestClient, path: str) -> None:
    answer = client.request("POST" if path in {"/predict", "/read"} else "GET", f"{path}/")
    assert answer.history[0].status_code == 307
    # Relative: the server does not know the address before a proxy.
    assert answer.history[0].headers["location"] == f"..{path}"
    assert answer.url.path == path


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/docs", "/nothing"])
def test_every_answer_has_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers


def test_a_request_keeps_its_id_or_gets_one(client: TestClient) -> None:
    def id_of(given: str) -> str:
        told: str = client.get("/healthz", headers={"x-request-id": given}).headers["x-request-id"]
        return told

    assert id_of("proxy-7.a") == "proxy-7.a"
    assert id_of('"}\x1b[31m') != id_of('"}\x1b[31m')
    assert len(id_of(100 * "x")) == 32


def sums(client: TestClient) -> dict[tuple[str, ...], float]:
    """Return the metrics: (name, method, path and, if any, status) to its value."""
    found = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            if "le" not in sample.labels:
                labels = [sample.labels.get(key, "") for key in ("method", "path", "status")]
                found[(sample.name, *filter(None, labels))] = sample.value
    return found


def test_requests_errors_and_times_are_counted(client: TestClient) -> None:
    for _ in range(3):
        client.post("/predict", json={"images": [ZEROS]})
    for _ in range(2):
        client.post("/predict", json={})
    client.request("BREW", "/tea/for/two")
    client.get("/tea")
    found = sums(client)
    assert found["tinydigits_requests_total", "POST", "/predict", "200"] == 3
    assert found["tinydigits_requests_total", "POST", "/predict", "422"] == 2
    assert found["tinydigits_errors_total", "POST", "/predict"] == 2
    assert found["tinydigits_request_seconds_count", "POST", "/predict"] == 5
    assert 0 < found["tinydigits_request_seconds_sum", "POST", "/predict"] < 5
    assert found["tinydigits_requests_total", "other", "other", "404"] == 1
    assert found["tinydigits_requests_total", "GET", "other", "404"] == 1
    assert not any("tea" in label for key in found for label in key)


def test_health_names_the_net(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok", "model": "people", "version": "0.1.0"}


@pytest.mark.parametrize("path", ["/predict", "/read"])
def test_the_documents_example_is_answered(client: TestClient, path: str) -> None:
    operation = client.get("/openapi.json").json()["paths"][path]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    told = client.post(path, json=example).json()
    answers = told["predictions"] if path == "/predict" else [one(page) for page in told["pages"]]
    assert [each["probability"] > 0.9 for each in answers] == [True, True]
    assert {"200", "400", "408", "413", "415", "422", "429", "503"} <= set(operation["responses"])


def one(page: Any) -> Any:
    """Return the only digit of a page."""
    ((digit,),) = [line["digits"] for line in page["lines"]]
    return digit


@pytest.mark.parametrize("recipe", NAMES)
def test_the_onnx_files_of_the_package_are_its_nets(recipe: str) -> None:
    assert (WEIGHTS / f"{recipe}.onnx").read_bytes() == onnx.in_floats(fold(load(recipe)))


def test_a_net_is_named_or_a_file(tmp_path: Any, net: ServedNet) -> None:
    (tmp_path / "mine.onnx").write_bytes((WEIGHTS / "best.onnx").read_bytes())
    (tmp_path / "mine.pth").write_bytes((WEIGHTS / "best.pth").read_bytes())
    best = served_net("best")
    assert best.onnx != net.onnx
    assert served_net(str(tmp_path / "mine.onnx")).onnx == best.onnx
    assert served_net(str(tmp_path / "mine.pth")).onnx == best.onnx
    assert (best.name, served_net(str(tmp_path / "mine.pth")).name) == ("best", "mine.pth")
    assert (
        'Net: <span id="name">mine</span>,' in served_net(str(tmp_path / "mine.onnx")).page.decode()
    )


def test_files_that_are_no_such_net_are_refused(tmp_path: Any) -> None:
    layers = fold(load())
    integers = onnx.in_integers(quantise(layers, torch.from_numpy(DIGITS)))
    misfit = load_from_string(onnx.in_floats(layers))
    first, second = [node for node in misfit.graph.node if node.op_type == "Conv"][:2]
    first.input[1], second.input[1] = second.input[1], first.input[1]
    foreign = load_from_string(onnx.in_floats(layers))
    foreign.graph.node[-1].op_type = "Squeeze"
    few = [*layers[:-1], replace(layers[-1], weight=layers[-1].weight[:5], bias=np.zeros(5))]
    for name, content, words in [
        ("five.onnx", onnx.in_floats(few), "expected ten finite logits"),
        ("net-int8.onnx", integers, "not a float ONNX model of tinydigits"),
        ("foreign.onnx", foreign.SerializeToString(), "not a float ONNX model of tinydigits"),
        ("empty.onnx", b"", "not a float ONNX model of tinydigits"),
        ("text.onnx", b"nonsense", "not a float ONNX model of tinydigits"),
        ("misfit.onnx", misfit.SerializeToString(), "onnxruntime cannot run the net"),
        ("text.pth", b"nonsense", "text.pth"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=words):
            served_net(str(tmp_path / name))
    with pytest.raises(InputError, match=r"there is no gone\.onnx"):
        served_net("gone.onnx")
