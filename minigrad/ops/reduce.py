"""Reductions over axes: sums, extremes, log-sum-exp and its kin, norms.

`axis` is an integer, a tuple of integers or None for all; `keepdims` leaves axes of size 1.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.fuse.rows import in_rows
from minigrad.mode import ShapeError
from minigrad.ops.elementwise import (
    abs,
    div,
    equal,
    exp,
    mul,
    power,
    sqrt,
    square,
    sub,
    where,
)
from minigrad.ops.half import in_float32
from minigrad.ops.indexing import concatenate, getitem
from minigrad.ops.shape import Axis, _expand, axes, flip, one_axis, permute, reshape, shape_of
from minigrad.primitive import Array, Backend, linear, primitive
from minigrad.tensor import Value

__all__ = [
    "all", "any", "argmax", "argmin", "cumsum", "log_softmax", "logsumexp", "max", "mean", "min",
    "norm", "prod", "softmax", "std", "sum", "var",
]  # fmt: skip


def _kept(x: Any, axis: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a reduction of x with its axes kept at size 1."""
    return tuple(1 if a in axis else n for a, n in enumerate(x.shape))


def _spread(g: Any, x: Any, axis: tuple[int, ...]) -> Any:
    """Return a reduction's gradient over the shape of its input: the transpose of the sum."""
    return _expand(g.reshape(_kept(x, axis)), shape=x.shape)


@linear(lambda g, x, axis: _spread(g, x, axis))
def _sum(xp: Backend, x: Array, *, axis: tuple[int, ...], keepdims: bool) -> Array:
    return xp.sum(x, axis=axis, keepdims=keepdims)


def sum(x: Value, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return the sum over axes."""
    return _sum(x, axis=axes(axis, len(shape_of(x)), "sum"), keepdims=keepdims)


def _count(x: Value, axis: Axis, operation: str) -> int:
    shape = shape_of(x)
    return math.prod(shape[a] for a in axes(axis, len(shape), operation))


@in_float32
def mean(x: Value, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return the mean over axes."""
    count = _count(x, axis, "mean")
    total = sum(x, axis, keepdims)
    return div(total, count) if count else mul(total, math.nan)  # equals have exactly their mean


@in_float32
def var(x: Value, axis: Axis = None, keepdims: bool = False, correction: float = 0) -> Any:
    """Return the variance over axes, Σ(x - mean)² / (n - correction).

    `correction` is 0 as in NumPy; PyTorch's default is 1.
    """
    count = _count(x, axis, "var") - correction
    total = sum(square(sub(x, mean(x, axis, keepdims=True))), axis, keepdims)
    return div(total, count) if count > 0 else mul(total, math.nan)


def _root(x: Value) -> Any:
    """Return √x with derivative 0 at 0, where the slope of a norm has no value."""
    zero = equal(x, 0)
    return where(zero, 0, sqrt(where(zero, 1, x)))


@in_float32
def std(x: Value, axis: Axis = None, keepdims: bool = False, correction: float = 0) -> Any:
    """Return the standard deviation over axes, the root of `var`; its derivative at 0 is 0."""
    axis = axes(axis, len(shape_of(x)), "std")
    return _root(var(x, axis, keepdims, correction))


def prod(x: Value, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return the product over axes, as a tree of products, so that zeros are like other numbers."""
    shape = shape_of(x)
    gone = axes(axis, len(shape), "prod")
    kept = [a for a in range(len(shape)) if a not in gone]
    if getattr(x, "dtype", None) == "bool":
        x = mul(x, 1)  # counts, as in NumPy
    x = reshape(
        permute(x, (*gone, *kept)), (math.prod(shape[a] for a in gone), *(shape[a] for a in kept))
    )
    while (n := shape_of(x)[0]) > 1:
        pairs = getitem(x, slice(0, n - n % 2, 2)) * getitem(x, slice(1, None, 2))
        x = concatenate([pairs, getitem(x, slice(n - 1, None))]) if n % 2 else pairs
    x = getitem(x, 0) if n else sum(x, 0) + 1
    return reshape(x, tuple(1 if a in gone else m for a, m in enumerate(shape))) if keepdims else x


# Extremes ----------------------------------------------------------------------------------------


def _chosen(g: Any, out: Any, x: Any, axis: tuple[int, ...]) -> Any:
    """Return the gradient of max or min: equals share it."""
    kept = _kept(x, axis)
    mask = (x == out.reshape(kept)).astype(g.dtype)
    return mask * (g.reshape(kept) / _sum(mask, axis=axis, keepdims=True))


_NONEMPTY = "an extreme needs at least one element"


@primitive(lambda g, out, x, axis: _chosen(g, out, x, axis), shape_rule=_NONEMPTY)
def _max(xp: Backend, x: Array, *, axis: tuple[int, ...], keepdims: bool) -> Array:
    return xp.max(x, axis=axis, keepdims=keepdims)


def max(x: Value, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return the largest element over axes; equals share the derivative.

    Of two tensors, elementwise: `maximum`. The position: `argmax`.
    """
    return _max(x, axis=axes(axis, len(shape_of(x)), "max"), keepdims=keepdims)


@primitive(lambda g, out, x, axis: _chosen(g, out, x, axis), shape_rule=_NONEMPTY)
def _min(xp: Backend, x: Array, *, axis: tuple[int, ...], keepdims: bool) -> Array:
    return xp.min(x, axis=axis, keepdims=keepdims)


def min(x: Value, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return the smallest element over axes; equals share the derivative.

    Of two tensors, elementwise: `minimum`. The position: `argmin`.
    """
    return _min(x, axis=axes(axis, len(shape_of(x)), "min"), keepdims=keepdims)


def _one(axis: int | None, x: Value, operation: str) -> int | None:
    """Return one axis as a non-negative integer; None stays None."""
    return None if axis is None else one_axis(axis, len(shape_of(x)), operation)


@primitive(shape_rule=_NONEMPTY)
def _argmax(xp: Backend, x: Array, *, axis: int | None, keepdims: bool) -> Array:
    return xp.argmax(x, axis=axis, keepdims=keepdims)


def argmax(x: Value, axis: int | None = None, keepdims: bool = False) -> Any:
    """Return the integer position of the first largest element along an axis, or of all."""
    return _argmax(x, axis=_one(axis, x, "argmax"), keepdims=keepdims)


@primitive(shape_rule=_NONEMPTY)
def _argmin(xp: Backend, x: Array, *, axis: int | None, keepdims: bool) -> Array:
    return xp.argmin(x, axis=axis, keepdims=keepdims)


def argmin(x: Value, axis: int | None = None, keepdims: bool = False) -> Any:
    """Return the integer position of the first smallest element along an axis, or of all."""
    return _argmin(x, axis=_one(axis, x, "argmin"), keepdims=keepdims)


@primitive()
def _any(xp: Backend, x: Array, *, axis: tuple[int, ...], keepdims: bool) -> Array:
    return xp.any(x, axis=axis, keepdims=keepdims)


def any(x: Value, axis: Axis = None, keepdims: bool = False) -> Any:
    """Say whether any element over axes is true."""
    return _any(x, axis=axes(axis, len(shape_of(x)), "any"), keepdims=keepdims)


@primitive()
def _all(xp: Backend, x: Array, *, axis: tuple[int, ...], keepdims: bool) -> Array:
    return xp.all(x, axis=axis, keepdims=keepdims)


def all(x: Value, axis: Axis = None, keepdims: bool = False) -> Any:
    """Say whether all elements over axes are true."""
    return _all(x, axis=axes(axis, len(shape_of(x)), "all"), keepdims=keepdims)


# Log-sum-exp and its kin -------------------------------------------------------------------------


def _floating(x: Array) -> Array:
    return x if x.dtype.kind == "f" else x.astype("float64")


def _top(x: Array, axis: tuple[int, ...]) -> Array:
    """Return the largest elements over axes, which are kept."""
    return x.max(axis if len(axis) != 1 else axis[0], keepdims=True)


def _shifted(x: Array, axis: tuple[int, ...]) -> Array:
    """Return x less its maximum, which cannot overflow, in new memory to be computed in.

    An infinite maximum less itself is NaN, and through the sum the whole row is.
    """
    x = _floating(x)
    return sub(x, _top(x, axis))


@primitive(
    lambda g, out, x, axis: g.reshape(_kept(x, axis)) * exp(x - _base(out, x, axis)),
    shape_rule=_NONEMPTY,
)
def _logsumexp(xp: Backend, x: Array, *, axis: tuple[int, ...], keepdims: bool) -> Array:
    x = _floating(x)
    top = _top(x, axis)
    if not xp.known_finite(top):
        top = xp.where(xp.isinf(top), 0, top)
    total = xp.sum(exp(sub(x, top)), axis=axis, keepdims=True)
    nothing = total == 0  # all are -∞
    out = xp.log(total + nothing) + top
    out = xp.where(nothing, xp.asarray(-math.inf, out.dtype), out)
    return out if keepdims else xp.squeeze(out, axis)


def _base(out: Any, x: Any, axis: tuple[int, ...]) -> Any:
    """Return logsumexp with its axes kept, 0 in place of -∞, where the derivative is 0."""
    out = out.reshape(_kept(x, axis))
    return where(out == -math.inf, 0, out)


@in_float32
def logsumexp(x: Value, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return log Σ eˣ over axes, without overflow; ∞ where an x is.

    Of nothing but -∞ it is -∞, with derivative 0.
    """
    return _logsumexp(x, axis=axes(axis, len(shape_of(x)), "logsumexp"), keepdims=keepdims)


def _softmax_rule(g: Any, out: Any, axis: tuple[int, ...]) -> Any:
    """Return p (g - Σ g p): the Jacobian is symmetric."""
    return mul(out, sub(g, _sum(mul(g, out), axis=axis, keepdims=True)))


@primitive(_softmax_rule, tangent=_softmax_rule, one_pass=True, shape_rule=_NONEMPTY)
@in_rows()
def _softmax(xp: Backend, x: Array, *, axis: tuple[int, ...]) -> Array:
    shifted = _shifted(x, axis)
    weights = xp.exp(shifted, out=shifted)
    weights /= xp.sum(weights, axis=axis, keepdims=True)
    return weights


@in_float32
def softmax(x: Value, axis: Axis = -1) -> Any:
    """Return eˣ / Σ eˣ over an axis, without overflow.

    Where all x are -∞ there is nothing to share, and where one is ∞ nothing to share it by: values
    and derivatives are NaN, as in PyTorch. Give a row of -∞ numbers first:
    ``softmax(where(mask | ~any(mask, -1, keepdims=True), x, -inf))``.
    """
    return _softmax(x, axis=axes(axis, len(shape_of(x)), "softmax"))


@primitive(
    lambda g, out, axis: sub(g, mul(exp(out), _sum(g, axis=axis, keepdims=True))),
    tangent=lambda t, out, axis: sub(t, _sum(mul(exp(out), t), axis=axis, keepdims=True)),
    one_pass=True,
    shape_rule=_NONEMPTY,
)
@in_rows()
def _log_softmax(xp: Backend, x: Array, *, axis: tuple[int, ...]) -> Array:
    turned = xp.columns_first(x, axis)
    if turned:
        x, axis = x.T.copy(), (0,)
    shifted = _shifted(x, axis)
    shifted -= xp.log(xp.sum(exp(shifted), axis=axis, keepdims=True))
    return shifted.T.copy() if turned else shifted


@in_float32
def log_softmax(x: Value, axis: Axis = -1) -> Any:
    """Return x - log Σ eˣ over an axis, without overflow.

    It is NaN where all x are -∞ or one is ∞, as in PyTorch.
    """
    return _log_softmax(x, axis=axes(axis, len(shape_of(x)), "log_softmax"))


# Sums of another kind ----------------------------------------------------------------------------


@linear(lambda g, axis: flip(_cumsum(flip(g, axis), axis=axis), axis))
def _cumsum(xp: Backend, x: Array, *, axis: int) -> Array:
    return xp.cumsum(x, axis=axis)


@in_float32
def cumsum(x: Value, axis: int) -> Any:
    """Return the running sums along an axis."""
    return _cumsum(x, axis=one_axis(axis, len(shape_of(x)), "cumsum"))


@in_float32
def norm(x: Value, ord: float = 2, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return the norm (Σ|x|ᵖ)^(1/p) over axes, p ≥ 1 or infinity; its derivative at 0 is 0."""
    axis = axes(axis, len(shape_of(x)), "norm")
    if not isinstance(ord, (int, float)) or not ord >= 1:
        raise ShapeError(f"norm: ord is a number from 1 to infinity, not {ord!r}")
    if hasattr(x, "dtype") and x.dtype.kind in "iub":
        x = mul(x, 1.0)
    if ord == math.inf:
        return max(abs(x), axis, keepdims)
    if ord == 1:
        return sum(abs(x), axis, keepdims)
    if ord == 2:
        return _root(sum(square(x), axis, keepdims))
    total = sum(_power_of_size(x, ord), axis, keepdims)
    zero = equal(total, 0)
    return where(zero, 0, power(where(zero, 1, total), exponent=1 / ord))


def _power_of_size(x: Value, ord: float) -> Any:
    """Return |x|ᵖ; derivatives at 0, of which those of higher order than p are infinite, are 0."""
    if float(ord).is_integer():
        return power(abs(x), exponent=ord)
    zero = equal(x, 0)
    return where(zero, 0, power(where(zero, 1, abs(x)), exponent=ord))
