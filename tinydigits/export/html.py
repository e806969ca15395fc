"""The net as one page, opened by a double click: drawing, preparation and forward pass.

The page contains everything and requests nothing. Its policy allows the browser no request, and
only the page's own script and style, which are identified by their hashes.
"""

import base64
import hashlib
import html
import json
import re
from pathlib import Path
from string import Template

import numpy as np

from tinydigits.net.layers import Convolution
from tinydigits.net.padded import FINDER, STRIP

WEB = Path(__file__).parent.parent / "web"
SCRIPTS = (  # each may use those before it
    "arrays", "filters", "shapes", "layers", "finder", "finding", "ink", "image", "net", "strip",
    "lines", "decoding", "numbers", "draw", "inside", "page",
)  # fmt: skip
# Around these, spaces mean nothing. In selectors a colon may follow one that does: "p :focus".
STYLE_SIGNS = r"[{},;]|:(?= )"
SCRIPT_SIGNS = r"[][(){},;:=<>?&|*%]"
QUOTED = r'"(?:[^"\\\n]|\\.)*"|`[^`]*`'  # the scripts have no templates within templates
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 28 28'%3E"
    "%3Crect width='28' height='28' rx='6' fill='%23176b87'/%3E%3Cpath d='M8 8q11-3 12 0-4 6-7 14'"
    " fill='none' stroke='%23fff' stroke-width='3' stroke-linecap='round'/%3E%3C/svg%3E"
)


def page(layers: list[Convolution], name: str, *, allowed: str = "") -> bytes:
    """Return the page, in UTF-8, for the net with the ``layers`` of ``folded.fold``.

    ``name`` is the net's name on the page; ``allowed`` is appended to the page's policy.
    """
    style = compact(_source("style.css"), STYLE_SIGNS)
    scripts = "".join(_source(f"{each}.js") for each in SCRIPTS)
    script = '"use strict";\n' + compact(scripts, SCRIPT_SIGNS)
    text = Template(_source("index.html")).substitute(
        policy=policy(style, script) + allowed,
        icon=ICON,
        style=style,
        script=script,
        net=_description(layers),
        finder=FINDER.read_text(),
        strip=STRIP.read_text(),
        numbers=f"{sum(layer.weight.size + layer.bias.size for layer in layers):,}",
        name=html.escape(name),
    )
    return text.encode()


def _source(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")


def compact(source: str, signs: str) -> str:
    """Return JavaScript or CSS without comments, most line ends and spaces beside ``signs``."""
    without_blocks = re.sub(r"^ */\*.*?\*/\n", "", source, flags=re.MULTILINE | re.DOTALL)
    without_comments = re.sub(r"(^| +)//.*$", "", without_blocks, flags=re.MULTILINE)
    lines = re.sub(r"^\s+", "", without_comments, flags=re.MULTILINE)
    # After these characters a statement continues; elsewhere the end of a line may end it.
    joined = re.sub(r"(?<=[{(\[,;])\n", "", lines)
    return re.sub(rf"({QUOTED})| *({signs}) *", lambda found: found[1] or found[2], joined)


def policy(style: str, script: str, images: str = "blob: data:") -> str:
    """Return a page's policy: its own style and script, ``images`` from there, and no request."""
    return (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; img-src {images}; "
        f"style-src '{source_hash(style)}'; script-src '{source_hash(script)}'"
    )


def source_hash(source: str) -> str:
    """Return the hash by which a content security policy allows a script or style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"


def _description(layers: list[Convolution]) -> str:
    """Return the net as JSON, which web/net.js reads."""
    numbers = [values.ravel() for layer in layers for values in (layer.weight, layer.bias)]
    weights = np.concatenate(numbers).astype("<f4").tobytes()
    shapes = [
        {
            "inputs": layer.weight.shape[1],
            "outputs": layer.weight.shape[0],
            "kernel": layer.weight.shape[2],
            "relu": layer.relu,
            "pool": layer.pool,
        }
        for layer in layers
    ]
    description = {"layers": shapes, "weights": base64.b64encode(weights).decode()}
    return json.dumps(description, separators=(",", ":"))
