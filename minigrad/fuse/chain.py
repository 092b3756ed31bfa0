"""Chain: elementwise operations on arrays as one pass over memory, where that is the faster way.

NumPy makes one pass for each operation, and a large array for each result. A chain is traced once
and run block by block, so that what lies between its inputs and its result never leaves the cache;
on CuPy it is one kernel. A short one is run array by array, in memory that is used again. Not here:
what the chains are (`ops/`), and Numba's loop, whose `exp` and `tanh` take several times as long as
NumPy's; only rows without these are compiled (`rows.py`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.fuse import loop
from minigrad.fuse.blocks import whole
from minigrad.fuse.half import computed
from minigrad.fuse.rows import LARGE as LARGE
from minigrad.fuse.rows import Rows
from minigrad.fuse.run import run
from minigrad.fuse.symbol import NAMES, Trace, remembered, trace

# Bytes of an array times the operations of a chain and 4, from which on blocks are faster on the
# CPU. Below that what NumPy's whole arrays take lies in a cache, too.
WORTH = 12 << 20


class Chain:
    """A formula of arrays and keywords that may be run as one pass."""

    __slots__ = ("formula", "rows", "traces")

    def __init__(self, formula: Callable[..., Any]) -> None:
        self.formula = formula
        self.rows = Rows(formula)
        self.traces: dict[Any, Trace | None] = {}

    def run(self, inputs: Sequence[Any], params: dict[str, Any]) -> Array | None:
        """Return the formula's result, or None where it must be called with the arrays themselves.

        One kernel, of three operations or more, is for contiguous arrays of one shape. On the CPU
        two or more are run in blocks, where that is worth it, or as a loop over rows, if they are
        broadcast; others array by array, in memory that is used again; and what has an axis a few
        rows at a time, or not at all. Arrays are of one dtype, float32, float64 or on a GPU
        float16, keywords numbers.
        """
        first = inputs[0]
        if not backend.is_array(first):
            first = inputs[-1]
        if not backend.is_array(first) or first.dtype.char not in "efd":
            return None
        half = first.dtype.char == "e"
        if half and type(first) is backend.cpu.Array:  # which is no faster
            return None
        if "axis" in params:
            return None if half else self.rows.run(inputs, params)
        known = self._trace(computed(first.dtype), len(inputs), params)
        if known is None or not known.graph.instructions:
            return None
        xp, count = backend.of(inputs), len(known.graph.instructions)
        if xp is not backend.cpu:
            blocks = count > 2
        else:
            blocks = count > 1 and (count + 4) * first.nbytes >= WORTH
        if blocks and _one_vector(inputs, first):
            out = xp.empty_for(first.shape, first.dtype)
            vectors = [x.reshape(-1) for x in (*inputs, out)]
            return out if run(known.graph, known.numbers, [vectors], compiled=False) else None
        if xp is not backend.cpu:
            return None
        if not blocks and count > 1 and first.size >= loop.SMALLEST:
            blocks = not _one_vector(inputs, first)  # a compiled loop may be faster
        found = self.rows.run(inputs, params) if blocks else None
        return whole(known.graph, known.numbers, inputs, first.dtype) if found is None else found

    def _trace(self, dtype: Any, count: int, params: dict[str, Any]) -> Trace | None:
        """Return the trace of the formula, or None if it has none."""

        def make() -> Trace:
            names = [f"a{k}" for k in range(count)]
            formula = functools.partial(self.formula, **params)
            return trace(lambda *xs: (formula(*xs[:-1]),), [*names, "out"], ["out"], dtype)

        return remembered(self.traces, (dtype.char, *params.values()), make)


def _one_vector(inputs: Sequence[Any], first: Array) -> bool:
    """Say whether inputs are contiguous arrays of the shape and the dtype of the first."""
    for x in inputs:
        if type(x) is not type(first) or x.shape != first.shape or x.dtype != first.dtype:
            return False
        if not x.flags.c_contiguous:
            return False
    return True


def one_pass(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Let the forward function of an elementwise operation be one pass over large arrays."""
    chain = Chain(functools.partial(forward, NAMES))

    @functools.wraps(forward)
    def wrapped(xp: Any, x: Any, *others: Any, **params: Any) -> Any:
        if xp is backend.cpu:
            size = getattr(x, "size", 0)
            if size < LARGE and (not others or getattr(others[0], "size", 0) < LARGE):
                return forward(xp, x, *others, **params)
        out = chain.run((x, *others), params)
        return forward(xp, x, *others, **params) if out is None else out

    setattr(wrapped, "chain", chain)
    return wrapped
