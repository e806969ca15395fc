"""From a request to its pictures: JSON, a form, or one picture file."""

import codecs
from collections.abc import Sequence
from email.message import Message
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from tinydigits.data.likeness import fault
from tinydigits.net.contract import SIDE
from tinydigits.serve import limits
from tinydigits.serve.bodies import FIELD, FORMS, Images

NORMALISED = "; the pixels look normalised: send 0 to 255, white on black"


class Picture(NamedTuple):
    """A picture of a request."""

    content: bytes | npt.NDArray[np.uint8]
    """A picture file, or pixels (28, 28) from 0 to 255, white on black."""
    file: str | None = None
    """The file's name in a form."""


async def pictures_in(request: Request) -> list[Picture]:
    """Return the pictures in a request's body.

    Raises:
        HTTPException: the body is not valid JSON (400), has too many values (413), an unknown
            content type (415), or other contents than those described for it (422).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return _in_json(await request.body())
    if kind == "multipart/form-data":
        return await _in_form(request)
    if kind.startswith("image/") or kind == "application/octet-stream":
        return [Picture(await request.body())]
    raise HTTPException(
        415,
        f"content type {kind or 'missing'}: expected application/json, multipart/form-data, or a "
        "picture's such as image/png",
    )


def _in_json(body: bytes) -> list[Picture]:
    images = _images(body.removeprefix(codecs.BOM_UTF8)).images
    blank = np.zeros((SIDE, SIDE))  # for pictures in base64, so that faults have the right number
    pixels = np.array(
        [blank if isinstance(each, bytes) else np.reshape(each, (SIDE, SIDE)) for each in images]
    )
    if found := fault(pixels):
        raise HTTPException(422, found)
    # Half a grey level makes no difference, so fractions are rounded.
    rounded = np.rint(pixels).astype(np.uint8)
    return [
        Picture(each if isinstance(each, bytes) else digit)
        for each, digit in zip(images, rounded, strict=True)
    ]


def _images(body: bytes) -> Images:
    # Each value but the first follows one of these.
    values = sum(body.count(sign) for sign in (b",", b"[", b"{", b":"))
    if values > limits.MOST_JSON_VALUES:
        raise HTTPException(
            413,
            f"the body has some {values:,} values: expected at most {limits.MOST_JSON_VALUES:,}",
        )
    try:
        return Images.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            reason = first["msg"].removeprefix("Invalid JSON: ")
            raise HTTPException(400, f"the body is not valid JSON: {reason}") from None
        hint = NORMALISED if first["type"] == "greater_than_equal" else ""
        raise HTTPException(422, f"{_place(first['loc'])}: {first['msg']}{hint}") from None


def _place(steps: Sequence[int | str]) -> str:
    named = [step for step in steps if step not in FORMS]
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in named)
    return place[1:] or "the body"


async def _in_form(request: Request) -> list[Picture]:
    parser = _Form(request.headers, request.stream(), max_files=limits.MOST_FILES)
    try:
        form = await parser.parse()
    except (MultiPartException, FormParserError) as error:  # older starlettes raise either
        raise HTTPException(422, f"invalid form: {error}") from None
    try:
        files = [await _file(name, value) for name, value in form.multi_items()]
    finally:
        await form.close()
    if not files:
        raise HTTPException(
            422, f"the form has no file: expected one or more in the field {FIELD!r}"
        )
    return files


class _Form(MultiPartParser):
    """A form whose parts are all files: some clients send them without a name."""

    spool_max_size = 2 * limits.MOST_BYTES  # never reached, so nothing is written to disk

    def on_headers_finished(self) -> None:
        """Take the part for a file, and its name from ``filename*`` (RFC 5987) if need be."""
        part = self._current_part
        given = part.content_disposition or b""
        if b"filename" not in parse_options_header(given)[1]:
            part.content_disposition = given + b'; filename=""'
        super().on_headers_finished()
        if part.file is not None and not part.file.filename:
            header = Message()
            header["content-disposition"] = given.decode("latin-1")
            part.file.filename = header.get_filename("")


async def _file(field: str, value: UploadFile | str) -> Picture:
    if isinstance(value, str) or field != FIELD:
        raise HTTPException(422, f"the field {field!r} is unknown: expected files in {FIELD!r}")
    content = await value.read()
    if not value.filename and _is_text(content):
        raise HTTPException(
            422, f"the field {FIELD!r} holds no file; with curl, type {FIELD}=@ and the file's name"
        )
    return Picture(content, value.filename or "")


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
