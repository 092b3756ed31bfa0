"""Products of matrices, and what is solved with them. The matrices are the last two axes."""

from __future__ import annotations

import math
from typing import Any

from minigrad import backend
from minigrad.mode import ShapeError
from minigrad.ops.elementwise import mul
from minigrad.ops.half import HALF, is_half
from minigrad.ops.indexing import diagonal
from minigrad.ops.reduce import _sum, sum
from minigrad.ops.shape import _expand, _matrices, mT, reshape, shape_of, swapaxes, tril, unsqueeze
from minigrad.primitive import Array, Backend, bilinear, primitive
from minigrad.tensor import Value

__all__ = [
    "affine", "cholesky", "det", "dot", "einsum", "inv", "matmul", "outer", "slogdet", "solve",
    "trace",
]  # fmt: skip

_MATMUL = "the last size of the left factor and the first of the right matrix must be equal"


def _joined(a: Array, b: Array, c: Array, d: Array) -> Array | None:
    """Return a b + c d as one product, if the sum is far larger than what must be copied for it."""
    if a.ndim != 2 or b.ndim != 2 or 2 * (a.size + b.size) > a.shape[0] * b.shape[1]:
        return None
    if not all(map(backend.is_array, (a, b, c, d))):
        return None
    xp = backend.of((a,))
    return xp.matmul(xp.concatenate((a, c), axis=1), xp.concatenate((b, d)))


@bilinear(
    lambda g, b: _matmul(g, mT(b)),
    lambda g, a: _matmul(mT(a), g),
    joined=_joined,
    shape_rule=_MATMUL,
)
def _matmul(xp: Backend, a: Array, b: Array) -> Array:
    return xp.matmul(a, b)


def matmul(a: Value, b: Value) -> Any:
    """Return the matrix product; vectors and batches as in NumPy's ``@``."""
    left, right = shape_of(a), shape_of(b)
    if not left or not right:
        raise ShapeError(f"matmul: shapes {left} and {right} do not fit; use * with a number")
    if left[-1] != right[-2:][0]:
        raise ShapeError(f"matmul: shapes {left} and {right} do not fit; {_MATMUL}")
    if len(left) > 1 and len(right) > 1:
        if len(left) > 2 and len(right) == 2:  # one large product instead of many small ones
            rows = reshape(a, (-1, left[-1])) if left[-1] else a
            return reshape(_matmul(rows, b), (*left[:-1], right[-1]))
        return _matmul(a, b)
    if len(left) == 1 and len(right) == 1:
        return reshape(_matmul(unsqueeze(a, 0), unsqueeze(b, 1)), ())
    if len(left) == 1:
        out = _matmul(unsqueeze(a, 0), b)
        return reshape(out, (*shape_of(out)[:-2], right[-1]))
    out = _matmul(a, unsqueeze(b, 1))
    return reshape(out, shape_of(out)[:-1])


def dot(a: Value, b: Value) -> Any:
    """Return the inner product of two vectors, Σ aᵢbᵢ."""
    if len(shape_of(a)) != 1 or shape_of(a) != shape_of(b):
        raise ShapeError(
            f"dot: two vectors of one length, not shapes {shape_of(a)} and {shape_of(b)}"
        )
    return matmul(a, b)


def outer(a: Value, b: Value) -> Any:
    """Return the matrix of products aᵢbⱼ of two vectors."""
    rows, columns = math.prod(shape_of(a)), math.prod(shape_of(b))
    return mul(reshape(a, (rows, 1)), reshape(b, (1, columns)))


def trace(x: Value) -> Any:
    """Return the sum of the diagonal of the matrices of the last two axes."""
    _matrices(x, "trace")
    return sum(diagonal(x), -1)


# Affine ------------------------------------------------------------------------------------------


_AFFINE = "the last size of x and of the weight must be equal, the bias as long as the weight"


@bilinear(
    lambda g, weight: _matmul(g, weight),
    lambda g, x: _matmul(x.T, g).T,
    added=lambda g: _sum(g, axis=(0,), keepdims=False),
    shape_rule=_AFFINE,
)
def _affine(xp: Backend, x: Array, weight: Array, bias: Array) -> Array:
    if weight.ndim != 2:
        raise ValueError("the weight is a matrix")
    out = xp.matmul(x, weight.T)
    if isinstance(bias, (int, float)):
        return out + bias if bias else out
    if out.dtype != bias.dtype:
        return out + bias
    out += bias
    return out


def affine(x: Value, weight: Value, bias: Value = None) -> Any:
    """Return x Wᵀ + b for x (…, in), W (out, in), b (out,): the linear layer, in one operation."""
    if bias is None:
        if len(shape_of(weight)) != 2:
            raise ShapeError(f"affine: a weight of shape {shape_of(weight)}; it is a matrix")
        return matmul(x, mT(weight))
    shape = shape_of(x)
    if len(shape) == 2 or not shape:
        return _affine(x, weight, bias)
    sizes, bias_shape = shape_of(weight), shape_of(bias)
    fits = len(sizes) == 2 and sizes[1] == shape[-1]
    if not fits or math.prod(bias_shape) not in (
        1,
        sizes[0],
    ):  # here, by the shapes that were given
        raise ShapeError(
            f"affine: shapes {shape} and {sizes} and {bias_shape} do not fit; {_AFFINE}"
        )
    rows = reshape(x, (math.prod(shape[:-1]), shape[-1]))  # one large product: not many small ones
    out = _affine(rows, weight, bias)
    return reshape(out, (*shape[:-1], shape_of(out)[1]))


# Einstein's sum ----------------------------------------------------------------------------------


def _einsum_rule(g: Any, xs: list[Any], i: int, spec: str) -> Any:
    """Return the gradient of operand i: the sum with that operand and the result exchanged."""
    terms, result = spec.split("->")
    operands = terms.split(",")
    others = [(term, x) for j, (term, x) in enumerate(zip(operands, xs, strict=True)) if j != i]
    known = set(result).union(*(term for term, _ in others)) if others else set(result)
    target = "".join(letter for letter in operands[i] if letter in known)
    text = ",".join([result, *(term for term, _ in others)]) + "->" + target
    out = _einsum(g, *(x for _, x in others), spec=text)
    sizes = dict(zip(target, shape_of(out), strict=True))
    shape = tuple(sizes.get(letter, 1) for letter in operands[i])
    full = tuple(n if n != 1 else m for n, m in zip(shape, xs[i].shape, strict=True))
    if full != shape_of(out):  # an index in this operand alone, or of size 1 in the others
        out = _expand(reshape(out, shape), shape=full)
    return out


@bilinear(_einsum_rule, shape_rule="an index has one size wherever it stands")
def _einsum(xp: Backend, *xs: Array, spec: str) -> Array:
    if any(x.dtype == HALF for x in xs):
        wide = [x.astype("float32") if x.dtype == HALF else x for x in xs]
        return xp.einsum(spec, *wide, optimize=len(xs) > 2).astype(xp.result_type(*xs))
    return xp.einsum(spec, *xs, optimize=len(xs) > 2)


def einsum(spec: str, *xs: Value) -> Any:
    """Return Einstein's sum, as ``numpy.einsum``: indices only left of ``->`` are summed."""
    if len(xs) == 1 and isinstance(xs[0], (list, tuple)) and "," in spec:
        xs = tuple(xs[0])  # the operands as a list, as PyTorch takes them
    spec = _explicit(spec.replace(" ", ""), [len(shape_of(x)) for x in xs])
    terms, result = spec.split("->")
    names, operands = [], []
    for term, x in zip(terms.split(","), xs, strict=True):
        while len(set(term)) < len(term):  # an index twice in one operand is a diagonal
            letter = next(c for c in term if term.count(c) > 1)
            first = term.index(letter)
            second = term.index(letter, first + 1)
            x = swapaxes(swapaxes(x, second, -1), first, -2)
            moved = list(term)
            moved[second], moved[-1] = moved[-1], moved[second]
            moved[first], moved[-2] = moved[-2], moved[first]
            x, term = diagonal(x), "".join(moved[:-2]) + letter
        names.append(term)
        operands.append(x)
    return _einsum(*operands, spec=",".join(names) + "->" + result)


def _explicit(spec: str, ndims: list[int]) -> str:
    """Return a specification with its result written out and every ellipsis given letters."""
    terms, arrow, result = spec.partition("->")
    names = terms.split(",")
    if len(names) != len(ndims):
        raise ShapeError(
            f"einsum: {spec!r} names {len(names)} operands, and {len(ndims)} were given"
        )
    free = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in spec]
    width = 0
    for i, (name, ndim) in enumerate(zip(names, ndims, strict=True)):
        if "..." in name:
            extra = ndim - len(name) + 3
            if extra < 0:
                raise ShapeError(
                    f"einsum: {name!r} names {len(name) - 3} axes, and its operand has {ndim}"
                )
            width = width if width > extra else extra
            names[i] = name.replace("...", "".join(free[:extra][::-1]) if extra else "")
        if len(names[i]) != ndim:
            raise ShapeError(
                f"einsum: {name!r} names {len(names[i])} axes, and its operand has {ndim}"
            )
    ellipsis = "".join(free[:width][::-1])
    joined = "".join(names)
    if not arrow:
        result = "..." + "".join(
            sorted(c for c in set(joined) if joined.count(c) == 1 and c not in ellipsis)
        )
    return ",".join(names) + "->" + result.replace("...", ellipsis)


# Solutions ---------------------------------------------------------------------------------------


@primitive(
    lambda g, a, out: -_matmul(_solve(mT(a), g), mT(out)),
    lambda g, a: _solve(mT(a), g),
    shape_rule="a square matrix, and as many rows on the right",
)
def _solve(xp: Backend, a: Array, b: Array) -> Array:
    return xp.solve(a, b)


def solve(a: Value, b: Value) -> Any:
    """Return x with a x = b, for square a and b a vector or a matrix."""
    rows = _square(a, "solve")
    _not_half(b, "solve")
    shape = shape_of(b)
    if rows not in (shape[-2:] or (None,))[:1]:
        raise ShapeError(
            f"solve: shapes {shape_of(a)} and {shape} do not fit; the right side has as many "
            "rows as the matrix"
        )
    if len(shape) == 1:
        out = _solve(a, unsqueeze(b, 1))
        return reshape(out, shape_of(out)[:-1])
    return _solve(a, b)


def _square(x: Value, operation: str) -> int:
    """Return the size of the square matrices of x, or raise ShapeError."""
    rows, columns = _matrices(x, operation)
    if rows != columns:
        raise ShapeError(f"{operation}: a tensor of shape {shape_of(x)}; it needs square matrices")
    _not_half(x, operation)
    return rows


def _not_half(x: Value, operation: str) -> None:
    """Raise TypeError for float16, in which neither NumPy nor CuPy takes a matrix apart."""
    if is_half(x):
        raise TypeError(f"{operation}: there is none for float16; use x.astype(mg.float32)")


@primitive(lambda g, out: -_matmul(_matmul(mT(out), g), mT(out)))
def _inv(xp: Backend, x: Array) -> Array:
    return xp.linalg.inv(x)


def inv(x: Value) -> Any:
    """Return the inverse of the square matrices of x; LinAlgError if one is singular."""
    _square(x, "inv")
    return _inv(x)


def _cholesky_rule(g: Any, out: Any) -> Any:
    """Return L⁻ᵀ Φ(Lᵀ g) L⁻¹ made symmetric; Φ: lower triangle, half the diagonal (Murray 2016)."""
    middle = _matmul(mT(out), tril(g))
    phi = tril(middle, 0) * 0.5 + tril(middle, -1) * 0.5
    left = _solve(mT(out), phi)
    full = mT(_solve(mT(out), mT(left)))
    return 0.5 * (full + mT(full))


@primitive(_cholesky_rule)
def _cholesky(xp: Backend, x: Array) -> Array:
    return xp.linalg.cholesky(x)


def cholesky(x: Value) -> Any:
    """Return the lower-triangular L with L Lᵀ = x, for symmetric positive definite matrices x.

    The gradient is symmetric. Raises LinAlgError for a matrix that is not positive definite.
    """
    _square(x, "cholesky")
    return _cholesky(x)


@primitive(lambda g, out, x: unsqueeze(unsqueeze(g * out, -1), -1) * mT(_inv(x)))
def _det(xp: Backend, x: Array) -> Array:
    return xp.linalg.det(x)


def det(x: Value) -> Any:
    """Return the determinant; the derivative, det(x) x⁻ᵀ, needs an invertible matrix."""
    _square(x, "det")
    return _det(x)


@primitive(lambda g, x: unsqueeze(unsqueeze(g, -1), -1) * mT(_inv(x)))
def _logabsdet(xp: Backend, x: Array) -> Array:
    return xp.linalg.slogdet(x)[1]


@primitive(lambda: None)  # piecewise constant
def _signdet(xp: Backend, x: Array) -> Array:
    return xp.linalg.slogdet(x)[0]


def slogdet(x: Value) -> tuple[Any, Any]:
    """Return the sign of the determinant and the logarithm of its absolute value."""
    _square(x, "slogdet")
    return _signdet(x), _logabsdet(x)
