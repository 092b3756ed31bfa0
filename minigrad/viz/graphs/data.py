"""The graph of a computation as data: plain records that hold no array, and what they add up to.

A picture keeps no memory alive. What is not here: how the records are collected (`collect.py`), how
boxes fold (`fold.py`), the text that is drawn (`dot.py`), the page (`page.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minigrad.viz.render import FORMATS, RenderError, in_folder, render


@dataclass(frozen=True, slots=True)
class Statistics:
    """What there is to say about an array in a few numbers; of an empty one they are NaN.

    `norm` is the Euclidean norm, `zeros` and `bad` count zeros, and NaNs and infinities, which the
    other numbers leave out. `numbers` has the array itself, as nested lists, if it is small.
    """

    shape: tuple[int, ...]
    min: float
    max: float
    mean: float
    std: float
    norm: float
    zeros: int
    bad: int
    numbers: Any = None


@dataclass(frozen=True, slots=True)
class Saved:
    """An array that an operation keeps for its derivative.

    `name` is the input's in the operation's definition, or ``out``; `bytes` is its own size, and
    `memory` the piece of memory it looks at, a position in `Graph.memories`.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    memory: int


@dataclass(frozen=True, slots=True)
class Memory:
    """A piece of memory that the graph keeps alive; a leaf's would be alive without it."""

    bytes: int
    leaf: bool


@dataclass(frozen=True, slots=True)
class Vertex:
    """An operation, or a tensor that no operation made, or an output."""

    key: str  # unique in the graph
    kind: str  # "operation", "parameter" or "tensor"
    name: str  # the operation's, or the tensor's
    shape: tuple[int, ...]
    dtype: str  # empty where it is not settled: a formula for vectors of any length and dtype
    detail: str = ""  # an operation's keywords
    role: str = ""  # of a tensor: "input", "buffer", "constant", "output"
    device: str = "cpu"
    box: str = ""  # the key of the innermost box that it is in
    line: str = ""  # the user's line that made it, if it was traced
    flops: int = 0  # floating-point operations, as `facts.flops` counts them
    saved: tuple[Saved, ...] = ()
    value: Statistics | None = None
    gradient: Statistics | None = None
    sweep: int = 0  # 0 forward, 1 gradient; of the product with the Hessian 2 back through the
    # gradient, 3 back through the forward pass
    of: str = ""  # the key of the operation that this one is part of differentiating

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Edge:
    """The value of one vertex goes into another, as its input number `slot`."""

    source: str
    target: str
    slot: int = 0


@dataclass(frozen=True, slots=True)
class Box:
    """What stands together: the call of a module, a sweep, or blocks of the same structure.

    `kind` is the module's class, or one of ``"sweep"``, ``"repeat"`` (its children are `count`
    blocks of the same structure), ``"block"`` (one of these, where no module is) and ``"part"``
    (a stretch of a long computation).
    """

    key: str
    name: str
    kind: str
    detail: str = ""
    parent: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class Added:
    """A gradient that a step of the sweep adds to: its vertex, and what it is before and after."""

    target: str
    slot: int
    before: Statistics | None
    after: Statistics


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the sweep backward: an operation, its gradient, and the gradients it adds to."""

    vertex: str
    gradient: Statistics
    adds: tuple[Added, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """What a graph, or a box of it, adds up to; memory that several keep is counted once.

    `kept` is in bytes, `kept_by_leaves` the part of it that parameters and inputs hold anyway.
    """

    operations: int
    parameters: int
    numbers: int  # elements of the parameters
    flops: int
    kept: int
    kept_by_leaves: int


@dataclass(frozen=True, slots=True)
class Graph:
    """The vertices and edges of a computation, inputs first, and the boxes they are in.

    A notebook shows it as a picture. `dot` is its text in Graphviz's language. `steps` is the sweep
    backward in the order the engine takes, if gradients were asked for.
    """

    vertices: tuple[Vertex, ...]
    edges: tuple[Edge, ...]
    boxes: tuple[Box, ...] = ()
    memories: tuple[Memory, ...] = ()
    steps: tuple[Step, ...] = ()
    rules: dict[str, Any] = field(default_factory=dict)  # by an operation's name: its derivative
    title: str = ""
    show: tuple[str, ...] = ("shape", "dtype")
    depth: int | None = None
    repeats: bool = True

    @property
    def dot(self) -> str:
        """The graph in DOT, Graphviz's language, folded as `depth` and `repeats` say."""
        from minigrad.viz.graphs.dot import write

        return write(self)

    def totals(self, vertices: Iterable[Vertex] | None = None) -> Totals:
        """Return what the graph, or some of its vertices, adds up to."""
        chosen = list(self.vertices if vertices is None else vertices)
        parameters = [v for v in chosen if v.kind == "parameter"]
        held = [self.memories[i] for i in {s.memory for v in chosen for s in v.saved}]
        return Totals(
            operations=sum(v.kind == "operation" for v in chosen),
            parameters=len(parameters),
            numbers=sum(v.size for v in parameters),
            flops=sum(v.flops for v in chosen),
            kept=sum(memory.bytes for memory in held),
            kept_by_leaves=sum(memory.bytes for memory in held if memory.leaf),
        )

    def save(self, path: str | Path) -> Path:
        """Write the graph to a file, in the format of the name's ending, and return its path.

        The endings are .html (a page to look around in, see `viz.html`), .dot (or .gv), .svg, .png
        and .pdf; the last three are drawn by Graphviz or by the wheel graphviz-pure.

        Raises ValueError for another ending, FileNotFoundError if there is no such folder,
        RenderError if there is no program to draw it.
        """
        path = in_folder(path)
        ending = path.suffix.lower().removeprefix(".")
        if ending in ("html", "htm"):
            from minigrad.viz.graphs.page import page

            content = page(self).encode()
        elif ending in ("dot", "gv"):
            content = self.dot.encode()
        elif ending in FORMATS:
            content = render(self.dot, ending)
        else:
            raise ValueError(
                f"a graph is saved as .html, .dot, .{', .'.join(FORMATS)}, not as {path.name!r}"
            )
        path.write_bytes(content)
        return path

    def _repr_svg_(self) -> str | None:
        """Return what a notebook shows, or None where nothing draws it, as the bundle says."""
        try:
            return render(self.dot, "svg").decode()
        except RenderError:
            return None

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return what a notebook shows: the picture, or where nothing draws it, what to install."""
        try:
            return {"image/svg+xml": render(self.dot, "svg").decode(), "text/plain": repr(self)}
        except RenderError as error:
            return {"text/plain": f"{self!r}\n{error}"}

    def __repr__(self) -> str:
        return f"<graph: {self.caption()}>"

    def caption(self) -> str:
        """Return a line that says how large it is."""
        totals = self.totals()
        text = count(totals.operations, "operation")
        if totals.parameters:
            numbers = count(totals.numbers, "number")
            text += f", {count(totals.parameters, 'parameter')} of {numbers}"
        return text


def count(number: int, noun: str) -> str:
    """Return a number and its noun: ``1,234 operations``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
