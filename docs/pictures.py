"""Take the pictures of the drawing page, page.png and demo.gif.

Draws digits on the exported page with the mouse of a real Chromium and records what it shows.

    python docs/pictures.py --out docs
"""

import argparse
import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tests.drawing import expect_answer, on_field, ways, write
from tinydigits.export import html, parity
from tinydigits.export.folded import fold
from tinydigits.net.shipped import DEFAULT
from tinydigits.net.trained import load

SIZE = ViewportSize(width=800, height=620)  # of the window
DIGITS = (3, 7, 5)
POINTS = 4  # of the pen's way a frame
FRAME, HOLD = 60, 1500  # milliseconds
SETTLED = 500  # milliseconds until the bars stand still
COLOURS = 48  # of the GIF's palette


def screenshot(page: Page) -> Image.Image:
    """Return what the window shows."""
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def frames_of(page: Page, digit: int) -> Iterator[tuple[Image.Image, int]]:
    """Draw a digit, and yield what the page shows on the way, each with its milliseconds."""
    for way in ways(digit):
        places = on_field(page, way)
        page.mouse.move(*places[0])
        page.mouse.down()
        for number, place in enumerate(places):
            page.mouse.move(*place)
            if number % POINTS == 0:
                page.wait_for_timeout(FRAME)  # the page reads while it is drawn on
                yield screenshot(page), FRAME
        page.mouse.up()
    expect_answer(page, digit)
    page.wait_for_timeout(SETTLED)
    yield screenshot(page), HOLD
    page.get_by_role("button", name="Clear").click()


def take(page: Page, out: Path) -> None:
    """Write both pictures."""
    write(page, 5)
    expect_answer(page, 5)
    page.wait_for_timeout(SETTLED)
    page.screenshot(path=out / "page.png")
    page.get_by_role("button", name="Clear").click()
    images, times = zip(
        *(frame for digit in DIGITS for frame in frames_of(page, digit)), strict=True
    )
    # One palette for all frames, so that nothing flickers.
    palette = images[-1].quantize(COLOURS)
    first, *rest = (image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images)
    first.save(
        out / "demo.gif", save_all=True, append_images=rest, duration=times, loop=0, optimize=True
    )


def main() -> None:
    """Export the page, open it and take its pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    options = parser.parse_args()

    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_bytes(html.page(fold(load()), DEFAULT))
        # Containers run as root, where Chromium's sandbox does not.
        browser = playwright.chromium.launch(
            executable_path=parity.browser(), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(path.as_uri())
        take(page, options.out)
        browser.close()
    for name in ("page.png", "demo.gif"):
        print(f"wrote {options.out / name}")


if __name__ == "__main__":
    main()
