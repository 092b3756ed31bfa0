"""From the engine's nodes to the records of a graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from minigrad import backend
from minigrad.mode import GraphError
from minigrad.node import Node
from minigrad.tensor import Tensor
from minigrad.viz.graphs import sweep
from minigrad.viz.graphs.data import Added, Box, Edge, Graph, Statistics, Step, Vertex
from minigrad.viz.graphs.facts import Ledger, flops, statistics
from minigrad.viz.graphs.rules import described
from minigrad.viz.graphs.trace import Trace

# A product with the Hessian goes backward through the gradient's operations, then the forward ones.
SWEEPS = (
    "forward",
    "gradient",
    "Hessian-vector product: back through the gradient",
    "Hessian-vector product: back through the forward pass",
)


class Collector:
    """Collects the graph of some tensors; see `graphs.graph` for the arguments.

    `named` has the tensors that have names, with their roles.
    """

    def __init__(
        self,
        roots: Sequence[Tensor],
        named: Sequence[tuple[Tensor, str, str]],
        trace: Trace | None,
        show: Iterable[str],
        order: int,
    ) -> None:
        self.names: dict[int, tuple[str, str]] = {}  # of a tensor, or of its array, by identity
        self.alive: list[Any] = []  # whatever an identity was taken of
        for tensor, name, role in named:
            for thing in (tensor, tensor.data):
                self.names.setdefault(id(thing), (name, role))
                self.alive.append(thing)
        self.trace = trace
        self.show = set(show)
        self.order = order
        self.roots = list(roots)
        self.vertices: dict[str, Vertex] = {}
        self.keys: dict[int, str] = {}  # identity → key
        self.edges: list[Edge] = []
        self.boxes: dict[Any, Box] = {}
        self.ties: dict[int, tuple[int, int | None]] = {}
        self.values: dict[int, Any] = dict(trace.values) if trace else {}  # by a node's number
        self.rules: dict[str, Any] = {}

    def collect(self) -> Graph:
        """Return the graph."""
        forward = nodes_of(self.roots)
        roots = self.roots
        if self.order:
            labels = {
                id(x): self.names.get(id(x), (x.name or "tensor", ""))[0]
                for x in leaves_of(forward)
            }
            found = sweep.differentiate(roots, labels, self.order)
            self.alive.append(found)
            self.ties = found.ties
            self.values.update(found.values)
            self.names.update({key: (name, "seed") for key, name in found.names.items()})
            roots = [*roots, *found.roots]
        nodes = nodes_of(roots)
        held = [x.data for x in leaves_of(nodes)] + [x for x in self.alive if backend.is_array(x)]
        self.ledger = Ledger(held)
        self._find_values(nodes, roots)
        pulled, gradients = sweep.steps(self.roots) if "gradients" in self.show else ([], {})
        orders: dict[int, str] = {}
        for node in nodes:
            self._operation(node, gradients, orders)
        for root in roots:
            self._output(root, gradients)
        steps = tuple(self._step(step) for step in pulled)
        return Graph(
            tuple(self.vertices.values()),
            tuple(self.edges),
            tuple(self.boxes.values()),
            tuple(self.ledger.memories),
            steps,
            self.rules,
        )

    def _step(self, step: sweep.Pulled) -> Step:
        """Return the record of a step; it adds to the gradients in the order of the inputs."""
        adds, slot = [], -1
        for parent, before, after in step.adds:
            later = range(slot + 1, len(step.node.parents))
            slot = next(i for i in later if step.node.parents[i] is parent)
            adds.append(Added(self.keys[id(parent)], slot, before, after))
        return Step(self.keys[id(step.node)], step.gradient, tuple(adds))

    def _operation(self, node: Node, gradients: dict[int, Statistics], orders: Any) -> None:
        """Add a node, and the leaves it reads that are new."""
        number, of = self.ties.get(node.order, (0, None))
        sources = []
        for slot, (parent, value) in enumerate(zip(node.parents, node.values, strict=True)):
            source = parent if parent is not None else value
            if isinstance(source, Node):
                sources.append((self.keys[id(source)], slot))
            elif isinstance(source, Tensor) or (backend.is_array(source) and source.ndim):
                sources.append((self._leaf(source, gradients), slot))
        key = f"n{len(self.vertices)}"
        value = self.values.get(node.order)
        self.vertices[key] = Vertex(
            key,
            "operation",
            node.op.__name__,
            node.shape,
            str(node.dtype),
            detail(node.params),
            device=self.device,
            box=self._box(node, number, of),
            line=node.line,
            flops=flops(node),
            saved=self.ledger.enter(node),
            value=self._statistics(value),
            gradient=gradients.get(id(node)),
            sweep=number,
            of=orders.get(of, ""),
        )
        self.keys[id(node)] = orders[node.order] = key
        self.edges += [Edge(source, key, slot) for source, slot in sources]
        if node.op.__name__ not in self.rules:
            self.rules[node.op.__name__] = described(node.op)

    def _leaf(self, leaf: Any, gradients: dict[int, Statistics]) -> str:
        """Add a tensor or array that no operation made, once, and return its key."""
        array = leaf.data if isinstance(leaf, Tensor) else leaf
        name, role = self.names.get(id(leaf)) or self.names.get(id(array)) or ("", "")
        known = self.keys.get(id(leaf)) or self.keys.get(id(array))
        if known is not None:
            return known
        if not name:
            given = leaf.name if isinstance(leaf, Tensor) else "constant"
            name, role = given or "tensor", "" if isinstance(leaf, Tensor) else "constant"
        key = f"n{len(self.vertices)}"
        self.vertices[key] = Vertex(
            key,
            "parameter" if role == "parameter" else "tensor",
            name,
            array.shape,
            str(array.dtype),
            role="" if role == "parameter" else role,
            device=backend.device_of(array),
            value=self._statistics(array),
            gradient=gradients.get(id(leaf)),
        )
        self.keys[id(leaf)] = self.keys[id(array)] = key
        self.alive += [leaf, array]
        return key

    def _output(self, root: Tensor, gradients: dict[int, Statistics]) -> None:
        if root.node is None:
            self._leaf(root, gradients)
            return
        key = f"n{len(self.vertices)}"
        source = self.keys[id(root.node)]
        number, _ = self.ties.get(root.node.order, (0, None))
        made = self.vertices[source]
        box = made.box if number else self._sweep_box(0)
        shape, dtype, name = root.shape, str(root.dtype), root.name or "output"
        self.vertices[key] = Vertex(
            key, "tensor", name, shape, dtype, role="output", device=root.device, box=box,
            value=self._statistics(root.data), gradient=made.gradient, sweep=number,
        )  # fmt: skip
        self.edges.append(Edge(source, key))

    # Facts ---------------------------------------------------------------------------------------

    @property
    def device(self) -> str:
        """Where the computation takes place: on one device, or it would not have been possible."""
        return self.roots[0].device

    def _statistics(self, array: Any) -> Statistics | None:
        wanted = not self.show.isdisjoint(("values", "statistics"))
        return statistics(array) if wanted and array is not None else None

    def _find_values(self, nodes: list[Node], roots: Sequence[Tensor]) -> None:
        """Find the values that the graph itself keeps, where no trace has noted them."""
        for node in nodes:
            if node.out is not None:
                self.values[node.order] = node.out
            for parent, value in zip(node.parents, node.values, strict=True):
                if isinstance(parent, Node) and value is not parent:
                    self.values[parent.order] = value
        for root in roots:
            if root.node is not None:
                self.values[root.node.order] = root.data

    # Boxes ---------------------------------------------------------------------------------------

    def _sweep_box(self, number: int) -> str:
        if not self.order:
            return ""
        name = SWEEPS[number]
        return self.boxes.setdefault(name, Box(f"b{len(self.boxes)}", name, "sweep")).key

    def _box(self, node: Node, number: int, of: int | None) -> str:
        """Return the key of the box of a node: of its sweep, and of the module's call within."""
        top = self._sweep_box(number)
        while of in self.ties:  # the node that the node it is for is for, down to the forward one
            of = self.ties[of][1]
        if self.trace is None:
            return top
        call = self.trace.places.get(node.order if number == 0 or of is None else of, -1)
        chain = []
        while call >= 0:
            chain.append(call)
            call = self.trace.calls[call].parent
        parent = top
        for call in reversed(chain):
            known = self.boxes.get((number, call))
            if known is None:
                it = self.trace.calls[call]
                name = it.name.rpartition(".")[2] if parent != top else it.name
                key = f"b{len(self.boxes)}"
                known = Box(key, name, it.kind, it.detail, parent)
                self.boxes[number, call] = known
            parent = known.key
        return parent


def nodes_of(roots: Iterable[Tensor]) -> list[Node]:
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


def leaves_of(nodes: Iterable[Node]) -> list[Tensor]:
    """Return the leaves that nodes were computed from, each once."""
    leaves = {id(p): p for node in nodes for p in node.parents if isinstance(p, Tensor)}
    return list(leaves.values())


def detail(params: dict[str, Any]) -> str:
    """Return an operation's keywords as short text: ``axis=0, keepdims=True``."""
    parts = []
    for key, value in params.items():
        plain = isinstance(value, (int, float, str, tuple, type(None)))
        text = str(value) if plain else type(value).__name__
        parts.append(f"{key}={text if len(text) <= 24 else text[:23] + '…'}")
    return ", ".join(parts)
