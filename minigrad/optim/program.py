"""Program: a formula written out as a list of array instructions that reuse a few buffers.

A formula in operators allocates an array for every intermediate result. Called once with symbols
instead of arrays, it shows its expressions; written out, each instruction is one NumPy ufunc into a
buffer that no later instruction reads, and a block of the vector stays in the cache from the first
instruction to the last. The formula is the text of the method, and the only one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from minigrad import backend, ops
from minigrad.backend import Array
from minigrad.ops.elementwise import power
from minigrad.ops.methods import attach_operators
from minigrad.optim.flat import Flat, Span
from minigrad.primitive import Primitive

Formula = Callable[..., Any]

_UFUNCS = {
    ops.add: "add",
    ops.sub: "subtract",
    ops.mul: "multiply",
    ops.div: "divide",
    ops.neg: "negative",
    ops.abs: "absolute",
    ops.sign: "sign",
    ops.sqrt: "sqrt",
    ops.square: "square",
    ops.exp: "exp",
    ops.log: "log",
    ops.maximum: "maximum",
    ops.minimum: "minimum",
}


def advance(formula: Formula, flat: Flat, spans: list[Span], method: Any) -> list[Any]:
    """Run one step of a formula ``theta, g, *states → theta, *states, *numbers`` over spans.

    The vector and the states of `flat`, named by ``method.state_names``, change in place; the
    numbers are returned. On the CPU, several blocks run as a program.
    """
    names = method.state_names
    if flat.xp is not backend.cpu or len(spans) < 2:
        return _call(formula, flat, spans, names)
    try:
        program = Program(formula, len(names))
    except (TypeError, ValueError, AttributeError) as error:
        warnings.warn(
            f"{type(method).__name__}: the formula runs as plain array code, more slowly, since it "
            f"could not be written out as a program ({error})",
            stacklevel=4,
        )
        return _call(formula, flat, spans, names)
    vectors = [flat.vector, flat.vector]  # the second one's place is the gradient's
    for k, name in enumerate(names, start=2):
        vectors.append(flat.owned(name) if k in program.targets else flat.states[name])
    program.run(vectors, spans)
    return program.numbers


def _call(formula: Formula, flat: Flat, spans: list[Span], names: tuple[str, ...]) -> list[Any]:
    """Call the formula with arrays, span by span."""
    rest: list[Any] = []
    for start, stop, g in spans:
        theta = flat.vector[start:stop]
        states = [flat.states[name][start:stop] for name in names]
        new, *rest = formula(theta, g, *states)
        changed = [
            (name, value.copy() if any(value is x for x in (theta, *states)) else value)
            for name, old, value in zip(names, states, rest, strict=False)
            if value is not old
        ]
        theta[...] = new
        for name, value in changed:
            flat.write(name, start, stop, value)
    return rest[len(names) :]


class Symbol:
    """An array that is not there: an input of the formula, or the result of an operation."""

    __slots__ = ("inputs", "op", "params")

    def __init__(self, op: Primitive | None, inputs: tuple[Any, ...], params: dict[str, Any]):
        self.op = op
        self.inputs = inputs
        self.params = params

    def __primitive__(self, op: Primitive, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Return the result of an operation that has this symbol among its inputs."""
        return Symbol(op, inputs, params)

    def __bool__(self) -> bool:
        raise TypeError("a formula cannot branch on the value of an array; use mg.where")


attach_operators(Symbol)


class Program:
    """The instructions of one step: each a ufunc, where it reads, and where it writes.

    Registers 0, 1, 2, … are theta, the gradient and the states; the rest are buffers, as few as
    will do. `targets` maps the registers that get new values to the symbols of those values.
    """

    def __init__(self, formula: Formula, states: int) -> None:
        inputs = [Symbol(None, (), {}) for _ in range(2 + states)]
        results = list(formula(*inputs))
        self.numbers = results[1 + states :]
        homes = [0, *range(2, 2 + states)]
        pairs = zip(homes, results, strict=False)
        self.targets = {k: new for k, new in pairs if new is not inputs[k]}
        self._write(inputs, _order(list(self.targets.values())))

    def _write(self, inputs: list[Symbol], order: list[Symbol]) -> None:
        """Choose for every result the register, a vector or a buffer, that holds it."""
        last: dict[int, int] = {}  # the instruction that reads a symbol last
        for i, symbol in enumerate(order):
            last.update((id(x), i) for x in symbol.inputs)
        last.update((id(new), len(order)) for new in self.targets.values())
        place = {id(symbol): k for k, symbol in enumerate(inputs)}
        home = {id(new): k for k, new in self.targets.items()}
        self.buffers: list[int] = []
        self.constants: dict[int, Any] = {}
        self.code: list[tuple[str | None, Symbol, list[int], int]] = []
        self.size = len(inputs)
        free: list[int] = []
        for i, symbol in enumerate(order):
            ufunc = _ufunc(symbol)
            arguments = []
            for x in symbol.inputs:
                if isinstance(x, Symbol):
                    arguments.append(place[id(x)])
                else:
                    arguments.append(self._new_register())
                    self.constants[arguments[-1]] = x
            pairs = zip(symbol.inputs, arguments, strict=True)
            read_last = {register for x, register in pairs if last[id(x)] == i}
            free.extend(register for register in self.buffers if register in read_last)
            k = home.get(id(symbol), -1)
            if ufunc and k >= 0 and last.get(id(inputs[k]), -1) <= i:
                register = k  # nobody reads the old vector any more
            elif ufunc and free:
                register = free.pop()
            else:
                register = self._new_register()
                if ufunc:
                    self.buffers.append(register)
            place[id(symbol)] = register
            self.code.append((ufunc, symbol, arguments, register))
        self.moves = [(k, place[id(new)]) for k, new in self.targets.items() if place[id(new)] != k]

    def _new_register(self) -> int:
        self.size += 1
        return self.size - 1

    def run(self, vectors: list[Array], spans: list[Span]) -> None:
        """Change the vectors in place, for each span."""
        xp = backend.of(vectors)
        dtype = vectors[0].dtype
        width = max(stop - start for start, stop, _ in spans)
        buffers = [(register, xp.empty(width, dtype)) for register in self.buffers]
        slots: list[Any] = [None] * self.size
        for register, x in self.constants.items():
            # An array of the dtype is taken as it is; a Python number is converted in every call.
            slots[register] = xp.asarray(x, dtype) if isinstance(x, (int, float)) else x
        code = [
            (getattr(xp, ufunc) if ufunc else None, symbol, arguments, register)
            for ufunc, symbol, arguments, register in self.code
        ]
        for start, stop, g in spans:
            slots[: len(vectors)] = [vector[start:stop] for vector in vectors]
            slots[1] = g
            for register, buffer in buffers:
                slots[register] = buffer[: stop - start]
            for ufunc, symbol, arguments, register in code:
                values = [slots[argument] for argument in arguments]
                if ufunc is not None:
                    ufunc(*values, out=slots[register])
                elif symbol.op is not None:
                    slots[register] = symbol.op(*values, **symbol.params)
            moved = [(k, slots[r].copy() if r < len(vectors) else slots[r]) for k, r in self.moves]
            for k, value in moved:
                slots[k][...] = value


def _ufunc(symbol: Symbol) -> str | None:
    """Return the name of the ufunc that computes a symbol into a buffer, if there is one."""
    if symbol.op is power:
        return "square" if symbol.params["exponent"] == 2 else None
    return _UFUNCS.get(symbol.op)  # type: ignore[arg-type]


def _order(results: list[Any]) -> list[Symbol]:
    """Return the operations that the results need, each after those it needs itself."""
    done: dict[int, Symbol] = {}
    stack = [(x, False) for x in reversed(results)]
    while stack:
        symbol, ready = stack.pop()
        if id(symbol) in done or symbol.op is None:
            continue
        if ready:
            done[id(symbol)] = symbol
        else:
            stack.append((symbol, True))
            stack.extend((x, False) for x in reversed(symbol.inputs) if isinstance(x, Symbol))
    return list(done.values())
