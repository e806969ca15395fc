"""The command ``tinydigits read``: the numbers in each picture, as they stand there."""

import csv
import io
import json
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Literal

from PIL import ImageDraw, ImageOps
from tqdm import tqdm

from tinydigits import workers
from tinydigits.errors import InputError
from tinydigits.files import write_atomically
from tinydigits.reading import messages, pictures
from tinydigits.reading.page import Page, ReadLine

Form = Literal["text", "json", "csv"]

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
        InputError: no picture is given, ``doubt`` is no probability, ``marked`` cannot be written,
            a worker died, or there is no such cluster.
    """
    if not 0 <= doubt <= 1:
        raise InputError(f"--doubt is {doubt}, but must be from 0 to 1")
    files = pictures.find(names)
    shown, answered = _forms(form, len(files) > 1), 0
    hide = None if len(files) > FEW else True
    told = tqdm(_pages(files, processes, dask), "reading", len(files), unit="picture", disable=hide)
    for file, page in zip(files, told, strict=True):
        if isinstance(page, str):
            tqdm.write(f"error: {file}: {page}", file=sys.stderr)
            continue
        tqdm.write(shown(file, page, doubt, answered == 0))
        if marked:
            write_atomically(pictures.numbered(marked, file, answered), _marked(file, page, doubt))
        answered += 1
    if answered == len(files):
        return 0
    return 1 if answered else 2


def _pages(files: Sequence[str], processes: int | None, dask: str | None) -> Iterator[Page | str]:
    """Yield what each picture says, or why it cannot be read, in order."""
    if dask is None and (processes == 1 or (processes is None and len(files) <= FEW)):
        yield from map(page_in, files)
        return
    go_on = "run the command again"
    with workers.local(processes, go_on) if dask is None else workers.cluster(dask) as pool:
        ahead: deque[Future[Page | str]] = deque()
        for file in files:
            if len(ahead) == AHEAD * pool.workers:
                yield ahead.popleft().result()
            ahead.append(pool.executor.submit(page_in, file))
        yield from (each.result() for each in ahead)


def page_in(file: str) -> Page | str:
    """Return what the picture in a file says, or why it says nothing."""
    from tinydigits.reading.reading import read as read_picture

    try:
        page = read_picture(file)
    except InputError as error:
        return str(error).removeprefix(f"{file}: ")
    return page if page.lines else messages.NONE


def _forms(form: Form, are_several: bool) -> Callable[[str, Page, float, bool], str]:
    return {"text": _text if are_several else _text_alone, "json": _json, "csv": _csv}[form]


def _text_alone(_: str, page: Page, doubt: float, __: bool) -> str:
    return "\n".join(_sure(line, doubt) for line in page.lines)


def _text(file: str, page: Page, doubt: float, is_first: bool) -> str:
    return f"{'' if is_first else chr(10)}{file}:\n{_text_alone(file, page, doubt, is_first)}"


def _sure(line: ReadLine, doubt: float) -> str:
    return "".join(str(each.digit) if each.probability >= doubt else UNSURE for each in line.digits)


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


def _marked(file: str, page: Page, doubt: float) -> bytes:
    """Return a copy of a picture, as PNG, with a box and an answer for each digit."""
    copy = ImageOps.exif_transpose(pictures.open_picture(file)).convert("RGB")
    draw, width = ImageDraw.Draw(copy), max(1, max(copy.size) // 400)
    for line in page.lines:
        for each in line.digits:
            draw.rectangle(each.box, outline=INK, width=width)
            answer = str(each.digit) if each.probability >= doubt else UNSURE
            size = max(10, (each.box[3] - each.box[1]) // 3)
            draw.text((each.box[0], each.box[1]), answer, INK, anchor="lb", font_size=size)
    content = io.BytesIO()
    copy.save(content, "PNG")
    return content.getvalue()
