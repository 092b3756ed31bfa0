"""The engine's own sweep backward, watched: its steps, or the graph that it records.

The order and the numbers are the engine's, since it is the engine that sweeps. Gradient hooks of
nodes run, as they do in `backward`; no ``.grad`` is changed, and the graph is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from minigrad import autograd, backend
from minigrad.mode import Setting, enable_grad, no_grad
from minigrad.node import Node
from minigrad.tensor import Tensor
from minigrad.viz.graphs.data import Statistics
from minigrad.viz.graphs.facts import statistics


@dataclass(slots=True)
class Pulled:
    """One step: the node, its gradient, and the parents whose gradients it adds to."""

    node: Node
    gradient: Statistics
    adds: list[tuple[Any, Statistics | None, Statistics]]


class _Watched(dict[int, Any]):
    """The gradients of a sweep by identity, with statistics of each as soon as it is there."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[int, Statistics] = {}
        self.steps: list[Pulled] = []
        self._parents: dict[int, Any] = {}

    def __setitem__(self, key: int, value: Any) -> None:
        super().__setitem__(key, value)
        before, after = self.known.get(key), statistics(_array(value))
        self.known[key] = after
        if self.steps and key in self._parents:
            self.steps[-1].adds.append((self._parents[key], before, after))

    def lift(self, node: Node, g: Any) -> list[Any]:
        """Begin a step, and give the node's rules their arrays."""
        self.known[id(node)] = found = statistics(_array(g))
        self.steps.append(Pulled(node, found, []))
        self._parents = {id(parent): parent for parent in node.parents if parent is not None}
        return autograd._arrays(node, g)


def _array(value: Any) -> Any:
    return value if backend.is_array(value) else backend.cpu.asarray(value)


def steps(roots: Sequence[Tensor]) -> tuple[list[Pulled], dict[int, Statistics]]:
    """Return the steps of the sweep from the sum of the roots, and the gradients by identity.

    The identities are those of nodes and of leaves.
    """
    gradients = _Watched()
    for root in roots:
        if root.node is not None:
            seed = backend.of((root.data,)).ones(root.shape, root.dtype)
            autograd._add(gradients, root.node, seed)
    nodes, _ = autograd._reach([root for root in roots if root.node is not None])
    with no_grad():
        autograd._run(nodes, gradients, None, None, True, gradients.lift)
    return gradients.steps, gradients.known


@dataclass(slots=True)
class Differentiated:
    """The graph of a gradient: its results by name, and what each of its nodes belongs to."""

    roots: list[Tensor]
    ties: dict[int, tuple[int, int | None]]  # a node's number → its sweep, and the node it is for
    values: dict[int, Any]  # a node's number → its value
    names: dict[int, str]  # the names of the tensors that begin it, by identity
    keep: list[Any]  # what must not be freed while these identities are used


def differentiate(roots: Sequence[Tensor], leaves: dict[int, str], order: int) -> Differentiated:
    """Return the gradient of the sum of the roots as a graph; for order 2, its product with v too.

    `leaves` has the names of all leaves by identity. The sweep begins with a seed of ones that
    requires a gradient, so that every operation of the sweep is recorded, also those that depend
    on no parameter. The second begins at the gradients with v, ones too, which makes H v.
    """
    found = Differentiated([], {}, {}, {}, [])
    current: list[Any] = [1, None]

    def note(node: Node, value: Any) -> None:
        found.ties[node.order] = (current[0], current[1])
        found.values[node.order] = value

    def lift(node: Node, g: Any) -> list[Any]:
        current[1] = node.order
        if current[0] > 1:  # newest first: all of the gradient's operations, then the forward ones
            current[0] = 2 if node.order in found.ties else 3
        return autograd._tensors(node, g)

    def sweep(from_: Sequence[Tensor], names: list[str], wanted: set[int] | None) -> dict[int, Any]:
        gradients: dict[int, Any] = {}
        for root, name in zip(from_, names, strict=True):
            seed = Tensor.of(backend.of((root.data,)).ones(root.shape, root.dtype))
            seed.requires_grad = True
            seed.name = found.names[id(seed)] = name
            found.keep.append(seed)
            autograd._add(gradients, root.node, seed)
        nodes, _ = autograd._reach(from_)
        useful = None if wanted is None else autograd._useful(nodes, wanted)
        autograd._run(nodes, gradients, wanted, useful, True, lift)
        return gradients

    with enable_grad(), _watching(note):
        tensors = [x for x in autograd._reach(list(roots))[1] if id(x) in leaves]
        starts = [root for root in roots if root.node is not None]
        seeds = ["seed"] if len(starts) == 1 else [f"seed {i}" for i in range(len(starts))]
        gradients = sweep(starts, seeds, None)
        results = [(x, gradients[id(x)]) for x in tensors if id(x) in gradients]
        for x, g in results:
            g.name = f"gradient of {leaves[id(x)]}"
        found.roots = [g for _, g in results]
        if order == 2:
            current[:] = [2, None]
            made = [(x, g) for x, g in results if g.node is not None]
            vectors = [f"v of {leaves[id(x)]}" for x, _ in made]
            second = sweep([g for _, g in made], vectors, {id(x) for x in tensors})
            products = [(x, second[id(x)]) for x in tensors if id(x) in second]
            for x, product in products:
                product.name = f"H v of {leaves[id(x)]}"
            found.roots += [product for _, product in products]
    return found


@contextmanager
def _watching(note: Any) -> Iterator[None]:
    with Setting("watched", True), Setting("watch", note):
        yield
