"""Whole numbers on the page: drawn, opened, and read as Python reads them."""

import base64
import re
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from tests import pictures
from tests.conftest import ROOT
from tinydigits.data import synthetic
from tinydigits.net import strip
from tinydigits.net.contract import STRIP
from tinydigits.net.finder import finder
from tinydigits.reading import decoding, lines
from tinydigits.reading import page as reading
from tinydigits.reading.image import prepared
from tinydigits.scenes.glyphs import from_images

pytest.importorskip("playwright", reason="no playwright: pip install playwright")
from playwright.sync_api import Page, expect

from tests.drawing import expect_answer, stroke
from tests.pictures import strokes
from tests.web.test_page import NARROW, hand_over, png


def write_row(page: Page, text: str, *, top: float = 0.3, height: float = 0.35) -> None:
    """Draw digits beside each other."""
    for number, digit in enumerate(text):
        for way in strokes(int(digit)):
            stroke(page, way[::3] * (0.2, height) + (0.1 + 0.3 * number, top))


def expect_numbers(page: Page, *texts: str) -> None:
    expect(page.get_by_role("status")).to_have_text(re.compile(f"^Answer: {', '.join(texts)}, "))
    assert page.locator("#answer").inner_text() == "\n".join(texts)
    expect(page.locator("#boxes div")).to_have_count(sum(map(len, texts)))


def test_two_digits_are_read_with_their_boxes(page: Page) -> None:
    write_row(page, "42")
    expect_numbers(page, "42")
    expect(page.locator("#verdict")).to_have_text(re.compile("sure$"))
    expect(page.get_by_role("table")).to_be_hidden()
    field = page.locator("#field").bounding_box()
    assert field is not None
    for number, box in enumerate(page.locator("#boxes div").all()):
        place = box.bounding_box()
        assert place is not None
        middle = (place["x"] + place["width"] / 2 - field["x"]) / field["width"]
        assert middle == pytest.approx(0.2 + 0.3 * number, abs=0.05)
        assert place["height"] / field["height"] == pytest.approx(0.41, abs=0.05)


def test_one_digit_after_several_is_shown_as_one(page: Page) -> None:
    write_row(page, "17")
    expect_numbers(page, "17")
    page.keyboard.press("Control+z")
    expect_answer(page, 1)
    expect(page.locator("#boxes div")).to_have_count(0)
    expect(page.get_by_role("table", name="Probability of each digit")).to_be_visible()
    write_row(page, "17")
    page.keyboard.press("Escape")
    expect(page.get_by_role("status")).to_have_text("No digit yet")
    expect(page.locator("#boxes div")).to_have_count(0)


def test_the_lines_of_a_picture_are_shown_below_each_other(page: Page) -> None:
    hand_over(page, "paste", "note.png", png(pictures.page("2048", "137")))
    expect_numbers(page, "2048", "137")


def test_a_long_number_stays_in_the_window(opened: Callable[..., Page]) -> None:
    page = opened(viewport=NARROW)
    hand_over(page, "paste", "long.png", png(pictures.row("2718201828")))
    expect_numbers(page, "2718201828")
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
    answer = page.locator("#answer").bounding_box()
    assert answer is not None
    assert answer["height"] < 80  # a line


class Told(NamedTuple):
    """What is read in a picture: the text, each digit's box, and each line's probability."""

    text: str
    boxes: Sequence[tuple[int, ...]]
    probabilities: list[float]


def test_a_picture_says_what_python_reads(
    page: Page, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    told = [(in_page(page, image), in_python(image)) for image in rows(request)]
    assert len(told) == 8
    assert len([one for one, _ in told if one.text]) >= 7
    assert [one.text for one, _ in told] == [other.text for _, other in told]
    for one, other in told:
        assert one.probabilities == pytest.approx(other.probabilities, abs=0.05)
        for box, expected in zip(one.boxes, other.boxes, strict=True):
            # A pixel of a strip is one of 22 of a digit.
            size = max(expected[2] - expected[0], expected[3] - expected[1])
            assert box == pytest.approx(expected, abs=max(2, size / 20))


def rows(request: pytest.FixtureRequest) -> list[Image.Image]:
    """Return a grey picture of each kind of the benchmark, of MNIST's digits if possible."""
    benchmark = import_module("written_numbers")
    try:
        test = request.getfixturevalue("real")[1]
        source = from_images(test.images.numpy(), test.labels.numpy())
    except pytest.skip.Exception:
        source = from_images(*synthetic.draw(1_000, seed=0))
    kinds = {name: draw for name, draw in benchmark.KINDS.items() if name != "letters only"}
    rngs = [np.random.default_rng((0, kind)) for kind in range(len(kinds))]
    draws = list(kinds.values())
    drawn = [draw(source, rng).picture for draw, rng in zip(draws, rngs, strict=True)]
    return [prepared(Image.fromarray(each)) for each in drawn]


def in_page(page: Page, image: Image.Image) -> Told:
    found = page.evaluate(
        """([width, height, content]) => {
          const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
          return tinydigits.linesIn(bytes, width, height);
        }""",
        [*image.size, base64.b64encode(image.tobytes()).decode()],
    )
    text = "\n".join("".join(str(each["digit"]) for each in line["digits"]) for line in found)
    boxes = [tuple(each["box"]) for line in found for each in line["digits"]]
    return Told(text, boxes, [line["probability"] for line in found])


def in_python(image: Image.Image) -> Told:
    found = reading.page_of(image, finder(), strip.reader())
    boxes = [each.box for line in found.lines for each in line.digits]
    return Told(found.text, boxes, [line.probability for line in found.lines])


@pytest.mark.parametrize("width", [2, 34, 200])
def test_the_strip_nets_answers_are_those_of_python(page: Page, width: int) -> None:
    ink = np.random.default_rng(width).random((STRIP, width), np.float32) ** 2
    found = page.evaluate(
        """([width, height, data]) =>
          tinydigits.reader({ width, height, data: Float32Array.from(data) })""",
        [width, STRIP, ink.ravel().tolist()],
    )
    expected = strip.reader()(ink)
    assert expected.shape == (width // 2, 11)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("sharpness", [0.5, 2, 6])
def test_answers_are_decoded_as_python_does(page: Page, sharpness: float) -> None:
    rng = np.random.default_rng(round(10 * sharpness))
    scores = sharpness * rng.standard_normal((24, 11))
    logarithms = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    found = page.evaluate("(columns) => tinydigits.decode(columns)", logarithms.tolist())
    expected = decoding.decode(logarithms)
    assert tuple(found["digits"]) == expected.digits
    assert found["probability"] == pytest.approx(expected.probability)
    assert found["certainties"] == pytest.approx(expected.certainties)
    assert [tuple(each) for each in found["columns"]] == list(expected.columns)


SAME: list[tuple[Any, list[str]]] = [
    (lines, [
        "FIRST", "LARGEST", "WANTED", "LARGE", "LEGIBLE", "HEIGHT", "MARGIN", "BAND", "REACH",
        "DRIFT", "SLOPE", "ALIKE", "LEVEL", "SAME", "TRACE", "BESIDE", "SIZE", "EDGE", "STRIP",
    ]),
    (decoding, ["BEAM", "UNLIKELY", "NEVER", "BLANK"]),
    (reading, ["INKED", "LIKELY"]),
]  # fmt: skip


@pytest.mark.parametrize(("module", "names"), SAME)
def test_thresholds_are_those_of_python(page: Page, module: Any, names: list[str]) -> None:
    found = page.evaluate(f"({{ {', '.join(names)} }})")
    assert found == pytest.approx({name: getattr(module, name) for name in names})


def test_thresholds_of_another_name_are_those_of_python(page: Page) -> None:
    assert page.evaluate("CLOSER") == list(lines.CLOSER)
    found = page.evaluate("[LINE_LOOKS, LINE_SETTLED, BOX_REACH]")
    assert found == [lines.LOOKS, lines.SETTLED, reading.REACH]
