"""Symbol: an array that is not there. A formula called with symbols writes down what it does.

The formula runs as Python, afresh each time, with the numbers of the moment. So it may compute with
them as it likes (branch on t, call ``math.sqrt``); what it hands to an operation on an array is an
argument of the graph, and not a part of it. A formula that does the same operations again with
other numbers has the same graph, which is looked up and not made anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from minigrad import backend
from minigrad.backend import Array
from minigrad.fuse.graph import SPELLING, Graph

Made = TypeVar("Made")
Step = tuple[str, tuple[int, ...]]  # an operation and its operands, as `Graph` numbers them
# Of a matrix, of one number for each of its rows or its columns: (-1, n), (-1, 1) or (1, n). How
# many rows there are a formula never knows, for it is given a few at a time.
Shape = tuple[int, int]
ROW = (-1, 1)


class Tape:
    """What symbols write to: the operations so far, and the numbers that went into them."""

    __slots__ = ("calls", "count", "dtype", "numbers", "shapes", "steps")

    def __init__(self, inputs: int, dtype: Any = None, shapes: Sequence[Shape] = ()) -> None:
        self.dtype = dtype  # of all arrays, where that is known
        self.shapes = list(shapes)  # of all symbols; none where the arrays are vectors, all alike
        self.count = inputs  # of symbols, the inputs first
        self.steps: list[Step] = []
        self.numbers: list[float] = []
        self.calls: dict[str, Callable[..., Any]] = {}  # what is computed by a function, by name

    def operand(self, x: Any) -> int:
        """Return the number of an operand: k ≥ 0 is a symbol, -1 - k the k-th scalar."""
        if type(x) is Symbol:
            if x.tape is not self:
                raise TypeError("an operand is of another formula")
            return x.index
        if not isinstance(x, (int, float)) and getattr(x, "ndim", None) != 0:
            raise TypeError(f"an operand is a {type(x).__name__}, and not a number")
        self.numbers.append(float(x))
        return -len(self.numbers)

    def record(self, name: str, *operands: Any) -> Symbol:
        """Write down one operation and return its result."""
        numbers = tuple([self.operand(x) for x in operands])
        if self.shapes:
            shapes = [self.shapes[k] for k in numbers if k >= 0]
            rows = -1 if any(shape[0] == -1 for shape in shapes) else 1
            self.shapes.append((rows, max(shape[1] for shape in shapes)))
        self.steps.append((name, numbers))
        self.count += 1
        return Symbol(self, self.count - 1)

    def reduce(self, name: str, *operands: Symbol) -> Symbol:
        """Write down what makes one number of each row."""
        if any(x.shape[0] != -1 for x in operands):
            raise TypeError(f"{name} is of rows")
        self.calls[name] = _REDUCTIONS[name]
        result = self.record(name, *operands)
        self.shapes[result.index] = ROW
        return result


class Symbol:
    """An input of the formula, or the result of an operation on symbols."""

    __slots__ = ("index", "tape")
    __array_ufunc__ = None  # a NumPy number on the left leaves the operation to the symbol

    def __init__(self, tape: Tape, index: int) -> None:
        self.tape = tape
        self.index = index

    def __primitive__(self, op: Any, inputs: tuple[Any, ...], params: dict[str, Any]) -> Symbol:
        """Return the result of one of minigrad's operations that has this symbol as an input."""
        name = op.__name__
        if name == "power":
            return inputs[0] ** params["exponent"]  # type: ignore[no-any-return]
        if name == "clip":
            low, high = params["low"], params["high"]
            above = self if low is None else self.tape.record("maximum", self, low)
            return above if high is None else self.tape.record("minimum", above, high)
        ours = op.forward.__module__.startswith("minigrad.")
        if ours and self.tape.shapes and name in _OF_ROWS:
            return op.forward(NAMES, *inputs, **params)  # type: ignore[no-any-return]
        if op.kind == "linear" or op.kind == "bilinear":
            raise TypeError(f"{name} is not elementwise")
        if op.kind == "elementwise" and not (ours and name in SPELLING):
            try:
                return op.forward(NAMES, *inputs, **params)  # type: ignore[no-any-return]
            except (TypeError, AttributeError):
                pass  # it does what symbols cannot, and stays a call
        if name in SPELLING and not ours:
            raise TypeError(f"another operation is called {name}, too")
        if params:
            raise TypeError(f"{name} has keywords")
        self.tape.calls[name] = op
        return self.tape.record(name, *inputs)

    @property
    def dtype(self) -> Any:
        """The dtype of the arrays, where the formula is traced for one."""
        if self.tape.dtype is None:
            raise AttributeError("a formula for arrays of any dtype has none")
        return self.tape.dtype

    @property
    def shape(self) -> Shape:
        """The shape, where the formula is of rows."""
        if not self.tape.shapes:
            raise AttributeError("a formula for vectors of any length has no shape")
        return self.tape.shapes[self.index]

    @property
    def ndim(self) -> int:
        """The number of axes, where the formula is of rows."""
        return len(self.shape)

    def reshape(self, shape: Shape) -> Symbol:
        """Return the symbol itself: rows have one shape, and their sums stay columns."""
        if shape != self.shape:
            raise TypeError(f"a formula of rows cannot make {shape} of {self.shape}")
        return self

    def max(self, axis: Any, keepdims: bool = False) -> Symbol:
        """Return the largest element of each row."""
        return NAMES.max(self, axis, keepdims)

    def __getitem__(self, index: Any) -> Symbol:
        """Return the first element of each row, the one part that a formula may take."""
        if index != (slice(None), slice(0, 1)):
            raise TypeError(f"a formula of rows has no part {index}")
        return self.tape.reduce("row_first", self)

    def astype(self, dtype: Any) -> Symbol:
        """Return a number for a truth value: there is one dtype only."""
        if dtype != self.dtype:
            raise TypeError(f"a formula of {self.dtype} has nothing of {dtype}")
        return self.tape.record("mul", self, 1.0)

    def __pow__(self, exponent: Any) -> Symbol:
        """Return a power; 2 and ½ are operations of their own, 3 to 6 a few products."""
        if type(exponent) is not Symbol and exponent in (0.5, 2):
            return self.tape.record("square" if exponent == 2 else "sqrt", self)
        if type(exponent) is not Symbol and exponent in (3, 4, 5, 6):
            return backend.cpu.products(self, int(exponent))  # type: ignore[no-any-return]
        return self.tape.record("pow", self, exponent)

    def __bool__(self) -> bool:
        raise TypeError("a formula cannot branch on the value of an array; use mg.where")

    def __pos__(self) -> Symbol:
        return self

    __hash__ = None  # type: ignore[assignment]


def _operator(name: str) -> Callable[..., Symbol]:
    def forward(self: Symbol, *other: Any) -> Symbol:
        return self.tape.record(name, self, *other)

    return forward


def _reflected(name: str) -> Callable[..., Symbol]:
    return lambda self, other: self.tape.record(name, other, self)


_OPERATORS = {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "pow", "and": "logical_and", "or": "logical_or",
}  # fmt: skip
_COMPARISONS = {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal",
    "ne": "not_equal", "neg": "neg", "abs": "abs", "invert": "logical_not",
}  # fmt: skip
for _python, _name in _OPERATORS.items():
    if _python != "pow":
        setattr(Symbol, f"__{_python}__", _operator(_name))
    setattr(Symbol, f"__r{_python}__", _reflected(_name))
for _python, _name in _COMPARISONS.items():
    setattr(Symbol, f"__{_python}__", _operator(_name))


class Stack:
    """Values of rows that are one array, of which a formula takes one by its number."""

    def __init__(self, parts: Sequence[Symbol]) -> None:
        self.parts = parts

    def __getitem__(self, index: int) -> Symbol:
        return self.parts[index]

    def __primitive__(self, op: Any, inputs: tuple[Any, ...], params: dict[str, Any]) -> Symbol:
        """Return the part that is asked for; nothing else can be done to all of them."""
        if op.__name__ != "getitem" or len(params["index"]) != 1:
            raise TypeError(f"{op.__name__} is not elementwise")
        return self[params["index"][0]]


def _row_dot(a: Array, b: Array) -> Array:
    """Return the inner products of rows; half the time of Einstein's sum, as quiet as that."""
    with backend.cpu.errstate(over="ignore", invalid="ignore", under="ignore"):
        return backend.cpu.vecdot(a, b)[:, None]


# What operations of minigrad's may do to rows, and how one number of each is computed.
_OF_ROWS = {"sum", "max", "einsum", "reshape"}
_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "row_sum": lambda x: backend.cpu.sum(x, axis=(1,), keepdims=True),
    "row_max": lambda x: x.max(1, keepdims=True),
    "row_dot": _row_dot,
    "row_first": lambda x: x[:, :1],
}


class _Names:
    """A backend whose functions take symbols, for the forward function of an operation."""

    def __getattr__(self, name: str) -> Any:
        operation = _FUNCTIONS.get(name)
        if operation is None:
            return getattr(backend.cpu, name)

        def function(*operands: Any, out: Any = None) -> Any:  # a symbol needs no place
            for x in operands:
                if type(x) is Symbol:
                    return x.tape.record(operation, *operands)
            return getattr(backend.cpu, name)(*operands)

        return function

    def relu(self, x: Any) -> Any:
        """Return max(x, 0)."""
        return self.maximum(x, 0.0)

    def known_finite(self, x: Any) -> bool:
        """Say that it is not known."""
        return False

    def isinf(self, x: Any) -> Any:
        """Say where x is infinite."""
        return abs(x) == math.inf

    def sum(self, x: Symbol, axis: Any, keepdims: bool = False) -> Symbol:
        """Return the sum of each row."""
        return self._reduce("sum", x, axis, keepdims)

    def max(self, x: Symbol, axis: Any, keepdims: bool = False) -> Symbol:
        """Return the largest element of each row."""
        return self._reduce("max", x, axis, keepdims)

    def _reduce(self, name: str, x: Symbol, axis: Any, keepdims: bool) -> Symbol:
        if axis not in (1, (1,)) or not keepdims:
            raise TypeError(f"a formula of rows has no {name} over {axis} but a column's")
        return x.tape.reduce(f"row_{name}", x)

    def einsum(self, spec: str, a: Symbol, b: Symbol, optimize: bool = False) -> Symbol:
        """Return the inner product of each row of a with that of b, already a column."""
        if spec != "ab,ab->a":
            raise TypeError(f"a formula of rows has no {spec}")
        return a.tape.reduce("row_dot", a, b)


_FUNCTIONS = {ufunc: operation for operation, (ufunc, _) in SPELLING.items()} | {"abs": "abs"}
NAMES = _Names()


class Trace:
    """One call of a formula: its graph, the numbers of this call, and what else it returned."""

    __slots__ = ("graph", "numbers", "rest", "shapes")

    def __init__(
        self, graph: Graph, numbers: list[float], rest: list[Any], shapes: list[Shape]
    ) -> None:
        self.graph = graph
        self.numbers = numbers
        self.rest = rest
        self.shapes = shapes  # of the outputs, where those of the inputs were given


_graphs: dict[Any, Graph] = {}
_MOST = 64  # traces of a formula: one for each dtype, each kind of input, each value of a keyword


def remembered(
    traces: dict[Any, Made | None], key: tuple[Any, ...], make: Callable[[], Made | None]
) -> Made | None:
    """Return the trace (or what was made of one) of a key, made if it is not among the others.

    None if there is none.
    """
    try:
        return traces[key]
    except KeyError:
        pass
    except TypeError:  # a keyword is an array
        return None
    if len(traces) >= _MOST:
        traces.clear()
    try:
        known = make()
    except (TypeError, ValueError, AttributeError):
        known = None
    traces[key] = known
    return known


def trace(
    formula: Callable[..., Any],
    inputs: Sequence[str],
    outputs: Sequence[str],
    dtype: Any = None,
    shapes: Sequence[Shape] = (),
) -> Trace:
    """Call ``formula(*inputs) → (*outputs, *rest)`` with symbols, of a dtype if that is given.

    `inputs` and `outputs` are names. An output of an input's name takes that input's place; where
    the formula returns the input itself, there is nothing to do. What else it returns is kept.
    With `shapes`, one for each input, the formula is of rows, and may reduce them.

    Raises TypeError or AttributeError for a formula that does what symbols cannot.
    """
    tape = Tape(len(inputs), dtype, shapes)
    results = list(formula(*[Symbol(tape, i) for i in range(len(inputs))]))
    changed = [(name, tape.operand(x)) for name, x in zip(outputs, results, strict=False)]
    long = tuple((rows == -1, columns != 1) for rows, columns in tape.shapes)
    key = (*inputs, *tape.steps, *changed, long)
    graph = _graphs.get(key)
    if graph is None:
        if len(_graphs) >= 1024:  # formulas that never do the same twice must not fill the memory
            _graphs.clear()
        graph = Graph(inputs, tape.steps, changed, len(tape.numbers), tape.calls, long)
        _graphs[key] = graph
    kept = [tape.shapes[k] if k >= 0 else (1, 1) for _, k in changed] if shapes else []
    return Trace(graph, tape.numbers, results[len(outputs) :], kept)
