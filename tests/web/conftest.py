"""The page in a real browser."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tinydigits import load
from tinydigits.data import synthetic
from tinydigits.export import html
from tinydigits.export.folded import fold

WIDE = {"width": 1000, "height": 760}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's file."""
    path = tmp_path_factory.mktemp("page") / "digits.html"
    path.write_bytes(html.page(fold(load()), "people"))
    return path


@contextmanager
def opening(browser: Any, file: Path) -> Iterator[Callable[..., Any]]:
    """Give a function that opens the page; nothing may cause a request or an error meanwhile."""
    asked, faults = list[str](), list[str]()
    contexts = []

    def open_page(**options: Any) -> Any:
        contexts.append(browser.new_context(**{"viewport": WIDE, **options}))
        page = contexts[-1].new_page()
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert asked == [file.as_uri()] * len(contexts)
    assert not faults


@pytest.fixture
def opened(browser: Any, file: Path) -> Iterator[Callable[..., Any]]:
    """A function that opens the page; no test may cause a request or an error."""
    with opening(browser, file) as open_page:
        yield open_page


@pytest.fixture
def few() -> npt.NDArray[np.uint8]:
    """Twenty synthetic digits, two of each."""
    return synthetic.draw(20, seed=11)[0]


@pytest.fixture
def page(opened: Callable[..., Any]) -> Any:
    """The page, opened."""
    return opened()
