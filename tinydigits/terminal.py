"""Print on terminals whose encoding lacks some characters, such as cp1252 or ASCII."""

import codecs
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager

ERRORS = "tinydigits.plain"  # our name in Python's registry of codec error handlers
PLAIN = str.maketrans(
    {
        "–": "-",
        "−": "-",
        "·": "-",
        "•": "*",
        "×": "x",
        "…": "...",
        "→": "->",
        "≥": ">=",
        "≤": "<=",
        "±": "+/-",
        "Δ": "delta ",
        **dict.fromkeys("─━═", "-"),
        **dict.fromkeys("│┃║", "|"),
        **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼", "+"),
    }
)


@contextmanager
def plain_where_needed() -> Iterator[None]:
    """Print characters that standard output or standard error cannot encode as similar ones."""
    streams = [each for each in (sys.stdout, sys.stderr) if isinstance(each, io.TextIOWrapper)]
    before = [each.errors for each in streams]
    for each in streams:
        each.reconfigure(errors=ERRORS)
    try:
        yield
    finally:
        for each, errors in zip(streams, before, strict=True):
            each.reconfigure(errors=errors)


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return a replacement for what cannot be encoded, and where to go on."""
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    if all("\udc80" <= each <= "\udcff" for each in text):  # bytes of a name that is not UTF-8
        return text.encode(errors="surrogateescape"), error.end
    plain = text.translate(PLAIN)
    return plain.encode(error.encoding, "backslashreplace"), error.end


codecs.register_error(ERRORS, _plain)
