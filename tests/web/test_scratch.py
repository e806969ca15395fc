"""Training a new net from nothing in the page."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.web.test_page import NARROW
from tests.web.test_teach import SHORT, draw_mirrored, logits_in, teach
from tinydigits import infer, load
from tinydigits.data import synthetic

pytest.importorskip("playwright", reason="no playwright: pip install playwright")
from playwright.sync_api import Page, expect

Pixels = npt.NDArray[np.uint8]

BRIEF = "TRAINING.digits = 5008"  # a net that has learnt something, in seconds
ENDLESS = "TRAINING.digits = 16_000_000"
# A browser before 2023.
OLD = "DecompressionStream = undefined"


def begin(page: Page) -> None:
    page.get_by_text("Train from nothing").click()
    page.get_by_role("button", name="Train a new net").click()


def train(page: Page) -> None:
    begin(page)
    expect(page.locator("#told")).to_have_text("The new net reads what you draw", timeout=60_000)


def scroll_up(page: Page) -> None:
    """Bring the field, on which the mouse draws, back into view."""
    page.evaluate("scrollTo(0, 0)")


def curve(page: Page) -> npt.NDArray[np.float64]:
    """Return the curve's points: thousands of digits, and what stands for the share of errors."""
    points = page.locator("#curve").get_attribute("points") or ""
    return np.array([point.split(",") for point in points.split()], np.float64)


def right(logits: npt.NDArray[np.float64], labels: npt.NDArray[np.uint8]) -> float:
    return float((logits.argmax(axis=1) == labels).mean())


def test_a_new_net_learns_to_read_and_the_shipped_one_comes_back(page: Page) -> None:
    images, labels = synthetic.draw(300, seed=12)
    before = logits_in(page, images)
    page.evaluate(BRIEF)
    train(page)
    expect(page.locator("#course")).to_contain_text("5,008 digits in")
    found = curve(page)
    assert found[:, 0].tolist() == [1, 2, 3, 4, 5]
    wrong = 10 ** (-found[:, 1] / 20)
    assert wrong[0] > 0.6
    assert wrong[-1] < wrong[0] / 2
    after = logits_in(page, images)
    assert np.abs(after - before).mean() > 1
    assert right(after, labels) > 0.75
    expect(page.locator("#name")).to_have_text("trained in this page")
    page.get_by_role("button", name="Back to the shipped net").click()
    assert (logits_in(page, images) == before).all()
    expect(page.locator("#name")).to_have_text("people")
    expect(page.get_by_role("button", name="Back to the shipped net")).to_be_hidden()


def test_the_new_net_is_taught_and_taken_away(
    opened: Callable[..., Page], few: Pixels, tmp_path: Path
) -> None:
    page = opened(viewport=NARROW)
    page.evaluate(f"TRAINING.digits = 1600, {SHORT}")
    draw_mirrored(page)
    teach(page, 3)
    train(page)
    new = logits_in(page, few)
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
    with page.expect_download() as download:
        page.get_by_role("button", name="Download checkpoint").click()
    download.value.save_as(tmp_path / "new.safetensors")
    read = infer(load(tmp_path / "new.safetensors"), torch.from_numpy(few)).numpy()
    np.testing.assert_allclose(read, new, rtol=0, atol=1e-4)
    scroll_up(page)
    page.get_by_role("button", name="Clear").click()
    draw_any(page)
    page.get_by_role("button", name="3", exact=True).click()
    expect(page.locator("#count")).to_contain_text("Learnt: this is a 3", timeout=30_000)
    # What it is to keep is its own, not the shipped net's.
    assert 0 < np.abs(logits_in(page, few) - new).mean() < 0.6
    page.get_by_role("button", name="Forget all").click()
    assert (logits_in(page, few) == new).all()


def draw_any(page: Page) -> None:
    """Draw a digit, whatever it is read as."""
    scroll_up(page)
    field = page.locator("#field").bounding_box()
    assert field
    page.mouse.move(field["x"] + 60, field["y"] + 40)
    page.mouse.down()
    page.mouse.move(field["x"] + 140, field["y"] + 40, steps=4)
    page.mouse.move(field["x"] + 90, field["y"] + 160, steps=6)
    page.mouse.up()
    expect(page.locator("#answer")).not_to_have_text("–")


def test_training_can_be_cancelled_and_keeps_lessons_out(page: Page, few: Pixels) -> None:
    before = logits_in(page, few)
    draw_mirrored(page)
    page.evaluate(ENDLESS)
    begin(page)
    expect(page.get_by_role("progressbar", name="Training")).to_be_visible()
    assert not page.evaluate("tinydigits.lessons.teach(3)")
    page.get_by_role("button", name="Clear").click()  # the page responds meanwhile
    expect(page.locator("#answer")).to_have_text("–")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#told")).to_have_text("Cancelled: the net is as before")
    expect(page.get_by_role("progressbar", name="Training")).to_be_hidden()
    expect(page.get_by_role("button", name="Train a new net")).to_be_focused()
    assert (logits_in(page, few) == before).all()
    page.evaluate(SHORT)
    scroll_up(page)
    draw_mirrored(page)
    teach(page, 3)


def test_a_lesson_keeps_training_out(page: Page) -> None:
    page.evaluate("LESSON.steps = 100_000, LESSON.pool = 20")
    draw_mirrored(page)
    page.get_by_role("button", name="3", exact=True).click()
    assert page.evaluate("document.getElementById('scratch').inert")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#count")).to_have_text("Cancelled: the net is as before")
    assert not page.evaluate("document.getElementById('scratch').inert")


def test_an_old_browser_is_told_so(page: Page, few: Pixels) -> None:
    before = logits_in(page, few)
    page.evaluate(OLD)
    begin(page)
    expect(page.locator("#told")).to_have_text("This browser is too old to learn")
    scroll_up(page)
    draw_mirrored(page)
    page.get_by_role("button", name="3", exact=True).click()
    expect(page.locator("#count")).to_have_text("This browser is too old to learn")
    assert (logits_in(page, few) == before).all()


def test_the_first_weights_have_the_scale_of_he(page: Page) -> None:
    layers, numbers = page.evaluate(
        """() => {
          const { layers } = JSON.parse(document.getElementById("net").textContent);
          return [layers, [...newNumbers(layers, randomFrom(3))]];
        }"""
    )
    start = 0
    for number, layer in enumerate(layers):
        size = layer["inputs"] * layer["kernel"] ** 2
        weights = np.array(numbers[start : start + layer["outputs"] * size])
        start += weights.size
        biases = np.array(numbers[start : start + layer["outputs"]])
        start += biases.size
        scale = 1 if number else 1 / (255 * 0.3081)  # the page's first layer takes raw pixels
        expected = scale * np.sqrt((2 if layer["relu"] else 1) / size)
        assert weights.std() == pytest.approx(expected, rel=0.25)
        if number:
            assert not biases.any()
        else:  # a picture of MNIST's mean grey gives nothing
            grey = weights.reshape(-1, size).sum(axis=1) * 255 * 0.1307
            np.testing.assert_allclose(biases, -grey, rtol=1e-4, atol=1e-7)
    assert start == len(numbers)
