"""The drawing page and the API documentation."""

import re

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from fastapi_offline import core as swagger

from tinydigits.export.html import source_hash
from tinydigits.serve.headers import POLICY, page_response

STATIC = "/docs/static"


def add_pages(api: FastAPI, content: bytes) -> None:
    """Add the drawing page (HTML, UTF-8) at ``/`` and the API documentation at ``/docs``."""
    page = page_response(content)
    docs = _documentation()
    api.mount(STATIC, StaticFiles(directory=swagger._STATIC_PATH), name="static")

    @api.get("/", include_in_schema=False)
    async def draw() -> Response:
        return page

    @api.get("/docs", include_in_schema=False)
    async def document() -> Response:
        return docs


def _documentation() -> Response:
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title="tinydigits API",
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
