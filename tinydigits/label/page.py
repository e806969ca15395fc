"""The page on which pictures are labelled: one file, as the drawing page is."""

import html
from pathlib import Path
from string import Template

from tinydigits.export.html import ICON, SCRIPT_SIGNS, STYLE_SIGNS, WEB, compact, policy
from tinydigits.serve.headers import SAME_ORIGIN

HERE = Path(__file__).parent


def page(go_on: str, use: str) -> bytes:
    """Return the page, in UTF-8; it shows the commands that continue and that use the labels."""
    style = compact(_source(WEB / "style.css") + _source(HERE / "label.css"), STYLE_SIGNS)
    script = '"use strict";\n' + compact(_source(HERE / "label.js"), SCRIPT_SIGNS)
    text = Template(_source(HERE / "label.html")).substitute(
        policy=policy(style, script, images="'self' data:") + SAME_ORIGIN,
        icon=ICON,
        style=style,
        script=script,
        go_on=html.escape(go_on),
        use=html.escape(use),
    )
    return text.encode(errors="replace")  # names of folders may hold bytes that are not UTF-8


def _source(path: Path) -> str:
    return path.read_text(encoding="utf-8")
