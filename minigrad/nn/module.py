"""Module and Parameter: a function with state, and the names of that state.

Floor 3. What lives elsewhere: lists of modules (`containers.py`), the table that `summary` draws
(`summary.py`), the layers themselves.

A module registers nothing behind the scenes: its parameters and submodules are simply those of its
attributes that are a `Parameter` or a `Module`, in the order in which they were assigned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from minigrad import backend
from minigrad.backend import Device
from minigrad.creation import zeros_like
from minigrad.elsewhere import OF_MODULES
from minigrad.mode import ShapeError
from minigrad.nn.summary import describe, tabulate
from minigrad.tensor import DType, Tensor, legal_dtype

M = TypeVar("M", bound="Module")
Hook = Callable[..., Any]


class Parameter(Tensor):
    """A leaf tensor that a module owns and an optimizer changes; it requires a gradient.

    `data` is an array or a tensor, whose memory and layout it keeps. Pass ``requires_grad=False``
    (or call ``requires_grad_(False)``) to freeze it.

    Raises TypeError for data that is not floating, if it requires a gradient.
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True, dtype: DType = None) -> None:
        super().__init__(data, requires_grad, dtype)


class Loaded(NamedTuple):
    """What `load_state_dict` did not find in the dictionary, and what it found no place for."""

    missing: list[str]
    unexpected: list[str]


class Module:
    """A function of tensors with parameters, buffers and submodules.

    Subclasses define ``forward``; assign parameters, buffers and submodules to attributes:

    >>> class Residual(nn.Module):
    ...     def __init__(self, width):
    ...         self.layer = nn.Linear(width, width)
    ...     def forward(self, x):
    ...         return x + self.layer(x).relu()

    ``training`` is True until `eval` is called, and decides what dropout and batch norm do.
    """

    training: bool = True
    _buffers: tuple[str, ...] = ()
    _items: tuple[Module, ...] = ()  # what a container holds beside its attributes
    _hooks: tuple[Hook, ...] = ()
    _pre_hooks: tuple[Hook, ...] = ()

    def __init__(self) -> None:
        """Take nothing; what a subclass takes its own ``__init__`` says."""

    def forward(self, *inputs: Any) -> Any:
        """Compute the output; every subclass defines it."""
        raise NotImplementedError(
            f"{type(self).__name__} defines no forward(self, ...), which calling a module runs"
        )

    def __call__(self, *inputs: Any, **keywords: Any) -> Any:
        """Run `forward`, and the hooks around it."""
        if self._pre_hooks:
            for hook in self._pre_hooks:
                replaced = hook(self, inputs)
                if replaced is not None:
                    inputs = replaced if isinstance(replaced, tuple) else (replaced,)
        try:
            output = self.forward(*inputs, **keywords)
        except AttributeError as error:
            if any(x is error.obj and not hasattr(x, "dtype") for x in inputs):
                kind = type(self).__name__
                raise TypeError(
                    f"{kind} takes tensors, not a {type(error.obj).__name__}; use mg.tensor(...)"
                ) from None
            raise
        except MemoryError as error:
            raise backend.explained(error) from None
        if self._hooks:
            for hook in self._hooks:
                replaced = hook(self, inputs, output)
                if replaced is not None:
                    output = replaced
        return output

    def register_forward_hook(self, hook: Hook) -> Callable[[], None]:
        """Call ``hook(module, inputs, output)`` after every forward; return a remover.

        `inputs` is a tuple. What the hook returns, if anything, replaces the output.
        """
        return self._hooked("_hooks", hook)

    def register_forward_pre_hook(self, hook: Hook) -> Callable[[], None]:
        """Call ``hook(module, inputs)`` before every forward; return a remover.

        What the hook returns, if anything, replaces the inputs.
        """
        return self._hooked("_pre_hooks", hook)

    def _hooked(self, kind: str, hook: Hook) -> Callable[[], None]:
        entry = lambda *arguments: hook(*arguments)  # noqa: E731  (a hook twice is two entries)
        setattr(self, kind, (*getattr(self, kind), entry))

        def remove() -> None:
            setattr(self, kind, tuple(other for other in getattr(self, kind) if other is not entry))

        return remove

    # State ---------------------------------------------------------------------------------------

    def _members(self) -> Iterator[tuple[str, Any]]:
        """Iterate over the attributes, with those that a container holds in another way."""
        return iter(list(vars(self).items()))

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Iterate over the submodules one level down, with their names."""
        for name, value in self._members():
            if isinstance(value, Module):
                yield name, value
            elif isinstance(value, list) and any(isinstance(x, (Module, Parameter)) for x in value):
                raise TypeError(
                    f"{type(self).__name__}.{name} is a list of modules or parameters, which "
                    "training would never find; use nn.ModuleList, or a tuple to keep them out"
                )

    def children(self) -> Iterator[Module]:
        """Iterate over the submodules one level down."""
        return (child for _, child in self.named_children())

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Iterate over this module (named ``""``) and all below it, each once, parents first."""
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [("", self)]
        while stack:
            name, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield name, module
            prefix = f"{name}." if name else ""
            children = [(prefix + key, child) for key, child in module.named_children()]
            stack.extend(reversed(children))

    def modules(self) -> Iterator[Module]:
        """Iterate over this module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def _named_tensors(self, shared: bool) -> Iterator[tuple[str, Module, str, Tensor]]:
        """Iterate over (full name, owner, attribute, tensor) of parameters and buffers.

        A tensor that is reached by two names comes twice if `shared`, else under the first of them.
        """
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [("", self)]
        while stack:
            prefix, module = stack.pop()
            if not shared and id(module) in seen:
                continue
            seen.add(id(module))
            for key, value in module._members():
                kind = isinstance(value, Parameter) or key in module._buffers
                if kind and value is not None and (shared or id(value) not in seen):
                    seen.add(id(value))
                    yield prefix + key, module, key, value
            children = [(f"{prefix}{key}.", child) for key, child in module.named_children()]
            stack.extend(reversed(children))

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Iterate over the parameters with names such as ``"0.weight"``, a shared one once."""
        for name, _, _, value in self._named_tensors(shared=False):
            if isinstance(value, Parameter):
                yield name, value

    def parameters(self) -> Iterator[Parameter]:
        """Iterate over the parameters, a shared one once."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Iterate over the buffers with their names; a shared one comes once."""
        for name, _, _, value in self._named_tensors(shared=False):
            if not isinstance(value, Parameter):
                yield name, value

    def buffers(self) -> Iterator[Tensor]:
        """Iterate over the buffers: state that is saved but not trained."""
        return (buffer for _, buffer in self.named_buffers())

    def register_buffer(self, name: str, value: Tensor | None) -> None:
        """Make an attribute that `state_dict` saves, `to` moves, and no optimizer trains."""
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(f"buffer {name!r} is a Tensor or None, not {type(value).__name__}")
        if name not in self._buffers:
            self._buffers = (*self._buffers, name)
        setattr(self, name, value)

    def state_dict(self) -> dict[str, Any]:
        """Return copies of all parameters and buffers, as NumPy arrays in C order, by name.

        A shared parameter is under each of its names, as in PyTorch; being copies, the arrays do
        not change when training goes on.
        """
        return {
            name: backend.of((value.data,)).to_host(value.data).copy(order="C")
            for name, _, _, value in self._named_tensors(shared=True)
        }

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> Loaded:
        """Copy values into the parameters and buffers, by name; return what did not match.

        The values are arrays, tensors or what NumPy can read (PyTorch's CPU tensors too), of
        exactly the shapes of their places, whose dtype, memory and layout stay as they are. Nothing
        is changed if an error is raised.

        Raises ValueError for a name that is missing or unexpected, unless `strict` is False, and
        ShapeError for a shape that differs.
        """
        if not isinstance(state, Mapping):
            raise TypeError(
                f"a state is a dict of arrays by their names, not {type(state).__name__}; use "
                "module.state_dict()"
            )
        places = {name: value for name, _, _, value in self._named_tensors(shared=True)}
        missing = [name for name in places if name not in state]
        unexpected = [name for name in state if name not in places]
        problems = []
        if strict and missing:
            problems.append(f"missing: {', '.join(missing)}")
        if strict and unexpected:
            problems.append(f"unexpected: {', '.join(unexpected)}")
        if problems:
            raise ValueError(
                f"the state does not fit {type(self).__name__} ({'; '.join(problems)}); it must "
                "come from a module of the same structure; strict=False loads what matches"
            )
        arrays = {
            name: Tensor(state[name], dtype=place.dtype).data
            for name, place in places.items()
            if name in state
        }
        wrong = [
            f"{name} is {array.shape}, and its place {places[name].shape}"
            for name, array in arrays.items()
            if array.shape != places[name].shape
        ]
        if wrong:
            raise ShapeError(f"shapes do not fit {type(self).__name__}: {'; '.join(wrong)}")
        for name, array in arrays.items():
            place = places[name]
            place.data[...] = backend.moved(array, place.device)
            place.modified()
        return Loaded(missing, unexpected)

    # What is done to all of it -------------------------------------------------------------------

    def train(self: M, mode: bool = True) -> M:
        """Set ``training`` here and in all modules below; return this module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: M) -> M:
        """Set ``training`` to False here and in all modules below; return this module."""
        return self.train(False)

    def apply(self: M, function: Callable[[Module], Any]) -> M:
        """Call ``function(module)`` on all modules, this one last; return this module."""
        for module in reversed(list(self.modules())):
            function(module)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set the gradient of every parameter to None, or those that exist to zero."""
        if not set_to_none:
            for parameter in self.parameters():
                if parameter.grad is not None:
                    parameter.grad = zeros_like(parameter)
            return
        seen: set[int] = set()
        stack: list[Any] = [self]
        while stack:  # a loop of its own: with the names it would take as long as a small layer
            value = stack.pop()
            if isinstance(value, Parameter):
                value._grad = None
            elif isinstance(value, Module) and id(value) not in seen:
                seen.add(id(value))
                stack += value.__dict__.values()
                stack += value._items

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Unfreeze (or freeze) every parameter; return this module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def to(self: M, *targets: Any, device: Device | None = None, dtype: DType = None) -> M:
        """Move every parameter and buffer to a device, a floating dtype, or both; return this.

        ``model.to("cuda")``, ``model.to(mg.float64)``. The tensors stay the same objects and get
        new memory, so do this before making an optimizer.
        """
        wanted = [target for target in (*targets, device, dtype) if target is not None]
        for _, _, _, value in self._named_tensors(shared=False):
            array = value.data
            for target in wanted:
                if isinstance(target, str) and target.partition(":")[0] in ("cpu", "cuda"):
                    array = backend.moved(array, target)
                elif array.dtype.kind == "f":
                    array = array.astype(legal_dtype(target), copy=False)  # keeps the layout
            if array is not value.data:
                value.data = array
                value.grad = None
                value.modified()
        return self

    if not TYPE_CHECKING:  # else every name would be one to a checker of types

        def __getattr__(self, name: str) -> Any:
            kind = type(self).__name__
            said = f"{kind!r} object has no attribute {name!r}"
            for part in type(self).__mro__:
                if name in OF_MODULES.get(part.__name__, ()):
                    said = f"{kind} has no .{name}; use {OF_MODULES[part.__name__][name]}"
            raise AttributeError(said, name=name, obj=self)

    # Descriptions --------------------------------------------------------------------------------

    def count(self) -> int:
        """Return the number of elements of all parameters, shared ones counted once."""
        return sum(math.prod(parameter.shape) for parameter in self.parameters())

    def extra_repr(self) -> str:
        """Return what stands between the brackets of this module's description."""
        return ""

    def __repr__(self) -> str:
        return describe(self)

    def summary(self, example: Any = None) -> str:
        """Return a table of the layers with their output shapes and parameters, as text to print.

        `example` is an input (or a tuple of inputs), which is run through in eval mode to learn the
        shapes; without one, that column is left out.
        """
        return tabulate(self, example)
