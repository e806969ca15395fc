import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinydigits.data.idx import parse


def encode(*shape: int, content: bytes, kind: int = 8) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape) + content


def test_images_come_back_in_their_shape_and_order() -> None:
    array = parse(encode(2, 3, 4, content=bytes(range(24))))
    assert array.dtype == np.uint8
    assert np.array_equal(array, np.arange(24).reshape(2, 3, 4))


def test_labels_come_back_flat() -> None:
    assert parse(encode(3, content=b"\x07\x02\x01")).tolist() == [7, 2, 1]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "header: 0 bytes, expected at least 4"),
        (b"\x1f\x8b\x08\x00" + bytes(20), "magic number: 1f8b08, expected 000008"),
        (encode(1, content=b"\0\0\0\0", kind=0x0D), "magic number: 00000d, expected 000008"),
        (b"\0\0\x08\0", "dimensions: 0"),
        (b"\0\0\x08\x03\0\0", "dimensions: 3 in 6 bytes, expected 1 or more in at least 16"),
        (encode(2, 2, content=b"\0\0\0"), r"length: 15 bytes, expected 16 for shape \[2, 2\]"),
        (encode(2, 2, content=bytes(5)), "length: 17 bytes, expected 16"),
        (encode(2**32 - 1, 2**32 - 1, content=b""), "length: 12 bytes, expected 18,446"),
    ],
)
def test_the_wrong_field_is_named(raw: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(raw)


@given(st.binary(max_size=64) | st.binary(max_size=64).map(lambda tail: b"\0\0\x08" + tail))
def test_any_bytes_give_an_array_or_a_value_error(raw: bytes) -> None:
    try:
        array = parse(raw)
    except ValueError:
        return
    assert array.size + 4 + 4 * array.ndim == len(raw)
