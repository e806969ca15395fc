"""The command ``tinydigits read``: the numbers in each picture, as they stand there."""

import csv
import io
import json
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from PIL import Image, ImageDraw, ImageOps
from tqdm import tqdm

from tinydigits import workers
from tinydigits.errors import InputError
from tinydigits.files import write_atomically
from tinydigits.reading import messages, pictures
from tinydigits.reading.image import opaque
from tinydigits.reading.page import Page, ReadDigit, ReadLine

Form = Literal["text", "json", "csv"]
Picture = str | bytes
"""The name of a picture file, or its content."""

FEW = 64  # pictures: as many are read by this process
AHEAD = 4  # pictures for each worker that wait to be read, so that none is idle
COLUMNS = ("file", "line", "text", "probability")
INK = (220, 40, 40)  # of boxes and answers in marked copies
UNSURE = "?"


def read(
    names: tuple[str, ...],
    *,
    form: Form,
    doubt: float,
    marked: Path | None,
    processes: int | None,
    dask: str | None,
) -> int:
    """Print the numbers in each picture; return 0 if all had some, 1 if some had, 2 if none had.

    A picture without a digit, or one that cannot be read, gets a line on standard error, and the
    rest continue. Digits less probable than ``doubt`` are written as ``?``. The folder ``marked``
    receives copies with boxes and answers.

    Raises:
        InputError: no picture is given, ``marked`` cannot be written, a worker died, or there is no
            such cluster.
    """
    files = pictures.find(names)
    # Standard input is read once, here: workers have another, and its copy is marked later.
    given = [sys.stdin.buffer.read() if file == pictures.STDIN else file for file in files]
    shown, answered = _forms(form, len(files) > 1), 0
    with watched(given, processes, dask) as told:
        for file, picture, page in zip(files, given, told, strict=True):
            if isinstance(page, str) or not page.lines:
                why = page if isinstance(page, str) else messages.NONE
                tqdm.write(f"error: {file}: {why}", file=sys.stderr)
                continue
            tqdm.write(shown(file, page, doubt, answered == 0))
            if marked:
                copy = pictures.png(marked_copy(picture, page, doubt))
                write_atomically(pictures.numbered(marked, file, answered), copy)
            answered += 1
    if answered == len(files):
        return 0
    return 1 if answered else 2


@contextmanager
def watched(
    given: Sequence[Picture], processes: int | None = None, dask: str | None = None
) -> Iterator[Iterable[Page | str]]:
    """Provide ``pages`` with a progress bar, unless they are soon read; end workers at the end."""
    hide = None if len(given) > FEW or processes or dask else True
    with (
        closing(pages(given, processes, dask)) as read,
        tqdm(read, "reading", len(given), unit="picture", leave=False, disable=hide) as told,
    ):
        yield told


def pages(
    files: Sequence[Picture], processes: int | None = None, dask: str | None = None
) -> Generator[Page | str, None, None]:
    """Yield what each picture says, or why it cannot be read, in order.

    More than FEW pictures are read by ``processes``, by default one per core, or by the workers of
    the Dask scheduler at ``dask``.

    Raises:
        InputError: a worker died, or there is no such cluster.
    """
    if dask is None and (processes == 1 or (processes is None and len(files) <= FEW)):
        yield from map(page_in, files)
        return
    go_on = "run the command again"
    with workers.pool(processes, dask, go_on) as pool:
        calls = ((_content(file) if dask else file,) for file in files)
        yield from pool.in_order(page_in, calls, AHEAD * pool.workers)


def _content(file: Picture) -> Picture:
    """Return a file's content: a cluster's workers may have no access to the file."""
    with suppress(OSError):  # a worker says why it cannot be read
        return Path(file).read_bytes() if isinstance(file, str) else file
    return file


def page_in(file: Picture) -> Page | str:
    """Return what the picture in a file says, or why it cannot be read."""
    from tinydigits.reading.reading import read as read_picture

    try:
        return read_picture(_opened(file))
    except InputError as error:
        return str(error)


def _opened(file: Picture) -> Image.Image:
    return pictures.open_picture(file) if isinstance(file, str) else pictures.open_content(file)


def _forms(form: Form, are_several: bool) -> Callable[[str, Page, float, bool], str]:
    return {"text": _text if are_several else _text_alone, "json": _json, "csv": _csv}[form]


def _text_alone(_: str, page: Page, doubt: float, __: bool) -> str:
    return "\n".join(_sure(line, doubt) for line in page.lines)


def _text(file: str, page: Page, doubt: float, is_first: bool) -> str:
    return f"{'' if is_first else chr(10)}{file}:\n{_text_alone(file, page, doubt, is_first)}"


def _sure(line: ReadLine, doubt: float) -> str:
    return "".join(_answer(each, doubt) for each in line.digits)


def _answer(digit: ReadDigit, doubt: float) -> str:
    return str(digit.digit) if digit.probability >= doubt else UNSURE


def _json(file: str, page: Page, doubt: float, _: bool) -> str:
    lines = [described(line) | {"text": _sure(line, doubt)} for line in page.lines]
    return json.dumps(
        {"file": file, "text": "\n".join(each["text"] for each in lines), "lines": lines}
    )


def described(line: ReadLine) -> dict[str, Any]:
    """Return a line as JSON shows it."""
    digits = [
        {"digit": each.digit, "probability": each.probability, "box": each.box}
        for each in line.digits
    ]
    return {
        "text": line.text,
        "box": line.box,
        "probability": line.probability,
        "digits": digits,
    }


def _csv(file: str, page: Page, doubt: float, is_first: bool) -> str:
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    if is_first:
        rows.writerow(COLUMNS)
    for number, line in enumerate(page.lines, 1):
        rows.writerow((file, number, _sure(line, doubt), f"{line.probability:.4f}"))
    return written.getvalue().removesuffix("\n")


def marked_copy(file: Picture, page: Page, doubt: float = 0) -> Image.Image:
    """Return a copy of a picture with a box and an answer for each digit.

    Raises:
        InputError: the file cannot be opened.
    """
    copy = opaque(ImageOps.exif_transpose(_opened(file))).convert("RGB")
    draw, width = ImageDraw.Draw(copy), max(1, max(copy.size) // 400)
    for line in page.lines:
        for each in line.digits:
            left, upper, _, lower = each.box
            draw.rectangle(each.box, outline=INK, width=width)
            size = max(10, (lower - upper) // 3)
            # Above the box, or below it where the picture ends.
            place, anchor = ((left, upper), "lb") if upper >= size else ((left, lower), "lt")
            draw.text(place, _answer(each, doubt), INK, anchor=anchor, font_size=size)
    return copy
