"""Operations that move elements without computing: shapes, orders, joins, cuts, and indexing.

All are linear; the derivative of each is its transpose, another operation of this file or a sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minigrad import backend
from minigrad.backend import Device
from minigrad.mode import ShapeError
from minigrad.ops.elementwise import add
from minigrad.primitive import Array, Backend, linear
from minigrad.tensor import Tensor, Value

__all__ = [
    "astype", "clone", "broadcast_to", "concatenate", "diagonal", "expand", "flatten", "flip",
    "gather", "getitem", "mT", "pad", "permute", "reshape", "scatter_add", "split", "squeeze",
    "stack", "sum_to", "swapaxes", "take", "transpose", "tril", "triu", "unsqueeze",
]  # fmt: skip

Axis = int | tuple[int, ...] | None


def axes(axis: Axis, ndim: int, operation: str = "axis") -> tuple[int, ...]:
    """Return `axis` (None is all) as increasing non-negative integers, or raise ShapeError."""
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, tuple) else (axis,)
    for a in given:
        if not -ndim <= a < ndim:
            raise ShapeError(
                f"{operation}: axis {a} of a tensor of {ndim} axes; legal are {-ndim} to {ndim - 1}"
            )
    positive = tuple(sorted(a % ndim for a in given))
    if len(set(positive)) != len(positive):
        raise ShapeError(f"{operation}: axis {axis} names an axis twice")
    return positive


def shape_of(x: Value) -> tuple[int, ...]:
    """Return the shape of a tensor, array, number or nested list."""
    return tuple(x.shape) if hasattr(x, "shape") else Tensor(x).shape


# Shapes ------------------------------------------------------------------------------------------


@linear(
    lambda g, x: g.reshape(x.shape),
    view=True,
    shape_rule="a reshape keeps the number of elements, with at most one -1",
)
def _reshape(xp: Backend, x: Array, *, shape: Any) -> Array:
    return x.reshape(shape)


def reshape(x: Value, *shape: Any) -> Any:
    """Return x with the same elements in another shape; one size may be -1."""
    return _reshape(x, shape=_sizes(shape))


def _sizes(shape: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape


@linear(lambda g, order: _permute(g, order=_inverse(order)), view=True)
def _permute(xp: Backend, x: Array, *, order: tuple[int, ...]) -> Array:
    return x.transpose(order)


def _inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(order)), key=order.__getitem__))


def permute(x: Value, *order: Any) -> Any:
    """Return x with its axes in another order."""
    ndim = len(shape_of(x))
    sizes = _sizes(order)
    if sorted(a % ndim if ndim else a for a in sizes) != list(range(ndim)):
        raise ShapeError(f"permute: {sizes} is not an order of the {ndim} axes of {shape_of(x)}")
    return _permute(x, order=tuple(a % ndim for a in sizes))


def transpose(x: Value, *order: Any) -> Any:
    """Return x with its axes reversed, as NumPy does, or in the given order."""
    return (
        permute(x, *order) if order else _permute(x, order=tuple(reversed(range(len(shape_of(x))))))
    )


def swapaxes(x: Value, first: int, second: int) -> Any:
    """Return x with two axes exchanged."""
    order = list(range(len(shape_of(x))))
    order[first], order[second] = order[second], order[first]
    return permute(x, order)


@linear(lambda g: mT(g), view=True)
def mT(xp: Backend, x: Array) -> Array:
    """Return the matrices of the last two axes transposed."""
    return xp.swapaxes(x, -1, -2)


@linear(lambda g, x: sum_to(g, shape=x.shape), view=True, shape_rule="only axes of size 1 expand")
def _expand(xp: Backend, x: Array, *, shape: tuple[int, ...]) -> Array:
    return xp.broadcast_to(x, shape)


def expand(x: Value, *shape: Any) -> Any:
    """Return x broadcast to a shape; -1 keeps the size of an axis."""
    sizes = _sizes(shape)
    before = (1,) * (len(sizes) - len(shape_of(x))) + shape_of(x)
    kept = zip(sizes, before, strict=False)
    return _expand(x, shape=tuple(old if new == -1 else new for new, old in kept))


@linear(lambda g, x: _expand(g, shape=x.shape))
def sum_to(xp: Backend, x: Array, *, shape: tuple[int, ...]) -> Array:
    """Sum x down to a shape that broadcasts to its own: the transpose of `expand`."""
    extra = x.ndim - len(shape)
    if extra:
        x = xp.sum(x, axis=tuple(range(extra)))
    narrow = tuple(i for i, size in enumerate(shape) if size == 1 and x.shape[i] != 1)
    return xp.sum(x, axis=narrow, keepdims=True) if narrow else x


def broadcast_to(x: Value, shape: Any) -> Any:
    """Return x broadcast to a shape."""
    return expand(x, shape)


def squeeze(x: Value, axis: Axis = None) -> Any:
    """Return x without the given axes of size 1 (None is all of them)."""
    shape = shape_of(x)
    gone = axes(axis, len(shape), "squeeze")
    if axis is not None and any(shape[a] != 1 for a in gone):
        raise ShapeError(f"squeeze: axis {axis} of shape {shape} is not of size 1")
    return _reshape(x, shape=tuple(n for a, n in enumerate(shape) if a not in gone or n != 1))


def unsqueeze(x: Value, axis: int) -> Any:
    """Return x with a new axis of size 1 before `axis`."""
    shape = list(shape_of(x))
    shape.insert(axes(axis, len(shape) + 1, "unsqueeze")[0], 1)
    return _reshape(x, shape=tuple(shape))


def flatten(x: Value, start: int = 0) -> Any:
    """Return x with the axes from `start` on joined into one."""
    shape = shape_of(x)
    return _reshape(x, shape=(*shape[:start], math.prod(shape[start:])))


@linear(lambda g: g)
def _astype(xp: Backend, x: Array, *, dtype: Any) -> Array:
    return x.astype(dtype)


def astype(x: Value, dtype: Any) -> Any:
    """Return x in another dtype; the gradient comes back in x's own."""
    return _astype(x, dtype=dtype)


@linear(lambda g, device, source: _to(g, device=source, source=device))
def _to(xp: Backend, x: Array, *, device: Device, source: Device) -> Array:
    return backend.get(device).from_host(xp.to_host(x), device)


def to(x: Value, target: Any) -> Any:
    """Return x on a device (``"cpu"``, ``"cuda"``, …) or in a dtype; x itself if it is there."""
    if isinstance(target, str) and target.partition(":")[0] in ("cpu", "cuda"):
        device, source = backend.canonical(target), x.device
        return x if device == source else _to(x, device=device, source=source)
    return x if x.dtype == target else astype(x, target)


@linear(lambda g: g)
def clone(xp: Backend, x: Array) -> Array:
    """Return a copy of x in memory of its own; the gradient passes through."""
    return x.copy(order="K")


# Joins and cuts ----------------------------------------------------------------------------------


@linear(
    lambda g, xs, i, axis: _part(g, xs, i, axis),
    shape_rule="all sizes but the joined axis's must be equal",
)
def _concatenate(xp: Backend, *xs: Array, axis: int) -> Array:
    return xp.concatenate(xs, axis=axis)


def _part(g: Any, xs: list[Any], i: int, axis: int) -> Any:
    start = sum(x.shape[axis] for x in xs[:i])
    return getitem(g, (slice(None),) * axis + (slice(start, start + xs[i].shape[axis]),))


def concatenate(xs: Sequence[Value], axis: int = 0) -> Any:
    """Join tensors along an axis that they have."""
    if not len(xs):
        raise ShapeError("concatenate: needs at least one tensor")
    return _concatenate(*xs, axis=axes(axis, len(shape_of(xs[0])), "concatenate")[0])


def stack(xs: Sequence[Value], axis: int = 0) -> Any:
    """Join tensors of one shape along a new axis."""
    return concatenate([unsqueeze(x, axis) for x in xs], axis)


def split(x: Value, sizes: int | Sequence[int], axis: int = 0) -> list[Any]:
    """Cut x along an axis, into pieces of one size (the last may be less) or of given sizes."""
    shape = shape_of(x)
    axis = axes(axis, len(shape), "split")[0]
    length = shape[axis]
    if isinstance(sizes, int):
        sizes = [min(sizes, length - start) for start in range(0, length, sizes)]
    if sum(sizes) != length:
        raise ShapeError(
            f"split: sizes {tuple(sizes)} do not add up to {length}, axis {axis} of {shape}"
        )
    pieces, start = [], 0
    for size in sizes:
        pieces.append(getitem(x, (slice(None),) * axis + (slice(start, start + size),)))
        start += size
    return pieces


@linear(lambda g, x, widths: getitem(g, _middle(x.shape, widths)))
def _pad(xp: Backend, x: Array, *, widths: Any, value: float) -> Array:
    return xp.pad(x, widths, constant_values=value)


def _middle(shape: tuple[int, ...], widths: Any) -> tuple[slice, ...]:
    return tuple(slice(low, low + n) for n, (low, _) in zip(shape, widths, strict=True))


def pad(x: Value, widths: Any, value: float = 0.0) -> Any:
    """Return x with a border of `value`; `widths`: a number, or (before, after) for each axis."""
    ndim = len(shape_of(x))
    if isinstance(widths, int):
        widths = ((widths, widths),) * ndim
    if len(widths) != ndim:
        raise ShapeError(f"pad: {len(widths)} pairs of widths for {ndim} axes")
    return _pad(x, widths=tuple((int(low), int(high)) for low, high in widths), value=value)


@linear(lambda g, axis: _flip(g, axis=axis), view=True)
def _flip(xp: Backend, x: Array, *, axis: tuple[int, ...]) -> Array:
    return xp.flip(x, axis)


def flip(x: Value, axis: Axis = None) -> Any:
    """Return x in reverse order along the given axes (None is all)."""
    return _flip(x, axis=axes(axis, len(shape_of(x)), "flip"))


@linear(lambda g, k: tril(g, k=k))
def _tril(xp: Backend, x: Array, *, k: int) -> Array:
    return xp.tril(x, k)


def tril(x: Value, k: int = 0) -> Any:
    """Return the lower triangles of the matrices of x, with k diagonals above the main one."""
    return _tril(x, k=k)


@linear(lambda g, k: triu(g, k=k))
def _triu(xp: Backend, x: Array, *, k: int) -> Array:
    return xp.triu(x, k)


def triu(x: Value, k: int = 0) -> Any:
    """Return the upper triangles of the matrices of x, from diagonal k on."""
    return _triu(x, k=k)


# Indexing ----------------------------------------------------------------------------------------


def _pick(xp: Backend, x: Array, *, index: Any) -> Array:
    return x[index]


_pick.__name__ = "getitem"
_transpose = lambda g, x, index: put(g, index=index, shape=x.shape)  # noqa: E731
_view = linear(_transpose, view=True)(_pick)
_copy = linear(_transpose)(_pick)


@linear(lambda g, index: getitem(g, index))
def put(xp: Backend, x: Array, *, index: Any, shape: tuple[int, ...]) -> Array:
    """Return zeros of a shape with x added at the index: the transpose of `getitem`."""
    out = xp.zeros(shape, x.dtype)
    xp.scatter_add(out, index, x)
    return out


def getitem(x: Value, index: Any) -> Any:
    """Return ``x[index]``: integers, slices, None, …, masks and integer arrays, as in NumPy."""
    parts = index if isinstance(index, tuple) else (index,)
    plain = tuple(_index(part) for part in parts)
    basic = all(
        part is None or part is Ellipsis or isinstance(part, (int, slice)) for part in plain
    )
    return (_view if basic else _copy)(x, index=plain)


def _index(part: Any) -> Any:
    """Return one part of an index as the backend takes it."""
    if isinstance(part, Tensor):
        part = part.data
    if isinstance(part, list):
        part = Tensor(part).data
    if isinstance(part, slice) or part is None or part is Ellipsis or isinstance(part, bool):
        return part
    kind = getattr(getattr(part, "dtype", None), "kind", "i")
    if kind not in "iub":
        raise IndexError(
            f"an index is made of integers, slices, masks and None, not of {part.dtype}"
        )
    return part.__index__() if getattr(part, "ndim", 0) == 0 and kind != "b" else part


def take(x: Value, indices: Any, axis: int | None = None) -> Any:
    """Return the elements of x at integer `indices` along an axis (None: of x flattened)."""
    if axis is None:
        return getitem(flatten(x), indices)
    axis = axes(axis, len(shape_of(x)), "take")[0]
    return getitem(x, (slice(None),) * axis + (indices,))


def gather(x: Value, index: Any, axis: int) -> Any:
    """Return out[…, j, …] = x[…, index[…, j, …], …]: an index for each element along an axis.

    `index` is an integer array with as many axes as x, no longer than x along the others.
    """
    return getitem(x, _along(index, axis, len(shape_of(x)), "gather"))


def scatter_add(x: Value, index: Any, values: Value, axis: int) -> Any:
    """Return x with `values` added where `gather` with the same index would read."""
    where = _along(index, axis, len(shape_of(x)), "scatter_add")
    return add(x, put(values, index=where, shape=shape_of(x)))


def _along(index: Any, axis: int, ndim: int, operation: str) -> tuple[Any, ...]:
    """Return the full index of an index along one axis."""
    array = Tensor(index).data
    if array.dtype.kind not in "iu" or array.ndim != ndim:
        raise ShapeError(
            f"{operation}: the index is an integer array of {ndim} axes, not "
            f"{array.dtype} of shape {array.shape}"
        )
    axis = axes(axis, ndim, operation)[0]
    parts: list[Any] = []
    for a, n in enumerate(array.shape):
        shape = (1,) * a + (n,) + (1,) * (ndim - a - 1)
        parts.append(array if a == axis else backend.of((array,)).arange(n).reshape(shape))
    return tuple(parts)


def diagonal(x: Value, offset: int = 0) -> Any:
    """Return the diagonals of the matrices of the last two axes of x."""
    rows, columns = shape_of(x)[-2:]
    n = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    first, second = max(-offset, 0), max(offset, 0)
    return getitem(x, (..., list(range(first, first + n)), list(range(second, second + n))))
