"""The server behind the page: pictures, and what the page tells of each.

It runs on one thread, so decisions are made one after the other, from however many tabs.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

import uvicorn
from PIL import Image, ImageOps
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from tinydigits.errors import InputError
from tinydigits.label.guard import Guard
from tinydigits.label.journal import is_label
from tinydigits.label.session import OutdatedError, Session
from tinydigits.reading import pictures
from tinydigits.reading.image import opaque
from tinydigits.serve.headers import SecurityHeaders, page_response

LARGEST = 1000  # pixels of a shown picture's longer side
RECENT = 10  # decisions that the page shows, to change them
MOST_BYTES = 1_000  # in a request: a key and two labels
SECONDS = 5  # for requests under way at the end


def application(session: Session, page: bytes, token: str, finish: Callable[[], None]) -> ASGIApp:
    """Return the ASGI application for a session, below the path ``token``.

    ``page`` is HTML in UTF-8; ``finish`` is called when the user has finished.
    """

    async def show(_: Request) -> Response:
        return page_response(page)

    async def state(_: Request) -> Response:
        return JSONResponse(_state(session))

    async def picture(request: Request) -> Response:
        scan = session.scans.get(request.path_params["key"])
        if scan is None:
            return PlainTextResponse("no such picture", 404)
        shown = pictures.png(_shown(pictures.open_picture(str(scan.file))))
        # Its address is its content, so it never changes; tabs keep it until they are closed.
        headers = {"cache-control": "private, max-age=86400, immutable"}
        return Response(shown, media_type="image/png", headers=headers)

    async def decide(request: Request) -> Response:
        asked = await _asked(request)
        label, was = asked.get("label"), asked.get("was")
        if any(each is not None and not is_label(each) for each in (label, was)):
            return PlainTextResponse("label: expected 0 to 9, none or null", 400)
        session.decide(asked["key"], label, was)
        return JSONResponse(_state(session))

    async def postpone(request: Request) -> Response:
        session.postpone((await _asked(request))["key"])
        return JSONResponse(_state(session))

    async def end(_: Request) -> Response:
        finish()
        return JSONResponse(_state(session))

    routes = [
        Route("/", show),
        Route("/state", state),
        Route("/pictures/{key}", picture),
        Route("/decide", decide, methods=["POST"]),
        Route("/postpone", postpone, methods=["POST"]),
        Route("/finish", end, methods=["POST"]),
    ]

    async def outdated(_: Request, __: Exception) -> Response:
        return JSONResponse(_state(session), 409)

    app = Starlette(
        routes=[Mount(f"/{token}", routes=routes)],
        exception_handlers={OutdatedError: outdated, InputError: _failed, _Wrong: _wrong},
    )
    return SecurityHeaders(Guard(app, token))


class _Wrong(Exception):  # noqa: N818
    """A request that the page does not send."""


async def _asked(request: Request) -> dict[str, Any]:
    """Return a request's body: a JSON object with a key."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise _Wrong
    try:
        asked = json.loads(body)
    except ValueError:
        raise _Wrong from None
    if not isinstance(asked, dict) or not isinstance(asked.get("key"), str):
        raise _Wrong
    return asked


async def _wrong(_: Request, __: Exception) -> Response:
    return PlainTextResponse("expected a JSON object with the key of a picture", 400)


async def _failed(_: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 500)


def _state(session: Session) -> dict[str, Any]:
    """Return what the page shows: counts, the next picture and the last decisions."""
    none = session.count("none")
    return {
        "total": len(session.left) + len(session.decided),
        "left": len(session.left),
        "labelled": len(session.decided) - none,
        "none": none,
        "next": [_described(session, key) for key in session.left[:2]],
        "recent": [_described(session, key) for key in session.recent(RECENT)],
    }


def _described(session: Session, key: str) -> dict[str, Any]:
    """Return a picture as the page knows it; the second of ``next`` is loaded in advance."""
    said = session.suggestion(key)
    told: dict[str, Any] = {
        "key": key,
        "file": session.scans[key].name.encode(errors="replace").decode(),
        "label": session.decided.get(key),
        "digit": None,
        "reason": said.reason,
    }
    if said.answer is None:
        return told
    seen = base64.b64encode(pictures.png(Image.fromarray(said.answer.pixels))).decode()
    return told | {
        "digit": said.answer.digit,
        "probability": said.probability,
        "seen": f"data:image/png;base64,{seen}",
    }


def _shown(picture: Image.Image) -> Image.Image:
    """Return a picture as it is shown: upright, opaque and not too large."""
    shown = opaque(ImageOps.exif_transpose(picture))
    shown.thumbnail((LARGEST, LARGEST))
    return shown


def server(app: ASGIApp) -> uvicorn.Server:
    """Return a server for the application, which prints errors only."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            ws="none",
            lifespan="off",
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=SECONDS,
        )
    )
