"""The update of an optimizer as a graph: its formula as it is traced, and run as one pass.

A formula that cannot be traced is called with tensors, and its graph is the engine's; that is
`collect.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from minigrad import fuse, ops
from minigrad.mode import enable_grad
from minigrad.optim import Optimizer
from minigrad.optim.flat import Flat
from minigrad.primitive import Primitive
from minigrad.tensor import Tensor
from minigrad.viz.graphs.data import Box, Edge, Graph, Vertex
from minigrad.viz.graphs.rules import described
from minigrad.viz.graphs.trace import Trace

_SIGNS = {
    "add": "+", "sub": "−", "mul": "×", "div": "÷", "pow": "^", "equal": "=", "not_equal": "≠",
    "less": "<", "less_equal": "≤", "greater": ">", "greater_equal": "≥",
}  # fmt: skip
Formula = Callable[..., Any]


def formulas(optimizer: Optimizer) -> Iterator[tuple[str, Flat, Formula]]:
    """Yield of each vector of parameters the name of its group and the formula of its next step.

    The formula is ``theta, g, *states → theta, *states, *numbers``. Raises TypeError for a method
    that has none.
    """
    if not hasattr(optimizer, "update"):
        raise TypeError(
            f"{optimizer.name} goes along a direction that it computes from the loss, and has no "
            "formula to draw; the product with the Hessian that it uses is viz.graph(loss, order=2)"
        )
    for k, (group, flats) in enumerate(zip(optimizer.param_groups, optimizer._flats, strict=True)):
        step = optimizer.formula(group)
        for flat in flats:
            made, *numbers = flat.clocks[0]
            yield f"group {k}", flat, _at(step, int(made) + 1, numbers)


def _at(step: Formula, t: int, numbers: list[float]) -> Formula:
    return lambda *arrays: step(t, *arrays, *numbers)


def traceable(optimizer: Optimizer) -> bool:
    """Say whether every formula of an optimizer can be traced."""
    try:
        for _, _, formula in formulas(optimizer):
            _trace(optimizer, formula)
    except (TypeError, ValueError, AttributeError):
        return not hasattr(optimizer, "update")  # then `traced` explains
    return True


def traced(what: Any) -> Graph:
    """Return the graph of an optimizer's next step, or of a formula that `fuse` has traced.

    Raises TypeError for an optimizer that has no formula.
    """
    writer = _Writer()
    if isinstance(what, fuse.Trace):
        writer.add(what.graph, what.numbers)
    elif isinstance(what, fuse.Graph):
        writer.add(what)
    else:
        several = sum(map(len, what._flats)) > 1
        for name, flat, formula in formulas(what):
            trace = _trace(what, formula)
            box = writer.box(name, what.name) if several else ""
            sizes = (flat.vector.shape, str(flat.vector.dtype), flat.tensors[0].device)
            writer.add(trace.graph, trace.numbers, box, *sizes)
    return writer.graph()


def _trace(optimizer: Optimizer, formula: Formula) -> fuse.Trace:
    names = optimizer.state_names
    return fuse.trace(formula, ("theta", "g", *names), ("theta", *names))


def tensors(optimizer: Optimizer) -> tuple[list[Tensor], list[tuple[str, Tensor]], Trace]:
    """Return what the engine computes of an optimizer's next step, the names, and the trace.

    A gradient that is not there is zero. The optimizer stays as it is.
    """
    results: list[Tensor] = []
    named: list[tuple[str, Tensor]] = []
    states = optimizer.state_names
    with enable_grad(), Trace() as watched:
        for group, flat, formula in formulas(optimizer):
            gradient = flat.xp.zeros_like(flat.vector)
            for i, p in enumerate(flat.tensors):
                if p.grad is not None:
                    flat.shaped(i, gradient)[...] = p.grad.data
            arrays = [flat.vector, gradient, *[flat.states[name] for name in states]]
            inputs = [Tensor.of(array) for array in arrays]
            for name, x in zip(("theta", "g", *states), inputs, strict=True):
                x.requires_grad = True
                x.name = name
            named.append(("theta", inputs[0]))
            with watched.inside(group, optimizer.name):
                made = formula(*inputs)
            before = [inputs[0], *inputs[2:]]
            for name, old, new in zip(("theta", *states), before, made, strict=False):
                if new is not old:
                    new.name = f"new {name}"
                    results.append(new)
    return results, named, watched


class _Writer:
    """Collects the records of traced formulas."""

    def __init__(self) -> None:
        self.vertices: list[Vertex] = []
        self.edges: list[Edge] = []
        self.boxes: list[Box] = []
        self.rules: dict[str, Any] = {}

    def graph(self) -> Graph:
        """Return the graph."""
        parts = tuple(self.vertices), tuple(self.edges), tuple(self.boxes)
        return Graph(*parts, rules=self.rules)

    def box(self, name: str, kind: str) -> str:
        """Add a box and return its key."""
        self.boxes.append(Box(f"b{len(self.boxes)}", name, kind))
        return self.boxes[-1].key

    def add(
        self,
        graph: fuse.Graph,
        numbers: list[float] | None = None,
        box: str = "",
        shape: tuple[int, ...] = (),
        dtype: str = "",
        device: str = "",
    ) -> None:
        """Add a graph of instructions; `numbers` are its scalars, where they are known.

        Without a dtype the vectors may have any length.
        """
        keys: dict[int, str] = {}

        def enter(kind: str, name: str, **facts: Any) -> str:
            key = f"n{len(self.vertices)}"
            it = Vertex(key, kind, name, shape, dtype, box=box, device=device, **facts)
            self.vertices.append(it)
            return key

        for i, name in enumerate(graph.inputs):
            if name in graph.reads:
                known = name == "theta" and bool(dtype)
                role = {"kind": "parameter"} if known else {"kind": "tensor", "role": "input"}
                keys[i] = enter(name=name, **role)
        for step in graph.instructions:
            scalars = {x: _scalar(x, numbers) for x in step.operands if x < 0}
            keys[step.result] = key = enter(
                "operation", step.operation, detail=_detail(step, scalars),
                flops=shape[0] if shape else 0,
            )  # fmt: skip
            inputs = enumerate(step.operands)
            self.edges += [Edge(keys[x], key, slot) for slot, x in inputs if x >= 0]
            op = graph.calls.get(step.operation) or getattr(ops, step.operation, None)
            if isinstance(op, Primitive):
                self.rules.setdefault(step.operation, described(op))
        for name, x in graph.outputs.items():
            key = enter("tensor", f"new {name}", role="output")
            if x >= 0:
                self.edges.append(Edge(keys[x], key))


def _scalar(operand: int, numbers: list[float] | None) -> str:
    return f"c{-1 - operand}" if numbers is None else f"{numbers[-1 - operand]:.6g}"


def _detail(step: fuse.Instruction, scalars: dict[int, str]) -> str:
    """Return what an instruction does with numbers: ``× 0.9``, or ``1 −``, or ``(·, 0)``."""
    if not scalars:
        return ""
    sign = _SIGNS.get(step.operation)
    if sign is None or len(step.operands) != 2 or len(scalars) != 1:
        return f"({', '.join(scalars.get(x, '·') for x in step.operands)})"
    left, right = (scalars.get(x, "") for x in step.operands)
    return f"{left} {sign} {right}".strip()
