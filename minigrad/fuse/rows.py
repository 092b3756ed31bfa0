"""Rows: a formula of matrices, and of what is one number a row, run a few rows at a time.

A norm or a softmax reduces each row, and combines the rows with what came out. Array by array that
is a pass over memory for each operation. Traced once, from the same text, and run on so many rows
as stay in the cache, it reads its inputs once and writes its result once; where Numba is installed
it may be a compiled loop (`row_loop.py`), of smaller matrices, too. On the CPU only. Not here: what
the formulas are (`ops/`), and elementwise operations on arrays of one shape (`chain.py`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from minigrad import backend
from minigrad.backend import Array
from minigrad.fuse import loop
from minigrad.fuse.graph import Graph
from minigrad.fuse.run import run_rows
from minigrad.fuse.symbol import NAMES, ROW, Shape, Stack, Trace, remembered, trace

LARGE = 1 << 15  # elements of an array on the CPU below which a chain is never one pass
WORTH = 1 << 20  # bytes of a matrix from which on it is worth it: fewer lie in a cache, too
SHORTEST, LONGEST = 64, 1 << 17  # elements of a row: NumPy's loop starts anew, and fills a cache


class Plan(NamedTuple):
    """What is run for inputs of some shapes, as matrices of `shape`, and what comes out."""

    graph: Graph
    numbers: list[float]
    shape: tuple[int, int]
    inputs: list[tuple[int, ...] | None]  # shapes as matrices; None for what is one already
    out: tuple[int, ...]
    outputs: tuple[int, ...]  # the shape of `out` as matrices
    columns: bool  # whether the formula's rows are the columns of the matrices


class Rows:
    """A formula of arrays and keywords that may be run a few rows at a time.

    With the keyword `axis` a row is what lies along these, the last ones, and may be reduced; along
    the first ones that may be done to columns, in a compiled loop. There may be several `results`,
    each one number a row, which are stacked.
    """

    __slots__ = ("formula", "plans", "results", "traces")

    def __init__(self, formula: Callable[..., Any], results: int = 1) -> None:
        self.formula = formula
        self.results = results
        self.plans: dict[Any, Plan | None] = {}
        self.traces: dict[Any, Trace | None] = {}

    def run(self, inputs: Sequence[Any], params: dict[str, Any]) -> Array | None:
        """Return the formula's result, or None where it must be called with the arrays themselves.

        The inputs are row-major NumPy arrays of one dtype, float32 or float64 in the machine's
        order of bytes, and numbers. Some array has the shape of all; the others have its first axes
        or its last ones, and 1 for the rest, or are a stack of such. Those of less than `WORTH`
        bytes are for a compiled loop only.
        """
        dtype: Any = None
        size = 0
        shapes: list[tuple[int, ...]] = []
        for x in inputs:
            if type(x) is float or type(x) is int:
                shapes.append(())
                continue
            if type(x) is not backend.cpu.Array or not x.flags.c_contiguous:
                return None
            if x.dtype is not dtype:
                if dtype is not None or x.dtype.char not in "fd" or not x.dtype.isnative:
                    return None
                dtype = x.dtype
            shapes.append(x.shape)
            size = max(size, x.size)
        large = dtype is not None and size * dtype.itemsize >= WORTH
        if not (large or loop.wanted(size)):
            return None
        key = (dtype.char, *shapes, *params.values())
        plan = remembered(self.plans, key, lambda: self._plan(dtype, shapes, params))
        if plan is None:
            return None
        if (plan.columns or not large) and not loop.ready(plan.graph, size, dtype, plan.columns):
            return None
        matrices = []
        for x, shape in zip(inputs, plan.inputs, strict=True):
            if shape is None:
                matrices.append(x)
            elif len(shape) == 2:
                matrices.append(x.reshape(shape))
            else:
                matrices.extend(x.reshape(shape))
        out = backend.cpu.empty_for(plan.out, dtype)
        matrices.extend(out.reshape(plan.outputs))
        run_rows(plan.graph, plan.numbers, matrices, plan.shape, plan.columns)
        return out

    def _plan(
        self, dtype: Any, shapes: Sequence[tuple[int, ...]], params: dict[str, Any]
    ) -> Plan | None:
        """Return the plan for inputs of some shapes, or None if there is none."""
        layout = _layout(shapes, params.get("axis", ()))
        if layout is None:
            return None
        matrices, shape, k, columns = layout
        sizes = rows, n = math.prod(shape[:k]), math.prod(shape[k:])
        kinds = matrices
        if columns:
            rows, n = n, rows
            kinds = [(*x[:-2], *x[:-3:-1]) for x in matrices]
        if "axis" in params:
            params = params | {"axis": (1,)}
        known = self._trace(dtype, [_kind(x, rows) for x in kinds], params)
        if known is None:
            return None
        if known.shapes == [(-1, n)]:
            out, outputs = shape, (1, *sizes)
        elif known.shapes == [ROW] * self.results:
            kept = shape[k:] if columns else shape[:k]
            ones = (1,) * (len(shape) - len(kept))
            out = (*ones, *kept) if columns else (*kept, *ones)
            outputs = (self.results, 1, rows) if columns else (self.results, rows, 1)
            out = (self.results, *out) if self.results > 1 else out
        else:
            return None
        inputs = [
            x if own and (own != x or len(x) == 3) else None
            for own, x in zip(shapes, matrices, strict=True)
        ]
        return Plan(known.graph, known.numbers, sizes, inputs, out, outputs, columns)

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


def _kind(shape: tuple[int, ...], rows: int) -> tuple[int, ...]:
    """Return the shape of a matrix, a row, a column, a number or a stack, -1 for all rows."""
    return (*shape[:-2], -1 if shape[-2] == rows else 1, shape[-1])


def _layout(
    shapes: Sequence[tuple[int, ...]], axis: Any
) -> tuple[list[tuple[int, ...]], tuple[int, ...], int, bool] | None:
    """Return shapes as those of matrices, the largest one, how many axes of it are rows.

    And whether the formula's rows are the columns.
    """
    shape = max(shapes, key=math.prod)
    ndim = len(shape)
    splits: Sequence[int] = range(1, ndim)
    columns = False
    if axis != ():
        if type(axis) is not tuple:
            return None
        columns = axis == tuple(range(len(axis)))
        last = axis == tuple(range(ndim - len(axis), ndim))
        splits = [len(axis)] if columns else [ndim - len(axis)] if last else []
    for k in splits:
        if SHORTEST <= math.prod(shape[k:]) <= LONGEST:
            matrices = [_matrix(own, shape, k, columns) for own in shapes]
            fits = [x for x in matrices if x is not None]
            if len(fits) == len(shapes):
                return fits, shape, k, columns
    return None


def _matrix(
    own: tuple[int, ...], shape: tuple[int, ...], k: int, columns: bool
) -> tuple[int, ...] | None:
    """Return a shape as that of a matrix whose rows are the last axes from k on, or None."""
    ndim = len(shape)
    ones = (1,) * ndim
    before, own = own[:-ndim], (ones + own)[-ndim:]
    first, last = own[:k], own[k:]
    if first not in (shape[:k], ones[:k]) or last not in (shape[k:], ones[k:]):
        return None
    if before and (len(before) > 1 or (first != ones[:k] if columns else last != ones[k:])):
        return None
    return (*before, math.prod(first), math.prod(last))


def in_rows(
    results: int = 1, compiled: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let the forward function of an operation be run a few rows at a time on large arrays.

    A function with several results, each with the axes kept at size 1, returns them stacked. One
    that may be `compiled`, because it has no transcendental function, is that on smaller ones, too.
    """

    def decorator(forward: Callable[..., Any]) -> Callable[..., Any]:
        rows = Rows(functools.partial(forward, NAMES), results)

        @functools.wraps(forward)
        def wrapped(xp: Any, *inputs: Any, **params: Any) -> Any:
            if xp is backend.cpu:
                first = inputs[0]
                if first.nbytes >= WORTH or (compiled and first.size >= loop.SMALLEST):
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
