"""The page in a real browser: drawing, resizing and pictures, compared with Python."""

import base64
import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from tests.conftest import ROOT, missing_mnist
from tests.pictures import LIGHTS, as_image, drawn, photo
from tests.web.conftest import WIDE
from tinydigits import NoDigit, infer, load
from tinydigits.data import mnist, synthetic
from tinydigits.export import html
from tinydigits.export.folded import fold
from tinydigits.reading import messages
from tinydigits.reading.image import to_mnist

pytest.importorskip("playwright", reason="no playwright: pip install playwright")
from playwright.sync_api import Page, expect

from tests.drawing import expect_answer, on_field, stroke, ways, write

Pixels = npt.NDArray[np.uint8]
NARROW = {"width": 360, "height": 740}


def expect_no_digit_yet(page: Page) -> None:
    expect(page.get_by_role("status")).to_have_text("No digit yet")
    expect(page.locator("#verdict")).to_have_text("No digit yet")
    expect(page.locator("#answer")).to_have_text("–")


def test_the_page_is_small(file: Path) -> None:
    assert file.stat().st_size <= 350_000


def test_only_spaces_that_mean_something_are_kept() -> None:
    script = """  const say = (x) => [ "a, b", `c: ${x}, d` ];  // e\n  return x\n"""
    assert html.compact(script, html.SCRIPT_SIGNS) == (
        """const say=(x)=>["a, b",`c: ${x}, d`];return x\n"""
    )
    style = "p :hover,\np { margin: 0 1px; }\n@media all and (min-width: 1px) {}\n"
    assert html.compact(style, html.STYLE_SIGNS) == (
        "p :hover,p{margin:0 1px;}\n@media all and (min-width:1px){}\n"
    )


@pytest.mark.parametrize("path", [*html.WEB.glob("*.js"), ROOT / "tinydigits/label/label.js"])
def test_scripts_have_nothing_whose_spaces_would_be_lost(path: Path) -> None:
    code = re.sub(r"^ *(//|/?\*).*$", "", path.read_text(), flags=re.MULTILINE)
    templates = r"`[^`]*\$\{[^}`]*`"
    patterns = r"(?<=[(,=:]) */[^/\n]* [^/\n]*/[gimsu]*[,.)]"
    assert re.findall(f"{templates}|{patterns}", code) == []


def test_a_models_name_is_text_and_not_markup() -> None:
    content = html.page(fold(load()), "<b>&$net").decode()
    assert "&lt;b&gt;&amp;$net" in content
    assert "<b>" not in content


def test_the_page_tells_nothing_of_the_machine(file: Path) -> None:
    assert str(ROOT).encode() not in file.read_bytes()


@pytest.mark.parametrize("digit", range(10))
def test_a_drawn_digit_is_read(page: Page, digit: int) -> None:
    expect_no_digit_yet(page)
    write(page, digit)
    expect_answer(page, digit)


def test_an_answer_comes_while_the_pen_is_still_down(page: Page) -> None:
    places = on_field(page, ways(3)[0])
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places:
        page.mouse.move(*place)
    expect(page.locator("#answer")).to_have_text("3")


def test_a_finger_draws_without_scrolling(opened: Callable[..., Page]) -> None:
    page = opened(viewport={"width": 360, "height": 400}, has_touch=True, device_scale_factor=3)
    touch = page.context.new_cdp_session(page)

    def send(kind: str, places: list[list[float]]) -> None:
        points = [{"x": x, "y": y} for x, y in places]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    places = on_field(page, ways(2)[0])
    send("touchStart", places[:1])
    for place in places:
        send("touchMove", [place])
    send("touchEnd", [])
    expect_answer(page, 2)
    assert page.evaluate("scrollY") == 0


def test_probabilities_are_shown_as_bars(page: Page) -> None:
    write(page, 7)
    expect_answer(page, 7)
    bars = page.locator("#bars tr")
    expect(bars).to_have_count(10)
    expect(bars.nth(7)).to_contain_text("9")
    shares = page.evaluate(
        "[...document.querySelectorAll('.track div')].map((bar) => "
        "Number(bar.style.transform.slice(7, -1)))"
    )
    assert sum(shares) == pytest.approx(1, abs=1e-6)
    assert int(np.argmax(shares)) == 7


def seen(page: Page) -> Pixels:
    """Return the net's input as the page shows it, (28, 28)."""
    values = page.evaluate(
        """() => {
          const context = new OffscreenCanvas(28, 28).getContext("2d");
          context.drawImage(document.getElementById("seen"), 0, 0);
          return [...context.getImageData(0, 0, 28, 28).data];
        }"""
    )
    return np.array(values, np.uint8).reshape(28, 28, 4)[:, :, 0]


def test_what_the_net_sees_is_shown(page: Page) -> None:
    assert not seen(page).any()
    write(page, 5)
    expect_answer(page, 5)
    shown = seen(page)
    rows, columns = np.nonzero(shown)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    assert infer(load(), torch.from_numpy(shown[None])).argmax() == 5


def test_a_dot_is_no_digit(page: Page) -> None:
    stroke(page, np.array([[0.5, 0.5]]))
    expect(page.get_by_role("status")).to_have_text("No digit yet: only a dot")


def test_undo_takes_back_strokes_and_clearing(page: Page) -> None:
    stroke(page, ways(1)[0])
    expect_answer(page, 1)
    stroke(page, ways(1)[0] + (0.3, 0))
    expect(page.get_by_role("status")).to_contain_text("Answer: 11, ")
    page.keyboard.press("Control+z")
    expect_answer(page, 1)
    page.get_by_role("button", name="Clear").click()
    expect_no_digit_yet(page)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect_answer(page, 1)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect_no_digit_yet(page)
    expect(page.get_by_role("button", name="Undo", exact=True)).to_be_disabled()


@pytest.mark.parametrize("key", ["Escape", "Delete"])
def test_a_key_clears_the_field(page: Page, key: str) -> None:
    empty = field_picture(page)
    write(page, 0)
    expect_answer(page, 0)
    page.keyboard.press(key)
    expect_no_digit_yet(page)
    assert np.array_equal(field_picture(page), empty)


def field_picture(page: Page) -> npt.NDArray[np.float64]:
    """Return a screenshot of the field, resized to 64x64 grey."""
    shot = Image.open(io.BytesIO(page.locator("#field").screenshot())).convert("L")
    return np.asarray(shot.resize((64, 64), Image.Resampling.BOX), np.float64)


@pytest.mark.parametrize("scale", [1, 3])
def test_resizing_keeps_the_drawing_and_its_sharpness(
    opened: Callable[..., Page], scale: int
) -> None:
    page = opened(device_scale_factor=scale)
    empty = field_picture(page)
    write(page, 4)
    expect_answer(page, 4)
    before = field_picture(page)
    page.set_viewport_size({"width": 420, "height": 740})
    width = page.locator("#field").evaluate("(field) => field.clientWidth")
    expect(page.locator("#field")).to_have_attribute("width", str(width * scale))
    # The frame around it stays one pixel wide.
    after = field_picture(page)
    assert np.abs(after - before).mean() < 3 < np.abs(before - empty).mean()
    expect_answer(page, 4)


def png(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def hand_over(page: Page, kind: str, name: str, content: bytes) -> None:
    """Pick, paste or drop a file."""
    if kind == "pick":
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Open picture").click()
        chooser.value.set_files(
            {"name": name, "mimeType": "application/octet-stream", "buffer": content}
        )
        return
    page.evaluate(
        """([kind, name, content]) => {
          const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
          const data = new DataTransfer();
          data.items.add(new File([bytes], name));
          const event = kind === "paste"
            ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
            : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
          document.body.dispatchEvent(event);
        }""",
        [kind, name, base64.b64encode(content).decode()],
    )


@pytest.mark.parametrize("kind", ["pick", "paste", "drop"])
def test_a_picture_is_read(page: Page, kind: str) -> None:
    image = drawn(8, mode="RGB", ink=(40, 60, 200), paper=(240, 230, 120))
    hand_over(page, kind, "eight.png", png(image))
    expect_answer(page, 8)
    stroke(page, ways(1)[0])  # starts a new drawing
    expect_answer(page, 1)
    page.keyboard.press("Control+z")
    expect_answer(page, 8)


def test_a_picture_that_comes_within_a_stroke_ends_it(page: Page) -> None:
    first, *rest = on_field(page, ways(1)[0])
    page.mouse.move(*first)
    page.mouse.down()
    hand_over(page, "paste", "eight.png", png(drawn(8)))
    expect_answer(page, 8)
    for place in rest:
        page.mouse.move(*place)
    page.mouse.up()
    expect_answer(page, 8)


def test_a_picture_lying_on_its_side_is_turned(page: Page) -> None:
    image = drawn(6).rotate(90, expand=True)
    image.getexif()[0x0112] = 6
    content = io.BytesIO()
    image.save(content, "JPEG", exif=image.getexif())
    hand_over(page, "drop", "six.jpg", content.getvalue())
    expect_answer(page, 6)


def test_a_file_that_is_no_picture_is_refused(page: Page) -> None:
    hand_over(page, "drop", "notes.txt", b"no picture")
    expect(page.get_by_role("status")).to_contain_text("The browser cannot open this file")


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_nothing_lies_beside_the_window(opened: Callable[..., Page], size: Any) -> None:
    page = opened(viewport=size)
    write(page, 3)
    expect_answer(page, 3)
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]


def test_the_page_can_be_used_by_keyboard_and_screen_reader(page: Page) -> None:
    expect(page.get_by_role("img", name="Drawing area")).to_be_visible()
    expect(page.get_by_role("img", name="What the net sees")).to_be_visible()
    expect(page.get_by_role("table", name="Probability of each digit")).to_be_visible()
    expect(page.get_by_role("status")).to_have_attribute("aria-live", "polite")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Open picture")).to_be_focused()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    # Counts the choosers instead of opening them: the browser opens only one at a time.
    page.evaluate(
        """() => {
          globalThis.picks = 0;
          document.getElementById("file").addEventListener("click", (event) => {
            event.preventDefault();
            globalThis.picks++;
          });
        }"""
    )
    page.keyboard.press("Enter")
    page.wait_for_function("picks === 1")
    page.keyboard.press("o")
    page.wait_for_function("picks === 2")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(opened: Callable[..., Page], scheme: Any) -> None:
    page = opened(color_scheme=scheme)
    names = ["text", "quiet", "best", "ground", "card", "ink", "paper"]
    colours = page.evaluate(
        "(names) => names.map((name) => "
        "getComputedStyle(document.body).getPropertyValue('--' + name))",
        names,
    )
    light = {name: luminance(colour) for name, colour in zip(names, colours, strict=True)}
    assert (light["card"] > 0.5) == (scheme == "light")
    for text in ("text", "quiet", "best"):
        assert min(contrast(light[text], light[ground]) for ground in ("ground", "card")) >= 4.5
    assert contrast(light["ink"], light["paper"]) >= 7


def luminance(colour: str) -> float:
    """Return the relative luminance of #rrggbb, as WCAG 2 defines it."""
    levels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def some_digits() -> Pixels:
    """200 of MNIST's test digits, or synthetic ones if MNIST is missing."""
    folder = (ROOT / os.environ.get("TINYDIGITS_DATA", "data")).resolve()
    if missing_mnist(folder):
        return synthetic.draw(200, seed=0)[0]
    return mnist.load("test", folder)[0][:200]


def test_logits_are_those_of_the_net(page: Page) -> None:
    digits = some_digits()
    found = page.evaluate(
        """(content) => {
          const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
          return Array.from({ length: bytes.length / 784 }, (_, n) =>
            [...tinydigits.logits(bytes.subarray(784 * n, 784 * (n + 1)))]);
        }""",
        base64.b64encode(digits.tobytes()).decode(),
    )
    expected = infer(load(), torch.from_numpy(digits.copy()))
    assert expected.shape == (200, 10)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def on_paper(digit: int, condition: str) -> Image.Image:
    size = (160, 160)
    match condition:
        case "pen":
            return drawn(digit, size=size, pen=11)
        case "thin pen":
            return drawn(digit, size=size, pen=3)
        case "light on dark":
            return drawn(digit, size=size, pen=14, ink=240, paper=30)
        case "pencil":
            return drawn(digit, size=size, pen=4, ink=130, paper=165)
        case "in the corner":
            return drawn(digit, size=size, box=(112, 105, 33, 42), pen=4)
        case "red on green":
            return drawn(digit, size=size, mode="RGB", ink=(200, 40, 40), paper=(40, 118, 60))
        case "transparent":
            return drawn(digit, size=size, mode="RGBA", ink=(0, 0, 0, 180), paper=(0, 0, 0, 0))
    raise AssertionError(condition)


CONDITIONS = [
    "pen", "thin pen", "light on dark", "pencil", "in the corner", "red on green", "transparent",
]  # fmt: skip


def photographed(light: str) -> list[Image.Image]:
    """Eight noisy photographs of digits on paper in the given light."""
    rng = np.random.default_rng(5)
    digits = synthetic.draw(8, seed=3)[0]
    return [as_image(photo(digit, rng, light=light)).reduce(3) for digit in digits]


def hopeless() -> list[Image.Image]:
    """Pictures without exactly one digit."""
    static = 255 * np.random.default_rng(6).integers(0, 2, (160, 200)).astype(np.uint8)
    pair = [np.asarray(drawn(1, size=(300, 240), box=(x, 40, 90, 150))) for x in (20, 180)]
    return [
        Image.new("L", (200, 200), 255),
        Image.fromarray(np.minimum(*pair)),
        drawn(1, size=(240, 240), box=(120, 120, 0, 0), pen=90),
        drawn(1, size=(240, 240), box=(120, 120, 0, 0), pen=4),
        drawn(1, size=(240, 60), box=(10, 30, 220, 0), pen=6),
        Image.fromarray(static),
    ]


def in_page(page: Page, images: list[Image.Image]) -> list[Pixels | str]:
    """Return the page's result for each picture: 784 pixels, or the reason for rejecting it."""
    ready = [image if image.mode == "L" else image.convert("RGBA") for image in images]
    pictures = [(*image.size, base64.b64encode(image.tobytes()).decode()) for image in ready]
    results = page.evaluate(
        """(pictures) => pictures.map(([width, height, content]) => {
          const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
          try {
            return [...tinydigits.toMnist(bytes, width, height)];
          } catch (error) {
            return error.message;
          }
        })""",
        pictures,
    )
    return [each if isinstance(each, str) else np.array(each, np.uint8) for each in results]


def in_python(image: Image.Image) -> Pixels | str:
    try:
        return to_mnist(image).ravel()
    except NoDigit as reason:
        return str(reason)


def answers(inputs: list[Pixels]) -> npt.NDArray[np.int64]:
    pixels = torch.from_numpy(np.stack(inputs).reshape(-1, 28, 28))
    result: npt.NDArray[np.int64] = infer(load(), pixels).argmax(1).numpy()
    return result


def test_pictures_are_prepared_as_python_does(page: Page) -> None:
    images = [on_paper(digit, condition) for condition in CONDITIONS for digit in range(10)]
    images += [image for light in LIGHTS for image in photographed(light)]
    outcomes = list(zip(in_page(page, images), map(in_python, images), strict=True))
    assert len(outcomes) == 118  # the guide quotes this number and the refusal
    refused = [pair for pair in outcomes if isinstance(pair[0], str) or isinstance(pair[1], str)]
    assert len(refused) == 1
    assert all(isinstance(one, str) and one == other for one, other in refused)
    read = [pair for pair in outcomes if not isinstance(pair[0], str)]
    found, expected = (list(each) for each in zip(*read, strict=True))
    assert (answers(found) == answers(expected)).mean() >= 0.99
    off = np.abs(np.stack(found).astype(int) - np.stack(expected))
    assert off.mean() < 0.01
    assert off.mean(axis=1).max() < 1


def test_refusals_give_pythons_reasons(page: Page) -> None:
    reasons = [in_python(image) for image in hopeless()]
    assert set(reasons) == {messages.BLANK, messages.SEVERAL, messages.NONE}
    assert in_page(page, hopeless()) == reasons
