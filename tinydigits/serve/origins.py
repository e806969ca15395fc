"""Origins: the sites whose pages may call the API."""

import re
from urllib.parse import urlsplit

from tinydigits.errors import InputError

ALL = "*"
HOST = r"[a-z0-9._-]+|[0-9a-f:.]+"  # a name or an IPv6 address
USUAL_PORTS = {"http": 80, "https": 443}  # browsers leave them out


def check(origin: str) -> None:
    """Check that ``origin`` is ``*`` or what browsers send in the header of that name.

    Raises:
        InputError: it is not, so that it would never match.
    """
    if origin == ALL:
        return
    sent = _as_sent(origin)
    if sent is None:
        raise InputError(
            f"--allow-origin is {origin!r}: expected scheme://host or scheme://host:port, such as "
            "https://example.com, or *"
        )
    if sent != origin:
        raise InputError(f"--allow-origin is {origin!r}, but browsers send {sent!r}: type that")


def _as_sent(origin: str) -> str | None:
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname or ""
    if not parts.scheme or not re.fullmatch(HOST, host):
        return None
    shown_host = f"[{host}]" if ":" in host else host
    shown_port = "" if port in (None, USUAL_PORTS.get(parts.scheme)) else f":{port}"
    return f"{parts.scheme}://{shown_host}{shown_port}"
