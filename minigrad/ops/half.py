"""Half precision: what adds up many numbers of float16 does so in float32, and rounds once.

Sums of float16 in float16 stop growing at 2,048 ones, and squares above 255 are infinite. PyTorch
does the same. Sums themselves are the backends' (`backend/numpy.py`), products of matrices NumPy's
and CuPy's, which both add in float32.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from minigrad import backend
from minigrad.ops.shape import astype
from minigrad.tensor import Value

Function = TypeVar("Function", bound=Callable[..., Any])
HALF = backend.cpu.dtype("float16")


def is_half(x: Value) -> bool:
    """Say whether x is of float16."""
    return bool(getattr(x, "dtype", None) == HALF)


def in_float32(function: Function) -> Function:
    """Return a function of x that computes in float32 and returns float16 where x is of float16.

    x is the first argument, by position or by its name.
    """
    name = next(iter(inspect.signature(function).parameters))

    @functools.wraps(function)
    def wide(*arguments: Any, **keywords: Any) -> Any:
        x = arguments[0] if arguments else keywords.get(name)
        if getattr(x, "dtype", None) != HALF:
            return function(*arguments, **keywords)
        others = arguments[1:]
        keywords.pop(name, None)
        return astype(function(astype(x, "float32"), *others, **keywords), HALF)

    return cast(Function, wide)
