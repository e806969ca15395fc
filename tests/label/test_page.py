"""The page in a real browser: labelled by keys, by mouse, in two tabs, and on a phone."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.label.conftest import labelled
from tinydigits.label import journal
from tinydigits.label.page import page as content
from tinydigits.label.server import application, server
from tinydigits.label.session import Session

pytest.importorskip("playwright", reason="no playwright: pip install playwright")
from playwright.sync_api import Browser, Page, expect

# Five seconds, the default, are too few while other programs use the cores.
expect.set_options(timeout=30_000)

TOKEN = "the-token"


@pytest.fixture
def address(begin: Callable[[], Session]) -> Iterator[str]:
    """The page's address, while its server runs."""

    def finish() -> None:
        running.should_exit = True

    page = content("tinydigits label scans", "tinydigits train --data out")
    running = server(application(begin(), page, TOKEN, finish))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=running.run, args=([listening],))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/{TOKEN}/"
        finish()
        thread.join()


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """A function that opens a tab; all requests go to the server, and no script fails."""
    faults, asked = list[str](), list[str]()

    def open_page(**options: object) -> Page:
        page = browser.new_context(**options).new_page()  # type: ignore[arg-type]
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        return page

    yield open_page
    for context in browser.contexts:
        context.close()
    expected = ("409 (Conflict)", "ERR_FAILED")  # a second tab's decision, and no server
    assert [each for each in faults if not any(told in each for told in expected)] == []
    assert asked
    assert all(url.startswith((address, "data:")) for url in asked)


def expect_picture(page: Page, name: str, left: int) -> None:
    """Wait until a picture is shown and announced, and the page takes keys again."""
    expect(page.get_by_role("status")).to_have_text(re.compile(f"^{name}[.] .* {left} of 4 left"))
    expect(page.locator("body")).to_have_attribute("aria-busy", "false")


def press(page: Page, key: str, name: str, left: int) -> None:
    page.keyboard.press(key)
    expect_picture(page, name, left)


def test_a_key_labels_each_picture(opened: Callable[..., Page], tmp_path: Path) -> None:
    page = opened()
    expect_picture(page, "two.png", 4)
    page.keyboard.press("Enter")  # no answer to confirm
    page.keyboard.press("Control+3")
    press(page, "x", "b/1.png", 3)
    expect(page.locator("#answer")).to_have_text("1")
    expect(page.locator("#verdict")).to_have_text("60.0\u00a0% sure")
    expect(page.get_by_role("img", name="Picture b/1.png")).to_be_visible()
    press(page, "2", "b/7.png", 2)
    press(page, "s", "a/1.png", 2)
    press(page, "Enter", "b/7.png", 1)
    press(page, "u", "a/1.png", 2)
    press(page, "Enter", "b/7.png", 1)
    page.keyboard.press("7")
    expect(
        page.get_by_role("heading", name=re.compile("All 4 pictures are decided"))
    ).to_be_visible()
    assert sorted(labelled(tmp_path / "out")) == ["1/1", "2/1", "7/7"]
    labels = [each.label for each in journal.read(tmp_path / "out")]
    assert labels == ["none", 2, 1, None, 1, 7]


def test_buttons_do_the_same_and_a_decision_can_be_changed(
    opened: Callable[..., Page], tmp_path: Path
) -> None:
    page = opened(viewport={"width": 360, "height": 740}, color_scheme="dark")
    expect_picture(page, "two.png", 4)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.get_by_role("button", name="Later").click()
    expect_picture(page, "b/1.png", 4)
    page.get_by_role("button", name="2", exact=True).click()
    expect_picture(page, "b/7.png", 3)
    press(page, "Enter", "a/1.png", 2)  # not the button that was clicked
    page.get_by_role("button", name="b/1.png: 2. Change").click()
    expect_picture(page, "b/1.png", 2)
    expect(page.get_by_role("button", name="2", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    page.get_by_role("button", name="3", exact=True).click()
    expect_picture(page, "a/1.png", 2)
    assert sorted(labelled(tmp_path / "out")) == ["3/1", "7/7"]
    page.get_by_role("button", name="Finish").click()
    expect(page.get_by_role("heading", name=re.compile("2 left.* You can close"))).to_be_visible()
    expect(page.get_by_text("tinydigits label scans")).to_be_visible()


def test_a_second_tab_is_told_and_a_stopped_command_too(
    opened: Callable[..., Page], tmp_path: Path
) -> None:
    first, second = opened(), opened()
    expect_picture(second, "two.png", 4)
    expect_picture(first, "two.png", 4)
    press(first, "x", "b/1.png", 3)
    press(second, "4", "b/1.png", 3)
    expect(second.get_by_role("alert")).to_have_text("This picture was decided in another tab.")
    assert labelled(tmp_path / "out") == {}
    second.route("**/decide", lambda route: route.abort())  # as after the end of the command
    second.keyboard.press("4")
    expect(second.get_by_role("alert")).to_contain_text("Every decision was saved: to go on, run")
    second.unroute("**/decide")
