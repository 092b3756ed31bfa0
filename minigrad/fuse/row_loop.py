"""Row loop: a graph of rows as loops over rows and their elements, as text for Numba.

Each row is read once for what is added up, again for what is added up with the help of that (the
squares of deviations from a mean), and for the results. What is computed of each element is
computed anew each time, which costs less than to keep it. Not here: who compiles the text, and
when (`loop.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from minigrad.fuse.graph import Graph, Instruction

# Numba has no vector instructions for these, and takes several times as long as NumPy. They may be
# computed once a row, but not for each element.
_SLOW = {"pow", "exp", "expm1", "log", "log1p", "tanh", "erf"}
# What is added up. A sum may be taken in any order, so that it has vector instructions; all else is
# computed as it is written, and rounded as NumPy rounds it.
_SUMS = {"row_sum": "{0}", "row_dot": "{0} * {1}"}
PLUS = """\


@njit(fastmath={"reassoc"})
def plus(a, b):
    return a + b
"""


def fits(graph: Graph) -> bool:
    """Say whether a graph of rows is one that a loop runs faster than NumPy: two passes or more."""
    passes = 0
    for step in graph.instructions:
        wide = [x for x in step.operands if x >= 0 and graph.shapes[x][1]]
        if step.operation in _SUMS:
            booleans = {other.result for other in graph.instructions if other.boolean}
            if len(wide) < len(step.operands) or booleans.intersection(wide):
                return False
        elif step.operation == "row_first":
            if step.operands[0] >= len(graph.inputs):
                return False
        elif step.operation in graph.unspelled or (wide and step.operation in _SLOW):
            return False
        passes += bool(wide)
    return passes > 1


def body(graph: Graph) -> Iterator[str]:
    """Yield the lines of the loop over the `m` rows of `n` elements."""
    level = _levels(graph)
    whole = {k for k, shape in enumerate(graph.shapes) if shape[1]}
    outputs = [(graph.inputs.index(name), new) for name, new in graph.outputs.items()]
    yield "for i in range(m):"
    given = {x for step in graph.instructions for x in step.operands} | {x for _, x in outputs}
    for k in sorted(given - whole):
        if 0 <= k < len(graph.inputs):
            yield f"    {graph.names[k]} = {_place(graph, k)}"
    for now in range(max(level.values()) + 1):
        sums = [s for s in graph.instructions if s.operation in _SUMS and level[s.result] == now]
        for step in sums:
            yield f"    {graph.name(step.result)} = F(0)"
        if sums:
            yield from _inner(graph, whole, {x for step in sums for x in step.operands})
        for step in sums:
            name, names = graph.name(step.result), map(graph.name, step.operands)
            yield f"        {name} = plus({name}, {_SUMS[step.operation].format(*names)})"
        for step in graph.instructions:
            if step.result not in whole and step not in sums and level[step.result] == now:
                yield f"    {graph.name(step.result)} = {_expression(graph, step)}"
    long = [(k, new) for k, new in outputs if new in whole]
    if long:
        yield from _inner(graph, whole, {new for _, new in long})
        for k, new in long:
            yield f"        {graph.names[k]}_[i, j] = {graph.name(new)}"
    for k, new in outputs:
        if new not in whole:
            yield f"    {graph.names[k]}_[i, 0] = {graph.name(new)}"


def _levels(graph: Graph) -> dict[int, int]:
    """Return after how many loops over a row each result is known."""
    level: dict[int, int] = {}
    for step in graph.instructions:
        before = max(level.get(x, 0) for x in step.operands)
        level[step.result] = before + (step.operation in _SUMS)
    return level


def _inner(graph: Graph, whole: Collection[int], wanted: Collection[int]) -> Iterator[str]:
    """Yield the loop over a row's elements, to where the values that are wanted are known."""
    needed = set(wanted)
    for step in reversed(graph.instructions):
        if step.result in needed and step.result in whole:
            needed.update(step.operands)
    yield "    for j in range(n):"
    for k, name in enumerate(graph.names):
        if k in needed and k in whole:
            yield f"        {name} = {_place(graph, k)}"
    for step in graph.instructions:
        if step.result in needed and step.result in whole:
            yield f"        {graph.name(step.result)} = {graph.expression(step)}"


def _place(graph: Graph, k: int) -> str:
    """Return where an input has the number of a row and an element."""
    rows, columns = graph.shapes[k]
    return f"{graph.names[k]}_[{'i' if rows else 0}, {'j' if columns else 0}]"


def _expression(graph: Graph, step: Instruction) -> str:
    """Return what is computed once a row as an expression."""
    if step.operation == "row_first":
        return f"{graph.names[step.operands[0]]}_[i, 0]"
    return graph.expression(step)
