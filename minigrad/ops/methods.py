"""The operators and methods of Tensor, by name: each is a function of this package."""

from __future__ import annotations

from typing import Any

from minigrad.calls import told
from minigrad.ops import elementwise, indexing, linalg, reduce, shape
from minigrad.tensor import Tensor


def _of_booleans(sign: str, function: Any) -> Any:
    """Return an operator of booleans; that of integers, which NumPy has, goes bit by bit."""

    def checked(*operands: Any) -> Any:
        for x in operands:
            kind = type(x).__name__ if isinstance(x, (int, float)) else getattr(x, "dtype", "bool")
            if kind != "bool":
                raise TypeError(
                    f"{sign} is of booleans, not of {kind}; compare first, such as x > 0, or use "
                    f"mg.{function.__name__}"
                )
        return function(*operands)

    return checked


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
}

_LOGICAL = {
    "and": _of_booleans("&", elementwise.logical_and),
    "or": _of_booleans("|", elementwise.logical_or),
    "invert": _of_booleans("~", elementwise.logical_not),
}

_UNARY = {
    "neg": elementwise.neg,
    "pos": lambda x: x,
    "abs": elementwise.abs,
}

# What an array on the left of a tensor calls: NumPy's name of the operator
_UFUNCS: dict[str, Any] = {
    "subtract": elementwise.sub, "multiply": elementwise.mul, "divide": elementwise.div,
    "power": elementwise.pow, "bitwise_and": _LOGICAL["and"], "bitwise_or": _LOGICAL["or"],
    **{function.__name__: function for function in (
        elementwise.add, elementwise.floor_divide, elementwise.remainder, linalg.matmul,
        elementwise.less, elementwise.less_equal, elementwise.greater, elementwise.greater_equal,
        elementwise.equal, elementwise.not_equal,
    )},
}  # fmt: skip

_METHODS: dict[Any, tuple[str, ...]] = {
    elementwise: (
        "abs", "arctan", "clip", "cos", "cosh", "erf", "exp", "expm1", "floor", "isfinite", "isnan",
        "log", "log1p", "maximum", "minimum", "pow", "relu", "round", "sigmoid", "sign", "sin",
        "sinh", "softplus", "sqrt", "square", "tan", "tanh",
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


# PyTorch's name → what it is here
_ELSEWHERE = {
    "add": "+", "add_": "x += y", "amax": ".max(axis)", "amin": ".min(axis)", "bmm": "@",
    "bool": ".astype(mg.bool_)", "chunk": ".split(size)", "clamp": ".clip(low, high)",
    "contiguous": "it as it is", "copy_": "x[...] = y", "cpu": '.to("cpu")', "cuda": '.to("cuda")',
    "dim": ".ndim", "div": "/", "double": ".astype(mg.float64)", "element_size": ".dtype.itemsize",
    "eq": "==", "expand_as": ".expand(other.shape)", "fill_": "x[...] = value",
    "float": ".astype(mg.float32)", "ge": ">=", "gt": ">", "half": ".astype(mg.float16)",
    "index_select": ".take(index, axis)", "indices": ".argmax(axis): max returns the values alone",
    "int": ".astype(mg.int32)", "is_cuda": ".device", "is_floating_point": '.dtype.kind == "f"',
    "le": "<=", "long": ".astype(mg.int64)", "lt": "<", "masked_fill": "mg.where(mask, value, x)",
    "masked_select": "x[mask]", "mm": "@", "movedim": ".permute(...)", "mul": "*",
    "mul_": "x *= y", "ne": "!=", "neg": "-x", "nelement": ".size", "numel": ".size",
    "repeat": "mg.concatenate([x] * times, axis)", "retain_grad": ".register_hook(hook)",
    "sub": "-", "sub_": "x -= y", "swapdims": ".swapaxes(...)", "t": ".T",
    "tile": "mg.concatenate([x] * times, axis)", "type": ".astype(...)", "unbind": "list(x)",
    "values": "it as it is: max returns the values alone", "view": ".reshape(...)",
    "view_as": ".reshape(other.shape)", "where": "mg.where(condition, x, y)", "zero_": "x[...] = 0",
}  # fmt: skip
_NUMPY = "if this is np.{name}(tensor), use mg.{name}(tensor), which records the graph"


class _Elsewhere:
    """A name that Tensor does not have; unlike a ``__getattr__``, it slows no other name."""

    def __init__(self, name: str, here: str) -> None:
        self.message = f"Tensor has no .{name}, as PyTorch's has; use {here}"

    def __get__(self, instance: Any, owner: type) -> Any:
        raise AttributeError(self.message)


def _operator(function: Any) -> Any:
    """Return a function of two operands; a Primitive is no function and would not bind."""
    return lambda self, other: function(self, other)


def _reflected(function: Any) -> Any:
    return lambda self, other: function(other, self)


def _method(function: Any) -> Any:
    """Return a function of the tensor; a Primitive is no function and would not bind."""
    advice = {key: _NUMPY.format(name=function.__name__) for key in ("out", "dtype")}
    return told(function, advice, method=True)


def _array_ufunc(self: Any, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
    """Do ``array + tensor`` as ``tensor + array`` is done; refuse NumPy's other functions."""
    name = ufunc.__name__
    if name in _UFUNCS and method == "__call__" and not keywords:
        return _UFUNCS[name](*inputs)
    raise TypeError(
        f"np.{name} into an array is NumPy's and records no graph; use minigrad's own function "
        f"(such as mg.sin for np.sin), or give np.{name} the array, tensor.numpy()"
    )


class _ArrayUfunc:
    """``__array_ufunc__``: a function for NumPy, which asks the class.

    CuPy asks the tensor, and takes one that has a ``__cuda_array_interface__`` for an array. For a
    tensor on a GPU it is told None: that the tensor does the operation.
    """

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return _array_ufunc
        gpu = isinstance(instance, Tensor) and instance.device != "cpu"
        return None if gpu else _array_ufunc.__get__(instance)


def attach_operators(cls: type) -> None:
    """Give a class the arithmetic operators and comparisons."""
    for name, function in _OPERATORS.items():
        setattr(cls, f"__{name}__", _operator(function))
        setattr(cls, f"__r{name}__", _reflected(function))
    for name, function in _LOGICAL.items():
        setattr(cls, f"__{name}__", function)
    for name in ("and", "or"):  # of which either operand may come first
        setattr(cls, f"__r{name}__", _LOGICAL[name])
    for name, function in _COMPARISONS.items():
        setattr(cls, f"__{name}__", _operator(function))
    for name, function in _UNARY.items():
        setattr(cls, f"__{name}__", _method(function))


def attach(cls: type) -> None:
    """Give a class the operators and methods of a tensor."""
    attach_operators(cls)
    setattr(cls, "__array_ufunc__", _ArrayUfunc())
    setattr(cls, "__getitem__", indexing.getitem)
    for name, function in {"T": shape.transpose, "mT": shape.mT}.items():
        setattr(cls, name, property(_method(function)))
    for module, names in _METHODS.items():
        for name in names:
            setattr(cls, name, _method(getattr(module, name)))
    for name, here in _ELSEWHERE.items():
        setattr(cls, name, _Elsewhere(name, here))
