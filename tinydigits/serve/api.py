"""The routes: a page to draw on, digits for pictures, and what operators ask for."""

import asyncio
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi_offline import core as swagger
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError
from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from tinydigits import __version__, image, pictures
from tinydigits.data import synthetic
from tinydigits.errors import InputError
from tinydigits.export.html import source_hash
from tinydigits.frame import SIDE
from tinydigits.runtime import session
from tinydigits.serve import limits
from tinydigits.serve.headers import POLICY, SecurityHeaders
from tinydigits.serve.net import ServedNet, probabilities
from tinydigits.serve.observe import Metrics, Observer

Pixels = npt.NDArray[np.uint8]
File = tuple[str, bytes]  # its name and what it holds

READERS = 1  # pictures read at once: a large one takes up to 560 MB while it is
FIELD = "files"  # of a form
DECIMALS = 6  # of probabilities: more would differ between processors
STATIC = "/docs/static"
PATHS = frozenset({"/", "/predict", "/healthz", "/metrics", "/docs", "/openapi.json"})
DESCRIPTION = (
    "Reads handwritten digits. Send pictures as files, or pixels as numbers: 28×28, 0 to 255, "
    "white on black, as MNIST has them. Nothing that is sent is kept."
)


class Answer(BaseModel):
    """What the net reads."""

    digit: int = Field(ge=0, le=9)
    probability: float = Field(ge=0, le=1, description="Of this digit.")
    probabilities: list[float] = Field(
        min_length=10, max_length=10, description="Of the digits 0 to 9."
    )


class Named(BaseModel):
    """A file that was sent."""

    file: str


class FileAnswer(Answer, Named):
    """What the net reads in a file."""


class Unread(Named):
    """A file in which there is nothing to read."""

    error: str = Field(description="What was found instead of one digit.")


class Predictions(BaseModel):
    """One prediction for each picture, in their order."""

    model: str = Field(description="The net that answered.")
    predictions: Sequence[Answer | FileAnswer | Unread]


class Problem(BaseModel):
    """Why there is no answer."""

    error: str


class Health(BaseModel):
    """The server answers."""

    status: str
    model: str
    version: str


Pixel = Annotated[float, Field(strict=True, ge=0, le=255, allow_inf_nan=False)]
Flat = Annotated[list[Pixel], Field(min_length=SIDE * SIDE, max_length=SIDE * SIDE)]
Row = Annotated[list[Pixel], Field(min_length=SIDE, max_length=SIDE)]
Rows = Annotated[list[Row], Field(min_length=SIDE, max_length=SIDE)]


def _form_of(picture: Any) -> str:
    is_rows = isinstance(picture, list) and bool(picture) and isinstance(picture[0], list)
    return "rows" if is_rows else "flat"


Numbers = Annotated[
    Annotated[Flat, Tag("flat")] | Annotated[Rows, Tag("rows")], Discriminator(_form_of)
]


class Images(BaseModel):
    """Pictures as numbers, 0 to 255, white on black: 784 of them, or 28 rows of 28."""

    model_config = ConfigDict(extra="forbid")

    images: Annotated[list[Numbers], Field(min_length=1, max_length=limits.MOST_IMAGES)]


class _Form(MultiPartParser):
    spool_max_size = 2 * limits.MOST_BYTES  # never reached: nothing is written to disk


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
        openapi_extra={"requestBody": _request_body()},
    )
    async def predict(request: Request) -> Response:
        """Read one or many pictures: files in a form, or numbers in JSON.

        A file without a single digit gets an `error` in its place; the others are answered.
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
                    f"a body of type {other or 'none'}: expected application/json or "
                    "multipart/form-data",
                )
        return _json(Predictions(model=net.name, predictions=predictions))

    @api.get("/healthz", tags=["operation"], summary="Does it answer?")
    async def healthz() -> Health:
        """Answer after the net has read a picture."""
        reader.probabilities(np.zeros((1, SIDE, SIDE), np.uint8))
        return Health(status="ok", model=net.name, version=__version__)

    @api.get(
        "/metrics",
        tags=["operation"],
        summary="Requests, errors, times",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def measure() -> Response:
        """Return the sums in Prometheus' text format."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    _add_pages(api, net)
    return api


def _add_pages(api: FastAPI, net: ServedNet) -> None:
    page = _page(net.page)
    docs = _documentation()
    api.mount(STATIC, StaticFiles(directory=swagger._STATIC_PATH), name="static")

    @api.get("/", include_in_schema=False)
    @api.head("/", include_in_schema=False)
    async def draw() -> Response:
        return page

    @api.get("/docs", include_in_schema=False)
    async def document() -> Response:
        return docs


def _page(content: bytes) -> Response:
    found = re.search(rb'http-equiv="Content-Security-Policy" content="(.*?)"', content)
    assert found is not None
    # A page's own policy cannot say who may frame it.
    return HTMLResponse(content, headers={POLICY: f"{found[1].decode()}; frame-ancestors 'none'"})


def _documentation() -> Response:
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title="tinydigits: the API",
        swagger_js_url=f"{STATIC[1:]}/swagger-ui-bundle.js",
        swagger_css_url=f"{STATIC[1:]}/swagger-ui.css",
        swagger_favicon_url=f"{STATIC[1:]}/favicon.png",
        swagger_ui_parameters={"tryItOutEnabled": True, "defaultModelsExpandDepth": -1},
    )
    (script,) = re.findall(r"<script>(.*?)</script>", bytes(page.body).decode(), re.DOTALL)
    page.headers[POLICY] = (
        f"default-src 'none'; script-src 'self' '{source_hash(script)}'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
        "frame-ancestors 'none'"
    )
    return page


class _Reader:
    """The net and the threads in which pictures are prepared for it."""

    def __init__(self, net: ServedNet) -> None:
        self.session = session(net.onnx)
        self.threads = ThreadPoolExecutor(READERS, thread_name_prefix="reader")

    def probabilities(self, pixels: Pixels) -> list[list[float]]:
        found: list[list[float]] = probabilities(self.session, pixels).round(DECIMALS).tolist()
        return found

    def numbers(self, images: Images) -> list[Answer]:
        # Fractions are rounded; half a grey level is no matter.
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
    """Return what the net is to see of a picture file, or what is wrong with it."""
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
            raise HTTPException(400, f"no JSON: {first['msg']}") from None
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
        raise HTTPException(422, f"not a form of files: {error}") from None
    try:
        files = [await _file(name, value) for name, value in form.multi_items()]
    finally:
        await form.close()
    if not files:
        raise HTTPException(422, f"no file in the form: expected one or more as {FIELD!r}")
    return files


async def _file(field: str, value: UploadFile | str) -> File:
    if isinstance(value, str) or field != FIELD:
        kind = "text" if isinstance(value, str) else "a file"
        raise HTTPException(422, f"{field!r} is {kind}: expected files, each as {FIELD!r}")
    return value.filename or "", await value.read()


def _json(content: BaseModel) -> Response:
    return Response(content.model_dump_json(), media_type="application/json")


async def _refusal(_: Request, error: Any) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it, but the log does


async def _failure(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": "an error of the server's: its log tells more"}, 500)


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Problem} for status in statuses}


def _request_body() -> dict[str, Any]:
    digits, _ = synthetic.draw(2, seed=7)
    return {
        "required": True,
        "content": {
            "application/json": {
                "schema": Images.model_json_schema(),
                "example": {"images": digits.reshape(2, -1).tolist()},
            },
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "additionalProperties": False,
                    "properties": {
                        FIELD: {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": limits.MOST_FILES,
                            "items": {"type": "string", "format": "binary"},
                        }
                    },
                }
            },
        },
    }
