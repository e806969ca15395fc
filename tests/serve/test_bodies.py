"""Bodies as clients send them: raw, in base64, compressed, in odd forms, on another scale."""

import base64
import codecs
import gzip
import json
import random
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.pictures import drawn
from tests.serve.test_api import DIGITS, LABELS, error_of, file_of
from tinydigits.data import likeness
from tinydigits.data.dataset import Digits
from tinydigits.serve import limits

JSON = "application/json"
BODY = json.dumps({"images": DIGITS[:2].tolist()}).encode()
SEVEN = file_of(drawn(7))
TEXT = base64.b64encode(SEVEN).decode()


def post(client: TestClient, content: bytes, kind: str, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/predict", content=content, headers={"content-type": kind, **named})


def digits_of(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [each["digit"] for each in answer.json()["predictions"]]


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("image/png", "PNG"),
        ("image/jpeg", "JPEG"),
        ("image/jpg", "JPEG"),
        ("IMAGE/WEBP; q=1", "WEBP"),
        ("image/png", "BMP"),  # the content says what it is
        ("application/octet-stream", "TIFF"),
        ("image/avif", "AVIF"),
    ],
)
def test_a_picture_is_read_without_a_form(client: TestClient, kind: str, form: str) -> None:
    answer = post(client, file_of(drawn(7), form), kind)
    assert digits_of(answer) == [7]
    assert "file" not in answer.json()["predictions"][0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a picture"),
        (b"<svg/>", "not a picture"),
        (SEVEN[:300], "damaged"),
        (file_of(Image.new("L", (300, 300), 255)), "blank"),
        (file_of(Image.new("L", (5_000, 4_000))), "at most 16 megapixels"),
    ],
)
def test_a_picture_that_cannot_be_read_gets_an_error(
    client: TestClient, content: bytes, words: str
) -> None:
    text = base64.b64encode(content).decode()
    for answer in (
        post(client, content, "image/png"),
        client.post("/predict", json={"images": [text]}),
    ):
        assert answer.status_code == 200
        (found,) = answer.json()["predictions"]
        assert list(found) == ["error"]
        assert words in found["error"]


def test_heic_without_its_extra_gets_a_line(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    answer = post(client, b"\0\0\0\x18ftypheic" + bytes(300), "image/heic")
    (found,) = answer.json()["predictions"]
    assert "type pip install 'tinydigits[heic]' to read it" in found["error"]


@pytest.mark.parametrize("form", ["AVIF", "HEIF"])
def test_a_damaged_photograph_gets_one_line(client: TestClient, form: str) -> None:
    if form == "HEIF":
        pytest.importorskip("pillow_heif", reason="no pillow-heif: pip install pillow-heif")
    whole = file_of(drawn(7), form)
    content = whole.index(b"mdat") + 4
    for damaged in (whole[:-100], whole[:content] + bytes(len(whole) - content)):
        (found,) = post(client, damaged, "image/png").json()["predictions"]
        assert found["error"].startswith("damaged (")
        assert "\n" not in found["error"]


def test_json_holds_pictures_in_base64_beside_numbers(client: TestClient) -> None:
    urls = [f"data:image/png;base64,{TEXT}", f"data:;base64,{TEXT}"]
    blank = base64.b64encode(file_of(Image.new("L", (300, 300), 255))).decode()
    images = [TEXT, DIGITS[0].tolist(), *urls, blank, DIGITS[1].ravel().tolist()]
    answer = client.post("/predict", json={"images": images})
    assert answer.status_code == 200
    found = answer.json()["predictions"]
    expected = [7, int(LABELS[0]), 7, 7, None, int(LABELS[1])]
    assert [each.get("digit") for each in found] == expected
    assert "blank" in found[4]["error"]
    assert found[0] == found[2] == post(client, SEVEN, "image/png").json()["predictions"][0]


DIALECTS: dict[str, Callable[[str], str]] = {
    "in lines": lambda text: "\r\n".join(text[n : n + 76] for n in range(0, len(text), 76)) + "\n",
    "for addresses": lambda text: text.replace("+", "-").replace("/", "_"),
    "without padding": lambda text: text.rstrip("="),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_base64_is_read_in_every_dialect(client: TestClient, dialect: str) -> None:
    noise = np.random.default_rng(0).integers(0, 30, (400, 400))
    content = file_of(Image.fromarray((np.asarray(drawn(7)) // 2 + noise).astype(np.uint8)))
    text = base64.b64encode(content + b"\0" * (len(content) % 3 == 0)).decode()
    assert {"+", "/", "="} <= set(text)
    assert DIALECTS[dialect](text) != text
    answer = client.post("/predict", json={"images": [DIALECTS[dialect](text)]})
    assert digits_of(answer) == [7]


@pytest.mark.parametrize(
    "text",
    [
        "seven.png",
        "https://example.com/seven",
        "data:image/png,%89PNG",
        "data:image/svg+xml;utf8,<svg/>",
        f"{TEXT}!",
        "0 0 0 255,0",
        "sieben ü",
        1_000_000 * " " + "!",  # in linear time
        "data:" + 100_000 * ";base64" + "!",
    ],
)
def test_text_that_is_no_base64_is_refused(client: TestClient, text: str) -> None:
    answer = client.post("/predict", json={"images": [TEXT, text]})
    assert answer.status_code == 422
    assert error_of(answer).startswith("images[1]: expected 784 numbers, 28 rows of 28, or a ")


def test_a_large_picture_goes_into_json(client: TestClient) -> None:
    noise = np.random.default_rng(0).integers(0, 200, (1600, 1600))
    large = drawn(7, size=(1600, 1600), pen=90).convert("L")
    content = file_of(Image.fromarray(np.minimum(np.asarray(large), 255 - noise).astype(np.uint8)))
    assert len(content) > 2 * 2**20
    text = base64.b64encode(content).decode()
    answer = client.post("/predict", json={"images": [text]})
    assert answer.status_code == 200
    assert answer.json()["predictions"] == post(client, content, "image/png").json()["predictions"]


def test_json_has_a_largest_number_of_values(client: TestClient) -> None:
    most = {"images": limits.MOST_IMAGES * [DIGITS[0].tolist()]}
    assert len(digits_of(client.post("/predict", json=most))) == limits.MOST_IMAGES
    for values in (b"[],", b"0,", b'{"":'):
        answer = post(client, b'{"images": [' + limits.MOST_JSON_VALUES * values, JSON)
        assert answer.status_code == 413
        assert "values: expected at most 262,144" in error_of(answer)


@pytest.mark.parametrize("number", ["1" * 2**22, "0." + "1" * 2**22, "1e" + "9" * 2**22])
def test_one_long_number_is_no_work(client: TestClient, number: str) -> None:
    answer = post(client, f'{{"images": [[{number}]]}}'.encode(), JSON)
    assert answer.status_code in (400, 422)
    error_of(answer)


def test_a_byte_order_mark_is_left_out(client: TestClient) -> None:
    assert digits_of(post(client, codecs.BOM_UTF8 + BODY, JSON)) == LABELS[:2].tolist()
    assert post(client, BODY.decode().encode("utf-16"), JSON).status_code == 400


FORM_HEAD = b'--a\r\nContent-Disposition: form-data; name="files"; filename="7"\r\n\r\n'
FORM = FORM_HEAD + SEVEN + b"\r\n--a--\r\n"
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
    "identity": bytes,
}


@pytest.mark.parametrize("coding", CODINGS)
def test_compressed_bodies_are_read(client: TestClient, coding: str) -> None:
    for content, kind, expected in [
        (BODY, JSON, LABELS[:2].tolist()),
        (FORM, "multipart/form-data; boundary=a", [7]),
        (SEVEN, "image/png", [7]),
    ]:
        answer = post(client, CODINGS[coding](content), kind, content_encoding=coding)
        assert digits_of(answer) == expected


def test_a_compressed_body_may_arrive_in_parts(client: TestClient) -> None:
    content = gzip.compress(BODY)
    parts = (content[n : n + 7] for n in range(0, len(content), 7))
    headers = {"content-type": JSON, "content-encoding": "gzip"}
    answer = client.post("/predict", content=parts, headers=headers)
    assert digits_of(answer) == LABELS[:2].tolist()


@pytest.mark.parametrize(
    ("coding", "content", "status", "words"),
    [
        ("br", BODY, 415, "content encoding br: expected gzip, deflate or none"),
        ("zstd", BODY, 415, "content encoding zstd: expected"),
        ("gzip, gzip", BODY, 415, "content encoding gzip, gzip: expected"),
        ("gzip", BODY, 400, "the body is not valid gzip: "),
        ("deflate", gzip.compress(BODY), 400, "the body is not valid deflate: "),
        ("gzip", b"", 400, "the body is not valid gzip: its end is missing"),
        ("gzip", gzip.compress(BODY)[:-9], 400, "valid gzip: its end is missing"),
        ("gzip", gzip.compress(BODY) + b"more", 400, "valid gzip: more bytes follow its end"),
        ("gzip", gzip.compress(BODY)[:-8] + bytes(8), 400, "the body is not valid gzip: "),
        ("gzip", gzip.compress(9 * 2**20 * b" "), 413, "expected at most 8,388,608"),
        ("deflate", zlib.compress(9 * 2**20 * b"\0"), 413, "expected at most 8,388,608"),
    ],
)
def test_bodies_that_do_not_decompress_get_one_line(
    client: TestClient, coding: str, content: bytes, status: int, words: str
) -> None:
    answer = post(client, content, JSON, content_encoding=coding)
    assert answer.status_code == status
    assert words in error_of(answer)
    assert ("accept-encoding" in answer.headers) == (status == 415)


def test_a_bomb_takes_no_memory(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = list[int]()
    plain = zlib.decompressobj

    class Watched:
        def __init__(self, window: int) -> None:
            self.stream = plain(window)

        def decompress(self, *told: Any) -> bytes:
            content = self.stream.decompress(*told)
            sizes.append(len(content))
            return content

        def __getattr__(self, name: str) -> Any:
            return getattr(self.stream, name)

    content = zlib.compress(2**26 * b"\0")
    monkeypatch.setattr(zlib, "decompressobj", Watched)
    assert post(client, content, JSON, content_encoding="deflate").status_code == 413
    assert sum(sizes) == limits.MOST_BYTES + 1


def test_parts_that_decompress_to_nothing_are_counted(client: TestClient) -> None:
    begin, empty_block = zlib.compress(b"")[:2], b"\x00\x00\x00\xff\xff"
    content = begin + (limits.MOST_BYTES // len(empty_block)) * empty_block
    for more, status in ((0, 400), (1, 413)):
        answer = post(client, content + more * empty_block, JSON, content_encoding="deflate")
        assert answer.status_code == status


def part(disposition: str, content: bytes = SEVEN) -> bytes:
    head = f"--a\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
    return head.encode() + content + b"\r\n--a--\r\n"


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("name=\"files\"; filename*=UTF-8''sieben.png", "sieben.png"),
        ("name=files; filename*=utf-8''sieben%C3%A4%20%E4%B8%83.png", "siebenä 七.png"),
        ("name=files; filename*=iso-8859-1'de'f%FCnf.png", "fünf.png"),
        ("name=files; filename=\"plain.png\"; filename*=UTF-8''other.png", "plain.png"),
        ("name=files; filename*=UTF-8''a%22b%0D%0A.png", 'a"b\r\n.png'),
        ("name=files; filename*=nonsense", "nonsense"),
        ("name=files; filename*=no-such-charset''a%ff.png", "aÿ.png"),
        ('name="files"; filename="fünf 五.png"', "fünf 五.png"),
        ('name="files"; filename="a;b.png"', "a;b.png"),
        ('name="files"; filename=""', ""),
        ('name="files"', ""),
    ],
)
def test_files_are_read_however_they_are_named(
    client: TestClient, disposition: str, name: str
) -> None:
    answer = post(client, part(disposition), "multipart/form-data; boundary=a")
    assert digits_of(answer) == [7]
    assert answer.json()["predictions"][0]["file"] == name


@pytest.mark.parametrize(
    ("disposition", "content", "words"),
    [
        ("name=files", b"docs/seven.jpg", "holds no file; with curl, type files=@"),  # forgotten @
        ('name="files"; filename=""', b"", "holds no file"),  # a page's form, nothing chosen
        ('name="file"', SEVEN, "the field 'file' is unknown: expected files in 'files'"),
        ("filename*=UTF-8''a.png", SEVEN, 'field "name" must be provided'),
    ],
)
def test_forms_without_a_file_get_one_line(
    client: TestClient, disposition: str, content: bytes, words: str
) -> None:
    answer = post(client, part(disposition, content), "multipart/form-data; boundary=a")
    assert answer.status_code == 422
    assert words in error_of(answer)


WRONG_SCALES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "0 to 1": (lambda pixels: pixels / 255, "look like 0 to 1, expected 0 to 255; multiply"),
    "0 to 2": (lambda pixels: pixels / 127.5, "look like 0 to 2, expected 0 to 255"),
    "0 to 10": (lambda pixels: pixels / 25.5, "look like 0 to 10, expected 0 to 255"),
    "0 to 16": (lambda pixels: pixels // 15.9, "look like 0 to 16, expected 0 to 255"),
    "dark on light": (lambda pixels: 255 - pixels, "dark ink on light paper, expected white on"),
    "as for training": (lambda pixels: (pixels / 255 - 0.1307) / 0.3081, "normalised"),
    "-1 to 1": (lambda pixels: pixels / 127.5 - 1, "normalised"),
    "16 bits": (lambda pixels: 257 * pixels, "less than or equal to 255"),
}


@pytest.mark.parametrize("scale", WRONG_SCALES)
@pytest.mark.parametrize("is_flat", [True, False])
def test_a_wrong_scale_is_named(client: TestClient, scale: str, is_flat: bool) -> None:
    change, words = WRONG_SCALES[scale]
    wrong = change(DIGITS[3].astype(float))
    images = [TEXT, *(each.tolist() for each in (DIGITS[0], wrong.ravel() if is_flat else wrong))]
    answer = client.post("/predict", json={"images": images})
    assert answer.status_code == 422
    assert words in error_of(answer)
    assert "2" in error_of(answer).partition(":")[0]  # which picture it is


def test_blank_pictures_are_answered(client: TestClient) -> None:
    answer = client.post("/predict", json={"images": [784 * [0], 784 * [255]]})
    assert len(digits_of(answer)) == 2


def test_no_digit_of_mnist_has_a_wrong_scale(real: tuple[Digits, Digits]) -> None:
    for digits in real:
        assert likeness.fault(digits.images.numpy()) is None


def test_random_bytes_of_any_kind_get_a_line(client: TestClient) -> None:
    rng = random.Random(3)
    kinds = [JSON, "image/png", "application/octet-stream", "multipart/form-data; boundary=a"]
    for _ in range(40):
        content = rng.randbytes(rng.randrange(300))
        answer = post(client, content, rng.choice(kinds), content_encoding=rng.choice(["", "gzip"]))
        assert answer.status_code in (200, 400, 422)
        assert len(answer.content) < 400
