"""Looking inside the net on the page: its maps, what their cells come from, and evidence."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from tinydigits import Net, infer, load
from tinydigits.data import synthetic
from tinydigits.net.model import normalise

pytest.importorskip("playwright", reason="no playwright: pip install playwright")
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.drawing import expect_answer, write
from tests.web.conftest import WIDE, opening
from tests.web.test_page import NARROW

LAYERS = ("relu1", "pool1", "relu3", "pool2", "relu5", "average", "conv7")
TITLES = [
    "8 maps of 26 × 26", "16 maps of 12 × 12", "16 maps of 10 × 10", "24 maps of 4 × 4",
    "24 maps of 2 × 2", "16 maps of 1 × 1", "10 maps of 1 × 1",
]  # fmt: skip
PATCH = 4  # pixels, the side of what is blanked, as the page says


@pytest.fixture(scope="module")
def inside(browser: Any, file: Path) -> Iterator[Page]:
    """The page with a four drawn on it, unfolded; tests share it and leave it so."""
    with opening(browser, file) as open_page:
        page = open_page()
        write(page, 4)
        expect_answer(page, 4)
        unfold(page)
        yield page


def unfold(page: Page) -> None:
    page.get_by_role("heading", name="Look inside").click()


def maps_of(net: Net, pixels: Tensor) -> list[Tensor]:
    """Return the maps of each layer, (N, maps, side, side), for pixels uint8 (N, 28, 28)."""
    found = dict[str, Tensor]()
    with torch.inference_mode():
        x = normalise(pixels)
        for name, module in net.eval().layers.named_children():
            x = found[name] = module(x)
    return [found[name] for name in LAYERS]


def test_maps_are_those_of_pytorch(inside: Page) -> None:
    digits = synthetic.draw(3, seed=1)[0]
    pairs = inside.evaluate(
        """(content) => {
          const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
          return [0, 1, 2].map((n) => {
            const pixels = bytes.subarray(784 * n, 784 * (n + 1));
            const maps = tinydigits.maps(pixels).map(({ data }) => [...data]);
            return [maps, [...tinydigits.logits(pixels)]];
          });
        }""",
        base64.b64encode(digits.tobytes()).decode(),
    )
    expected = maps_of(load(), torch.from_numpy(digits))
    assert len(pairs) == 3
    for number, (maps, logits) in enumerate(pairs):
        assert len(maps) == 7
        for found, of_layer in zip(maps, expected, strict=True):
            flat = of_layer[number].flatten()
            np.testing.assert_allclose(found, flat, rtol=0, atol=1e-4)
        assert maps[-1] == logits


def test_maps_are_listed_in_the_order_of_the_net(inside: Page) -> None:
    expected = maps_of(load(), torch.zeros(1, 28, 28, dtype=torch.uint8))
    shapes = [each.shape[1:] for each in expected]
    assert [f"{count} maps of {side} × {side}" for count, side, _ in shapes] == TITLES
    assert inside.locator("#layers h3").all_inner_texts() == TITLES
    for grid, (count, side, _) in zip(inside.locator("#inside .maps").all(), shapes, strict=True):
        canvases = grid.locator("canvas")
        expect(canvases).to_have_count(count)
        assert canvases.first.evaluate("({ width, height }) => [width, height]") == [side, side]


def painted(page: Page, selector: str) -> npt.NDArray[np.uint8]:
    """Return the colours of each canvas that the selector finds, (canvases, side, side, 3)."""
    values = page.locator(selector).evaluate_all(
        """(canvases) => canvases.map((canvas) => {
          const context = new OffscreenCanvas(canvas.width, canvas.width).getContext("2d");
          context.drawImage(canvas, 0, 0);
          return [...context.getImageData(0, 0, canvas.width, canvas.width).data];
        })"""
    )
    side = round((len(values[0]) / 4) ** 0.5)
    return np.array(values, np.uint8).reshape(-1, side, side, 4)[..., :3]


def seen(page: Page) -> npt.NDArray[np.uint8]:
    return painted(page, "#view")[0, :, :, 0]


def test_brightness_is_the_value(inside: Page) -> None:
    """The middle channel is in proportion, on a scale of the layer."""
    expected = maps_of(load(), torch.from_numpy(seen(inside)[None]))
    for number, maps in enumerate(expected):
        values = maps[0] - min(0.0, float(maps.min()))
        found = painted(inside, f"#layers li:nth-child({number + 1}) canvas")[..., 1]
        shares = (values / values.max()).numpy()
        np.testing.assert_allclose(found, 255 * shares, rtol=0, atol=0.6)


def fields() -> list[npt.NDArray[np.int64]]:
    """Return left edge, upper edge, width and height of what each layer's cells come from.

    In a net without negative weights, on black, a pixel changes all cells that come from it.
    """
    net = Net()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.copy_(0 * parameter if name.endswith("bias") else 1 + 0 * parameter)
        x = torch.eye(28 * 28).reshape(-1, 1, 28, 28)
        found = dict[str, Tensor]()
        for name, module in net.eval().layers.named_children():
            x = found[name] = module(x).clamp(max=1)
    edges = []
    for name in LAYERS:
        reached = found[name][:, 0].flatten(1).T.reshape(-1, 28, 28) > 0  # (cells, 28, 28)
        boxes = []
        for each in reached:
            rows, columns = np.nonzero(each.numpy())
            box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            assert len(rows) == box[2] * box[3]
            boxes.append(box)
        edges.append(np.array(boxes))
    return edges


def test_a_cell_comes_from_the_pixels_that_change_it(inside: Page) -> None:
    found = inside.evaluate(
        """() => tinydigits.maps(new Uint8Array(784)).map((maps, n) => {
          const canvas = document.querySelectorAll(".maps")[n].querySelector("canvas");
          return Array.from({ length: maps.side ** 2 }, (_, i) => {
            showCell(n, canvas, maps, 0, i % maps.side, Math.trunc(i / maps.side));
            const { style } = document.getElementById("source");
            return ["left", "top", "width", "height"].map((edge) => parseFloat(style[edge]));
          });
        })"""
    )
    for boxes, expected in zip(found, fields(), strict=True):
        np.testing.assert_allclose(28 / 100 * np.array(boxes), expected, rtol=0, atol=1e-3)


def evidence_for(pixels: npt.NDArray[np.uint8], answer: int) -> npt.NDArray[np.float64]:
    """Return what the answer's lead loses when the 4x4 pixels around each 2x2 are blanked."""
    pictures = np.repeat(pixels[None], 1 + 14 * 14, axis=0)
    for number in range(14 * 14):
        upper, left = (2 * place + 1 - PATCH // 2 for place in divmod(number, 14))
        rows = slice(max(0, upper), upper + PATCH)
        pictures[1 + number, rows, max(0, left) : left + PATCH] = 0
    logits = infer(load(), torch.from_numpy(pictures)).double().numpy()
    leads = logits[:, answer] - np.delete(logits, answer, axis=1).max(axis=1)
    return np.kron((leads[0] - leads[1:]).reshape(14, 14), np.ones((2, 2)))


def test_evidence_is_what_the_answer_loses(inside: Page) -> None:
    pixels = seen(inside)
    found = inside.evaluate(
        """async (values) => {
          const pixels = Uint8Array.from(values);
          const digit = { pixels, maps: tinydigits.maps(pixels), answer: 4 };
          return [...await evidenceIn(digit, tinydigits.logits, () => true)];
        }""",
        pixels.ravel().tolist(),
    )
    expected = evidence_for(pixels, answer=4)
    assert expected.max() > 1
    assert expected.min() < -0.1
    np.testing.assert_allclose(np.reshape(found, (28, 28)), expected, rtol=0, atol=1e-4)


def test_evidence_is_shown_in_two_colours_with_a_legend(inside: Page) -> None:
    expected = evidence_for(seen(inside), answer=4)
    expect(inside.locator("#for")).to_have_text(f"for 4: ≤ {expected.max():.1f}")
    expect(inside.locator("#against")).to_have_text(f"against: ≤ {-expected.min():.1f}")
    colours = painted(inside, "#evidence")[0].astype(int)
    keys = [
        inside.locator(name).evaluate("(key) => getComputedStyle(key, '::before').backgroundColor")
        for name in ("#for", "#against")
    ]
    assert keys == ["rgb(100, 143, 255)", "rgb(255, 176, 0)"]
    assert colours[np.unravel_index(expected.argmax(), (28, 28))].tolist() == [100, 143, 255]
    red, _, blue = colours[np.unravel_index(expected.argmin(), (28, 28))]
    assert red > blue + 20


def test_every_canvas_has_a_name(inside: Page) -> None:
    canvases = inside.locator("#inside canvas")
    expect(canvases).to_have_count(2 + 114)
    names = canvases.evaluate_all("(all) => all.map(({ role, ariaLabel }) => [role, ariaLabel])")
    assert all(role == "img" and name for role, name in names)
    expect(inside.get_by_role("img", name="digit 9", exact=True)).to_be_visible()
    expect(inside.locator("#cell")).to_have_attribute("aria-live", "polite")


def test_a_cell_under_the_pointer_is_framed_and_told(inside: Page) -> None:
    values = maps_of(load(), torch.from_numpy(seen(inside)[None]))[1][0, :, 4, 7]
    strongest = int(values.argmax())
    canvas = inside.locator("#inside .maps").nth(1).locator("canvas").nth(strongest)
    box = canvas.bounding_box()
    assert box is not None
    canvas.hover(position={"x": 7.5 / 12 * box["width"], "y": 4.5 / 12 * box["height"]})
    expect(inside.locator("#cell")).to_have_text(
        f"Layer 2, map {strongest + 1}, row 5, column 8: {values[strongest]:.2f}, "
        "from rows 9–14 and columns 15–20 of the picture"
    )
    expected = np.array([7, 4, 1, 1]) / 12
    assert place_in(inside, "#spot", canvas) == pytest.approx(expected, abs=0.01)
    expected = np.array([14, 8, 6, 6]) / 28
    assert place_in(inside, "#source", inside.locator("#view")) == pytest.approx(expected, abs=0.01)


def place_in(page: Page, frame: str, canvas: Locator) -> list[float]:
    """Return left edge, upper edge, width and height of a frame, in shares of a canvas."""
    inner, outer = page.locator(frame).bounding_box(), canvas.bounding_box()
    assert inner is not None
    assert outer is not None
    edges = [inner["x"] - outer["x"], inner["y"] - outer["y"], inner["width"], inner["height"]]
    return [edge / outer["width"] for edge in edges]


STEPS = [
    ("ArrowRight", "map 1, row 3, column 4"),
    ("ArrowRight", "map 2, row 3, column 1"),
    ("ArrowDown", "map 2, row 4, column 1"),
    ("ArrowDown", "map 10, row 1, column 1"),
    ("Shift+ArrowRight", "map 11, row 1, column 1"),
    ("Shift+ArrowDown", "map 19, row 1, column 1"),
    ("Shift+ArrowDown", "map 19, row 4, column 1"),
    ("ArrowLeft", "map 18, row 4, column 4"),
    ("ArrowUp", "map 18, row 3, column 4"),
]


def test_arrow_keys_move_from_cell_to_cell_and_from_map_to_map(inside: Page) -> None:
    inside.locator("#inside summary").focus()
    inside.keyboard.press("Enter")
    expect(inside.locator("#views")).to_be_hidden()
    inside.keyboard.press("Enter")
    for title in TITLES[:4]:
        inside.keyboard.press("Tab")
        expect(inside.get_by_role("application", name=title)).to_be_focused()
    expect(inside.locator("#cell")).to_contain_text("Layer 4, map 1, row 3, column 3: ")
    for key, expected in STEPS:
        inside.keyboard.press(key)
        expect(inside.locator("#cell")).to_contain_text(f"Layer 4, {expected}: ")


COUNT = """() => {
  globalThis.counts = {};
  for (const name of ["convolved", "softmax", "paintMaps", "evidenceIn", "leadOf"]) {
    const original = globalThis[name];
    counts[name] = 0;
    globalThis[name] = (...given) => {
      counts[name]++;
      return original(...given);
    };
  }
}"""


def test_nothing_is_computed_while_it_is_folded(page: Page) -> None:
    page.evaluate(COUNT)
    write(page, 1)
    expect_answer(page, 1)
    counts = page.evaluate("counts")
    assert counts["convolved"] == 7 * counts["softmax"] > 0
    assert [counts["paintMaps"], counts["evidenceIn"], counts["leadOf"]] == [0, 0, 0]
    expect(page.locator("#layers canvas")).to_have_count(0)
    unfold(page)
    expect(page.locator("#for")).to_contain_text("for 1: ≤ ")
    unfolded = page.evaluate("counts")
    assert unfolded["paintMaps"] == 7
    unfold(page)  # folds it
    page.keyboard.press("Escape")
    page.keyboard.press("Control+z")
    expect_answer(page, 1)
    folded = page.evaluate("counts")
    assert folded["softmax"] > unfolded["softmax"]
    assert [folded[name] for name in ("paintMaps", "leadOf")] == [7, unfolded["leadOf"]]


def test_evidence_of_an_earlier_drawing_is_no_longer_sought(inside: Page) -> None:
    """Maps are shown within a stroke; evidence waits for its end."""
    lengths = inside.evaluate(
        """async () => {
          const pixels = new Uint8Array(784).fill(200, 300, 500);
          const digit = { pixels, maps: logits.maps(pixels), answer: 3 };
          const [seek, searches] = [evidenceIn, []];
          globalThis.evidenceIn = (...given) => searches[searches.push(seek(...given)) - 1];
          for (const isDone of [true, false, true, true]) showInside(digit, isDone);
          const found = await Promise.all(searches);
          globalThis.evidenceIn = seek;
          readField(true);
          return found.map((evidence) => evidence?.length);
        }"""
    )
    assert lengths == [None, None, 784]


def test_only_single_digits_are_looked_into(inside: Page) -> None:
    notice = inside.get_by_text("Only single digits are shown here: draw one.")
    expect(notice).to_be_hidden()
    for result in ('{ texts: ["17"], share: 0.9, boxes: [] }', '{ reason: "No digit yet" }'):
        inside.evaluate(f"show({result}, true)")
        expect(notice).to_be_visible()
        expect(inside.locator("#views")).to_be_hidden()
        inside.evaluate("readField(true)")
        expect(notice).to_be_hidden()
        expect(inside.locator("#views")).to_be_visible()


def test_nothing_unfolds_beside_a_narrow_window(inside: Page) -> None:
    """What a cell comes from stays in sight, whichever layer it is of."""
    inside.set_viewport_size(ViewportSize(width=NARROW["width"], height=NARROW["height"]))
    assert inside.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
    for grid in (inside.locator("#inside .maps").first, inside.locator("#inside .maps").last):
        grid.scroll_into_view_if_needed()
        expect(inside.locator("#view")).to_be_in_viewport(ratio=0.99)
    inside.set_viewport_size(ViewportSize(width=WIDE["width"], height=WIDE["height"]))
