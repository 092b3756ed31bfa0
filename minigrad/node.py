"""Node: how a tensor was made.

Floor 1. Nodes point to nodes and to leaves, never to the tensor they made: there is no cycle, so
memory is freed with the last reference.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.mode import GraphError, mode, user_line

clock = itertools.count(1)  # ticks when a node is made and when a tensor is changed in place


class Observer:
    """A gradient hook that only looks: a sweep that no gradient is asked of may pass it by."""

    __slots__ = ("_look",)

    def __init__(self, look: Callable[[Any], None]) -> None:
        self._look = look

    def __call__(self, gradient: Any) -> None:
        """Look at a gradient, and leave it as it is."""
        self._look(gradient)


class Node:
    """How a tensor was made: the operation, the parents, the values that its rules read.

    A parent is a Node, a leaf Tensor, or None for a constant. Where a value is not kept, its place
    holds the parent, which knows the shape and the dtype.
    """

    __slots__ = (
        "dtype", "freed", "hooks", "line", "op", "order", "out", "params", "parents", "shape",
        "values", "watched",
    )  # fmt: skip

    def __init__(
        self,
        op: Any,  # the Primitive
        parents: list[Any],
        values: list[Any],
        data: Array,
        keep_out: bool,
        params: dict[str, Any],
        watched: list[list[int]],
    ) -> None:
        self.op = op
        self.parents = parents
        self.values = values
        self.out = data if keep_out else None
        self.params = params
        self.shape = data.shape
        self.dtype = data.dtype
        self.order = next(clock)
        self.watched = watched  # when each kept value was last changed in place
        self.hooks: list[Callable[[Any], Any]] | None = None
        self.freed = False
        self.line = ""
        if mode.watched:
            self.line = user_line()
            if mode.watch is not None:
                mode.watch(self, data)

    @property
    def ndim(self) -> int:
        """The number of axes of the tensor that this node made."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements of the tensor that this node made."""
        size = 1
        for length in self.shape:
            size *= length
        return size

    def kept(self) -> list[Array]:
        """Return the arrays that this node keeps alive for its rules."""
        arrays = [x for x in self.values if backend.is_array(x)]
        return arrays if self.out is None else [*arrays, self.out]

    def check(self) -> None:
        """Raise GraphError if the graph was freed or a kept value was modified in place."""
        if self.freed:
            raise GraphError(
                f"the graph was freed when it was differentiated (at {self.op.__name__}); to do it "
                "twice, call backward(retain_graph=True) the first time"
            )
        for changed in self.watched:
            if changed[0] > self.order:
                shapes = ", ".join(str(x.shape) for x in self.kept())
                raise GraphError(
                    f"a value that {self.op.__name__} kept for its derivative (of shape {shapes}) "
                    "was modified in place since; differentiate before the change (before "
                    "optimizer.step()), or change a copy"
                )

    def free(self) -> None:
        """Let go of everything kept."""
        self.freed = True
        self.parents = self.values = self.watched = []
        self.out = None
