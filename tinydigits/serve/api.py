"""The HTTP routes: the drawing page, predictions, health and metrics."""

import asyncio
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from PIL import Image
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from tinydigits import __version__
from tinydigits.errors import InputError
from tinydigits.net.contract import SIDE
from tinydigits.net.runtime import finder, session_of
from tinydigits.net.runtime import reader as reader_of_strips
from tinydigits.reading import image, messages, pictures
from tinydigits.reading.finding import Finder
from tinydigits.reading.page import ReadLine, page_of
from tinydigits.serve import limits
from tinydigits.serve.bodies import (
    Answer,
    Digit,
    FileAnswer,
    FilePage,
    FileUnread,
    Health,
    Line,
    Page,
    Pages,
    Prediction,
    Predictions,
    Problem,
    Unread,
    request_body,
)
from tinydigits.serve.headers import Heads, SecurityHeaders, shared
from tinydigits.serve.observe import Metrics, Observer
from tinydigits.serve.pages import add_pages
from tinydigits.serve.requests import Picture, pictures_in
from tinydigits.serve.served import ServedNet, probabilities

Pixels = npt.NDArray[np.uint8]

READERS = 1  # pictures decoded at once: a large one needs up to 560 MB
DECIMALS = 6  # of probabilities; further ones differ between processors
PATHS = frozenset({"/", "/predict", "/read", "/healthz", "/metrics", "/docs", "/openapi.json"})
DESCRIPTION = (
    "Reads handwritten digits. Send pictures as files, or pixels as numbers: 28×28, 0 to 255, "
    "white on black, as in MNIST. The server stores nothing that you send."
)


def application(net: ServedNet, origins: Collection[str] = ()) -> ASGIApp:
    """Return the ASGI application that serves a net, also to the pages of other ``origins``."""
    metrics = Metrics()
    api = limits.Limits(Heads(_api(net, metrics)))
    return Observer(SecurityHeaders(shared(api, origins)), metrics, PATHS)


def _api(net: ServedNet, metrics: Metrics) -> FastAPI:
    api = FastAPI(
        title="tinydigits",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        servers=[
            {"url": ".", "description": "relative to openapi.json"}
        ],  # a proxy may add a prefix
        redirect_slashes=False,  # would redirect to an absolute address
        exception_handlers={
            HTTPException: _refusal,
            ClientDisconnect: _gone,
            Exception: _failure,
        },
    )
    reader = _Reader(net)
    takes_pictures: dict[str, Any] = {
        "tags": ["digits"],
        "responses": _problems(400, 408, 413, 415, 422, 429, 503),
        "openapi_extra": {"requestBody": request_body()},
    }

    @api.post("/predict", summary="Read digits", response_model=Predictions, **takes_pictures)
    async def predict(request: Request) -> Response:
        """Read digits in pictures: files in a form, one file, or numbers and base64 in JSON.

        A picture without exactly one digit gets an `error`; the other pictures are still read.
        """
        predictions = await reader.predictions(await pictures_in(request))
        return _json(Predictions(model=net.name, predictions=predictions))

    @api.post("/read", summary="Read whole numbers", response_model=Pages, **takes_pictures)
    async def read(request: Request) -> Response:
        """Read every digit in pictures, line by line, with boxes and probabilities.

        It takes the same bodies as `/predict`. A picture that cannot be opened, or with more than
        200 digits or 100 lines, gets an `error`; the other pictures are still read.
        """
        return _json(Pages(pages=await reader.pages(await pictures_in(request))))

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
    for path in PATHS - {"/"}:
        api.add_route(f"{path}/", _without_slash, ["GET", "POST"], include_in_schema=False)
    return api


class _Reader:
    """The net, and the threads that prepare pictures for it."""

    def __init__(self, net: ServedNet) -> None:
        self.session, self.finder, self.strips = session_of(net.onnx), finder(), reader_of_strips()
        self.threads = ThreadPoolExecutor(READERS, thread_name_prefix="reader")

    def probabilities(self, pixels: Pixels) -> list[list[float]]:
        found: list[list[float]] = probabilities(self.session, pixels).round(DECIMALS).tolist()
        return found

    async def predictions(self, sent: Sequence[Picture]) -> list[Prediction]:
        read = [await self._digit(each.content) for each in sent]
        digits = [each for each in read if not isinstance(each, InputError)]
        rows = iter(self.probabilities(np.stack(digits)) if digits else [])
        return [
            _unread(picture, each) if isinstance(each, InputError) else _answer(picture, next(rows))
            for picture, each in zip(sent, read, strict=True)
        ]

    async def pages(self, sent: Sequence[Picture]) -> list[Page | Unread]:
        loop = asyncio.get_running_loop()
        return [await loop.run_in_executor(self.threads, self._page, each) for each in sent]

    def _page(self, picture: Picture) -> Page | Unread:
        try:
            page = page_of(_opened(picture.content), self.finder, self.strips)
        except InputError as error:
            return _unread(picture, error)
        told: dict[str, Any] = {"text": page.text, "lines": [_line(each) for each in page.lines]}
        return Page(**told) if picture.file is None else FilePage(file=picture.file, **told)

    async def _digit(self, content: bytes | Pixels) -> Pixels | InputError:
        if not isinstance(content, bytes):
            return content
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, _prepared, content, self.finder)


def _opened(content: bytes | Pixels) -> Image.Image:
    if not isinstance(content, bytes):
        return Image.fromarray(content)
    return pictures.decode(content, formats=limits.FORMATS, most_pixels=limits.MOST_PIXELS)


def _line(line: ReadLine) -> Line:
    digits = [
        Digit(digit=each.digit, probability=round(each.probability, DECIMALS), box=list(each.box))
        for each in line.digits
    ]
    probability = round(line.probability, DECIMALS)
    return Line(text=line.text, probability=probability, box=list(line.box), digits=digits)


def _prepared(content: bytes, finder: Finder) -> Pixels | InputError:
    """Return the digit (28, 28) in a picture file, or the error that describes the file."""
    try:
        return image.to_mnist(_opened(content), finder)
    except InputError as error:
        return InputError(messages.explained(error, "post it to /read"))


def _answer(picture: Picture, row: list[float]) -> Answer:
    digit = int(np.argmax(row))
    told: dict[str, Any] = {"digit": digit, "probability": row[digit], "probabilities": row}
    return Answer(**told) if picture.file is None else FileAnswer(file=picture.file, **told)


def _unread(picture: Picture, error: InputError) -> Unread:
    told = str(error)
    return Unread(error=told) if picture.file is None else FileUnread(file=picture.file, error=told)


def _json(content: BaseModel) -> Response:
    return Response(content.model_dump_json(), media_type="application/json")


async def _without_slash(request: Request) -> Response:
    return RedirectResponse(f"../{request.url.path.split('/')[-2]}")


async def _refusal(_: Request, error: Any) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)  # the client is gone: this is for the log


async def _failure(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": "internal error: see the server's log"}, 500)


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Problem} for status in statuses}
