"""Named random streams: every random choice names what it is for, and where it stands.

Sums such as ``seed + epoch`` give 10 seeds x 20 epochs only 29 different streams and so correlate
the runs of a study. A hash of the whole path gives every (seed, purpose, epoch) its own, and since
streams are derived, not stored, a resumed run draws exactly what the uninterrupted one would have.
"""

import hashlib
import json


def derive(seed: int, *path: str | int) -> int:
    """Return the 63-bit seed of the stream named by ``path``, e.g. ``derive(0, "augment", 3)``.

    The value is the head of the SHA-256 of the JSON list ``[seed, *path]``: the same on every
    machine and in every version of Python.
    """
    name = json.dumps([seed, *path]).encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:8], "big") >> 1
