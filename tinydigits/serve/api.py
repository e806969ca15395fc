"""The HTTP routes: the drawing page, predictions, health and metrics."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ValidationError
from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from tinydigits import __version__
from tinydigits.errors import InputError
from tinydigits.net.contract import SIDE
from tinydigits.net.runtime import session_of
from tinydigits.reading import image, pictures
from tinydigits.serve import limits
from tinydigits.serve.bodies import (
    FIELD,
    Answer,
    FileAnswer,
    Health,
    Images,
    Predictions,
    Problem,
    Unread,
    request_body,
)
from tinydigits.serve.observe import Metrics, Observer
from tinydigits.serve.pages import SecurityHeaders, add_pages
from tinydigits.serve.served import ServedNet, probabilities

Pixels = npt.NDArray[np.uint8]
File = tuple[str, bytes]  # name and content

READERS = 1  # pictures decoded at once: a large one needs up to 560 MB
DECIMALS = 6  # of probabilities; further ones differ between processors
PATHS = frozenset({"/", "/predict", "/healthz", "/metrics", "/docs", "/openapi.json"})
DESCRIPTION = (
    "Reads handwritten digits. Send pictures as files, or pixels as numbers: 28×28, 0 to 255, "
    "white on black, as in MNIST. The server stores nothing that you send."
)


class _Form(MultiPartParser):
    spool_max_size = 2 * limits.MOST_BYTES  # never reached, so nothing is written to disk


def application(net: ServedNet) -> ASGIApp:
    """Return the ASGI application that serves a net."""
    metrics = Metrics()
    api = _api(net, metrics)
    return Observer(SecurityHeaders(limits.Limits(api)), metrics, PATHS)


def _api(net: ServedNet, metrics: Metrics) -> FastAPI:
    api = FastAPI(
        title="tinydigits",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        exception_handlers={
            HTTPException: _refusal,
            ClientDisconnect: _gone,
            Exception: _failure,
        },
    )
    reader = _Reader(net)

    @api.post(
        "/predict",
        tags=["digits"],
        summary="Read digits",
        response_model=Predictions,
        responses=_problems(400, 408, 413, 415, 422, 429, 503),
        openapi_extra={"requestBody": request_body()},
    )
    async def predict(request: Request) -> Response:
        """Read digits in one or more pictures: files in a form, or numbers in JSON.

        A file without exactly one digit gets an `error`; the other files are still read.
        """
        predictions: Sequence[Answer | FileAnswer | Unread]
        match request.headers.get("content-type", "").partition(";")[0].strip().lower():
            case "application/json":
                predictions = reader.numbers(_images(await request.body()))
            case "multipart/form-data":
                predictions = await reader.files(await _files(request))
            case other:
                raise HTTPException(
                    415,
                    f"content type {other or 'missing'}: expected application/json or "
                    "multipart/form-data",
                )
        return _json(Predictions(model=net.name, predictions=predictions))

    @api.get("/healthz", tags=["operation"], summary="Check that the server answers")
    async def healthz() -> Health:
        """Run the net on a blank picture, then answer."""
        reader.probabilities(np.zeros((1, SIDE, SIDE), np.uint8))
        return Health(status="ok", model=net.name, version=__version__)

    @api.get(
        "/metrics",
        tags=["operation"],
        summary="Requests, errors and durations",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def measure() -> Response:
        """Return the totals over all workers in Prometheus' text format."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    add_pages(api, net.page)
    return api


class _Reader:
    """The net, and the threads that prepare pictures for it."""

    def __init__(self, net: ServedNet) -> None:
        self.session = session_of(net.onnx)
        self.threads = ThreadPoolExecutor(READERS, thread_name_prefix="reader")

    def probabilities(self, pixels: Pixels) -> list[list[float]]:
        found: list[list[float]] = probabilities(self.session, pixels).round(DECIMALS).tolist()
        return found

    def numbers(self, images: Images) -> list[Answer]:
        # Half a grey level makes no difference, so fractions are rounded.
        pixels = np.rint([np.reshape(each, (SIDE, SIDE)) for each in images.images])
        return [Answer(**_told(row)) for row in self.probabilities(pixels.astype(np.uint8))]

    async def files(self, files: Sequence[File]) -> list[FileAnswer | Unread]:
        loop = asyncio.get_running_loop()
        read = await asyncio.gather(
            *(loop.run_in_executor(self.threads, _prepared, content) for _, content in files)
        )
        return [self._answer(name, pixels) for (name, _), pixels in zip(files, read, strict=True)]

    def _answer(self, file: str, pixels: Pixels | InputError) -> FileAnswer | Unread:
        if isinstance(pixels, InputError):
            return Unread(file=file, error=str(pixels))
        (row,) = self.probabilities(pixels[None])
        return FileAnswer(file=file, **_told(row))


def _prepared(content: bytes) -> Pixels | InputError:
    """Return the digit (28, 28) in a picture file, or the error that describes the file."""
    try:
        return image.to_mnist(
            pictures.decode(content, formats=limits.FORMATS, most_pixels=limits.MOST_PIXELS)
        )
    except InputError as error:
        return error


def _told(row: list[float]) -> dict[str, Any]:
    digit = int(np.argmax(row))
    return {"digit": digit, "probability": row[digit], "probabilities": row}


def _images(body: bytes) -> Images:
    if len(body) > limits.MOST_JSON_BYTES:
        raise limits.too_large(len(body), limits.MOST_JSON_BYTES)
    try:
        return Images.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            reason = first["msg"].removeprefix("Invalid JSON: ")
            raise HTTPException(400, f"the body is not valid JSON: {reason}") from None
        raise HTTPException(422, f"{_place(first['loc'])}: {first['msg']}") from None


def _place(steps: Sequence[int | str]) -> str:
    named = [step for step in steps if step not in ("flat", "rows")]
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in named)
    return place[1:] or "the body"


async def _files(request: Request) -> list[File]:
    parser = _Form(request.headers, request.stream(), max_files=limits.MOST_FILES, max_fields=1)
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


async def _file(field: str, value: UploadFile | str) -> File:
    if isinstance(value, str) or field != FIELD:
        kind = "text" if isinstance(value, str) else "a file"
        raise HTTPException(422, f"the field {field!r} holds {kind}: expected files in {FIELD!r}")
    return value.filename or "", await value.read()


def _json(content: BaseModel) -> Response:
    return Response(content.model_dump_json(), media_type="application/json")


async def _refusal(_: Request, error: Any) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)  # the client is gone: this is for the log


async def _failure(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": "internal error: see the server's log"}, 500)


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Problem} for status in statuses}
