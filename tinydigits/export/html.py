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
from typing import Any

import numpy as np

from tinydigits.net.layers import Convolution
from tinydigits.net.padded import FINDER, STRIP

WEB = Path(__file__).parent.parent / "web"
SCRIPTS = (  # each may use those before it
    "arrays", "filters", "shapes", "layers", "finder", "finding", "ink", "image", "net", "strip",
    "lines", "decoding", "numbers", "draw", "inside", "step", "synthetic", "teach", "download",
    "lesson", "scratch", "page",
)  # fmt: skip
WEBASSEMBLY = " 'wasm-unsafe-eval'"  # at a policy's end: allows it, which learns; no other code
# Around these, spaces mean nothing. In selectors a colon may follow one that does: "p :focus".
STYLE_SIGNS = r"[{},;]|:(?= )"
SCRIPT_SIGNS = r"[][(){},;:=<>?&|*%]"
QUOTED = r'"(?:[^"\\\n]|\\.)*"|`[^`]*`'  # the scripts have no templates within templates
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 28 28'%3E"
    "%3Crect width='28' height='28' rx='6' fill='%23176b87'/%3E%3Cpath d='M8 8q11-3 12 0-4 6-7 14'"
    " fill='none' stroke='%23fff' stroke-width='3' stroke-linecap='round'/%3E%3C/svg%3E"
)

_DIGITS = "".join(chr(code) for code in range(33, 127) if chr(code) not in '"<\\')


def page(layers: list[Convolution], name: str, *, allowed: str = "") -> bytes:
    """Return the page, in UTF-8, for the net with the ``layers`` of ``folded.fold``.

    ``name`` is the net's name on the page; ``allowed`` is appended to the page's policy.
    """
    style = compact(_source("style.css"), STYLE_SIGNS)
    scripts = "".join(_source(f"{each}.js") for each in SCRIPTS)
    script = '"use strict";\n' + compact(scripts, SCRIPT_SIGNS)
    text = Template(_source("index.html")).substitute(
        policy=policy(style, script) + WEBASSEMBLY + allowed,
        icon=ICON,
        style=style,
        script=script,
        net=_description(layers),
        finder=_shorter(FINDER),
        strip=_shorter(STRIP),
        teacher=_teacher(),
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
    return _json({"layers": shapes, "weights": base91(weights)})


def _shorter(path: Path) -> str:
    """Return a file of ``net.padded`` with its weights in base 91."""
    content = json.loads(path.read_text())
    return _json({**content, "weights": base91(base64.b64decode(content["weights"]))})


def _teacher() -> str:
    """Return what teaching needs, as JSON: the training step, and the model of hands."""
    hands = json.loads(_source("hands.json"))
    hands["numbers"] = base91(base64.b64decode(hands["numbers"]))
    return _json({"step": base91((WEB / "step.wasm.zz").read_bytes()), "hands": hands})


def _json(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"))


def base91(content: bytes) -> str:
    """Return bytes as text in which two characters hold thirteen bits, the lowest first.

    Base64 holds twelve. Like its characters, these 91 mean nothing in JSON or in a script.
    """
    text, held, bits = list[str](), 0, 0
    for byte in content:
        held |= byte << bits
        bits += 8
        if bits >= 13:
            text += _DIGITS[held % 8192 % 91], _DIGITS[held % 8192 // 91]
            held >>= 13
            bits -= 13
    if bits:
        text.append(_DIGITS[held % 91])
    if bits > 6:
        text.append(_DIGITS[held // 91])
    return "".join(text)
