"""IDX, MNIST's file format: from bytes to an array.

An IDX file is big-endian: two zero bytes, the element type, the number of dimensions, each
dimension as a 32-bit integer, then the elements. Y. LeCun and C. Cortes describe it on the MNIST
page.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

TYPES = {0x08: "u1", 0x0C: ">i4"}  # unsigned bytes, and what QMNIST has for its labels


def parse(raw: bytes) -> npt.NDArray[Any]:
    """Return an IDX file's array of bytes or int32: (N, 28, 28) for images, (N,) for labels.

    The array is a read-only view of ``raw``.

    Raises:
        ValueError: a field is wrong; the message says what was found and expected.
    """
    if len(raw) < 4:
        raise ValueError(f"header: {len(raw)} bytes, expected at least 4")
    if raw[:2] != b"\0\0" or raw[2] not in TYPES:
        raise ValueError(
            f"magic number: {raw[:3].hex()}, expected 000008 (unsigned bytes) or 00000c"
        )
    header = 4 + 4 * raw[3]
    if raw[3] == 0 or len(raw) < header:
        raise ValueError(
            f"dimensions: {raw[3]} in {len(raw)} bytes, expected 1 or more in at least {header}"
        )
    shape = np.frombuffer(raw, ">u4", count=raw[3], offset=4).tolist()
    elements = np.dtype(TYPES[raw[2]])
    expected = header + math.prod(shape) * elements.itemsize
    if len(raw) != expected:
        raise ValueError(f"length: {len(raw):,} bytes, expected {expected:,} for shape {shape}")
    return np.frombuffer(raw, elements, offset=header).reshape(shape)
