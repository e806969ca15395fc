"""Content encodings: bodies that arrive compressed."""

import zlib

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's wbits


class Plain:
    """A body that is not compressed."""

    def decode(self, part: bytes, _: int) -> bytes:
        """Return the part."""
        return part

    def end(self) -> None:
        """Accept any end."""


class Compressed:
    """A compressed body, decompressed part by part."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.stream = zlib.decompressobj(WINDOWS[encoding])

    def decode(self, part: bytes, most: int) -> bytes:
        """Return the next part of the content, no longer than ``most`` + 1 bytes.

        Raises:
            HTTPException: the body is damaged (400).
        """
        try:
            content = self.stream.decompress(part, most + 1)
        except zlib.error as error:
            raise self._damaged(str(error)) from None
        if self.stream.unused_data:
            raise self._damaged("more bytes follow its end")
        return content

    def end(self) -> None:
        """Check that the body is complete.

        Raises:
            HTTPException: it is not (400).
        """
        if not self.stream.eof:
            raise self._damaged("its end is missing")

    def _damaged(self, reason: str) -> HTTPException:
        return HTTPException(400, f"the body is not valid {self.encoding}: {reason}")


def decoder(headers: Headers) -> Plain | Compressed:
    """Return what decodes the body of a request with these headers.

    Raises:
        HTTPException: its content encoding is not supported (415).
    """
    encoding = ", ".join(headers.getlist("content-encoding")).strip().lower()
    if encoding in ("", "identity"):
        return Plain()
    if encoding not in WINDOWS:
        raise HTTPException(
            415,
            f"content encoding {encoding}: expected gzip, deflate or none",
            {"accept-encoding": "gzip, deflate"},
        )
    return Compressed(encoding)
