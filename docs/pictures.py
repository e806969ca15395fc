"""Take the pictures of the guide.

They are page.png, inside.png, demo.gif, api.png, label.png, note.jpg and note-read.png. A real
Chromium draws digits on the exported page, tries the API of a running server, and labels
photographs of digits.
The note with numbers is drawn as scenes are.

    python docs/pictures.py --out docs
"""

import argparse
import io
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tests.drawing import expect_answer, on_field, ways, write
from tests.processes import started, wait_for
from tests.serving import server
from tinydigits.export import html, parity
from tinydigits.export.folded import fold
from tinydigits.net.shipped import DEFAULT
from tinydigits.net.trained import load
from tinydigits.reading.read_command import marked_copy
from tinydigits.reading.reading import read
from tinydigits.scenes import scene, setting, settings, writing
from tinydigits.scenes.glyphs import from_shapes
from tinydigits.scenes.writing import Mark, Source

WINDOW = ViewportSize(width=800, height=620)
INSIDE_WINDOW = ViewportSize(width=800, height=1150)
TALL_WINDOW = ViewportSize(width=1000, height=1150)
DIGITS = (3, 7, 5)
POINTS = 4  # of a stroke per frame
FRAME, HOLD = 60, 1500  # milliseconds
SETTLED = 500  # milliseconds until the bars stand still
COLOURS = 48  # in the GIF's palette
NOTE_SEED = 3
NOTE_DIGITS = (5, 3, 6)  # in each line of the note
NOTE_SIZE = 58.0  # pixels of a digit on it
NOTE_SHAPE = (480, 640)  # height and width of the picture
NOTE_PARTS = (settings.writing, settings.note, settings.slightly, settings.desk)
LABEL_SEED, LABEL_PICTURES, LABEL_DECISIONS = 5, 12, 4
PICTURES = (
    "page.png", "inside.png", "demo.gif", "api.png", "label.png", "note.jpg", "note-read.png",
)  # fmt: skip


def drawing_page(browser: Browser, out: Path) -> None:
    """Write page.png, inside.png and demo.gif."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_bytes(html.page(fold(load()), DEFAULT))
        page = browser.new_page(viewport=WINDOW, color_scheme="light")
        page.goto(path.as_uri())
        write(page, 5)
        expect_answer(page, 5)
        page.wait_for_timeout(SETTLED)
        page.screenshot(path=out / "page.png")
        unfolded(page, out / "inside.png")
        page.get_by_role("button", name="Clear").click()
        animate(page, out / "demo.gif")


def unfolded(page: Page, path: Path) -> None:
    """Write the part of the page that looks inside the net, as high as a window."""
    inside = page.locator("#inside")
    page.get_by_text("Look inside").click()
    expect(page.locator("#for")).to_contain_text("≤")
    page.set_viewport_size(INSIDE_WINDOW)
    inside.evaluate("(section) => section.scrollIntoView()")
    page.screenshot(path=path)
    page.get_by_text("Look inside").click()
    page.set_viewport_size(WINDOW)
    page.evaluate("scrollTo(0, 0)")


def animate(page: Page, path: Path) -> None:
    """Write a GIF of the page while digits are drawn on it."""
    frames = [frame for digit in DIGITS for frame in frames_of(page, digit)]
    images, times = zip(*frames, strict=True)
    # One palette for all frames, so that nothing flickers.
    palette = images[-1].quantize(COLOURS)
    first, *rest = (image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images)
    first.save(path, save_all=True, append_images=rest, duration=times, loop=0, optimize=True)


def frames_of(page: Page, digit: int) -> Iterator[tuple[Image.Image, int]]:
    """Draw a digit, and yield what the page shows meanwhile, each frame with its milliseconds."""
    for way in ways(digit):
        places = on_field(page, way)
        page.mouse.move(*places[0])
        page.mouse.down()
        for number, place in enumerate(places):
            page.mouse.move(*place)
            if number % POINTS == 0:
                page.wait_for_timeout(FRAME)  # the page reads unfinished digits too
                yield screenshot(page), FRAME
        page.mouse.up()
    expect_answer(page, digit)
    page.wait_for_timeout(SETTLED)
    yield screenshot(page), HOLD
    page.get_by_role("button", name="Clear").click()


def screenshot(page: Page) -> Image.Image:
    """Return what the window shows."""
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def documentation(browser: Browser, out: Path) -> None:
    """Write api.png: the documentation of the API after a picture was sent from it."""
    with server() as running:
        page = browser.new_page(viewport=TALL_WINDOW, color_scheme="light")
        page.goto(f"{running.url}/docs")
        predict = page.locator("#operations-digits-predict_predict_post")
        predict.click()
        predict.get_by_label("Request content type").select_option("multipart/form-data")
        predict.locator("input[type=file]").set_input_files(ROOT / "docs" / "seven.jpg")
        predict.get_by_role("button", name="Execute").click()
        expect(predict.locator(".live-responses-table")).to_contain_text('"digit": 7')
        predict.evaluate("element => element.scrollIntoView()")
        page.screenshot(path=out / "api.png", animations="disabled")


def labelling(browser: Browser, out: Path) -> None:
    """Write label.png: the labelling page after a few decisions."""
    rng, source = np.random.default_rng(LABEL_SEED), from_shapes()
    with tempfile.TemporaryDirectory() as folder:
        scans = Path(folder) / "scans"
        scans.mkdir()
        for number in range(LABEL_PICTURES):
            marks = [writing.digit(source, NOTE_SIZE, rng)]
            photograph(marks, NOTE_PARTS, rng, source).save(scans / f"IMG_{number:04}.jpg")
        command = ("label", str(scans), "--out", f"{folder}/my-digits", "--no-browser")
        with started("-m", "tinydigits", *command) as process:
            line = wait_for("to label on", process.stderr)
            page = browser.new_page(viewport=WINDOW, color_scheme="light")
            page.goto(re.findall(r"http://\S+/", line)[0])
            for left in range(LABEL_PICTURES, LABEL_PICTURES - LABEL_DECISIONS, -1):
                expect(page.get_by_role("status")).to_contain_text(f"{left} of")
                expect(page.locator("body")).to_have_attribute("aria-busy", "false")
                page.keyboard.press("Enter" if page.locator("#confirm").is_enabled() else "x")
            expect(page.get_by_role("status")).to_contain_text(f"{left - 1} of")
            page.screenshot(path=out / "label.png", animations="disabled")


def photograph(
    marks: list[Mark], parts: tuple[settings.Part, ...], rng: np.random.Generator, source: Source
) -> Image.Image:
    """Return a photograph of a note with these marks."""
    height, width = NOTE_SHAPE
    centre = (width / 2, height / 2)
    drawn = scene(marks, setting(parts, rng), NOTE_SHAPE, NOTE_SIZE, centre, rng, source)
    return Image.fromarray(drawn.picture)


def note(out: Path) -> None:
    """Write note.jpg, a photographed note with numbers, and note-read.png, what is read of it."""
    rng, source = np.random.default_rng(NOTE_SEED), from_shapes()
    marks: list[Mark] = []
    for number, count in enumerate(NOTE_DIGITS):
        written = [
            writing.digit(source, NOTE_SIZE * rng.uniform(0.9, 1.1), rng) for _ in range(count)
        ]
        gaps = (NOTE_SIZE * rng.uniform(0.08, 0.3, count - 1)).tolist()
        line = writing.row(written, gaps, (0.04 * NOTE_SIZE * rng.standard_normal(count)).tolist())
        left = writing.bounds(line)[0][0]
        by = np.array((-2 * NOTE_SIZE - left, 1.5 * NOTE_SIZE * (number - 1)))
        marks += [mark.moved(by) for mark in line]
    drawn = photograph(marks, (*NOTE_PARTS, settings.ruled), rng, source)
    drawn.save(out / "note.jpg", quality=90)
    page = read(out / "note.jpg")
    marked_copy(str(out / "note.jpg"), page).save(out / "note-read.png")


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    options = parser.parse_args()

    options.out.mkdir(parents=True, exist_ok=True)
    note(options.out)
    with sync_playwright() as playwright:
        # Containers run as root, where Chromium's sandbox does not.
        browser = playwright.chromium.launch(
            executable_path=parity.browser(), args=["--no-sandbox"]
        )
        drawing_page(browser, options.out)
        documentation(browser, options.out)
        labelling(browser, options.out)
        browser.close()
    for name in (
        "page.png",
        "inside.png",
        "demo.gif",
        "api.png",
        "label.png",
        "note.jpg",
        "note-read.png",
    ):
        print(f"wrote {options.out / name}")


if __name__ == "__main__":
    main()
