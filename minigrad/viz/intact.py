"""A model lent out to be looked at: whatever is done to it, it comes back bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from minigrad import backend, random
from minigrad.mode import no_grad
from minigrad.tensor import Tensor


def parameters_of(model: Any) -> list[Tensor]:
    """Return the parameters of a module, or those of an iterable of leaf tensors.

    Raises TypeError for what is neither, ValueError where there are none.
    """
    tensors = model.parameters() if hasattr(model, "parameters") else model
    if isinstance(tensors, Tensor) or not isinstance(tensors, Iterable):
        raise TypeError(
            f"a model is a module or an iterable of its parameters, not one {type(model).__name__}"
            "; try [p] for one tensor p"
        )
    tensors = list(tensors)
    if not tensors:
        raise ValueError("the model has no parameters; give a module, or a list of leaf tensors")
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"a parameter is a Tensor, not a {type(tensor).__name__}")
    return tensors


@contextmanager
def intact(model: Any, training: bool = False) -> Iterator[Callable[[], None]]:
    """Put a model into evaluation mode (or training mode), without recording, for a while.

    Afterwards, also after an error or Ctrl-C, the parameters have their memory back, which was not
    written to as long as only ``p.data`` was replaced; buffers have their values, every module its
    mode, and `mg.random` goes on where it was. Given is a function that winds `mg.random` back, so
    that each evaluation draws the same numbers (dropout's masks, say).

    `model` is a module, with parameters or without; a list of tensors, whose modules' modes and
    buffers are not known, and stay as they are left; or a plain function, of which nothing is.
    """
    modules = list(model.modules()) if hasattr(model, "modules") else []
    modes = [(module, module.training) for module in modules]
    tensors = model.parameters() if hasattr(model, "parameters") else model
    memory = [(tensor, tensor.data) for tensor in ([] if callable(tensors) else tensors)]
    buffers = [(b, b.data, backend.copied(b.data)) for b in model.buffers()] if modules else []
    rewind = random.snapshot()
    try:
        for module in modules:
            module.training = training
        with no_grad():
            yield rewind
    finally:
        for tensor, array in memory:
            tensor.data = array
        for buffer, array, values in buffers:
            backend.of((array,))  # which makes its device the current one
            array[...] = values
            buffer.data = array
        for module, mode in modes:
            module.training = mode
        rewind()
