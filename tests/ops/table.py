"""The table of operations: one row for each, from which `test_table.py` derives every test.

Name, minigrad's function, NumPy's, PyTorch's, the cases, the domain of the inputs. To test a new
operation, add its row.
"""

import numpy as np

import minigrad as mg
from tests.ops import references as ref
from tests.ops.row import (
    Row,
    above_minus_one,
    away,
    broadcasting,
    case,
    definite,
    distinct,
    halves,
    mask,
    matrix,
    near_one,
    positive,
    real,
    reducing,
    small,
    whole,
)

ONE, TWO, THREE = broadcasting(1), broadcasting(2), broadcasting(3)
ANY, FULL = reducing(), reducing(smallest=1)  # with or without empty sides
BOOLEAN = {"differentiable": False}


def dims(x, axis):
    """Return an axis as PyTorch's reductions take it, with None for all."""
    if axis is None:
        return tuple(range(x.ndim))
    return axis


def of_torch(t, index):
    """Return an index with arrays made tensors."""
    if isinstance(index, tuple):
        return tuple(of_torch(t, part) for part in index)
    return t.tensor(index) if isinstance(index, (np.ndarray, list)) else index


def prod_by_torch(t, x, axis, keepdims):
    for a in sorted((d % x.ndim for d in np.atleast_1d(dims(x, axis))), reverse=True):
        x = t.prod(x, int(a), keepdim=keepdims)
    return x


def flat_norm(t, x, axis, keepdims, ord=2):
    return t.linalg.vector_norm(x, ord, dims(x, axis), keepdim=keepdims)


ELEMENTWISE = [
    Row("add", mg.add, np.add, "add", TWO),
    Row("sub", mg.sub, np.subtract, "sub", TWO),
    Row("mul", mg.mul, np.multiply, "mul", TWO),
    Row("div", mg.div, np.divide, "div", TWO, (real, away)),
    Row("remainder", lambda a, b: a % b, lambda a, b: a - b * np.floor_divide(a.real, b.real),
        "remainder", TWO, (halves, near_one)),
    Row("floor_divide", lambda a, b: a // b, lambda a, b: np.floor_divide(a.real, b.real) + 0 * a,
        lambda t, a, b: t.floor(a / b), TWO, (halves, near_one)),
    Row("neg", mg.neg, np.negative, "neg", ONE),
    Row("square", mg.square, np.square, "square", ONE),
    Row("pow", mg.pow, np.power, "pow", TWO, (positive, real)),
    Row("pow 2", lambda x: x**2, lambda x: x**2, lambda t, x: x**2, ONE),
    Row("pow 3", lambda x: mg.pow(x, 3), lambda x: x**3, lambda t, x: x**3, ONE),
    Row("pow 1.5", lambda x: x**1.5, lambda x: x**1.5, lambda t, x: x**1.5, ONE, (positive,)),
    Row("pow -2", lambda x: x**-2.0, lambda x: x**-2.0, lambda t, x: x**-2, ONE, (away,)),
    Row("pow of 2", lambda x: 2.0**x, lambda x: 2.0**x, lambda t, x: 2**x, ONE),
    Row("exp", mg.exp, np.exp, "exp", ONE),
    Row("expm1", mg.expm1, np.expm1, "expm1", ONE),
    Row("log", mg.log, np.log, "log", ONE, (positive,)),
    Row("log1p", mg.log1p, np.log1p, "log1p", ONE, (above_minus_one,)),
    Row("sqrt", mg.sqrt, np.sqrt, "sqrt", ONE, (positive,)),
    Row("sin", mg.sin, np.sin, "sin", ONE),
    Row("cos", mg.cos, np.cos, "cos", ONE),
    Row("tan", mg.tan, np.tan, "tan", ONE, (small,)),
    Row("sinh", mg.sinh, np.sinh, "sinh", ONE),
    Row("arctan", mg.arctan, np.arctan, "arctan", ONE),
    Row("cosh", mg.cosh, np.cosh, "cosh", ONE),
    Row("tanh", mg.tanh, np.tanh, "tanh", ONE),
    Row("sigmoid", mg.sigmoid, lambda x: 1 / (1 + np.exp(-x)), "sigmoid", ONE),
    Row("softplus", mg.softplus, lambda x: np.log(1 + np.exp(x)), ref.softplus_by_torch, ONE),
    Row("erf", mg.erf, ref.erf, "erf", ONE),
    Row("relu", mg.relu, lambda x: ref.piece(x.real > 0, x, x * 0), "relu", ONE, (away,)),
    Row("abs", mg.abs, ref.absolute, "abs", ONE, (away,)),
    Row("sign", mg.sign, lambda x: np.sign(x.real), "sign", ONE, (away,)),
    Row("floor", mg.floor, lambda x: np.floor(x.real), "floor", ONE, (halves,)),
    Row("round", mg.round, lambda x: np.round(x.real), "round", ONE, (whole,)),
    Row("maximum", mg.maximum, lambda a, b: ref.piece(a.real > b.real, a, b), "maximum", TWO,
        (whole, halves)),
    Row("minimum", mg.minimum, lambda a, b: ref.piece(a.real < b.real, a, b), "minimum", TWO,
        (whole, halves)),
    Row("clip", lambda x: mg.clip(x, -1.5, 0.5),
        lambda x: ref.piece(x.real < -1.5, -1.5, ref.piece(x.real > 0.5, 0.5, x)),
        lambda t, x: t.clip(x, -1.5, 0.5), ONE, (whole,)),
    Row("clip below", lambda x: x.clip(-0.5), lambda x: ref.piece(x.real < -0.5, -0.5, x),
        lambda t, x: t.clip(x, -0.5), ONE, (whole,)),
    Row("clip above", lambda x: x.clip(high=0.5), lambda x: ref.piece(x.real > 0.5, 0.5, x),
        lambda t, x: t.clip(x, max=0.5), ONE, (whole,)),
    Row("where", mg.where, np.where, "where", THREE, (mask, real, real)),
    Row("equal", mg.equal, np.equal, "eq", TWO, (mask, mask), **BOOLEAN),
    Row("not_equal", mg.not_equal, np.not_equal, "ne", TWO, (mask, mask), **BOOLEAN),
    Row("less", mg.less, np.less, "lt", TWO, **BOOLEAN),
    Row("less_equal", mg.less_equal, np.less_equal, "le", TWO, **BOOLEAN),
    Row("greater", mg.greater, np.greater, "gt", TWO, **BOOLEAN),
    Row("greater_equal", mg.greater_equal, np.greater_equal, "ge", TWO, **BOOLEAN),
    Row("logical_and", mg.logical_and, np.logical_and, "logical_and", TWO, (mask,), **BOOLEAN),
    Row("logical_or", mg.logical_or, np.logical_or, "logical_or", TWO, (mask,), **BOOLEAN),
    Row("logical_not", mg.logical_not, np.logical_not, "logical_not", ONE, (mask,), **BOOLEAN),
    Row("isfinite", mg.isfinite, np.isfinite, "isfinite", ONE, **BOOLEAN),
    Row("isnan", mg.isnan, np.isnan, "isnan", ONE, **BOOLEAN),
]  # fmt: skip

REDUCTIONS = [
    Row("sum", mg.sum, np.sum,
        lambda t, x, axis, keepdims: t.sum(x, dims(x, axis), keepdim=keepdims), ANY),
    Row("mean", mg.mean, np.mean,
        lambda t, x, axis, keepdims: t.mean(x, dims(x, axis), keepdim=keepdims), FULL),
    Row("var", mg.var, ref.variance, lambda t, x, axis, keepdims:
        t.var(x, dims(x, axis), correction=0, keepdim=keepdims), FULL, (distinct,)),
    Row("var, corrected", mg.var, ref.variance, lambda t, x, axis, correction:
        t.var(x, axis, correction=correction),
        [case((3, 4), axis=1, correction=1), case((5, 2), axis=(0, 1), correction=2.5)]),
    Row("std", mg.std, ref.std, lambda t, x, axis, keepdims:
        t.std(x, dims(x, axis), correction=0, keepdim=keepdims),
        reducing(smallest=2, ndim=1), (distinct,)),
    Row("std, corrected", mg.std, ref.std,
        lambda t, x, axis, correction: t.std(x, axis, correction=correction),
        [case((3, 4), axis=1, correction=1), case((5,), axis=0, correction=1)], (distinct,)),
    Row("prod", mg.prod, np.prod, prod_by_torch, ANY),
    Row("max", mg.max, ref.largest, lambda t, x, axis, keepdims:
        t.amax(x, dims(x, axis), keepdim=keepdims), FULL, (distinct,)),
    Row("min", mg.min, ref.smallest, lambda t, x, axis, keepdims:
        t.amin(x, dims(x, axis), keepdim=keepdims), FULL, (distinct,)),
    Row("argmax", mg.argmax, np.argmax, lambda t, x, axis, keepdims:
        t.argmax(x, axis, keepdim=keepdims), reducing(1, one_axis=True), **BOOLEAN),
    Row("argmin", mg.argmin, np.argmin, lambda t, x, axis, keepdims:
        t.argmin(x, axis, keepdim=keepdims), reducing(1, one_axis=True), **BOOLEAN),
    Row("any", mg.any, np.any, None, ANY, (mask,), **BOOLEAN),
    Row("all", mg.all, np.all, None, ANY, (mask,), **BOOLEAN),
    Row("logsumexp", mg.logsumexp, ref.logsumexp, lambda t, x, axis, keepdims:
        t.logsumexp(x, dims(x, axis), keepdim=keepdims), FULL),
    Row("softmax", mg.softmax, ref.softmax, lambda t, x, axis: t.softmax(x, axis),
        reducing(1, one_axis=True, keepdims=False, ndim=1)),
    Row("log_softmax", mg.log_softmax, ref.log_softmax, lambda t, x, axis: t.log_softmax(x, axis),
        reducing(1, one_axis=True, keepdims=False, ndim=1)),
    Row("norm", mg.norm, ref.norm, flat_norm, FULL, (away,)),
    Row("norm 1, 3, 1.5, inf", mg.norm, ref.norm, flat_norm,
        [case((2, 3), ord=n, axis=a, keepdims=a == 0)
         for n in (1, 3, 1.5, np.inf) for a in (None, 0, (0, 1))], (away,)),
    Row("cumsum", mg.cumsum, np.cumsum, lambda t, x, axis: t.cumsum(x, axis),
        reducing(one_axis=True, keepdims=False, ndim=1)),
]  # fmt: skip

SHAPES = [
    Row("reshape", lambda x, shape: mg.reshape(x, shape), lambda x, shape: x.reshape(shape),
        "reshape",
        [case(a, shape=b) for a, b in [((2, 3), (3, 2)), ((2, 3), (-1,)), ((), (1, 1)),
                                       ((0, 3), (3, 0)), ((4, 1, 2), (2, -1))]]),
    Row("transpose", mg.transpose, np.transpose,
        lambda t, x: x.permute(tuple(range(x.ndim)[::-1])), ONE),
    Row("permute", lambda x, order: mg.permute(x, order),
        lambda x, order: np.transpose(x, order), lambda t, x, order: t.permute(x, order),
        [case((2, 3, 4), order=o) for o in [(2, 0, 1), (0, 2, 1), (-1, 0, 1)]]
        + [case((), order=()), case((0, 2), order=(1, 0))]),
    Row("swapaxes", lambda x, a, b: mg.swapaxes(x, a, b), lambda x, a, b: np.swapaxes(x, a, b),
        lambda t, x, a, b: t.swapaxes(x, a, b),
        [case((2, 3, 4), a=0, b=-1), case((2, 0), a=1, b=0), case((3,), a=0, b=0)]),
    Row("mT", mg.mT, lambda x: np.swapaxes(x, -1, -2), lambda t, x: x.mT,
        [case((2, 3)), case((2, 1, 3)), case((0, 2))]),
    Row("expand", lambda x, to: mg.expand(x, to),
        lambda x, to: np.broadcast_to(x, [n if n > -1 else x.shape[i] for i, n in enumerate(to)]),
        lambda t, x, to: x.expand(to),
        [case((), to=(2, 3)), case((3, 1), to=(3, 4)), case((3, 1), to=(-1, 2)),
         case((1, 2), to=(0, 2)), case((2, 1), to=(4, 2, 3))]),
    Row("squeeze", mg.squeeze, np.squeeze,
        lambda t, x, axis: t.squeeze(x) if axis is None else t.squeeze(x, axis),
        [case((1, 3, 1), axis=a) for a in (None, 0, -1, (0, 2))] + [case((), axis=None)]),
    Row("unsqueeze", mg.unsqueeze, np.expand_dims, lambda t, x, axis: t.unsqueeze(x, axis),
        [case((2, 3), axis=a) for a in (0, 1, -1)] + [case((), axis=0), case((0,), axis=1)]),
    Row("flatten", lambda x, start: mg.flatten(x, start),
        lambda x, start: x.reshape(*x.shape[:start], int(np.prod(x.shape[start:]))),
        lambda t, x, start: t.flatten(x, start),
        [case((2, 3, 4), start=0), case((2, 3, 4), start=1), case((), start=0)]),
    Row("clone", mg.clone, np.copy, "clone", ONE),
    Row("astype", lambda x: x.astype(mg.float64), lambda x: x + np.float64(0),
        lambda t, x: x.to(t.float64), ONE, integers=False),
    Row("concatenate", lambda *xs, axis: mg.concatenate(xs, axis),
        lambda *xs, axis: np.concatenate(xs, axis), lambda t, *xs, axis: t.cat(xs, axis),
        [case((2, 3), (1, 3), (4, 3), axis=0), case((2, 1), (2, 0), (2, 2), axis=-1),
         case((3,), axis=0)]),
    Row("stack", lambda *xs, axis: mg.stack(xs, axis), lambda *xs, axis: np.stack(xs, axis),
        lambda t, *xs, axis: t.stack(xs, axis),
        [case((2, 3), (2, 3), axis=a) for a in (0, 1, -1)]
        + [case((), (), (), axis=0), case((0,), (0,), axis=1)]),
    Row("split", mg.split, ref.split, lambda t, x, sizes, axis: t.split(x, sizes, axis),
        [case((5, 3), sizes=s, axis=0) for s in (2, 5, (1, 4), (0, 5), (2, 1, 2))]
        + [case((2, 4), sizes=(3, 1), axis=-1)]),
    Row("pad", lambda x, widths: mg.pad(x, widths), lambda x, widths: np.pad(x, widths),
        lambda t, x, widths: t.nn.functional.pad(x, [n for pair in widths[::-1] for n in pair]),
        [case((2, 3), widths=((1, 0), (2, 1))), case((0,), widths=((1, 1),))]),
    Row("pad with a value", lambda x: mg.pad(x, 1, value=5.0),
        lambda x: np.pad(x, 1, constant_values=5.0),
        lambda t, x: t.nn.functional.pad(x, [1, 1] * x.ndim, value=5.0),
        [case((2, 3)), case((4,)), case((0, 2))]),
    Row("flip", mg.flip, np.flip,
        lambda t, x, axis: t.flip(x, np.atleast_1d(dims(x, axis)).astype(int).tolist()),
        reducing(keepdims=False)),
    Row("gather", mg.gather, ref.gather,
        lambda t, x, index, axis: t.gather(x, axis, t.tensor(index)),
        [case((3, 2), index=np.array([[0, 2], [1, 1], [0, 0], [2, 2]]), axis=0),
         case((2, 4), index=np.array([[3], [0]]), axis=1),
         case((2, 4), index=np.array([[3, 3, 3]]), axis=-1),
         case((4,), index=np.zeros(0, int), axis=0)]),
    Row("scatter_add", lambda x, v, index, axis: mg.scatter_add(x, index, v, axis),
        ref.scatter_add,
        lambda t, x, v, index, axis: t.scatter_add(x, axis, t.tensor(index), v),
        [case((3, 2), (4, 2), index=np.array([[0, 2], [1, 1], [0, 0], [2, 2]]), axis=0),
         case((2, 4), (2, 3), index=np.array([[3, 3, 3], [0, 1, 0]]), axis=-1)]),
    Row("take", mg.take, np.take,
        lambda t, x, indices, axis: t.take(x, t.tensor(indices)) if axis is None
        else x[(slice(None),) * (axis % x.ndim) + (t.tensor(indices),)],
        [case((3, 4), indices=np.array([2, 0, 2, -1]), axis=a) for a in (None, 0, 1, -1)]
        + [case((3, 4), indices=np.array([[0, 1], [1, 1]]), axis=1),
           case((5,), indices=2, axis=0)]),
    Row("diagonal", lambda x, offset: mg.diagonal(x, offset),
        lambda x, offset: np.diagonal(x, offset, -2, -1),
        lambda t, x, offset: t.diagonal(x, offset, -2, -1),
        [case((3, 4), offset=k) for k in (-3, -1, 0, 1, 2)]
        + [case((2, 3, 3), offset=1), case((0, 3), offset=0)]),
    Row("tril", lambda x, k: mg.tril(x, k), lambda x, k: np.tril(x, k),
        lambda t, x, k: t.tril(x, k), [case((3, 4), k=k) for k in (-1, 0, 2)]
        + [case((2, 3, 3), k=0), case((0, 2), k=0)]),
    Row("triu", lambda x, k: mg.triu(x, k), lambda x, k: np.triu(x, k),
        lambda t, x, k: t.triu(x, k), [case((3, 4), k=k) for k in (-1, 0, 2)]
        + [case((2, 3, 3), k=0), case((0, 2), k=0)]),
]  # fmt: skip

_rows, _columns = np.array([0, 2, 0]), np.array([1, 1, 1])
_mask = np.array([[True, False, True, False], [False] * 4, [True, True, True, False]])
INDEXING = [
    Row("getitem", lambda x, index: x[index], lambda x, index: x[index],
        lambda t, x, index: x[of_torch(t, index)],
        [case((3, 4), index=i) for i in (
            0, -1, (1, 2), slice(1, None), slice(0, 0), (slice(None), 1), ..., (..., 0), None,
            (None, 1, None), (slice(None, None, 2), slice(1, 3)), (), True,
            _rows, [0, 2, 2], [[0, 1], [1, 1]], (_rows, _columns), (_rows, 1),
            (slice(1, 3), _rows), (_rows[:, None], _columns), (..., _columns), (None, _rows, None),
            _mask, _mask[:, 0], (_mask[:, 0], slice(1, 2)), (slice(None), _mask[0]),
            (_mask[:, 0], _columns[:2]), np.zeros((3, 4), bool), np.zeros(0, int),
        )]
        + [case((2, 3, 4), index=i) for i in (
            (..., _rows[:2], _columns[:2]),
            (slice(None), _mask), (1, ..., None, 2),
        )]
        + [case((), index=()), case((), index=None), case((), index=...)]),
    Row("getitem as PyTorch does not", lambda x, index: x[index], lambda x, index: x[index], None,
        [case((3, 4), index=i) for i in (
            slice(None, None, -1), (slice(2, 0, -1), slice(None, None, -2)), [], ([], 0),
            (_rows, slice(None, None, -1)),
        )]
        + [case((2, 3, 4), index=i) for i in (
            (_columns, slice(1, None), _rows), (0, slice(None), _rows), (_columns, ..., _rows),
        )]),
]  # fmt: skip

_products = [((2, 3), (3, 4)), ((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((5, 2, 3), (5, 3, 1)),
             ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((3,), (5, 3, 4)), ((5, 2, 3), (3,)),
             ((5, 1, 2, 3), (2, 3, 1)), ((2, 0), (0, 3)), ((0, 3), (3, 2)), ((0, 2, 3), (3, 2)),
             ((1, 1), (1, 1)), ((6, 1), (1, 5))]  # fmt: skip
_sums = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ij->ji", (2, 3)), ("ij->", (2, 3)),
    ("ij->j", (2, 3)), ("ii->i", (3, 3)), ("ii", (3, 3)), ("i,i->", (3,), (3,)),
    ("i,j->ij", (2,), (3,)), ("bij,bjk->bik", (2, 3, 2), (2, 2, 4)), ("ij,ij->i", (2, 3), (2, 3)),
    ("...ij,...jk->...ik", (2, 1, 3, 2), (4, 2, 3)), ("...i->...", (2, 3)),
    ("i...,i...", (3, 2), (3,)),
    ("ij,jk,kl->il", (2, 3), (3, 2), (2, 4)), ("i,ij,j", (2,), (2, 3), (3,)),
    ("ij,kl->ik", (2, 3), (4, 2)), ("iij->j", (3, 3, 2)), ("ijij->ij", (2, 3, 2, 3)),
    ("iji,j->i", (2, 3, 2), (3,)), ("ij,ij->ij", (1, 3), (2, 3)), ("ij,ij->", (1, 3), (2, 3)),
    (",ij->ij", (), (2, 3)), ("ij , jk -> ki", (2, 0), (0, 3)), ("ba", (2, 3)),
    ("...i,...i", (2, 3), (4, 1, 3)),
]  # fmt: skip
_squares = [case((3, 3)), case((2, 3, 3)), case((1, 1)), case((2, 1, 2, 2))]
LINEAR_ALGEBRA = [
    Row("matmul", mg.matmul, np.matmul, "matmul", [case(*shapes) for shapes in _products]),
    Row("dot", mg.dot, np.dot, "dot", [case((3,), (3,)), case((0,), (0,)), case((1,), (1,))]),
    Row("outer", mg.outer, np.outer, "outer", [case((2,), (3,)), case((1,), (0,))]),
    Row("einsum", lambda *xs, spec: mg.einsum(spec, *xs), lambda *xs, spec: np.einsum(spec, *xs),
        lambda t, *xs, spec: t.einsum(spec, *xs),
        [case(*shapes, spec=spec) for spec, *shapes in _sums]),
    Row("trace", mg.trace, lambda x: np.trace(x, axis1=-2, axis2=-1),
        lambda t, x: x.diagonal(0, -2, -1).sum(-1), [*_squares, case((2, 3)), case((0, 0))]),
    Row("affine", mg.affine, lambda x, w, b: x @ np.swapaxes(w, 0, 1) + b,
        lambda t, x, w, b: t.nn.functional.linear(x, w, b),
        [case(x, (4, 3), (4,)) for x in ((2, 3), (3,), (0, 3), (2, 5, 3), (2, 0, 3))]),
    Row("affine without bias", mg.affine, lambda x, w: x @ np.swapaxes(w, 0, 1),
        lambda t, x, w: t.nn.functional.linear(x, w), [case((2, 3), (4, 3)), case((3,), (4, 3))]),
    Row("solve", mg.solve, ref.solve, lambda t, a, b: t.linalg.solve(a, b),
        [case((3, 3), (3,)), case((3, 3), (3, 2)), case((2, 3, 3), (2, 3, 2)), case((1, 1), (1, 1)),
         case((2, 3, 3), (3, 2)), case((3, 3), (2, 3, 1)), case((2, 1, 3, 3), (3, 3, 1))],
        (matrix, real)),
    Row("solve, a batch with one vector", mg.solve, ref.solve, None, [case((2, 3, 3), (3,))],
        (matrix, real)),
    Row("inv", mg.inv, np.linalg.inv, lambda t, x: t.linalg.inv(x), _squares, (matrix,)),
    Row("det", mg.det, np.linalg.det, lambda t, x: t.linalg.det(x), _squares, (matrix,)),
    Row("slogdet", mg.slogdet, ref.slogdet, lambda t, x: t.linalg.slogdet(x), _squares, (matrix,)),
    Row("cholesky", lambda x: mg.cholesky(x + mg.mT(x)), ref.cholesky,
        lambda t, x: t.linalg.cholesky(x + x.mT), _squares, (definite,), integers=False),
]  # fmt: skip

ROWS = [*ELEMENTWISE, *REDUCTIONS, *SHAPES, *INDEXING, *LINEAR_ALGEBRA]
