"""CuPy: the names of `numpy.py`, on a CUDA device. Imported on the first use of ``device="cuda"``.

Everything not here passes through to CuPy unchanged.
"""

from __future__ import annotations

import builtins
from typing import Any

import cupy as cp

Array: Any = cp.ndarray


def __getattr__(name: str) -> Any:
    """Pass a name that both libraries spell alike through to CuPy, looked up once."""
    if name.startswith("__"):
        raise AttributeError(name)
    value = getattr(cp, name)
    if not hasattr(builtins, name):  # an `all` kept here would be this file's `all` too
        globals()[name] = value
    return value


def unavailable() -> str:
    """Say why this backend cannot be used; the empty string when it can."""
    try:
        count = cp.cuda.runtime.getDeviceCount()
    except cp.cuda.runtime.CUDARuntimeError as error:
        return f"CuPy is installed, but found no usable GPU ({error})"
    return "" if count else "CuPy is installed, but found no GPU"


def device_of(array: Any) -> str:
    """Return the name of the device that holds `array`."""
    return f"cuda:{array.device.id}"


def from_host(array: Any, device: str) -> Any:
    """Copy a NumPy array to `device`."""
    with cp.cuda.Device(int(device[5:])):
        return cp.asarray(array)


def to_host(array: Any) -> Any:
    """Copy an array into host memory, as a NumPy array."""
    return cp.asnumpy(array)


def synchronize() -> None:
    """Wait until the device has finished."""
    cp.cuda.Device().synchronize()


def generator(seed: int | None) -> Any:
    """Return a random generator whose arrays live on this backend."""
    return cp.random.default_rng(seed)


def scatter_add(array: Any, index: Any, values: Any) -> None:
    """Add `values` into ``array[index]`` in place; an index that occurs twice adds twice."""
    cp.add.at(array, index, values)


def sum(array: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Sum over axes."""
    return cp.sum(array, axis=axis, keepdims=keepdims)


def relu(array: Any) -> Any:
    """Return max(array, 0)."""
    return cp.maximum(array, 0)


def sum_of_squares(vector: Any) -> float:
    """Return Σ xᵢ², in the vector's precision."""
    return float(cp.dot(vector, vector))


def erf(array: Any) -> Any:
    """Return the error function, elementwise."""
    from cupyx.scipy import special

    return special.erf(array)
