"""docs/pictures.py: the pictures of the page, as the README shows them."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import ROOT


@pytest.mark.usefixtures("browser")
def test_the_page_is_drawn_on_and_recorded(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "docs" / "pictures.py"), "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    with Image.open(tmp_path / "demo.gif") as demo, Image.open(tmp_path / "page.png") as page:
        assert demo.size == page.size
        assert demo.n_frames > 20  # type: ignore[attr-defined]
    assert (tmp_path / "demo.gif").stat().st_size < 300_000
    assert (tmp_path / "inside.png").exists()
    assert (tmp_path / "api.png").exists()
