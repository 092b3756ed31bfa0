"""The memory of the fake's arrays: which dtypes it holds, what is in it at first, where it is."""

import numpy as np


def supported(dtype):
    """Return a dtype that CuPy has, or raise as it does: no objects, strings, dates, …"""
    if dtype.char not in "?bBhHiIlLqQefdFD":
        raise ValueError(f"Unsupported dtype {dtype}")
    return dtype


def poisoned(array):
    """Fill memory that nobody has written to with what is seen in any result."""
    kind = array.dtype.kind
    array.fill(np.nan if kind in "fc" else kind == "b" or np.iinfo(array.dtype).max)
    return array


class Flags:
    """The flags that CuPy knows; there is none for writing."""

    def __init__(self, array, owndata):
        self.c_contiguous = array.flags.c_contiguous
        self.f_contiguous = array.flags.f_contiguous
        self.forc = self.c_contiguous or self.f_contiguous
        self.owndata = owndata

    def __getitem__(self, name):
        return getattr(self, name.lower())


class Memory:
    """Where an array lives."""

    def __init__(self, array):
        self.device_id = array._device
        self.ptr = array._array.__array_interface__["data"][0]
