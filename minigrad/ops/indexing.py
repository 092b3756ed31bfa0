"""Operations that index, join and cut: getitem, gather, scatter-add, concatenate, split, pad.

All are linear; the derivative of each is its transpose. That of an index adds into zeros.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from minigrad import backend
from minigrad.mode import ShapeError
from minigrad.ops.elementwise import add
from minigrad.ops.shape import _matrices, flatten, one_axis, shape_of, unsqueeze
from minigrad.primitive import Array, Backend, linear, primitive
from minigrad.tensor import Tensor, Value

__all__ = [
    "concatenate", "diagonal", "gather", "getitem", "pad", "scatter_add", "split", "stack", "take",
]  # fmt: skip

# Indexing ----------------------------------------------------------------------------------------


def _pick(xp: Backend, x: Array, *, index: Any) -> Array:
    return x[backend.beside(x, index)]


_pick.__name__ = "getitem"
_transpose = lambda g, x, index: put(g, index=index, shape=x.shape)  # noqa: E731
_view = linear(_transpose, view=True)(_pick)
_copy = linear(_transpose)(_pick)


@linear(lambda g, index: getitem(g, index))
def put(xp: Backend, x: Array, *, index: Any, shape: tuple[int, ...]) -> Array:
    """Return zeros of a shape with x added at the index: the transpose of `getitem`."""
    out = xp.zeros(shape, x.dtype)
    xp.scatter_add(out, backend.beside(out, index), x)
    return out


def getitem(x: Value, index: Any) -> Any:
    """Return ``x[index]``: integers, slices, None, …, masks and integer arrays, as in NumPy."""
    parts = index if isinstance(index, tuple) else (index,)
    plain = _beside(x, tuple(_index(part) for part in parts))
    basic = all(
        part is None or part is Ellipsis or isinstance(part, (int, slice)) for part in plain
    )
    return (_view if basic else _copy)(x, index=plain)


def _index(part: Any) -> Any:
    """Return one part of an index as the backend takes it."""
    if part is None or part is Ellipsis or isinstance(part, (bool, int, slice)):
        return part
    if isinstance(part, Tensor):
        part = part.data.copy()  # the tensor may change before its gradient is wanted
    if isinstance(part, list):
        array = Tensor(part).data
        part = array if array.size else array.astype("int64")
    kind = getattr(getattr(part, "dtype", None), "kind", "")
    if kind not in tuple("iub"):
        raise IndexError(
            "an index is made of integers, slices, None, … and arrays of integers or booleans, "
            f"not of {getattr(part, 'dtype', type(part).__name__)}"
        )
    return int(part) if part.ndim == 0 and kind != "b" else part  # CuPy's have no `__index__`


def _beside(x: Value, index: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return an index with its arrays on the device of x."""
    array = x.data if isinstance(x, Tensor) else x
    return backend.beside(array, index) if backend.is_array(array) else index


def take(x: Value, indices: Any, axis: int | None = None) -> Any:
    """Return the elements of x at integer `indices` along an axis (None: of x flattened)."""
    if axis is None:
        return getitem(flatten(x), indices)
    axis = one_axis(axis, len(shape_of(x)), "take")
    return getitem(x, (slice(None),) * axis + (indices,))


def gather(x: Value, index: Any, axis: int) -> Any:
    """Return out[…, j, …] = x[…, index[…, j, …], …]: an index for each element along an axis.

    `index` is an integer array with as many axes as x, no longer than x along the others.
    """
    return getitem(x, _along(index, axis, len(shape_of(x)), "gather"))


def scatter_add(x: Value, index: Any, values: Value, axis: int) -> Any:
    """Return x with `values` added where `gather` with the same index would read."""
    where = _along(index, axis, len(shape_of(x)), "scatter_add")
    if not hasattr(values, "ndim") or isinstance(values, backend.cpu.generic):
        values = Tensor(values.tolist() if hasattr(values, "tolist") else values)
    given, wanted = shape_of(values), Tensor(index).shape
    if given not in ((), wanted):
        raise ShapeError(
            f"scatter_add: values of shape {given} for an index of shape {wanted}; they are equal, "
            "or the values are one number"
        )
    return add(x, put(values, index=_beside(x, where), shape=shape_of(x)))


def _along(index: Any, axis: int, ndim: int, operation: str) -> tuple[Any, ...]:
    """Return the full index of an index along one axis."""
    if isinstance(index, int) and not isinstance(axis, int):
        raise TypeError(f"{operation}: the index comes before the axis here, unlike PyTorch's dim")
    array = Tensor(index).data
    if array.dtype.kind not in "iu" or array.ndim != ndim:
        raise ShapeError(
            f"{operation}: the index is an integer array of {ndim} axes, not "
            f"{array.dtype} of shape {array.shape}"
        )
    axis = one_axis(axis, ndim, operation)
    parts: list[Any] = []
    for a, n in enumerate(array.shape):
        shape = (1,) * a + (n,) + (1,) * (ndim - a - 1)
        parts.append(array if a == axis else backend.of((array,)).arange(n).reshape(shape))
    return tuple(parts)


def diagonal(x: Value, offset: int = 0) -> Any:
    """Return the diagonals of the matrices of the last two axes of x."""
    rows, columns = _matrices(x, "diagonal")
    n = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    first, second = max(-offset, 0), max(offset, 0)
    return getitem(x, (..., list(range(first, first + n)), list(range(second, second + n))))


# Joins and cuts ----------------------------------------------------------------------------------


@linear(
    lambda g, i, axis, ends: _part(g, i, axis, ends),
    shape_rule="all sizes but the joined axis's must be equal",
)
def _concatenate(xp: Backend, *xs: Array, axis: int, ends: list[int]) -> Array:
    return xp.concatenate(xs, axis=axis)


def _part(g: Any, i: int, axis: int, ends: list[int]) -> Any:
    start = ends[i - 1] if i else 0
    return getitem(g, (slice(None),) * axis + (slice(start, ends[i]),))


def concatenate(xs: Sequence[Value], axis: int = 0) -> Any:
    """Join tensors along an axis that they have."""
    if not len(xs):
        raise ShapeError("concatenate: needs at least one tensor")
    shapes = [shape_of(x) for x in xs]
    axis = one_axis(axis, len(shapes[0]), "concatenate")
    ends = list(accumulate(shape[axis] if axis < len(shape) else 0 for shape in shapes))
    return _concatenate(*xs, axis=axis, ends=ends)


def stack(xs: Sequence[Value], axis: int = 0) -> Any:
    """Join tensors of one shape along a new axis."""
    shapes = [shape_of(x) for x in xs]
    if len(set(shapes)) > 1:
        names = " and ".join(str(shape) for shape in shapes)
        raise ShapeError(f"stack: shapes {names} do not fit; they must be equal")
    axis = one_axis(axis, len(shapes[0]) + 1, "stack") if shapes else 0
    return concatenate([unsqueeze(x, axis) for x in xs], axis)


def split(x: Value, sizes: int | Sequence[int], axis: int = 0) -> list[Any]:
    """Cut x along an axis, into pieces of one size (the last may be less) or of given sizes."""
    shape = shape_of(x)
    axis = one_axis(axis, len(shape), "split")
    length = shape[axis]
    sizes = _whole(sizes)
    if isinstance(sizes, int) and sizes > 0:
        sizes = [min(sizes, length - start) for start in range(0, max(length, 1), sizes)]
    if isinstance(sizes, int) or any(size < 0 for size in sizes):
        raise ShapeError(f"split: pieces of size {sizes}; a size is a positive integer")
    if sum(sizes) != length:
        raise ShapeError(
            f"split: sizes {tuple(sizes)} do not add up to {length}, axis {axis} of {shape}"
        )
    pieces, start = [], 0
    for size in sizes:
        pieces.append(getitem(x, (slice(None),) * axis + (slice(start, start + size),)))
        start += size
    return pieces


def _whole(value: Any) -> Any:
    """Return an integer of NumPy's as Python's, and anything else as it is."""
    return operator.index(value) if isinstance(value, backend.cpu.integer) else value


@primitive(lambda g, widths: getitem(g, _middle(g.shape, widths)))  # affine, if value is not 0
def _pad(xp: Backend, x: Array, *, widths: Any, value: float) -> Array:
    return xp.pad(x, widths, constant_values=value)


def _middle(shape: tuple[int, ...], widths: Any) -> tuple[slice, ...]:
    return tuple(slice(low, n - high) for n, (low, high) in zip(shape, widths, strict=True))


def pad(x: Value, widths: Any, value: float = 0.0) -> Any:
    """Return x with a border of `value`; `widths`: a number, or (before, after) for each axis."""
    ndim = len(shape_of(x))
    widths = _whole(widths)
    if isinstance(widths, int):
        widths = ((widths, widths),) * ndim
    if len(widths) != ndim:
        raise ShapeError(f"pad: {len(widths)} pairs of widths for the {ndim} axes of {shape_of(x)}")
    if any(len(pair) != 2 or min(pair) < 0 for pair in widths):
        raise ShapeError(f"pad: widths {widths}; they are pairs (before, after), not negative")
    return _pad(x, widths=tuple((int(low), int(high)) for low, high in widths), value=value)
