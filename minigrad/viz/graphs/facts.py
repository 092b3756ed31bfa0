"""Facts about arrays and nodes: statistics, floating-point operations, the memory that is kept."""

from __future__ import annotations

import math
from collections.abc import Iterable

from minigrad import backend
from minigrad.backend import Array
from minigrad.node import Node
from minigrad.viz.graphs.data import Memory, Saved, Statistics

SMALL = 64  # arrays of so many elements are shown whole


def statistics(array: Array) -> Statistics:
    """Return the statistics of an array, with the numbers themselves if they are few."""
    xp = backend.cpu
    host = xp.asarray(backend.of((array,)).to_host(array))
    numbers = host.tolist() if host.size <= SMALL else None
    wide = host.ravel().astype("float64")
    good = wide[xp.isfinite(wide)]
    zeros, bad = int((wide == 0).sum()), int(wide.size - good.size)
    if not good.size:
        nan = math.nan
        return Statistics(host.shape, nan, nan, nan, nan, nan, zeros, bad, numbers)
    scale = float(xp.abs(good).max()) or 1.0  # squares of large numbers do not overflow
    mean = float((good / scale).mean()) * scale
    norm = float(((good / scale) ** 2).sum() ** 0.5) * scale
    deviation = float((((good - mean) / scale) ** 2).mean() ** 0.5) * scale
    low, high = float(good.min()), float(good.max())
    return Statistics(host.shape, low, high, mean, deviation, norm, zeros, bad, numbers)


def flops(node: Node) -> int:
    """Return how many floating-point operations a node took, additions and multiplications alike.

    A product of matrices (m, k) and (k, n) takes 2mkn. An elementwise operation takes one for each
    element of the result, whatever the function; a reduction one for each element of its input; a
    view none.
    """
    op, shapes = node.op, [_shape(node, i) for i in range(len(node.parents))]
    if op.__name__ in ("matmul", "affine") and shapes[0]:
        bias = node.size if op.__name__ == "affine" else 0
        return 2 * node.size * shapes[0][-1] + bias
    if op.__name__ == "einsum":
        terms = node.params["spec"].partition("->")[0].split(",")
        known = zip(terms, shapes, strict=True)
        sizes = {c: n for term, shape in known for c, n in zip(term, shape, strict=False)}
        return len(terms) * math.prod(sizes.values())
    if op.view:
        return 0
    if op.kind == "elementwise":
        return node.size
    return max(node.size, *(math.prod(shape) for shape in shapes), 0)


def _shape(node: Node, i: int) -> tuple[int, ...]:
    """Return the shape of a node's input; of a constant that was not kept, ()."""
    known = node.values[i] if node.parents[i] is None else node.parents[i]
    return tuple(getattr(known, "shape", ()))


class Ledger:
    """The memory that nodes keep for their rules; each piece is entered once.

    Leaves' memory is alive without the graph. Where a leaf is part of a larger piece (an optimizer
    has all parameters in one vector; a batch may be a slice of the data), only the leaf counts.
    """

    def __init__(self, leaves: Iterable[Array]) -> None:
        self.memories: list[Memory] = []
        self._leaves: dict[int, list[Array]] = {}  # by the identity of the array that owns memory
        for array in leaves:
            self._leaves.setdefault(id(backend.owner(array)), []).append(array)
        self._places: dict[int, int] = {}

    def enter(self, node: Node) -> tuple[Saved, ...]:
        """Return what a node keeps."""
        names = [node.op.inputs[0 if node.op.variadic else i] for i in range(len(node.values))]
        kept = [
            (name, x) for name, x in zip(names, node.values, strict=True) if backend.is_array(x)
        ]
        if node.out is not None:
            kept.append(("out", node.out))
        return tuple(
            Saved(name, x.shape, str(x.dtype), int(x.nbytes), self._place(x)) for name, x in kept
        )

    def _place(self, array: Array) -> int:
        owner = backend.owner(array)
        leaves = self._leaves.get(id(owner), [])
        memory = next((leaf for leaf in leaves if _inside(array, leaf)), owner)
        place = self._places.get(id(memory))
        if place is None:
            place = self._places[id(memory)] = len(self.memories)
            self.memories.append(Memory(int(memory.nbytes), bool(leaves)))
        return place


def _inside(array: Array, leaf: Array) -> bool:
    """Say whether an array, of the same piece of memory, begins in that of a leaf."""
    return 0 <= _address(array) - _address(leaf) < max(int(leaf.nbytes), 1)


def _address(array: Array) -> int:
    known = getattr(array, "__array_interface__", None) or array.__cuda_array_interface__
    return int(known["data"][0])
