"""Graph: what a formula does to its inputs, as a list of instructions; and how each is spelled.

To be read by those who run it (`blocks.py`, `loop.py`, `kernel.py`) or draw it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

# Operation: the ufunc of NumPy, and the expression, which Python and C++ read alike. In it F is the
# type of the numbers, select(c, a, b) is a where c holds, else b, and | is "or".
SPELLING: dict[str, tuple[str, str]] = {
    "add": ("add", "{0} + {1}"),
    "sub": ("subtract", "{0} - {1}"),
    "mul": ("multiply", "{0} * {1}"),
    "div": ("divide", "{0} / {1}"),
    "neg": ("negative", "-{0}"),
    "abs": ("absolute", "fabs({0})"),
    "sign": ("sign", "select({0} > F(0), F(1), select({0} < F(0), F(-1), {0}))"),
    "sqrt": ("sqrt", "sqrt({0})"),
    "square": ("square", "{0} * {0}"),
    "pow": ("power", "pow({0}, {1})"),
    "exp": ("exp", "exp({0})"),
    "expm1": ("expm1", "expm1({0})"),
    "log": ("log", "log({0})"),
    "log1p": ("log1p", "log1p({0})"),
    "tanh": ("tanh", "tanh({0})"),
    "erf": ("erf", "erf({0})"),
    "floor": ("floor", "floor({0})"),
    "maximum": ("maximum", "select(({0} >= {1}) | ({0} != {0}), {0}, {1})"),  # NaN stays NaN
    "minimum": ("minimum", "select(({0} <= {1}) | ({0} != {0}), {0}, {1})"),
    "where": ("where", "select({0}, {1}, {2})"),
    "equal": ("equal", "{0} == {1}"),
    "not_equal": ("not_equal", "{0} != {1}"),
    "less": ("less", "{0} < {1}"),
    "less_equal": ("less_equal", "{0} <= {1}"),
    "greater": ("greater", "{0} > {1}"),
    "greater_equal": ("greater_equal", "{0} >= {1}"),
    "isnan": ("isnan", "{0} != {0}"),
}
BOOLEAN = {
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isnan", "isfinite",
    "logical_and", "logical_or", "logical_not",
}  # fmt: skip


# What an input cannot be called in the text of a loop: what a result is called, a word of the text,
# or one of C++.
_TAKEN = re.compile(
    r"[cx]\d+|.*_|F|H|i|n|step|select|wide|half|loop|numba|range|fabs|sqrt|pow|exp|expm1|log|log1p|"
    r"tanh|erf|floor|"
    r"NULL|alignas|alignof|and_eq|asm|auto|bitand|bitor|bool|case|catch|char|char16_t|char32_t|compl|"
    r"const|const_cast|constexpr|decltype|default|delete|do|double|dynamic_cast|enum|explicit|export|"
    r"extern|false|float|friend|goto|inline|int|long|mutable|namespace|new|noexcept|not_eq|nullptr|"
    r"operator|or_eq|private|protected|public|register|reinterpret_cast|short|signed|sizeof|static|"
    r"static_assert|static_cast|struct|switch|template|this|thread_local|throw|true|typedef|typeid|"
    r"typename|union|unsigned|using|virtual|void|volatile|wchar_t|xor|xor_eq"
)


def _spelled(name: str, k: int) -> str:
    """Return the name of input `k` in the text of a loop."""
    return name if name.isascii() and not _TAKEN.fullmatch(name) else f"input{k}"


@dataclass(frozen=True)
class Instruction:
    """One operation: its result, its name, and what it reads.

    Values are numbered: the inputs 0, 1, …, then a result for each instruction. The operand -1 - k
    is the graph's k-th scalar. A small result has fewer elements than the arrays have: it is one
    number for each row, or each column.
    """

    result: int
    operation: str
    operands: tuple[int, ...]
    boolean: bool
    small: bool = False


class Graph:
    """The instructions of a formula in an order in which they can be run.

    `inputs` are names of vectors of one length, `scalars` the count of numbers that come with each
    run, `outputs` maps the names of vectors that get new values to operands. What no output needs
    is left out. `shapes` say of each value of a graph of rows whether it differs between rows, and
    between columns; one that does not is small. `state` is for those who run the graph, to keep
    what they made of it.
    """

    def __init__(
        self,
        inputs: Sequence[str],
        steps: Sequence[tuple[str, tuple[int, ...]]],
        outputs: Sequence[tuple[str, int]],
        scalars: int,
        calls: dict[str, Callable[..., Any]],
        shapes: Sequence[tuple[bool, bool]] = (),
    ) -> None:
        self.inputs = tuple(inputs)
        self.scalars = scalars
        self.calls = dict(calls)
        self.shapes = tuple(shapes)
        place = {name: k for k, name in enumerate(inputs)}
        self.outputs = {name: new for name, new in outputs if place.get(name) != new}
        first = len(self.inputs)
        needed = set(self.outputs.values())
        kept = []
        for k in range(len(steps) - 1, -1, -1):
            if first + k in needed:
                operation, operands = steps[k]
                needed.update(operands)
                boolean = operation in BOOLEAN
                small = bool(shapes) and not all(shapes[first + k])
                kept.append(Instruction(first + k, operation, operands, boolean, small))
        self.instructions = tuple(reversed(kept))
        self.names = tuple(_spelled(name, k) for k, name in enumerate(inputs))
        self.state: dict[Any, Any] = {}

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The names of the inputs that are read."""
        read = {x for step in self.instructions for x in step.operands} | {*self.outputs.values()}
        return tuple(name for k, name in enumerate(self.inputs) if k in read)

    @cached_property
    def used(self) -> list[int]:
        """The inputs, by number, that are read or written."""
        wanted = {*self.reads, *self.outputs}
        return [k for k, name in enumerate(self.inputs) if name in wanted]

    @property
    def unspelled(self) -> tuple[str, ...]:
        """The operations that have no expression here, so that no loop can be written of them."""
        return tuple(step.operation for step in self.instructions if step.operation not in SPELLING)

    def name(self, operand: int) -> str:
        """Return the name of an operand: an input's own, ``x7`` a result, ``c0`` a scalar."""
        if operand < 0:
            return f"c{-1 - operand}"
        return self.names[operand] if operand < len(self.names) else f"x{operand}"

    def expression(self, step: Instruction, name: Callable[[int], str] | None = None) -> str:
        """Return an instruction as an expression that Python and C++ read alike."""
        name = name or self.name
        booleans = {x.result for x in self.instructions if x.boolean}
        names = []
        for k, x in enumerate(step.operands):
            number = x in booleans and not (step.operation == "where" and k == 0)
            names.append(f"F({name(x)})" if number else name(x))
        return SPELLING[step.operation][1].format(*names)

    def lines(self) -> Iterator[tuple[str, str, bool]]:
        """Yield of each instruction the name of its result, its expression, if it is a bool."""
        for step in self.instructions:
            yield self.name(step.result), self.expression(step), step.boolean

    def __str__(self) -> str:
        """Return the graph as text, a line for each instruction."""
        lines = []
        for step in self.instructions:
            operands = ", ".join(map(self.name, step.operands))
            lines.append(f"{self.name(step.result)} = {step.operation}({operands})")
        return "\n".join(lines + [f"{name} ← {self.name(x)}" for name, x in self.outputs.items()])
