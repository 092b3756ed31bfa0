"""The graph of a computation, as data and as DOT.

A graph is collected once into vertices and edges, plain records that hold no array, so that a
picture keeps no memory alive. What is not here: making a file that a viewer opens (`render.py`).
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minigrad import backend
from minigrad.mode import GraphError
from minigrad.node import Node
from minigrad.tensor import Tensor
from minigrad.viz.render import FORMATS, in_folder, render

# Kinds differ in shape and in color. The colors are tints of Okabe and Ito's palette, which
# remains distinct to color-blind readers and in print.
_STYLE = {
    "operation": 'shape=box style="rounded,filled" fillcolor="#cfe8f7" color="#0072b2"',
    "parameter": 'shape=cylinder margin="0.14,0.1" fillcolor="#fbe3b5" color="#b06f00"',
    "tensor": 'shape=ellipse fillcolor="#eeeeee" color="#666666"',
}
_HEAD = """digraph {
  graph [rankdir=TB nodesep=0.3 ranksep=0.35 labelloc=t]
  graph [fontname="Helvetica" fontsize=11 fontcolor="#555555"]
  node [fontname="Helvetica" fontsize=13 fontcolor="#1a1a1a" style=filled penwidth=1.2]
  node [margin="0.14,0.06" height=0.4]
  edge [color="#555555" arrowsize=0.7]
"""


@dataclass(frozen=True, slots=True)
class Vertex:
    """An operation, or a tensor that no operation made, or an output."""

    key: str  # unique in the graph
    kind: str  # "operation", "parameter" or "tensor"
    name: str  # the operation's, or the tensor's
    shape: tuple[int, ...]
    dtype: str
    detail: str = ""  # an operation's keywords


@dataclass(frozen=True, slots=True)
class Edge:
    """The value of one vertex goes into another, as its input number `slot`."""

    source: str
    target: str
    slot: int = 0


@dataclass(frozen=True, slots=True)
class Graph:
    """The vertices and edges of a computation, inputs first.

    A notebook shows it as a picture. `dot` is its text in Graphviz's language.
    """

    vertices: tuple[Vertex, ...]
    edges: tuple[Edge, ...]

    @property
    def dot(self) -> str:
        """The graph in DOT, Graphviz's language."""
        lines = [_HEAD, f'  label="{self._caption()}"\n']
        lines += [f"  {v.key} [{_STYLE[v.kind]} label=<{_label(v)}>]\n" for v in self.vertices]
        chain = {v.key for v in self.vertices if v.kind == "operation"}
        for e in self.edges:  # a chain of operations is drawn straight, what feeds it beside it
            weight = " [weight=9]" if e.source in chain else ""
            lines.append(f"  {e.source} -> {e.target}{weight}\n")
        return "".join([*lines, "}\n"])

    def save(self, path: str | Path) -> Path:
        """Write the graph to a file, in the format of the name's ending, and return its path.

        The endings are .dot (or .gv), .svg, .png and .pdf; all but the first are drawn by Graphviz
        or by the wheel graphviz-pure.

        Raises ValueError for another ending, FileNotFoundError if there is no such folder,
        RenderError if there is no program to draw it.
        """
        path = in_folder(path)
        ending = path.suffix.lower().removeprefix(".")
        if ending in ("dot", "gv"):
            content = self.dot.encode()
        elif ending in FORMATS:
            content = render(self.dot, ending)
        else:
            raise ValueError(
                f"a graph is saved as .dot, .{', .'.join(FORMATS)}, not as {path.name!r}"
            )
        path.write_bytes(content)
        return path

    def _repr_svg_(self) -> str:
        return render(self.dot, "svg").decode()

    def __repr__(self) -> str:
        return f"<graph: {self._caption()}>"

    def _caption(self) -> str:
        parameters = [v for v in self.vertices if v.kind == "parameter"]
        operations = sum(v.kind == "operation" for v in self.vertices)
        sizes = sum(_size(v.shape) for v in parameters)
        text = _count(operations, "operation")
        return text + f", {_count(len(parameters), 'parameter')} of {_count(sizes, 'number')}"


def graph(outputs: Tensor | Sequence[Tensor], params: Any = None) -> Graph:
    """Return the graph that computed `outputs`, a tensor or several.

    `params` names the parameters: a module, a mapping from name to tensor, or pairs of both. Other
    tensors have their `name`. Those that need no gradient are shown where the graph keeps them.

    Raises TypeError for an output that is no Tensor, GraphError if `backward` freed the graph.
    """
    roots: list[Any] = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    for root in roots:
        if not isinstance(root, Tensor):
            raise TypeError(
                f"a graph ends in tensors, not in {type(root).__name__}; draw what a model "
                "computes: viz.graph(model(x), model)"
            )
    names = {id(tensor): name for name, tensor in _named(params)}
    vertices: dict[int, Vertex] = {}
    edges: list[Edge] = []

    def leaf(value: Any, name: str | None) -> str:
        """Add a tensor or array that no operation made, once, and return its key."""
        known = vertices.get(id(value))
        if known is None:
            kind = "parameter" if id(value) in names else "tensor"
            label = names.get(id(value)) or name or "tensor"
            known = Vertex(f"n{len(vertices)}", kind, label, value.shape, str(value.dtype))
            vertices[id(value)] = known
        return known.key

    for node in _nodes(roots):
        sources = []
        for slot, (parent, value) in enumerate(zip(node.parents, node.values, strict=True)):
            if isinstance(parent, Node):
                sources.append((vertices[id(parent)].key, slot))
            elif isinstance(parent, Tensor):
                sources.append((leaf(parent, parent.name), slot))
            elif backend.is_array(value) and value.ndim:
                sources.append((leaf(value, "constant"), slot))
        key = f"n{len(vertices)}"
        vertices[id(node)] = Vertex(
            key, "operation", node.op.__name__, node.shape, str(node.dtype), _detail(node.params)
        )
        edges += [Edge(source, key, slot) for source, slot in sources]
    for root in roots:
        if root.node is None:
            leaf(root, root.name)
        else:
            source = vertices[id(root.node)].key
            name = root.name or "output"
            end = Vertex(f"n{len(vertices)}", "tensor", name, root.shape, str(root.dtype))
            vertices[id(end)] = end
            edges.append(Edge(source, end.key))
    return Graph(tuple(vertices.values()), tuple(edges))


def _nodes(roots: Iterable[Tensor]) -> list[Node]:
    """Return every node the roots were computed from, the oldest first."""
    found: dict[int, Node] = {}
    stack: list[Any] = [root.node for root in roots]
    while stack:
        node = stack.pop()
        if isinstance(node, Node) and id(node) not in found:
            if node.freed:
                raise GraphError(
                    "the graph was freed by backward(), so there is nothing left to draw; draw it "
                    "before, or keep it with backward(retain_graph=True)"
                )
            found[id(node)] = node
            stack.extend(node.parents)
    return sorted(found.values(), key=lambda node: node.order)


def _named(params: Any) -> Iterable[tuple[str, Tensor]]:
    """Return the pairs of name and tensor in a module, a mapping, or pairs."""
    if params is None:
        return []
    if hasattr(params, "named_parameters"):
        return params.named_parameters()  # type: ignore[no-any-return]
    return params.items() if isinstance(params, Mapping) else params


def _detail(params: dict[str, Any]) -> str:
    """Return an operation's keywords as short text: ``axis=0, keepdims=True``."""
    parts = []
    for key, value in params.items():
        plain = isinstance(value, (int, float, str, tuple, type(None)))
        text = str(value) if plain else type(value).__name__
        parts.append(f"{key}={text if len(text) <= 24 else text[:23] + '…'}")
    return ", ".join(parts)


def _label(v: Vertex) -> str:
    """Return a vertex's label in Graphviz's subset of HTML: its name, and the rest in small."""
    name = _escape(v.name)
    lines = [f"<B>{name}</B>" if v.kind == "operation" else name]
    lines += [_small(_escape(v.detail))] if v.detail else []
    lines.append(_small(_escape(f"{_shape(v.shape)} {v.dtype}")))
    return "<BR/>".join(lines)


def _small(text: str) -> str:
    return f'<FONT POINT-SIZE="10" COLOR="#444444">{text}</FONT>'


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) if shape else "scalar"


def _escape(text: str) -> str:
    """Return text that a label shows as it is: no markup, no control characters."""
    visible = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return html.escape(visible).replace("\\", r"\\") or "&#8203;"


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
