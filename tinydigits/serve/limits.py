"""Limits on the size of requests and on the time they may take."""

import asyncio

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tinydigits.serve.encodings import Compressed, Plain, decoder

MOST_BYTES = 8 * 2**20  # in a body, also after decompression
MOST_JSON_VALUES = 2**18  # in a JSON body: each needs some hundred bytes of memory
MOST_BYTES_TOGETHER = 64 * 2**20  # in the bodies of all requests under way
MOST_IMAGES = 256  # in a JSON body
MOST_FILES = 32  # in a form
MOST_PIXELS = 16_000_000  # in a picture: phones take 12 megapixels
# Pillow reads these itself, but for HEIF, which needs the extra "heic".
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
HEADER_SECONDS = 10.0
BODY_SECONDS = 15.0
REQUEST_SECONDS = 60.0
IDLE_SECONDS = 65  # longer than proxies keep a connection, so that they close it first
SHUTDOWN_SECONDS = 20  # for requests under way; Kubernetes waits for 30
WORKER_SECONDS = 60  # for a worker's sign of life: it imports first, on a busy machine for long
MOST_CONNECTIONS = 500
CLOSE = {"connection": "close"}  # the rest of the body is not read


class Limits:
    """ASGI middleware that ends requests which send too much or take too long.

    ``body_seconds`` limits the time for the body, ``request_seconds`` that for the whole request.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        body_seconds: float = BODY_SECONDS,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        self.app = app
        self.body_seconds = body_seconds
        self.request_seconds = request_seconds
        self.bytes_together = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request within its limits.

        Raises:
            asyncio.TimeoutError: the time is up and the response has begun.
        """
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(self, scope, receive)
        has_begun = False

        async def tell(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await asyncio.wait_for(self.app(scope, body.receive, tell), self.request_seconds)
        except asyncio.TimeoutError:
            if has_begun:
                raise  # closes the connection: half a response must not look complete
            error = f"no answer within {self.request_seconds:g} seconds: try again"
            answer = JSONResponse({"error": error}, 503, {**CLOSE, "retry-after": "1"})
            await answer(scope, receive, send)
        finally:
            self.bytes_together -= body.received


class _Body:
    """The body of one request, counted, timed and decompressed as it arrives."""

    def __init__(self, limits: Limits, scope: Scope, receive: Receive) -> None:
        self.limits = limits
        self.headers = Headers(scope=scope)
        self.receive_on = receive
        self.decoder: Plain | Compressed | None = None  # once the body is asked for
        self.arrived = 0  # bytes
        self.received = 0  # bytes, decompressed
        self.is_whole = False
        self.due = asyncio.get_running_loop().time() + limits.body_seconds

    async def receive(self) -> Message:
        """Return the next message of the request.

        Raises:
            HTTPException: the body arrives too late (408), is too large (413) or damaged (400), has
                an unknown encoding (415), or the bodies of all requests are too large together
                (429).
        """
        if self.is_whole:  # only the client's disconnect can follow, at any time
            return await self.receive_on()
        if self.decoder is None:
            self._refuse_announced()
            self.decoder = decoder(self.headers)
        message = await self._next()
        self.is_whole = not message.get("more_body", False)
        if message["type"] != "http.request":  # the client has disconnected
            return message
        part = message.get("body", b"")
        content = self.decoder.decode(part, MOST_BYTES - self.received)
        self._count(len(part), len(content))
        if self.is_whole:
            self.decoder.end()
        return {**message, "body": content}

    def _refuse_announced(self) -> None:
        told = self.headers.get("content-length", "")
        announced = int(told) if told.isdecimal() else 0
        if announced > MOST_BYTES:
            raise _too_large(announced)

    def _count(self, arrived: int, size: int) -> None:
        self.arrived += arrived
        self.received += size
        self.limits.bytes_together += size
        largest = max(self.arrived, self.received)
        if largest > MOST_BYTES:
            raise _too_large(largest)
        if self.limits.bytes_together > MOST_BYTES_TOGETHER:
            raise HTTPException(
                429, "too many large requests at once: try again", {"retry-after": "1"}
            )

    async def _next(self) -> Message:
        left = self.due - asyncio.get_running_loop().time()
        try:
            return await asyncio.wait_for(self.receive_on(), max(left, 0))
        except asyncio.TimeoutError:
            raise HTTPException(
                408, f"the body did not arrive within {self.limits.body_seconds:g} seconds", CLOSE
            ) from None


def _too_large(size: int) -> HTTPException:
    return HTTPException(
        413, f"the body has at least {size:,} bytes: expected at most {MOST_BYTES:,}", CLOSE
    )
