"""Row loop: a graph of rows as loops over rows and their elements, as text for Numba.

Each row is read once for what is added up, again for what is added up with the help of that (the
squares of deviations from a mean), and for the results. What is computed of each element is
computed anew each time, which costs less than to keep it. Not here: who compiles the text, and
when (`loop.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

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


class Loops:
    """The loops over the `m` rows of `n` elements, as lines of text.

    With `columns` the matrix lies in memory the other way round. Then the loop over rows is inside,
    so that neighbours are read together, and what is one number a row is kept in an array.
    """

    def __init__(self, graph: Graph, columns: bool) -> None:
        self.graph = graph
        self.columns = columns
        self.whole = {k for k, shape in enumerate(graph.shapes) if shape[1]}
        self.level: dict[int, int] = {}  # after how many loops over a row each result is known
        for step in graph.instructions:
            before = max(self.level.get(x, 0) for x in step.operands)
            self.level[step.result] = before + (step.operation in _SUMS)

    def lines(self) -> Iterator[str]:
        """Yield all lines."""
        steps = [step for step in self.graph.instructions if step.result not in self.whole]
        places = {self.graph.inputs.index(name): new for name, new in self.graph.outputs.items()}
        if self.columns:
            yield from (f"{self.graph.name(step.result)}_ = empty(m, F)" for step in steps)
        else:
            yield "for i in range(m):"
            read = {x for step in self.graph.instructions for x in step.operands}
            for k, name in enumerate(self.graph.names):
                if k in read and k not in self.whole:
                    yield f"    {name} = {self._place(k, *self.graph.shapes[k])}"
        for now in range(max(self.level.values()) + 1):
            sums = [s for s in steps if s.operation in _SUMS and self.level[s.result] == now]
            yield from self._each_row(f"{self._name(step.result)} = F(0)" for step in sums)
            added = []
            for step in sums:
                names = [self._name(x) for x in step.operands]
                term = _SUMS[step.operation].format(*names)
                added.append(f"{self._name(step.result)} = plus({self._name(step.result)}, {term})")
            yield from self._each_element(added, {x for step in sums for x in step.operands})
            yield from self._each_row(
                f"{self._name(step.result)} = {self._expression(step)}"
                for step in steps
                if step not in sums and self.level[step.result] == now
            )
        long = {k: new for k, new in places.items() if new in self.whole}
        last = [f"{self._place(k, True, True)} = {self._name(new)}" for k, new in long.items()]
        yield from self._each_element(last, {*long.values()})
        yield from self._each_row(
            f"{self._place(k, True, False)} = {self._name(new)}"
            for k, new in places.items()
            if k not in long
        )

    def _each_row(self, lines: Iterable[str]) -> Iterator[str]:
        """Yield the lines for each row, if there are any."""
        lines = list(lines)
        if lines and self.columns:
            yield "for i in range(m):"
        yield from (f"    {line}" for line in lines)

    def _each_element(self, lines: Sequence[str], wanted: Collection[int]) -> Iterator[str]:
        """Yield the lines for each element, if there are any, after those of what they read."""
        if not lines:
            return
        needed = set(wanted)
        for step in reversed(self.graph.instructions):
            if step.result in needed and step.result in self.whole:
                needed.update(step.operands)
        if self.columns:
            yield "for j in range(n):"
            yield "    for i in range(m):"
        else:
            yield "    for j in range(n):"
        for k, name in enumerate(self.graph.names):
            if k in needed and k in self.whole:
                yield f"        {name} = {self._place(k, *self.graph.shapes[k])}"
        for step in self.graph.instructions:
            if step.result in needed and step.result in self.whole:
                yield f"        {self._name(step.result)} = {self._expression(step)}"
        yield from (f"        {line}" for line in lines)

    def _place(self, k: int, rows: bool, columns: bool) -> str:
        """Return where a vector has the number of a row and an element."""
        i, j = "i" if rows else "0", "j" if columns else "0"
        return f"{self.graph.names[k]}_[{f'{j}, {i}' if self.columns else f'{i}, {j}'}]"

    def _name(self, x: int) -> str:
        """Return what a value is called within the loops."""
        if not self.columns or x < 0 or x in self.whole:
            return self.graph.name(x)
        given = x < len(self.graph.names)
        return self._place(x, *self.graph.shapes[x]) if given else f"{self.graph.name(x)}_[i]"

    def _expression(self, step: Instruction) -> str:
        if step.operation == "row_first":
            return self._place(step.operands[0], True, False)
        return self.graph.expression(step, self._name)
