"""Modules that hold modules: Sequential and ModuleList."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self, overload

from minigrad.nn.module import Module


class ModuleList(Module):
    """A list of modules whose parameters are found; it has no forward of its own.

    `modules` is an iterable of Modules. It has `append`, ``len``, iteration, indices and slices.
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self._items = ()
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> Self:
        """Add a module at the end; return this container."""
        self._items = (*self._items, self._checked(module))
        return self

    def _checked(self, module: Any) -> Module:
        if isinstance(module, Module):
            return module
        raise TypeError(
            f"{type(self).__name__} holds modules, not {type(module).__name__}; wrap a function in "
            "a Module with a forward"
        )

    def _members(self) -> Iterator[tuple[str, Any]]:
        yield from super()._members()
        for i, module in enumerate(self._items):
            yield str(i), module

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._items)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Any:
        """Return one module, or for a slice a container of the same kind (modules are shared)."""
        if isinstance(index, slice):
            part = type(self).__new__(type(self))
            vars(part).update(vars(self))
            part._items = self._items[index]
            return part
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} of {len(self)} modules")
        return self._items[index]

    def __setitem__(self, index: int, module: Module) -> None:
        items = list(self._items)
        items[index] = self._checked(module)
        self._items = tuple(items)


class Sequential(ModuleList):
    """Modules one after the other, each fed with the output of the one before.

    ``Sequential(a, b)(x)`` is ``b(a(x))``. Indices, slices (which share the modules), ``len`` and
    iteration work as with a list; the parameters are named ``"0.weight"``, ``"0.bias"``, …
    """

    def __init__(self, *modules: Module) -> None:
        super().__init__(modules)

    def forward(self, x: Any) -> Any:
        """Return the output of the last module."""
        for module in self._items:
            x = module(x)
        return x
