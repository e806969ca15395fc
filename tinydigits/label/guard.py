"""Who may use the page: only a browser that was given its address, and only that page itself.

Any site that the user visits can send requests to 127.0.0.1, under that name or under one of its
own that it resolves to 127.0.0.1. Other users of the machine can connect as well.
"""

import secrets

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

NAMES = frozenset({"127.0.0.1", "localhost"})
HARMLESS = frozenset({"GET", "HEAD"})


class Guard:
    """ASGI middleware that refuses requests without the ``token`` or from other sites.

    The token is the first part of each address.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, or refuse it with 403 and one line that says why."""
        refusal = self._refusal(scope) if scope["type"] == "http" else ""
        answer = PlainTextResponse(f"{refusal}\n", 403) if refusal else self.app
        await answer(scope, receive, send)

    def _refusal(self, scope: Scope) -> str:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host.partition(":")[0] not in NAMES:
            return f"the host is {host[:80]!r}: open the page at 127.0.0.1"
        token = scope["path"].split("/")[1].encode()
        if not secrets.compare_digest(token, self.token.encode()):
            return "not the page's address: open the one that the command printed last"
        # Browsers name the site that a request comes from wherever it may change something.
        if scope["method"] not in HARMLESS and headers.get("origin") != f"http://{host}":
            return "the request does not come from the page itself"
        return ""
