"""CuPy: the names of `numpy.py`, on a CUDA device. Imported on the first use of ``device="cuda"``.

Everything not here passes through to CuPy unchanged. Nothing here reads a value back from the
device, but for what says so: the host would have to wait.
"""

from __future__ import annotations

import builtins
import collections
import re
from collections.abc import Iterable, Iterator
from typing import Any

import cupy as cp
import numpy as np

from minigrad.backend import INSTALL, DeviceError, explaining, first_line, settings

Array: Any = cp.ndarray
_CUDA_ERROR: Any = cp.cuda.runtime.CUDARuntimeError

# What CUDA, its libraries and CuPy's loader of them say.
_NO_MEMORY = re.compile(r"cudaErrorMemoryAllocation|CUDA_ERROR_OUT_OF_MEMORY|STATUS_ALLOC_FAILED")
_UNFIT = re.compile(r"UnsupportedPtxVersion|UNSUPPORTED_PTX|NoKernelImage|NO_BINARY_FOR_GPU")
_NOT_FOUND = re.compile(r"CUDA headers|to load|Failure finding")

several = False  # whether there is more than one device, so that each array's must be looked at
_count = 0
_seen: set[int] = set()  # the devices that something was made on


def __getattr__(name: str) -> Any:
    """Pass a name that both libraries spell alike through to CuPy, looked up once."""
    if name.startswith("__"):
        raise AttributeError(name)
    value = getattr(cp, name)
    if not hasattr(builtins, name):  # an `all` kept here would be this file's `all` too
        globals()[name] = value
    return value


# Devices -----------------------------------------------------------------------------------------


def unavailable() -> str:
    """Say why this backend cannot be used, and what to do; the empty string when it can."""
    global several, _count
    try:
        _count = cp.cuda.runtime.getDeviceCount()
        several = _count > 1
        if _count:
            cp.ones(1)  # a driver may count devices and not serve them, or no kernel be compiled
    except Exception as error:
        return advice(error) or f"CuPy is installed, but failed ({first_line(error)})"
    return "" if _count else "CuPy is installed, but found no GPU"


def advice(error: Exception) -> str:
    """Return what an error of CUDA means and what to do; the empty string for any other."""
    text = first_line(error)
    ours = type(error).__module__.startswith(("cupy.", "cupy_backends."))
    # The libraries of CUDA, and its loader of kernels, want memory that is not the pool's.
    if isinstance(error, cp.cuda.memory.OutOfMemoryError) or (ours and _NO_MEMORY.search(text)):
        free, total = cp.cuda.Device().mem_info
        return (
            f"the GPU has no memory left: {text.rstrip('.')}; free are {free:,} of "
            f"{total:,} bytes; try a smaller batch or model, float16 or float32, or let go of "
            "what is not needed"
        )
    if ours and _UNFIT.search(text):
        return (
            f"the NVIDIA driver and CuPy do not fit each other, or this GPU ({text}); install a "
            f"newer driver, or the CuPy for the one that there is: {INSTALL}"
        )
    if isinstance(error, _CUDA_ERROR):
        if "InsufficientDriver" in text:
            return (
                "CuPy is installed, but the NVIDIA driver is missing, or too old for it; install "
                f"a newer driver, or the CuPy for the one that there is: {INSTALL}"
            )
        if "NoDevice" in text:
            return "CuPy and a driver are installed, but there is no GPU (or none is visible)"
    if ours and isinstance(error, RuntimeError):
        return f"CUDA failed ({text})"
    library = isinstance(error, ImportError) and ("lib" in text or "DLL" in text)
    compiler = isinstance(error, RuntimeError) and _NOT_FOUND.search(text)
    if library or compiler:  # each is loaded when it is first used
        return (
            f"a library of CUDA is missing, or of another version ({text}); install "
            f"those that CuPy's wheel was made for: {INSTALL}; or the CUDA toolkit"
        )
    return ""


def use(device: str) -> None:
    """Make a device the one on which CuPy computes; raise DeviceError if there is none such."""
    number = int(device[5:])
    if number >= _count:
        names = ", ".join(f'"cuda:{i}"' for i in range(_count))
        raise DeviceError(f'no device "{device}"; there is {names}')
    _seen.add(number)
    if several and number != cp.cuda.runtime.getDevice():
        cp.cuda.runtime.setDevice(number)


def current() -> str:
    """Return the name of the device on which CuPy computes."""
    return f"cuda:{cp.cuda.runtime.getDevice()}"


def follow(values: Iterable[Any]) -> None:
    """Make the device of arrays the one on which CuPy computes; DeviceError if there are two."""
    devices = {value.data.device_id for value in values if isinstance(value, Array)}
    if len(devices) > 1:
        raise DeviceError(f"operands on {' and '.join(f'cuda:{i}' for i in sorted(devices))}")
    for device in devices:
        if device != cp.cuda.runtime.getDevice():
            cp.cuda.runtime.setDevice(device)


def device_of(array: Any) -> str:
    """Return the name of the device that holds `array`."""
    return f"cuda:{array.data.device_id}"


@explaining
def from_host(array: Any, device: str) -> Any:
    """Copy a NumPy array to `device`."""
    use(device)
    return cp.asarray(array)


def from_device(array: Any, device: str) -> Any:
    """Copy an array of another GPU to `device`."""
    use(device)
    return array.copy(order="A")


def adopted(value: Any) -> Any:
    """Return an array on the memory of another library's, by its ``__cuda_array_interface__``.

    The device of that memory becomes the one on which CuPy computes: on another CuPy would copy.
    """
    pointer = value.__cuda_array_interface__["data"][0]
    if several and pointer:  # it is 0 where there are no elements
        use(f"cuda:{cp.cuda.runtime.pointerGetAttributes(pointer).device}")
    return cp.asarray(value)


def to_host(array: Any) -> Any:
    """Copy an array into host memory, as a NumPy array of its memory layout; this waits."""
    return array.get(order="A")


def has_room(nbytes: int) -> bool:
    """Say whether so many bytes of data may move here as a whole: half of what is free, at most."""
    free, _ = cp.cuda.Device().mem_info
    return bool(nbytes <= free // 2)


def streamed(batches: Iterable[tuple[Any, ...]], device: str) -> Iterator[tuple[Any, ...]]:
    """Yield tuples of arrays on a device, each copied while the one before it is computed with.

    NumPy's arrays go through page-locked memory, from which the device copies by itself, on a
    stream of its own. The host waits only when it is two batches ahead of the device.
    """
    use(device)
    stream = cp.cuda.Stream(non_blocking=True)
    sent: collections.deque[Any] = collections.deque()
    used: Any = None
    try:
        for arrays in batches:
            sent.append(_sent(arrays, device, stream))
            if len(sent) > 1:
                used = _arrived(sent.popleft(), used, device)
                yield used[0]
        while sent:
            used = _arrived(sent.popleft(), used, device)
            yield used[0]
    finally:  # the pools give the memory on both ends to others as soon as nobody holds it
        for batch in (used, *sent):
            _landed(batch)


def _sent(arrays: tuple[Any, ...], device: str, stream: Any) -> Any:
    """Begin to copy arrays; return them, the memory that they come from, and their arrival."""
    import cupyx

    if not all(isinstance(array, np.ndarray) for array in arrays):
        return tuple(from_device(array, device) for array in arrays), (), None
    use(device)
    # The arrays' memory is that of the stream that computes, which may have freed it just now.
    stream.wait_event(cp.cuda.get_current_stream().record())
    staged = tuple(cupyx.empty_pinned(array.shape, array.dtype) for array in arrays)
    there = tuple(cp.empty(array.shape, array.dtype) for array in arrays)
    for array, page, copy in zip(arrays, staged, there, strict=True):
        page[...] = array
        copy.set(page, stream)
    return there, staged, stream.record()


def _arrived(sent: Any, used: Any, device: str) -> Any:
    """Let what is computed next wait for arrays; let go of the memory the last ones came from."""
    _landed(used)
    if sent[2] is not None:
        use(device)  # who took the last batch may have computed on another since
        cp.cuda.get_current_stream().wait_event(sent[2])
    return sent


def _landed(sent: Any) -> None:
    """Let the host wait until arrays that were sent, if any, have arrived."""
    if sent is not None and sent[2] is not None and not sent[2].done:
        sent[2].synchronize()


def columns_first(array: Any, axis: tuple[int, ...]) -> bool:
    """Say whether to reduce rows as columns; here each row is a thread, or more."""
    return False


def known_finite(array: Any) -> bool:
    """Say whether all elements are known to be finite: never, since to know is to wait."""
    return False


def empty_cache() -> None:
    """Give the memory that CuPy's pools keep, and no array uses, back to devices and host."""
    for number in _seen:  # the pool frees what is on the current one alone
        with cp.cuda.Device(number):
            cp.get_default_memory_pool().free_all_blocks()
    cp.get_default_pinned_memory_pool().free_all_blocks()


def synchronize() -> None:
    """Wait until the device has finished."""
    cp.cuda.Device().synchronize()


# Functions ---------------------------------------------------------------------------------------


def generator(seed: int | None) -> Any:
    """Return a random generator whose arrays live on this backend."""
    return cp.random.default_rng(seed)


def aligned(size: int, dtype: Any) -> Any:
    """Return a vector, not initialized; CuPy's memory always starts at a multiple of 512 bytes."""
    return cp.empty(size, dtype)


def empty_for(shape: tuple[int, ...], dtype: Any) -> Any:
    """Return an array for a result, not initialized; CuPy has a pool of its own."""
    return cp.empty(shape, dtype)


def copied(array: Any) -> Any:
    """Return a copy of an array, row-major."""
    return array.copy()


def scatter_add(array: Any, index: Any, values: Any) -> None:
    """Add `values` into ``array[index]`` in place; an index that occurs twice adds twice.

    By atomic operations, in no order, unless `deterministic` is set; float16 in float32.
    """
    if array.dtype.char == "e":
        total = array.astype("float32")
        scatter_add(total, index, values)
        array[...] = total
    elif settings.values["deterministic"] and array.dtype.name in _TYPES and array.size:
        _add_in_order(array, index, values)
    else:
        cp.add.at(array, index, values)


_TYPES = {"float32": "float", "float64": "double"}
IN_ORDER = """
extern "C" __global__ void add_in_order(
    {type}* out, const long long* places, const long long* order, const {type}* values, long long n
) {{
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n || (i > 0 && places[i] == places[i - 1])) return;
    {type} total = out[places[i]];
    for (long long j = i; j < n && places[j] == places[i]; ++j) total += values[order[j]];
    out[places[i]] = total;
}}
"""


def _add_in_order(array: Any, index: Any, values: Any) -> None:
    """Add as NumPy does, one after the other: of equal places, one thread adds all."""
    places = cp.arange(array.size, dtype="int64").reshape(array.shape)[index]
    given = cp.ascontiguousarray(cp.broadcast_to(cp.asarray(values, array.dtype), places.shape))
    places = places.ravel()
    if not places.size:
        return
    order = cp.argsort(places)  # a stable sort, so that equals keep their order
    kernel = cp.RawKernel(IN_ORDER.format(type=_TYPES[array.dtype.name]), "add_in_order")
    out = cp.ascontiguousarray(array)
    count = places.size
    arguments = (out, places[order], order, given, np.int64(count))
    kernel((-(-count // 256),), (256,), arguments)
    if out is not array:
        array[...] = out


def allow_tf32(enabled: bool) -> None:
    """Let float32 products of matrices use TF32, or not."""
    from cupy._core import set_compute_type
    from cupy._core._routines_linalg import COMPUTE_TYPE_DEFAULT, COMPUTE_TYPE_TF32

    set_compute_type(np.dtype("float32"), COMPUTE_TYPE_TF32 if enabled else COMPUTE_TYPE_DEFAULT)


def sum(array: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Sum over axes."""
    return cp.sum(array, axis=axis, keepdims=keepdims)


def einsum(spec: str, *arrays: Any, optimize: bool = False) -> Any:
    """Return Einstein's sum; two factors of the same axes are multiplied, and summed over some.

    CuPy makes a batch of products of a row and a column of them, for which it copies both.
    """
    names, _, kept = spec.partition("->")
    first, _, second = names.partition(",")
    gone = tuple(i for i, letter in enumerate(first) if letter not in kept)
    distinct = len(set(first)) == len(first) and "." not in first
    if first == second and distinct and gone and kept == "".join(x for x in first if x in kept):
        return cp.sum(arrays[0] * arrays[1], axis=gone)
    return cp.einsum(spec, *arrays, optimize=optimize)


def relu(array: Any) -> Any:
    """Return max(array, 0)."""
    return cp.maximum(array, 0)


def powered(array: Any, exponent: float) -> Any:
    """Return an array to the power of a number."""
    return array**exponent


def solve(a: Any, b: Any) -> Any:
    """Return a⁻¹ b for matrices; where a has no inverse the numbers mean nothing, unsaid."""
    if a.ndim > 2 or b.ndim > 2:  # CuPy wants as many of either
        count = cp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a = cp.broadcast_to(a, count + a.shape[-2:])
        b = cp.broadcast_to(b, count + b.shape[-2:])
    return cp.linalg.solve(a, b)


def cholesky(a: Any) -> Any:
    """Return the L of a = L Lᵀ, or raise LinAlgError; this waits for what cuSOLVER says of it."""
    import cupyx

    with cupyx.errstate(linalg="raise"):
        return cp.linalg.cholesky(a)


def sum_of_squares(vector: Any) -> float:
    """Return Σ xᵢ², in the vector's precision; this waits."""
    return float(cp.dot(vector, vector))


def erf(array: Any) -> Any:
    """Return the error function, elementwise, in the array's dtype (float64 of integers)."""
    from cupyx.scipy import special

    dtype = array.dtype if array.dtype.kind == "f" else np.dtype("float64")
    if dtype.char == "e":  # of which CuPy makes float64
        return special.erf(array.astype("float32")).astype(dtype)
    return special.erf(array.astype(dtype, copy=False))
