"""Operations that move elements without computing: shapes and orders, dtypes and devices.

All are linear; the derivative of each is its transpose, another operation of this file or a sum.
Indexing, joins and cuts are in `indexing.py`.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad import backend
from minigrad.backend import Device
from minigrad.mode import ShapeError
from minigrad.primitive import Array, Backend, linear
from minigrad.tensor import Tensor, Value, legal_dtype

__all__ = [
    "astype", "broadcast_to", "clone", "expand", "flatten", "flip", "mT", "permute", "reshape",
    "squeeze", "sum_to", "swapaxes", "transpose", "tril", "triu", "unsqueeze",
]  # fmt: skip

Axis = int | tuple[int, ...] | None


def axes(axis: Axis, ndim: int, operation: str = "axis") -> tuple[int, ...]:
    """Return `axis` (None is all) as increasing non-negative integers, or raise ShapeError."""
    if axis is None:
        return tuple(range(ndim))
    given = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    for a in given:
        if type(a) is not int:
            _check_axis(a, operation)
        if not -ndim <= a < ndim:
            legal = f"legal are {-ndim} to {ndim - 1}" if ndim else "it has none to name"
            raise ShapeError(f"{operation}: axis {a} of a tensor of {ndim} axes; {legal}")
    positive = tuple(sorted(a % ndim for a in given))
    if len(set(positive)) != len(positive):
        raise ShapeError(f"{operation}: axis {axis} names an axis twice")
    return positive


def one_axis(axis: int, ndim: int, operation: str) -> int:
    """Return one axis as a non-negative integer, or raise as `axes` does."""
    found = axes(axis, ndim, operation)
    if len(found) != 1:
        raise TypeError(f"{operation}: the axis is one integer, not {axis!r}")
    return found[0]


def _check_axis(a: Any, operation: str) -> None:
    """Raise TypeError for what is no axis: True and False are none, nor is a tensor with axes."""
    shape = getattr(a, "shape", None)
    shape = shape if isinstance(shape, tuple) else None
    if isinstance(a, (bool, type)) or not hasattr(a, "__index__") or shape:
        said = f"a {type(a).__name__} of shape {shape}" if shape else repr(a)
        between = f"; of two tensors, mg.{operation}imum" if operation in ("max", "min") else ""
        raise TypeError(f"{operation}: an axis is an integer, not {said}{between}")


def shape_of(x: Value) -> tuple[int, ...]:
    """Return the shape of a tensor, array, number or nested list."""
    return tuple(x.shape) if hasattr(x, "shape") else Tensor(x).shape


_MATRICES = "the last two axes are those of matrices"


def _matrices(x: Value, operation: str) -> tuple[int, ...]:
    """Return the numbers of rows and columns of x, or raise ShapeError."""
    shape = shape_of(x)
    if len(shape) < 2:
        raise ShapeError(f"{operation}: a tensor of shape {shape}; it needs two axes or more")
    return shape[-2:]


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
    return _reshape(x, shape=_sizes(shape, "reshape"))


def _sizes(shape: tuple[Any, ...], operation: str) -> tuple[int, ...]:
    """Return sizes or axes that were given one by one or as one tuple."""
    given = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    for n in given:
        if type(n) is not int and (isinstance(n, type) or not hasattr(n, "__index__")):
            raise TypeError(f"{operation}: every number must be an integer, not {n!r}")
    return tuple(given)


@linear(lambda g, order: _permute(g, order=_inverse(order)), view=True)
def _permute(xp: Backend, x: Array, *, order: tuple[int, ...]) -> Array:
    return x.transpose(order)


def _inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(order)), key=order.__getitem__))


def permute(x: Value, *order: Any) -> Any:
    """Return x with its axes in another order."""
    ndim = len(shape_of(x))
    sizes = _sizes(order, "permute")
    positive = tuple(a % ndim for a in sizes if -ndim <= a < ndim)
    if len(sizes) != ndim or sorted(positive) != list(range(ndim)):
        raise ShapeError(f"permute: {sizes} is not an order of the {ndim} axes of {shape_of(x)}")
    return _permute(x, order=positive)


def transpose(x: Value, *order: Any) -> Any:
    """Return x with its axes reversed, or in the given order, as NumPy does.

    Two integers exchange two axes, as in PyTorch; they are an order only as a tuple.
    """
    if not order:
        return _permute(x, order=tuple(reversed(range(len(shape_of(x))))))
    if len(order) == 2 and not any(isinstance(axis, (tuple, list)) for axis in order):
        return _exchanged(x, order[0], order[1], "transpose")
    return permute(x, *order)


def swapaxes(x: Value, first: int, second: int) -> Any:
    """Return x with two axes exchanged."""
    return _exchanged(x, first, second, "swapaxes")


def _exchanged(x: Value, first: int, second: int, operation: str) -> Any:
    order = list(range(len(shape_of(x))))
    i, j = (one_axis(axis, len(order), operation) for axis in (first, second))
    order[i], order[j] = j, i
    return _permute(x, order=tuple(order))


@linear(lambda g: mT(g), view=True, shape_rule=_MATRICES)
def mT(xp: Backend, x: Array) -> Array:
    """Return the matrices of the last two axes transposed."""
    return xp.swapaxes(x, -1, -2)


@linear(
    lambda g, x: sum_to(g, shape=x.shape),
    view=True,
    shape_rule="only axes of size 1 expand, and new axes come first",
)
def _expand(xp: Backend, x: Array, *, shape: tuple[int, ...]) -> Array:
    return xp.broadcast_to(x, shape)


def expand(x: Value, *shape: Any) -> Any:
    """Return x broadcast to a shape; -1 keeps the size of an axis."""
    sizes = _sizes(shape, "expand")
    if len(sizes) < len(shape_of(x)):
        raise ShapeError(
            f"expand: {sizes} has fewer axes than the shape {shape_of(x)}; name every axis"
        )
    before = (1,) * (len(sizes) - len(shape_of(x))) + shape_of(x)
    kept = zip(sizes, before, strict=True)
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
    shape.insert(one_axis(axis, len(shape) + 1, "unsqueeze"), 1)
    return _reshape(x, shape=tuple(shape))


def flatten(x: Value, start: int = 0, end: int = -1) -> Any:
    """Return x with the axes from `start` to `end`, both included, joined into one."""
    shape = shape_of(x)
    if not shape:
        return _reshape(x, shape=(1,))
    first, last = (one_axis(axis, len(shape), "flatten") for axis in (start, end))
    if first > last:
        raise ShapeError(f"flatten: axis {start} comes after axis {end} of the shape {shape}")
    joined = math.prod(shape[first : last + 1])
    return _reshape(x, shape=(*shape[:first], joined, *shape[last + 1 :]))


@linear(lambda g: g)
def _astype(xp: Backend, x: Array, *, dtype: Any) -> Array:
    return x.astype(dtype)


def astype(x: Value, dtype: Any) -> Any:
    """Return x in another dtype; the gradient comes back in x's own."""
    return _astype(x, dtype=legal_dtype(dtype))


@linear(lambda g, device, source: _to(g, device=source, source=device))
def _to(xp: Backend, x: Array, *, device: Device, source: Device) -> Array:
    return backend.moved(x, device)


def to(x: Value, *targets: Any, device: Device | None = None, dtype: Any = None) -> Any:
    """Return x on a device (``"cpu"``, ``"cuda"``, …), in a dtype, or both; x itself if it is."""
    for target in (*targets, device, dtype):
        if isinstance(target, str) and target.partition(":")[0] in ("cpu", "cuda"):
            there, source = backend.canonical(target), x.device
            x = x if there == source else _to(x, device=there, source=source)
        elif target is not None:
            x = x if x.dtype == legal_dtype(target) else astype(x, target)
    return x


@linear(lambda g: g)
def clone(xp: Backend, x: Array) -> Array:
    """Return a copy of x in memory of its own; the gradient passes through."""
    return x.copy(order="K")


# Orders and triangles ----------------------------------------------------------------------------


@linear(lambda g, axis: _flip(g, axis=axis), view=True)
def _flip(xp: Backend, x: Array, *, axis: tuple[int, ...]) -> Array:
    return xp.flip(x, axis)


def flip(x: Value, axis: Axis = None) -> Any:
    """Return x in reverse order along the given axes (None is all)."""
    return _flip(x, axis=axes(axis, len(shape_of(x)), "flip"))


@linear(lambda g, k: tril(g, k=k), shape_rule=_MATRICES)
def _tril(xp: Backend, x: Array, *, k: int) -> Array:
    return xp.tril(x, k)


def tril(x: Value, k: int = 0) -> Any:
    """Return the lower triangles of the matrices of x, with k diagonals above the main one."""
    _matrices(x, "tril")
    return _tril(x, k=k)


@linear(lambda g, k: triu(g, k=k), shape_rule=_MATRICES)
def _triu(xp: Backend, x: Array, *, k: int) -> Array:
    return xp.triu(x, k)


def triu(x: Value, k: int = 0) -> Any:
    """Return the upper triangles of the matrices of x, from diagonal k on."""
    _matrices(x, "triu")
    return _triu(x, k=k)
