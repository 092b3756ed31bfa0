"""Trace: what a node cannot know by itself. In which module it was made, and from which value.

While a trace is entered, every new node notes the user's line, and the trace notes its value and
the call of a module that it belongs to. Outside, nothing of this costs anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from minigrad.backend import Array
from minigrad.mode import Setting
from minigrad.nn.module import Module
from minigrad.node import Node


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a module: its name, class and description, and the call it was made in, or -1."""

    name: str
    kind: str
    detail: str
    parent: int


class Trace:
    """Watches this thread's computation, a ``with`` block: which module makes which node.

    It holds the values that are made while it is entered, as long as it lives. See `trace`.
    """

    def __init__(self, *modules: Module) -> None:
        for module in modules:
            if not isinstance(module, Module):
                raise TypeError(
                    f"a trace watches modules, not {type(module).__name__}; try viz.trace(model)"
                )
        self.modules = modules
        self.calls: list[Call] = []
        self.places: dict[int, int] = {}  # a node's number → the call that it was made in
        self.values: dict[int, Array] = {}  # a node's number → its value
        self._open: list[tuple[int, int]] = []  # the calls that go on, with their modules' ids
        self._exits: list[Callable[[], None]] = []

    def __enter__(self) -> Trace:
        if self._exits:
            raise RuntimeError("this trace is entered already; make another")
        seen: set[int] = set()
        for root in self.modules:
            for name, module in root.named_modules():
                if id(module) not in seen:
                    seen.add(id(module))
                    self._hook(name, module)
        for setting in (Setting("watched", True), Setting("watch", self._note)):
            setting.__enter__()
            self._exits.append(setting.__exit__)
        return self

    def __exit__(self, *exception: object) -> None:
        while self._exits:
            self._exits.pop()()
        self._open.clear()

    @contextmanager
    def inside(self, name: str, kind: str) -> Iterator[None]:
        """Put what the block computes into a box of its own."""
        self._open.append((len(self.calls), 0))
        self.calls.append(Call(name, kind, "", self._current(-2)))
        try:
            yield
        finally:
            self._open.pop()

    def _hook(self, name: str, module: Module) -> None:
        def begin(child: Module, inputs: Any) -> None:
            call = Call(name, type(child).__name__, child.extra_repr(), self._current())
            self._open.append((len(self.calls), id(child)))
            self.calls.append(call)

        def end(child: Module, inputs: Any, output: Any) -> None:
            while self._open and self._open.pop()[1] != id(child):
                pass  # a call inside it ended by an error

        self._exits.append(module.register_forward_hook(end))
        self._exits.append(module.register_forward_pre_hook(begin))

    def _current(self, i: int = -1) -> int:
        return self._open[i][0] if len(self._open) >= -i else -1

    def _note(self, node: Node, value: Array) -> None:
        self.values[node.order] = value
        if self._open:
            self.places[node.order] = self._open[-1][0]


def trace(*modules: Module) -> Trace:
    """Watch what the block computes, so that its graph knows modules, values and lines.

    >>> with viz.trace(model) as watched:
    ...     loss = loss_fn(model(x), y)
    >>> viz.graph(loss, trace=watched)

    Raises TypeError for what is no module.
    """
    return Trace(*modules)
