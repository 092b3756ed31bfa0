"""NumPy: the names in which the two libraries differ, or where its plain spelling is slow.

Everything else passes through to NumPy unchanged. `cupy.py` has the same names.
"""

from __future__ import annotations

import builtins
import functools
import math
from typing import Any

import numpy as np

from minigrad.backend.pool import Pool

Array: Any = np.ndarray

LARGE = 16_384  # elements: memory for fewer comes from malloc's heap, where it stays


def __getattr__(name: str) -> Any:
    """Pass a name that both libraries spell alike through to NumPy, looked up once."""
    if name.startswith("__"):
        raise AttributeError(name)
    value = getattr(np, name)
    if not hasattr(builtins, name):  # an `all` kept here would be this file's `all` too
        globals()[name] = value
    return value


def unavailable() -> str:
    """Say why this backend cannot be used; the empty string when it can."""
    return ""


def device_of(array: Any) -> str:
    """Return the name of the device that holds `array`."""
    return "cpu"


def from_host(array: Any, device: str) -> Any:
    """Copy a NumPy array to `device`; here it is there already."""
    return array


def to_host(array: Any) -> Any:
    """Copy an array into host memory; here it is there already."""
    return array


def has_room(nbytes: int) -> bool:
    """Say whether so many bytes of data may move here as a whole."""
    return True


def known_finite(array: Any) -> bool:
    """Say whether all elements are known to be finite; to know costs little here."""
    return bool(np.count_nonzero(np.isfinite(array)) == array.size)


def empty_cache() -> None:
    """Free the large arrays that are kept for the next results."""
    pool.clear()


def synchronize() -> None:
    """Wait until the device has finished; NumPy always has."""


def generator(seed: int | None) -> np.random.Generator:
    """Return a random generator (PCG64) whose arrays live on this backend."""
    return np.random.default_rng(seed)


def aligned(shape: int | tuple[int, ...], dtype: Any) -> Any:
    """Return an array, not initialized, in memory that starts at a multiple of 64 bytes.

    ``np.empty`` starts at one of 16, so that each 64 bytes that are written go into two lines of
    the cache: the sum of two vectors of 32,768 float32 takes 5.8 µs there, and 3.2 here.
    """
    size = shape if isinstance(shape, int) else math.prod(shape)
    nbytes = size * np.dtype(dtype).itemsize
    room = np.empty(nbytes + 64, np.uint8)
    start = -room.__array_interface__["data"][0] % 64
    return room[start : start + nbytes].view(dtype).reshape(shape)


pool = Pool(aligned, limit=256 << 20, each=16)


def empty_for(shape: tuple[int, ...], dtype: Any) -> Any:
    """Return an array for a result, not initialized; a large one from the pool."""
    return np.empty(shape, dtype) if math.prod(shape) < LARGE else pool.take(shape, dtype)


def scatter_add(array: Any, index: Any, values: Any) -> None:
    """Add `values` into ``array[index]`` in place; an index that occurs twice adds twice."""
    if _distinct(index):
        array[index] += values
    elif array.dtype.char == "e":  # as in `sum`
        total = array.astype("float32")
        np.add.at(total, index, values)
        array[...] = total
    else:
        np.add.at(array, index, values)


def _distinct(index: Any) -> bool:
    """Say whether an index is basic (slices, integers), so that it names no element twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or part is Ellipsis or isinstance(part, (int, slice)) for part in parts)


@functools.lru_cache(64)
def _ones(length: int, dtype: Any) -> Any:
    """Return a row of ones, made once for the lengths in use; no one may write into it."""
    ones = np.ones(length, dtype)
    ones.flags.writeable = False
    return ones


def sum(array: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Sum over axes; one of the last two axes of floats goes through the BLAS.

    A product with a row of ones takes half the time of ``np.sum`` on 128 × 512 float32, and a tenth
    on 31 × 64 × 20.
    """
    ndim = array.ndim
    if ndim > 1 and array.dtype.char in "fd" and len(axis or ()) == 1 and axis[0] >= ndim - 2:
        ones = _ones(array.shape[axis[0]], array.dtype)
        if axis[0] == ndim - 2:
            total = ones.dot(array) if ndim == 2 else np.matmul(ones, array)
            return total[..., None, :] if keepdims else total
        total = array.dot(ones) if ndim == 2 else np.matmul(array, ones)
        return total[..., None] if keepdims else total
    if array.dtype.char == "e":  # NumPy would add columns in float16; CuPy adds in float32
        with np.errstate(over="ignore"):
            total = np.sum(array, axis=axis, keepdims=keepdims, dtype="float32")
            return total.astype(array.dtype)
    return np.sum(array, axis=axis, keepdims=keepdims)


def columns_first(array: Any, axis: tuple[int, ...]) -> bool:
    """Say whether to reduce the rows of a matrix as columns of its transpose, copied.

    NumPy starts a loop for each row, which costs more than what it does in a short one: the largest
    elements of 1024 × 10 float32 take 55 µs, and those of the transpose 5 with the copy.
    """
    return axis == (1,) and array.ndim == 2 and array.shape[1] <= 32 and array.shape[0] >= 16


def matmul(a: Any, b: Any) -> Any:
    """Return the matrix product (or products), large ones in memory from the pool.

    For small matrices the method is 0.4 µs ahead of the function.
    """
    if a.ndim == 2 and b.ndim == 2:
        rows, columns = a.shape[0], b.shape[1]
        if rows * columns < LARGE:
            return a.dot(b)
        shape = (rows, columns)
    elif a.ndim > 1 and b.ndim > 1:
        shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
        if math.prod(shape) < LARGE:
            return np.matmul(a, b)
    else:
        return np.matmul(a, b)
    if a.dtype is not b.dtype or a.dtype.char not in "fd":
        return np.matmul(a, b)
    return np.matmul(a, b, out=pool.take(shape, a.dtype))


class Broadcasting:
    """While this is entered, NumPy copies no broadcast operand of arrays with long rows.

    Its ufuncs go through buffers, of 8,192 elements by default, and fill them with what is
    broadcast wherever a row is shorter: a column of 32 numbers subtracted from 32 × 2,048 takes
    17 µs so, and 7 with buffers no longer than a row.
    """

    size = 256  # elements; with less, what is converted on the way is slower

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.row = shape[-1] if shape else 0
        self.before = 0

    def __enter__(self) -> None:
        """Shorten the buffers, of this thread alone."""
        if self.row >= self.size:
            self.before = np.setbufsize(self.size)

    def __exit__(self, *exception: object) -> None:
        """Let them be what they were."""
        if self.before:
            np.setbufsize(self.before)


def copied(array: Any) -> Any:
    """Return a copy of an array, row-major; a large one in memory from the pool."""
    if array.size < LARGE:
        return array.copy()
    out = empty_for(array.shape, array.dtype)
    out[...] = array
    return out


def relu(array: Any) -> Any:
    """Return max(array, 0); against a row of zeros, twice as fast as against a scalar."""
    if array.ndim == 0:
        return np.maximum(array, array.dtype.type(0))
    zeros = np.zeros(array.shape[-1], array.dtype)
    if array.size < LARGE or not array.flags.c_contiguous:
        return np.maximum(array, zeros)
    return np.maximum(array, zeros, out=pool.take(array.shape, array.dtype))


_SELECT_BLOCK = 1 << 14  # elements, so that a block is selected within the cache
_BITS: dict[Any, Any] = {
    np.dtype("float32"): np.dtype("int32"),
    np.dtype("float64"): np.dtype("int64"),
}
_FLOATS = {bits: floats for floats, bits in _BITS.items()}


def where(condition: Any, a: Any, b: Any) -> Any:
    """Return a where the condition holds, else b; of many floats by their bits.

    ``np.where`` branches at each element: ten times as slow where that cannot be foretold.
    """
    bits = _BITS.get(getattr(a if isinstance(a, np.ndarray) else b, "dtype", None))
    if bits is None or getattr(condition, "size", 0) < 4096 or condition.dtype != bool:
        return np.where(condition, a, b)
    words = [_words(x, condition, bits) for x in (a, b)]
    if words[0] is None or words[1] is None or not condition.flags.c_contiguous:
        return np.where(condition, a, b)
    chosen = condition.reshape(-1).view("int8")
    result = empty_for(condition.shape, _FLOATS[bits])
    out = result.reshape(-1).view(bits)
    for start in range(0, out.size, _SELECT_BLOCK):
        part = slice(start, start + _SELECT_BLOCK)
        this, other = (x[part] if x.ndim else x for x in words)
        within = out[part]
        within[...] = np.negative(chosen[part])  # all bits, or none
        within &= this ^ other
        within ^= other
    return result


def _words(x: Any, condition: Any, bits: Any) -> Any:
    """Return floats as integers of the same bits, flat or of no axis; None if they do not fit."""
    if type(x) is float or type(x) is int:
        return np.asarray(x, _FLOATS[bits]).view(bits)
    if getattr(x, "dtype", None) != _FLOATS[bits]:
        return None
    if x.ndim == 0:
        return np.asarray(x).view(bits)
    fits = x.shape == condition.shape and x.flags.c_contiguous
    return x.reshape(-1).view(bits) if fits else None


def powered(array: Any, exponent: float) -> Any:
    """Return an array to the power of a number; small whole ones of floats by products.

    Of a negative number ``np.power`` takes 150 times as long as two products.
    """
    if array.dtype.kind == "f" and exponent in (3, 4, 5, 6, -2, -3, -4):
        return products(1 / array if exponent < 0 else array, builtins.abs(int(exponent)))
    return array**exponent


def products(x: Any, exponent: int) -> Any:
    """Return x to a power of at least 1, in as few products as there are binary digits."""
    result = x if exponent & 1 else None
    while exponent := exponent >> 1:
        x = x * x
        if exponent & 1:
            result = x if result is None else result * x
    return result


def solve(a: Any, b: Any) -> Any:
    """Return a⁻¹ b for matrices, with one batch of either for all of the other."""
    return np.linalg.solve(a, b)


def cholesky(a: Any) -> Any:
    """Return the L of a = L Lᵀ, or raise LinAlgError if a is not positive definite."""
    return np.linalg.cholesky(a)


def sum_of_squares(vector: Any) -> float:
    """Return Σ xᵢ², in the vector's precision; on overflow infinity, without NumPy's warning."""
    with np.errstate(over="ignore"):
        return float(np.dot(vector, vector))


# erf x = tanh(x P(x²)/Q(x²)) for |x| up to a limit, at which it is exactly 1: coefficients of P and
# Q, the constant first. They are the minimax fit of atanh(erf x)/x, found in 50 digits by
# least squares with Lawson's weights; its relative error in erf is 1e-8 and 8e-17.
_ERF: dict[str, tuple[float, tuple[float, ...], tuple[float, ...]]] = {
    "float32": (
        4.25,
        (1.12837918, 0.250882767, 0.0353264208, 0.0013873523, -1.52145623e-05),
        (1.0, 0.131259556, 0.0195359166),
    ),
    "float64": (
        6.0,
        (1.1283791670955126, 0.4647505013392655, 0.12760603157466097, 0.021113463360876737,
          0.002494527079179615, 0.0001872375736860158, 8.56230850507439e-06, 1.1359245371421857e-07,
          -4.8303191656014875e-09, -2.135549715174689e-11),
        (1.0, 0.32079455965946113, 0.08405537514311526, 0.011638025209830729,
          0.0012769030456333515, 7.431779698307232e-05, 2.8310333044756795e-06,
          -2.263598080421542e-08, -1.0496127358575009e-09),
    ),
}  # fmt: skip
_ERF_BLOCK = 1 << 15  # elements, so that the polynomials are summed within the cache


def erf(array: Any, out: Any = None) -> Any:
    """Return the error function, elementwise; NumPy has none.

    The relative error is below 4e-7 in float32 and 1e-15 in float64, five units of the last place.
    """
    array = np.asarray(array)
    if array.dtype.name not in _ERF:
        wide = "float32" if array.dtype.char == "e" else "float64"
        return erf(array.astype(wide)).astype(array.dtype if array.dtype.kind == "f" else wide)
    limit, above, below = _ERF[array.dtype.name]
    given = array.reshape(-1)
    result = empty_for(array.shape, array.dtype) if out is None else out
    into = result.reshape(-1)
    width = min(given.size, _ERF_BLOCK)
    buffers = [empty_for((width,), array.dtype) for _ in range(4)]
    for start in range(0, given.size, _ERF_BLOCK):
        part = given[start : start + width]
        x, square, ratio, divisor = (
            buffers if part.size == width else [b[: part.size] for b in buffers]
        )
        part.clip(-limit, limit, x)
        np.multiply(x, x, square)
        _polynomial(above, square, ratio)
        ratio /= _polynomial(below, square, divisor)
        ratio *= x
        np.tanh(ratio, into[start : start + width])
    return result


def _polynomial(coefficients: tuple[float, ...], x: Any, total: Any) -> Any:
    """Return Σ cₖ xᵏ, by Horner's rule in one buffer."""
    np.multiply(x, coefficients[-1], total)
    total += coefficients[-2]
    for c in coefficients[-3::-1]:
        total *= x
        total += c
    return total
