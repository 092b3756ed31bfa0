"""frozen_buffers: evaluate a module without moving its running statistics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from minigrad.nn.module import Module


@contextmanager
def frozen_buffers(module: Module) -> Iterator[None]:
    """Put every buffer back at the end to what it was: a context manager.

    Batch normalization in training normalizes by the batch, so that the loss is a function of the
    parameters, but each call moves the running estimates. A line search calls often, at points
    that training never sees again; within this the estimates stay.
    """
    kept = [(buffer, buffer.data, buffer.data.copy()) for buffer in module.buffers()]
    try:
        yield
    finally:
        for buffer, data, copy in kept:
            data[...] = copy
            buffer.data = data
