"""Blocks: a graph run by NumPy, one instruction at a time, over a block that stays in the cache.

Each instruction is one ufunc into a buffer that no later instruction reads. The buffers are few,
are used again in each block, and are kept for the next run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.fuse.graph import SPELLING, Graph

# Bytes of a block (32,768 elements of float32): with a handful of vectors and buffers it stays in
# the cache of one core (1 to 2 MiB on the machines of today), and the calls to NumPy are few.
BLOCK = 131_072
# The same where threads share a vector: at the end of each call a thread waits for the interpreter
# if another has it just then, and long calls make that rare.
SHARED_BLOCK = 3 * BLOCK
# Bytes of a few rows of a matrix. More than of a block, since each call makes a loop for each row.
ROWS = 262_144


class Plan:
    """A graph as a function of one block: its text, and the text compiled.

    The function takes the inputs, the scalars, and as many buffers as are in `buffers`.
    """

    def __init__(self, graph: Graph) -> None:
        self.names: dict[str, Any] = {}  # of the functions that the text calls
        self.buffers: list[str] = []
        self.place = dict(enumerate(graph.names))  # where each value is
        self.place.update({-1 - k: f"c{k}" for k in range(graph.scalars)})
        lines = self._lines(graph) + self._moves(graph)
        scalars = [f"c{k}" for k in range(graph.scalars)]
        head = f"def block({', '.join([*graph.names, *scalars, *self.buffers])}):"
        self.text = "\n    ".join([head, *(lines or ["pass"])]) + "\n"
        exec(compile(self.text, "<minigrad block>", "exec"), self.names)
        self.function = self.names["block"]

    def _lines(self, graph: Graph) -> list[str]:
        """Return the instructions as text, and note where their results are."""
        last = {x: i for i, step in enumerate(graph.instructions) for x in step.operands}
        last.update(dict.fromkeys(graph.outputs.values(), len(graph.instructions)))
        home = {new: graph.inputs.index(name) for name, new in graph.outputs.items()}
        free: list[str] = []
        lines = []
        for i, step in enumerate(graph.instructions):
            reads = [self.place[x] for x in step.operands]
            done = {self.place[x] for x in step.operands if last[x] == i}
            free.extend(buffer for buffer in self.buffers if buffer in done)
            into = step.operation in SPELLING and step.operation != "where"
            into = into and not step.boolean and not step.small
            k = home.get(step.result, -1)
            if into and k >= 0 and last.get(k, -1) <= i:
                target = graph.names[k]  # nobody reads the old vector any more
            elif into:
                target = free.pop() if free else self._buffer(graph)
            else:
                target = f"x{step.result}"
            self.place[step.result] = target
            name = self._function(graph, step.operation, into)
            if not into:
                lines.append(f"{target} = {name}({', '.join(reads)})")
            elif name in ("maximum", "minimum"):  # these want the word, the rest is faster without
                lines.append(f"{name}({', '.join(reads)}, out={target})")
            else:
                lines.append(f"{name}({', '.join([*reads, target])})")
        return lines

    def _buffer(self, graph: Graph) -> str:
        """Add a buffer, and return its name, which no input has."""
        number = len(self.buffers)
        while f"b{number}" in (*graph.names, *self.buffers):
            number += 1
        self.buffers.append(f"b{number}")
        return self.buffers[-1]

    def _function(self, graph: Graph, operation: str, ufunc: bool) -> str:
        """Return what the text calls an operation, which is no input's name."""
        spelled = SPELLING.get(operation, (operation,))[0]
        call = None if ufunc else graph.calls.get(operation)
        name = f"{spelled}_" if spelled in graph.names else spelled
        self.names[name] = call or getattr(backend.cpu, spelled)
        return name

    def _moves(self, graph: Graph) -> list[str]:
        """Return the copies of results that are elsewhere than in their vectors, as text."""
        names = dict(zip(graph.inputs, graph.names, strict=True))
        moves = [(names[name], self.place[new]) for name, new in graph.outputs.items()]
        moves = [(target, value) for target, value in moves if target != value]
        swapped = sorted({value for _, value in moves if value in graph.names})
        lines = [f"{name}_ = {name}.copy()" for name in swapped]
        return lines + [
            f"{target}[...] = {value}_" if value in swapped else f"{target}[...] = {value}"
            for target, value in moves
        ]


def source(graph: Graph) -> str:
    """Return the text of what is done to a block, in Python.

    It calls NumPy's ufuncs, whose last argument takes the result; c0, c1, … are the numbers, and
    b0, b1, … the buffers.
    """
    return _plan(graph).text


def _plan(graph: Graph) -> Plan:
    if "plan" not in graph.state:
        graph.state["plan"] = Plan(graph)
    return graph.state["plan"]  # type: ignore[no-any-return]


class Workspace:
    """The memory that a plan needs: its buffers, and its numbers in the vectors' dtype."""

    def __init__(self, graph: Graph, plan: Plan, width: int, dtype: Any) -> None:
        self.width = width
        self.buffers = [backend.cpu.aligned(width, dtype) for _ in plan.buffers]
        self.numbers = backend.cpu.empty(graph.scalars, dtype)
        # A scalar is a view, so that to fill one array is to fill all.
        self.scalars = [self.numbers[k : k + 1].reshape(()) for k in range(graph.scalars)]

    def arguments(self, shape: tuple[int, ...]) -> list[Array]:
        """Return what a plan's function takes beside the inputs, for a block of some shape."""
        if shape == (self.width,):
            return self.scalars + self.buffers
        size = math.prod(shape)
        return self.scalars + [buffer[:size].reshape(shape) for buffer in self.buffers]


def _workspace(
    kept: list[Workspace], graph: Graph, numbers: Sequence[float], width: int, dtype: Any
) -> Workspace:
    """Take the memory for blocks of at most `width` elements, with the numbers in their places."""
    try:
        space = kept.pop()  # one step: another thread finds another one, or none
    except IndexError:
        space = None
    if space is None or space.width < width:
        space = Workspace(graph, _plan(graph), width, dtype)
    if numbers:
        space.numbers[:] = numbers
    return space


def run(
    graph: Graph,
    numbers: Sequence[float],
    pieces: Sequence[Sequence[Array]],
    block_bytes: int = 0,
) -> None:
    """Run a graph over pieces, each the list of its inputs there; the outputs change in place."""
    function = _plan(graph).function
    dtype = pieces[0][0].dtype
    blocks = list(cut(pieces, (block_bytes or BLOCK) // dtype.itemsize))
    width = max([block[0].size for block in blocks])
    kept = graph.state.setdefault(dtype, [])
    space = _workspace(kept, graph, numbers, width, dtype)
    try:
        for block in blocks:
            function(*block, *space.arguments((block[0].size,)))
    finally:
        kept.append(space)


def rows(
    graph: Graph, numbers: Sequence[float], inputs: Sequence[Any], shape: tuple[int, int]
) -> None:
    """Run a graph over matrices of a shape, a few rows at a time; the outputs change in place.

    An input is such a matrix, a column of as many rows, a row, or a number; the last is an output,
    with as many rows.
    """
    function = _plan(graph).function
    dtype = inputs[-1].dtype
    count, n = shape
    few = min(max(ROWS // (n * dtype.itemsize), 1), count)
    kept = graph.state.setdefault(dtype, [])
    space = _workspace(kept, graph, numbers, few * n, dtype)
    try:
        with backend.cpu.Broadcasting(shape):
            rest = space.arguments((few, n))
            for start in range(0, count, few):
                if start + few > count:
                    rest = space.arguments((count - start, n))
                function(*cut_rows(inputs, count, start, few), *rest)
    finally:
        kept.append(space)


def cut_rows(inputs: Sequence[Any], count: int, start: int, few: int) -> list[Any]:
    """Return a few rows of the inputs that have `count`; the others as they are."""
    return [
        x[start : start + few] if getattr(x, "ndim", 0) == 2 and len(x) == count else x
        for x in inputs
    ]


def whole(graph: Graph, numbers: Sequence[float], inputs: Sequence[Any], dtype: Any) -> Any:
    """Return the one output of a graph, run array by array, in memory of the backend's pool.

    The inputs are row-major arrays of the dtype, or numbers, that may be broadcast; None, with
    nothing done, for others. The graph's last input is the output's place.
    """
    xp = backend.cpu
    shape: tuple[int, ...] = ()
    same = True
    for x in inputs:
        if type(x) is float or type(x) is int:
            continue
        if type(x) is not xp.Array or x.dtype != dtype or not x.flags.c_contiguous:
            return None
        if x.shape != shape:
            same = not shape
            try:
                shape = xp.broadcast_shapes(shape, x.shape) if shape else x.shape
            except ValueError:  # which the formula itself says better
                return None
    plan = _plan(graph)
    out = xp.empty_for(shape, dtype)
    # It is written last, and is the first buffer until then.
    buffers = [xp.empty_for(shape, dtype) if k else out for k in range(len(plan.buffers))]
    arguments = (*inputs, out, *map(dtype.type, numbers), *buffers)
    if same:
        plan.function(*arguments)
    else:
        with xp.Broadcasting(shape):
            plan.function(*arguments)
    return out


def cut(pieces: Sequence[Sequence[Array]], width: int) -> Iterator[Sequence[Array]]:
    """Yield pieces of at most `width` elements, without a copy."""
    for piece in pieces:
        size = piece[0].size
        if size <= width:
            yield piece
        else:
            for start in range(0, size, width):
                yield [array[start : start + width] for array in piece]
