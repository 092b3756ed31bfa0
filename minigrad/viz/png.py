"""PNG: a few pixels as the bytes of a picture, with nothing but the standard library."""

from __future__ import annotations

import struct
import zlib

from minigrad.backend import Array

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOR = {1: 0, 3: 2, 4: 6}  # channels → the format's number: gray, RGB, RGBA


def png(pixels: Array) -> bytes:
    """Return a PNG file of a uint8 array of shape (height, width), or with 3 or 4 channels last.

    Raises ValueError for another shape or dtype. The format: ISO/IEC 15948.
    """
    channels = 1 if pixels.ndim == 2 else pixels.shape[-1]
    if pixels.ndim not in (2, 3) or channels not in _COLOR or str(pixels.dtype) != "uint8":
        raise ValueError(
            f"pixels of shape {tuple(pixels.shape)} and {pixels.dtype}; legal is uint8 of shape "
            "(height, width), (height, width, 3) or (height, width, 4)"
        )
    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOR[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)  # 0: the row is not filtered
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
