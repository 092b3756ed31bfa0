"""What an array may hold, and the errors that say so: real numbers and booleans, within range.

Not here: how data becomes an array (`minigrad/tensor.py`).
"""

from __future__ import annotations

import math
from typing import Any

from minigrad import backend
from minigrad.backend import numpy

Array = Any


def misshapen(error: Exception) -> str:
    """Return what is wrong with nested lists of which no array can be made."""
    if isinstance(error, RecursionError) or "maximum" in str(error):
        return "the lists are nested too deep for an array, which has at most 64 axes"
    return f"the nested lists are ragged ({error})"


def check_numbers(array: Array, data: Any) -> None:
    """Raise TypeError for an array of anything but real numbers or booleans, made of `data`."""
    if array.dtype.kind in "fiub":
        return
    wrong, parts = data, [data]
    while parts:
        part = parts.pop()
        if isinstance(part, (list, tuple)):
            parts.extend(reversed(part))
        elif not isinstance(part, (bool, int, float)):
            wrong = part
            break
    kind = f"an array of {wrong.dtype}" if hasattr(wrong, "dtype") else type(wrong).__name__
    advice = ""
    if isinstance(wrong, str):
        advice = "; try float(...) of each"
    elif isinstance(wrong, complex) or array.dtype.kind == "c":
        advice = "; try the real and the imaginary part"
    elif "bfloat16" in kind:
        advice = "; try mg.float16: NumPy has no bfloat16"
    elif hasattr(wrong, "__iter__"):
        advice = "; try list(...) of it"
    raise TypeError(
        "a tensor holds real numbers or booleans, in a number, nested lists, an array or a tensor, "
        f"not {kind}{advice}"
    )


def legal_dtype(dtype: Any) -> Any:
    """Return the NumPy dtype of real numbers or booleans that is meant, or raise TypeError.

    It has the machine's order of bytes.
    """
    try:
        found = numpy.dtype(dtype)
    except TypeError:
        found = None
    if found is None or found.kind not in "fiub":
        advice = "mg.float16: NumPy has no bfloat16" if "bfloat16" in str(dtype) else "mg.float32"
        raise TypeError(
            f"{dtype!r} is no dtype of real numbers or booleans (and no device); legal are "
            f"float32, float64, float16, int64, int32, bool and their like; try {advice}"
        )
    return found if found.isnative else found.newbyteorder("=")


def native(array: Array) -> Array:
    """Return an array in the machine's order of bytes: a GPU has no other, nor has Numba."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def check_range(values: Array, dtype: Any) -> None:
    """Raise OverflowError for integers beyond 64 bits, or beyond the integer dtype wanted."""
    if values.dtype.kind == "O":  # NumPy's way out
        wrong = [x for x in values.flat if isinstance(x, int) and abs(x) >= 2**63]
        dtype = numpy.dtype("int64")
    elif values.dtype == dtype or dtype.kind not in "iu" or values.dtype.kind not in "iuf":
        return
    else:
        low, high = float(numpy.iinfo(dtype).min), float(numpy.iinfo(dtype).max)
        inside = (values >= low) & (values < high if high > 2**53 else values <= high)
        wrong = values[~inside].tolist()  # NaN too
    if wrong:
        limits = numpy.iinfo(dtype)
        number: Any = wrong[0]
        if isinstance(number, int) and abs(number) >= 10**40:  # Python itself writes 4,300 digits
            number = f"a number of about {math.log10(abs(number)):.0f} digits"
        raise OverflowError(
            f"{number} is no number of {dtype}, which holds {limits.min} to {limits.max}; try a "
            "wider dtype, or floating numbers"
        )


def on(device: str, value: Any) -> Any:
    """Return what is to change memory on a device; DeviceError for an array that is elsewhere."""
    if backend.is_array(value) and backend.device_of(value) != device:
        raise backend.DeviceError(
            f"a value on {backend.device_of(value)} for a tensor on {device}; move one with "
            f".to({device!r})"
        )
    return value


def no_place(array: Array, other: Any, error: Exception) -> str:
    """Return why a result of `array` and `other` cannot be written into the memory of `array`."""
    if not hasattr(other, "dtype") and not isinstance(other, (int, float)):
        kind = type(other).__name__
        return f"an operand is a Tensor, an array, a number or a list of numbers, not {kind}"
    what = (
        f"the dtype {array.dtype}" if isinstance(error, TypeError) else f"the shape {array.shape}"
    )
    return f"a change in place keeps {what} ({error}); x = x + y makes a new tensor"
