"""Seeds, and the random streams derived from them; a path names each stream's purpose and epoch.

Sums such as ``seed + epoch`` give 10 seeds x 20 epochs only 29 different streams, which correlates
the runs of a study. A hash of the whole path gives every (seed, purpose, epoch) its own stream.
Streams are derived, not stored, so a resumed run draws exactly the numbers of an uninterrupted one.
"""

import hashlib
import json
import re

from tinydigits.errors import InputError

MOST = 100_000  # seeds in a list; a longer list is a typing error


def derive(seed: int, *path: str | int) -> int:
    """Return the 63-bit seed of the stream named by ``path``, e.g. ``derive(0, "augment", 3)``.

    The value is the first 63 bits of the SHA-256 of the JSON list ``[seed, *path]``, the same on
    every machine and in every version of Python.
    """
    name = json.dumps([seed, *path]).encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:8], "big") >> 1


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds listed in a text such as ``0-9`` or ``0,3,7-9``, in ascending order.

    Raises:
        InputError: the text is not such a list, a range descends, a seed is listed twice, or there
            are more than ``MOST`` seeds.
    """
    ranges = [_range(part.strip(), text) for part in text.split(",")]
    if sum(map(len, ranges)) > MOST:
        raise InputError(f"--seeds {text} lists more than {MOST:,} seeds: give fewer")
    seeds = sorted(seed for each in ranges for seed in each)
    if len(set(seeds)) < len(seeds):
        raise InputError(f"--seeds {text} lists a seed twice: list each seed once, such as 0,3,7-9")
    return tuple(seeds)


def _range(part: str, text: str) -> range:
    found = re.fullmatch(r"([0-9]{1,18})(?:-([0-9]{1,18}))?", part)
    if not found:
        raise InputError(
            f"--seeds {text} contains {part!r}: expected seeds such as 0-99 or 0,3,7-9"
        )
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise InputError(f"--seeds {text} counts down from {first} to {last}: give {last}-{first}")
    return range(first, last + 1)
