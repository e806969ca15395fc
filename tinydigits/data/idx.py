"""IDX, MNIST's file format: from bytes to an array.

An IDX file is big-endian: two zero bytes, the element type, the number of dimensions, each
dimension as a 32-bit integer, then the elements. Y. LeCun and C. Cortes describe it on the MNIST
page.
"""

import math

import numpy as np
import numpy.typing as npt

UNSIGNED_BYTE = 0x08


def parse(raw: bytes) -> npt.NDArray[np.uint8]:
    """Return an IDX file's uint8 array: (N, 28, 28) for images, (N,) for labels.

    The array is a read-only view of ``raw``.

    Raises:
        ValueError: a field is wrong; the message says what was found and expected.
    """
    if len(raw) < 4:
        raise ValueError(f"header: {len(raw)} bytes, expected at least 4")
    if raw[:2] != b"\0\0" or raw[2] != UNSIGNED_BYTE:
        raise ValueError(f"magic number: {raw[:3].hex()}, expected 000008 (unsigned bytes)")
    header = 4 + 4 * raw[3]
    if raw[3] == 0 or len(raw) < header:
        raise ValueError(
            f"dimensions: {raw[3]} in {len(raw)} bytes, expected 1 or more in at least {header}"
        )
    shape = np.frombuffer(raw, ">u4", count=raw[3], offset=4).tolist()
    expected = header + math.prod(shape)
    if len(raw) != expected:
        raise ValueError(f"length: {len(raw):,} bytes, expected {expected:,} for shape {shape}")
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)
