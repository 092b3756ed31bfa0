"""Rows: a formula of matrices, and of what is one number a row, run a few rows at a time.

A norm or a softmax reduces each row, and combines the rows with what came out. Array by array that
is a pass over memory for each operation. Traced once, from the same text, and run on so many rows
as stay in the cache, it reads its inputs once and writes its result once. On the CPU only. Not
here: what the formulas are (`ops/`), and elementwise operations on arrays of one shape
(`chain.py`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.fuse.run import run_rows
from minigrad.fuse.symbol import NAMES, ROW, Shape, Stack, Trace, remembered, trace

LARGE = 1 << 15  # elements of an array on the CPU below which a chain is never one pass
WORTH = 1 << 20  # bytes of a matrix from which on it is worth it: fewer lie in a cache, too
SHORTEST, LONGEST = 64, 1 << 17  # elements of a row: NumPy's loop starts anew, and fills a cache


class Rows:
    """A formula of arrays and keywords that may be run a few rows at a time.

    With the keyword `axis` a row is what lies along these, the last ones, and may be reduced. There
    may be several `results`, each one number a row, which are stacked.
    """

    __slots__ = ("formula", "results", "traces")

    def __init__(self, formula: Callable[..., Any], results: int = 1) -> None:
        self.formula = formula
        self.results = results
        self.traces: dict[Any, Trace | None] = {}

    def run(self, inputs: Sequence[Any], params: dict[str, Any]) -> Array | None:
        """Return the formula's result, or None where it must be called with the arrays themselves.

        The inputs are row-major NumPy arrays of one dtype, float32 or float64, and numbers. Some
        array has the shape of all; the others have its first axes or its last ones, and 1 for the
        rest, or are a stack of such.
        """
        if "axis" in params and type(params["axis"]) is not tuple:
            return None
        layout = _layout(inputs, params.get("axis"))
        if layout is None:
            return None
        matrices, shape, k = layout
        rows, n = math.prod(shape[:k]), math.prod(shape[k:])
        if "axis" in params:
            params = params | {"axis": (1,)}
        dtype = next(x.dtype for x in inputs if type(x) is backend.cpu.Array)
        known = self._trace(dtype, [_kind(x, rows) for x in matrices], params)
        if known is None:
            return None
        if known.shapes == [(-1, n)]:
            out = backend.cpu.empty_for(shape, dtype)
            places = [out.reshape(rows, n)]
        elif known.shapes == [ROW] * self.results:
            kept = (*shape[:k], *(1,) * (len(shape) - k))
            out = backend.cpu.empty((self.results, *kept) if self.results > 1 else kept, dtype)
            places = list(out.reshape(self.results, rows, 1))
        else:
            return None
        parts = [part for x in matrices for part in (x if getattr(x, "ndim", 0) == 3 else [x])]
        run_rows(known.graph, known.numbers, [*parts, *places], (rows, n))
        return out

    def _trace(
        self, dtype: Any, kinds: list[tuple[int, ...]], params: dict[str, Any]
    ) -> Trace | None:
        """Return the trace of the formula for inputs of some kinds, or None if it has none."""

        def formula(*symbols: Any) -> Any:
            left = iter(symbols)
            arguments = [
                Stack([next(left) for _ in range(kind[0])]) if len(kind) == 3 else next(left)
                for kind in kinds
            ]
            result = self.formula(*arguments, **params)
            return result if self.results > 1 else (result,)

        def make() -> Trace:
            shapes: list[Shape] = []
            for kind in kinds:
                shapes += [(kind[-2], kind[-1])] * (kind[0] if len(kind) == 3 else 1)
            names = [f"a{k}" for k in range(len(shapes))]
            places = [f"out{k}" for k in range(self.results)]
            shapes += [ROW] * self.results
            return trace(formula, [*names, *places], places, dtype, shapes)

        return remembered(self.traces, (dtype.char, *kinds, *params.values()), make)


def _kind(x: Any, rows: int) -> tuple[int, ...]:
    """Return the shape of a matrix, a row, a column, a number or a stack, -1 for all rows."""
    shape: tuple[int, ...] = getattr(x, "shape", ()) or (1, 1)
    return (*shape[:-2], -1 if shape[-2] == rows else 1, shape[-1])


def _layout(
    inputs: Sequence[Any], axis: tuple[int, ...] | None
) -> tuple[list[Any], tuple[int, ...], int] | None:
    """Return inputs as matrices, the shape of the largest, and how many axes of it are rows."""
    shape: tuple[int, ...] = ()
    size = 0
    dtype: Any = None
    for x in inputs:
        if type(x) is float or type(x) is int:
            continue
        if type(x) is not backend.cpu.Array or not x.flags.c_contiguous:
            return None
        if x.dtype is not dtype:
            if dtype is not None or x.dtype.char not in "fd":
                return None
            dtype = x.dtype
        if x.size > size:
            shape, size = x.shape, x.size
    if dtype is None or size * dtype.itemsize < WORTH:
        return None
    ndim = len(shape)
    splits: Sequence[int] = range(1, ndim)
    if axis is not None:
        splits = [ndim - len(axis)] if axis == tuple(range(ndim - len(axis), ndim)) else []
    for k in splits:
        matrices = [_matrix(x, shape, k) for x in inputs]
        fits = not any(x is None for x in matrices)
        if fits and SHORTEST <= math.prod(shape[k:]) <= LONGEST:
            return matrices, shape, k
    return None


def _matrix(x: Any, shape: tuple[int, ...], k: int) -> Any:
    """Return an array as a matrix whose rows are the last axes from k on; None if it is none."""
    own = getattr(x, "shape", ())
    if not own or (own == shape and len(own) == 2):
        return x
    ndim = len(shape)
    ones = (1,) * ndim
    before, own = own[:-ndim], (ones + own)[-ndim:]
    first, last = own[:k], own[k:]
    if first not in (shape[:k], ones[:k]) or last not in (shape[k:], ones[k:]):
        return None
    if before and (len(before) > 1 or last != ones[k:]):
        return None
    return x.reshape((*before, math.prod(first), math.prod(last)))


def in_rows(results: int = 1) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let the forward function of an operation be run a few rows at a time on large arrays.

    A function with several results, each with the axes kept at size 1, returns them stacked.
    """

    def decorator(forward: Callable[..., Any]) -> Callable[..., Any]:
        rows = Rows(functools.partial(forward, NAMES), results)

        @functools.wraps(forward)
        def wrapped(xp: Any, *inputs: Any, **params: Any) -> Any:
            if xp is backend.cpu and getattr(inputs[0], "nbytes", 0) >= WORTH:
                out = rows.run(inputs, params)
                if out is not None:
                    return out
            found = forward(xp, *inputs, **params)
            if results == 1:
                return found
            out = xp.empty((results, *found[0].shape), found[0].dtype)
            for k in range(results):
                out[k] = found[k]
            return out

        setattr(wrapped, "rows", rows)
        return wrapped

    return decorator
