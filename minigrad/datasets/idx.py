"""The IDX format, in which MNIST and its relatives are kept: read, and checked to the last byte.

A file is two zero bytes, a byte for the type, a byte for the number of axes, the axes' lengths as
big-endian 32-bit integers, then the elements, big-endian, the last axis fastest.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import IO, Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.datasets.dataset import DatasetError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | Path) -> Array:
    """Return the array in an IDX file, gzipped or not (its first bytes tell, not its name).

    The dtype is the file's, in the machine's byte order. Raises DatasetError, naming the file, what
    was found and what is legal, if it is missing or its magic number, axes or length are wrong.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not zipped:
                return _read(path, file)
            with gzip.GzipFile(fileobj=file) as unzipped:
                return _read(path, unzipped)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DatasetError(f"{path}: the gzip data are cut off or damaged ({error})") from None
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror or error})") from None


def _read(path: Path, file: IO[bytes] | gzip.GzipFile) -> Array:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES or not head[3]:
        raise DatasetError(
            f"{path}: the first four bytes are {head.hex(' ') or 'missing'}; an IDX file begins "
            "with 00 00, a type (08, 09, 0b, 0c, 0d or 0e) and the number of axes: images with "
            "00 00 08 03, labels with 00 00 08 01"
        )
    dtype: Any = backend.cpu.dtype(_TYPES[head[2]])
    lengths = file.read(4 * head[3])
    if len(lengths) < 4 * head[3]:
        raise DatasetError(f"{path}: cut off within the lengths of its {head[3]} axes")
    shape = tuple(int.from_bytes(lengths[i : i + 4], "big") for i in range(0, 4 * head[3], 4))
    size = math.prod(shape) * dtype.itemsize
    data = file.read()
    if len(data) < size:
        raise DatasetError(
            f"{path}: cut off: {len(data)} bytes of data, and the shape {shape} needs {size}"
        )
    if len(data) > size:
        raise DatasetError(
            f"{path}: {len(data)} bytes of data, more than the {size} that the shape {shape} needs"
        )
    array = backend.cpu.frombuffer(data, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="))
