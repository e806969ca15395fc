"""Digits drawn on the page, with the mouse of a real browser."""

import re

from playwright.sync_api import Page, expect

from tests.pictures import Points, strokes

# Five seconds, the default, are too few for a long number while other programs use the cores.
expect.set_options(timeout=30_000)


def on_field(page: Page, points: Points) -> list[list[float]]:
    """Convert points, 0 to 1 of the field, to positions in the window."""
    box = page.locator("#field").bounding_box()
    assert box is not None
    places: list[list[float]] = (points * (box["width"], box["height"])).tolist()
    return [[x + box["x"], y + box["y"]] for x, y in places]


def ways(digit: int) -> list[Points]:
    """Return the strokes of a digit, 0 to 1 of the field."""
    return [way[::3] * (0.6, 0.7) + (0.2, 0.15) for way in strokes(digit)]


def stroke(page: Page, points: Points) -> None:
    places = on_field(page, points)
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places:
        page.mouse.move(*place)
    page.mouse.up()


def write(page: Page, digit: int) -> None:
    for points in ways(digit):
        stroke(page, points)


def expect_answer(page: Page, digit: int) -> None:
    expect(page.get_by_role("status")).to_have_text(re.compile(f"^Answer: {digit}, "))
    expect(page.locator("#answer")).to_have_text(str(digit))
