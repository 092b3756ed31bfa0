"""The operators and methods of Tensor, by name: each is a function of this package."""

from __future__ import annotations

from typing import Any

from minigrad.ops import elementwise, indexing, linalg, reduce, shape
from minigrad.tensor import Tensor

_OPERATORS = {
    "add": elementwise.add,
    "sub": elementwise.sub,
    "mul": elementwise.mul,
    "truediv": elementwise.div,
    "floordiv": elementwise.floor_divide,
    "mod": elementwise.remainder,
    "pow": elementwise.pow,
    "matmul": linalg.matmul,
}

_COMPARISONS = {
    "lt": elementwise.less,
    "le": elementwise.less_equal,
    "gt": elementwise.greater,
    "ge": elementwise.greater_equal,
    "eq": elementwise.equal,
    "ne": elementwise.not_equal,
    "and": elementwise.logical_and,
    "or": elementwise.logical_or,
}

_UNARY = {
    "neg": elementwise.neg,
    "pos": lambda x: x,
    "abs": elementwise.abs,
    "invert": elementwise.logical_not,
}

_METHODS: dict[Any, tuple[str, ...]] = {
    elementwise: (
        "abs", "clip", "cos", "cosh", "erf", "exp", "expm1", "floor", "isfinite", "isnan", "log",
        "log1p", "maximum", "minimum", "pow", "relu", "round", "sigmoid", "sign", "sin", "sinh",
        "softplus", "sqrt", "square", "tan", "tanh",
    ),
    reduce: (
        "all", "any", "argmax", "argmin", "cumsum", "log_softmax", "logsumexp", "max", "mean",
        "min", "norm", "prod", "softmax", "std", "sum", "var",
    ),
    shape: (
        "astype", "clone", "expand", "flatten", "flip", "permute", "reshape", "squeeze",
        "swapaxes", "to", "transpose", "tril", "triu", "unsqueeze",
    ),
    indexing: ("diagonal", "gather", "scatter_add", "split", "take"),
    linalg: ("dot", "matmul", "outer", "trace"),
}  # fmt: skip


def _reflected(function: Any) -> Any:
    return lambda self, other: function(other, self)


def _method(function: Any) -> Any:
    """Return a function of the tensor; a Primitive is no function and would not bind."""

    def method(self: Tensor, *arguments: Any, **keywords: Any) -> Any:
        return function(self, *arguments, **keywords)

    method.__name__ = function.__name__
    method.__doc__ = function.__doc__
    return method


def attach_operators(cls: type) -> None:
    """Give a class the arithmetic operators and comparisons."""
    for name, function in _OPERATORS.items():
        setattr(cls, f"__{name}__", _method(function))
        setattr(cls, f"__r{name}__", _reflected(function))
    for name in ("and", "or"):
        setattr(cls, f"__r{name}__", _reflected(_COMPARISONS[name]))
    for name, function in (_COMPARISONS | _UNARY).items():
        setattr(cls, f"__{name}__", _method(function))


def attach() -> None:
    """Give Tensor its operators and methods."""
    attach_operators(Tensor)
    Tensor.__getitem__ = indexing.getitem  # type: ignore[method-assign]
    for name, function in {"T": shape.transpose, "mT": shape.mT}.items():
        setattr(Tensor, name, property(_method(function)))
    for module, names in _METHODS.items():
        for name in names:
            setattr(Tensor, name, _method(getattr(module, name)))
