"""Every operation with its derivative beside it, a file a kind.

An operation returns what it is given: a Tensor if an input is a Tensor, else an array. Floor 2.
"""

from minigrad.ops.elementwise import (
    abs, add, clip, cos, cosh, div, equal, erf, exp, expm1, floor, greater, greater_equal, isfinite, isnan,
    less, less_equal, log, log1p, logical_and, logical_not, logical_or, maximum, minimum, mul, neg,
    not_equal, pow, relu, round, sigmoid, sign, sin, sinh, softplus, sqrt, square, sub, tan, tanh, where,
)  # fmt: skip
from minigrad.ops.linalg import (
    affine, cholesky, det, dot, einsum, inv, matmul, outer, slogdet, solve, trace,
)  # fmt: skip
from minigrad.ops.methods import attach
from minigrad.ops.reduce import (
    all, any, argmax, argmin, cumsum, log_softmax, logsumexp, max, mean, min, norm, prod, softmax, std, sum,
    var,
)  # fmt: skip
from minigrad.ops.shape import (
    astype, broadcast_to, concatenate, diagonal, expand, flatten, flip, gather, getitem, mT, pad, permute,
    reshape, scatter_add, split, squeeze, stack, sum_to, swapaxes, take, transpose, tril, triu, unsqueeze,
)  # fmt: skip

__all__ = [
    "abs", "add", "affine", "all", "any", "argmax", "argmin", "astype", "broadcast_to", "cholesky", "clip",
    "concatenate", "cos", "cosh", "cumsum", "det", "diagonal", "div", "dot", "einsum", "equal", "erf",
    "exp", "expand", "expm1", "flatten", "flip", "floor", "gather", "getitem", "greater", "greater_equal",
    "inv", "isfinite", "isnan", "less", "less_equal", "log", "log1p", "log_softmax", "logical_and",
    "logical_not", "logical_or", "logsumexp", "mT", "matmul", "max", "maximum", "mean", "min", "minimum",
    "mul", "neg", "norm", "not_equal", "outer", "pad", "permute", "pow", "prod", "relu", "reshape", "round",
    "scatter_add", "sigmoid", "sign", "sin", "sinh", "slogdet", "softmax", "softplus", "solve", "split",
    "sqrt", "square", "squeeze", "stack", "std", "sub", "sum", "sum_to", "swapaxes", "take", "tan", "tanh",
    "trace", "transpose", "tril", "triu", "unsqueeze", "var", "where",
]  # fmt: skip

attach()
