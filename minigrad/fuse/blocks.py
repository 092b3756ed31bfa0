"""Blocks: a graph run by NumPy, one instruction at a time, over a block that stays in the cache.

Each instruction is one ufunc into a buffer that no later instruction reads. The buffers are few,
are used again in each block, and are kept for the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.fuse.graph import SPELLING, Graph

Slots = list[Any]

# Bytes of a block (32,768 elements of float32): with a handful of vectors and buffers it stays in
# the cache of one core (1 to 2 MiB on the machines of today), and the calls to NumPy are few.
BLOCK = 131_072


class Plan:
    """Where every value of a graph lives: the slots 0, 1, … are its inputs, the rest buffers.

    `code` has, for each instruction, its operation, the slots that it reads, the slot of the
    result, and whether that is a buffer to be written to.
    """

    def __init__(self, graph: Graph) -> None:
        inputs = len(graph.inputs)
        place = {k: k for k in range(inputs)}
        self.scalars = inputs  # the slot of the first scalar
        self.size = inputs + graph.scalars
        place.update({-1 - k: inputs + k for k in range(graph.scalars)})
        last = {x: i for i, step in enumerate(graph.instructions) for x in step.operands}
        last.update(dict.fromkeys(graph.outputs.values(), len(graph.instructions)))
        targets = {name: graph.inputs.index(name) for name in graph.outputs}
        home = {new: targets[name] for name, new in graph.outputs.items()}
        self.buffers: list[int] = []
        self.code: list[tuple[str, tuple[int, ...], int, bool]] = []
        free: list[int] = []
        for i, step in enumerate(graph.instructions):
            reads = tuple(place[x] for x in step.operands)
            done = {place[x] for x in step.operands if last[x] == i}
            free.extend(slot for slot in self.buffers if slot in done)
            ufunc = step.operation in SPELLING and step.operation != "where"
            into = ufunc and not step.boolean
            k = home.get(step.result, -1)
            if into and k >= 0 and last.get(k, -1) <= i:
                slot = k  # nobody reads the old vector any more
            elif into and free:
                slot = free.pop()
            else:
                slot = self.size
                self.size += 1
                if into:
                    self.buffers.append(slot)
            place[step.result] = slot
            self.code.append((step.operation, reads, slot, into))
        moves = [(targets[name], place[new]) for name, new in graph.outputs.items()]
        self.moves = [(k, slot) for k, slot in moves if k != slot]


class Workspace:
    """A plan with memory: the slots of one width and dtype, and the functions that fill them."""

    def __init__(self, graph: Graph, plan: Plan, width: int, dtype: Any) -> None:
        xp = backend.cpu
        self.plan = plan
        self.slots: Slots = [None] * plan.size
        self.width = width
        self.whole = {slot: xp.aligned(width, dtype) for slot in plan.buffers}
        self.numbers = xp.empty(graph.scalars, dtype)
        for k in range(graph.scalars):  # a scalar is a view, so that to fill one is to fill all
            self.slots[plan.scalars + k] = self.numbers[k : k + 1].reshape(())
        self.code: list[tuple[Callable[..., Any], Callable[[Slots], Any], int]] = []
        for operation, reads, slot, into in plan.code:
            if into:
                function = getattr(xp, SPELLING[operation][0])
                if function in (xp.maximum, xp.minimum):  # these want the word, the rest is faster
                    function = _into(function)
                self.code.append((function, itemgetter(*reads, slot), -1))
            else:
                name = SPELLING.get(operation, (operation,))[0]
                function = graph.calls.get(operation) or getattr(xp, name)
                self.code.append((_spread(function, len(reads)), itemgetter(*reads), slot))

    def run(self, vectors: list[Array], length: int) -> None:
        """Run the plan on one block of vectors, which change in place."""
        slots = self.slots
        slots[: len(vectors)] = vectors
        for slot, buffer in self.whole.items():
            slots[slot] = buffer if buffer.size == length else buffer[:length]
        for function, read, slot in self.code:
            if slot < 0:
                function(*read(slots))
            else:
                slots[slot] = function(read(slots))
        if self.plan.moves:
            moved = [
                (k, slots[r].copy() if r < len(vectors) else slots[r]) for k, r in self.plan.moves
            ]
            for k, value in moved:
                slots[k][...] = value


def _into(ufunc: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a, b, out: ufunc(a, b, out=out)


def _spread(function: Callable[..., Any], count: int) -> Callable[[Any], Any]:
    """Return a function of one operand, or of the tuple of several."""
    return function if count == 1 else lambda operands: function(*operands)


def run(graph: Graph, numbers: Sequence[float], pieces: Sequence[Sequence[Array]]) -> None:
    """Run a graph over pieces, each the list of its inputs there; the outputs change in place."""
    state = graph.state
    plan = state.get("plan")
    if plan is None:
        plan = state["plan"] = Plan(graph)
    dtype = pieces[0][0].dtype
    blocks = list(cut(pieces, BLOCK // dtype.itemsize))
    width = max([block[0].size for block in blocks])
    kept = state.setdefault(dtype, [])  # a list's pop and append are safe among threads
    space = kept.pop() if kept else None
    if space is None or space.width < width:
        space = Workspace(graph, plan, width, dtype)
    if numbers:
        space.numbers[:] = numbers
    try:
        for block in blocks:
            space.run(list(block), block[0].size)
    finally:
        space.slots[: len(graph.inputs)] = [None] * len(graph.inputs)  # keep nobody's memory
        kept.append(space)


def cut(pieces: Sequence[Sequence[Array]], width: int) -> Iterator[Sequence[Array]]:
    """Yield pieces of at most `width` elements, without a copy."""
    for piece in pieces:
        size = piece[0].size
        if size <= width:
            yield piece
        else:
            for start in range(0, size, width):
                yield [array[start : start + width] for array in piece]
