"""docs/pictures.py: the pictures of the page, as the README shows them."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import ROOT

pytest.importorskip("playwright", reason="no playwright: pip install playwright")


def test_the_page_is_drawn_on_and_recorded(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    pictures = import_module("pictures")
    monkeypatch.setattr(pictures, "DIGITS", (7,))  # a digit's frames take seconds
    pictures.drawing_page(browser, tmp_path)
    pictures.documentation(browser, tmp_path)
    pictures.note(tmp_path)
    with Image.open(tmp_path / "demo.gif") as demo, Image.open(tmp_path / "page.png") as page:
        assert demo.size == page.size
        assert demo.n_frames > 5  # type: ignore[attr-defined]
    assert (tmp_path / "demo.gif").stat().st_size < 100_000
    for name in ("api.png", "inside.png", "note.jpg", "note-read.png"):
        with Image.open(tmp_path / name) as picture:
            picture.load()
