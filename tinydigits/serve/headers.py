"""What every response needs: security headers, permission for other sites, no body for HEAD."""

import re
from collections.abc import Collection

from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "content-security-policy"
SAME_ORIGIN = "; connect-src 'self'"  # of a page that may send requests to its own server
ALWAYS = {
    POLICY: "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",  # CORS requests are exempt
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}


class SecurityHeaders:
    """ASGI middleware that adds the security headers a response does not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request and add the missing headers to its response."""

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in ALWAYS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, tell)


class Heads:
    """ASGI middleware that answers HEAD as GET, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; pass HEAD on as GET."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def tell(message: Message) -> None:
            await send({**message, "body": b""} if "body" in message else message)

        await self.app({**scope, "method": "GET"}, receive, tell)


def page_response(content: bytes) -> Response:
    """Return the response with a page, HTML in UTF-8, that states its policy itself."""
    found = re.search(rb'http-equiv="Content-Security-Policy" content="(.*?)"', content)
    assert found is not None
    # Browsers ignore frame-ancestors in a page's own policy.
    return HTMLResponse(content, headers={POLICY: f"{found[1].decode()}; frame-ancestors 'none'"})


def shared(app: ASGIApp, origins: Collection[str]) -> ASGIApp:
    """Return the application with CORS for the pages of ``origins``, or as it is for none."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "HEAD", "POST"),
        allow_headers=("content-encoding", "x-request-id"),
        expose_headers=("retry-after", "x-request-id"),
    )
