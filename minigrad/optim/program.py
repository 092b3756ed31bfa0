"""Program: one step of a formula over the vector that parameters live in.

The formula is traced, and what it did is run as one pass over memory (`minigrad.fuse`). A formula
that cannot be traced is called with arrays, block by block.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from minigrad import backend, fuse
from minigrad.mode import ShapeError
from minigrad.optim.flat import Flat, Span

SMALL = 1 << 14  # elements below which, in NumPy, to trace a formula costs more than it saves

Formula = Callable[..., Any]

_told: set[type] = set()  # the methods of which was said that they run as plain array code


def advance(formula: Formula, flat: Flat, spans: list[Span], method: Any) -> list[Any]:
    """Run one step of a formula ``theta, g, *states → theta, *states, *numbers`` over spans.

    The vector and the states of `flat`, named by ``method.state_names``, change in place; the
    numbers are returned.
    """
    names = method.state_names
    if flat.xp is backend.cpu and len(spans) == 1 and spans[0][2].size < SMALL:
        return _plain(formula, flat, spans, names)
    try:
        trace = fuse.trace(formula, ("theta", "g", *names), ("theta", *names))
    except (TypeError, ValueError, AttributeError) as error:
        _tell(type(method), str(error))
        return _plain(formula, flat, spans, names)
    states = [
        flat.owned(name) if name in trace.graph.outputs else flat.states[name] for name in names
    ]
    if len(spans) == 1 and spans[0][2].size == flat.vector.size:
        pieces = [[flat.vector, spans[0][2], *states]]
    else:
        pieces = [
            [flat.vector[start:stop], g, *[state[start:stop] for state in states]]
            for start, stop, g in spans
        ]
    if not fuse.run(trace.graph, trace.numbers, pieces):
        reason = f"no kernel for {', '.join(trace.graph.unspelled) or flat.vector.dtype}"
        _tell(type(method), reason)
        return _plain(formula, flat, spans, names)
    return trace.rest


def _tell(method: type, reason: str) -> None:
    """Warn, the first time, that a method's formula is not one pass."""
    if method not in _told:
        _told.add(method)
        warnings.warn(
            f"{method.__name__}: the formula runs as plain array code, block by block and more "
            f"slowly, since it could not be made one pass ({reason}); it must be elementwise: a "
            "sum would be that of a block",
            stacklevel=6,
        )


def _plain(formula: Formula, flat: Flat, spans: list[Span], names: tuple[str, ...]) -> list[Any]:
    """Call the formula with arrays, block by block."""
    rest: list[Any] = []
    wide = fuse.computed(flat.vector.dtype)
    for start, stop, g in (part for span in spans for part in _parts(span, flat.block)):
        theta = flat.vector[start:stop]
        states = [flat.states[name][start:stop] for name in names]
        if wide != theta.dtype:
            g, theta, *states = [x.astype(wide) for x in (g, theta, *states)]
        if flat.xp is backend.cpu:
            g.flags.writeable = False  # it is the user's; this is a view
        new, *rest = formula(theta, g, *states)
        if getattr(new, "shape", None) != theta.shape:
            raise ShapeError(
                f"the update returned {getattr(new, 'shape', new)} for parameters of shape "
                f"{theta.shape}; its formula is elementwise"
            )
        inputs = {id(theta), *map(id, states)}  # which change before all results are stored
        changed = [
            (name, value.copy() if id(value) in inputs else value)
            for name, old, value in zip(names, states, rest, strict=False)
            if value is not old
        ]
        flat.vector[start:stop] = new
        for name, value in changed:
            flat.write(name, start, stop, value)
    return rest[len(names) :]


def _parts(span: Span, width: int) -> Any:
    """Yield a span in parts of at most `width` elements; an empty one is one part."""
    start, stop, g = span
    for k in range(0, max(stop - start, 1), width):
        part = g[k : k + width]
        yield start + k, start + k + part.size, part
