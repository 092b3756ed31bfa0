"""Flat: parameters of one dtype on one device, kept in one vector, each parameter a view into it.

What a step does is one pass over the vector whatever the number of parameters. Not here: what that
step is (`optimizer.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.fuse import BLOCK
from minigrad.tensor import Tensor

# Elements of a gradient on a GPU from which on it is not copied beside its neighbours. The copy of
# so many moves 32 MB, 10 µs at 3 TB/s: longer than to launch a kernel. Reckoned, not measured.
LAUNCH = 1 << 22
Span = tuple[int, int, Array]  # where it starts and stops in the vector, the gradient there


class Flat:
    """One vector that holds `tensors`, and any number of state vectors parallel to it.

    A tensor keeps its shape and its memory layout (column-major where it was column-major, else
    row-major). Its place in the vector is ``vector[offsets[i] : offsets[i + 1]]``, in memory order.
    """

    def __init__(self, tensors: list[Tensor], clock: tuple[float, ...]) -> None:
        first = tensors[0].data
        xp = backend.of((first,))
        on_cpu = xp is backend.cpu
        self.block = BLOCK // first.dtype.itemsize if on_cpu else sys.maxsize  # elements
        self.joined = self.block if on_cpu else LAUNCH
        self.tensors = tensors
        self.shapes = [tensor.shape for tensor in tensors]
        self.orders = [_order(tensor.data) for tensor in tensors]
        self.offsets = [0]
        for tensor in tensors:
            self.offsets.append(self.offsets[-1] + tensor.size)
        self.vector: Array = xp.aligned(self.offsets[-1], first.dtype)
        self.views = [self.shaped(i, self.vector) for i in range(len(tensors))]
        self.states: dict[str, Array] = {}
        self.written: set[str] = set()  # the state vectors that have memory of their own
        self.clocks = [clock] * len(tensors)
        self.adopt()

    @property
    def xp(self) -> Any:
        """The backend of the vector, whose device becomes the one that computes."""
        return backend.of((self.vector,))

    def shaped(self, i: int, vector: Array) -> Array:
        """Return tensor `i`'s part of a vector parallel to this one, in the tensor's shape."""
        part = vector[self.offsets[i] : self.offsets[i + 1]]
        return part.reshape(self.shapes[i], order=self.orders[i])

    def adopt(self) -> bool:
        """Take in tensors whose memory was replaced; say whether all of them still fit in here."""
        for i, tensor in enumerate(self.tensors):
            data, view = tensor.data, self.views[i]
            if data is view:
                continue
            kind = (data.shape, data.dtype, backend.device_of(data))
            if kind != (view.shape, view.dtype, backend.device_of(view)):
                return False
            view[...] = data
            tensor.data = view
        return True

    def fill(self, name: str, value: float) -> None:
        """Start a state vector: a constant, which costs no memory until it is first written."""
        xp = self.xp
        one = xp.full_like(self.vector, value, shape=(1,))
        self.states[name] = xp.broadcast_to(one, self.vector.shape)
        self.written.discard(name)

    def write(self, name: str, start: int, stop: int, values: Array) -> None:
        """Replace part of a state vector, giving it memory if this is the first time."""
        self.owned(name)[start:stop] = values

    def owned(self, name: str) -> Array:
        """Return a state vector with memory of its own, to be written to."""
        if name not in self.written:
            memory = self.xp.aligned(self.vector.size, self.vector.dtype)
            memory[...] = self.states[name]
            self.states[name] = memory
            self.written.add(name)
        return self.states[name]

    def put(self, name: str, i: int, values: Any) -> None:
        """Replace tensor `i`'s part of a state vector by an array in host memory or a Tensor."""
        host = values.numpy() if isinstance(values, Tensor) else values
        array = self.xp.from_host(host, backend.device_of(self.vector))
        self.write(name, self.offsets[i], self.offsets[i + 1], array.ravel(self.orders[i]))

    def copies(self) -> Iterator[tuple[Tensor, Array]]:
        """Yield each tensor with a copy of its value, where it lives: of all in one pass."""
        vector = backend.copied(self.vector)
        for i, tensor in enumerate(self.tensors):
            moved = tensor.data is not self.views[i]  # since the last step
            yield tensor, backend.copied(tensor.data) if moved else self.shaped(i, vector)

    def saved(self, i: int, clock_names: tuple[str, ...]) -> dict[str, Any]:
        """Return tensor `i`'s clock, by name, and its part of each written state, on the host."""
        entry: dict[str, Any] = dict(zip(("t", *clock_names), self.clocks[i], strict=True))
        for name, vector in self.states.items():
            if name in self.written:
                part = self.xp.to_host(self.shaped(i, vector))
                entry[name] = backend.cpu.array(part, order="C")
        return entry

    def restore(self, i: int, entry: dict[str, Any], clock_names: tuple[str, ...]) -> None:
        """Take over what `saved` returned of tensor `i`."""
        self.clocks[i] = (int(entry["t"]), *[entry[name] for name in clock_names])
        for name in self.states:
            if name in entry:
                self.put(name, i, entry[name])

    def runs(self) -> Iterator[tuple[int, int]]:
        """Yield ranges of neighbours that have a gradient and have made the same steps."""
        first, clock = -1, self.clocks[0]
        for i, tensor in enumerate(self.tensors):
            active = tensor._grad is not None and tensor.requires_grad
            if first >= 0 and (not active or self.clocks[i] != clock):
                yield first, i
                first = -1
            if active and first < 0:
                first, clock = i, self.clocks[i]
        if first >= 0:
            yield first, len(self.tensors)

    def spans(self, first: int, last: int) -> Iterator[Span]:
        """Yield the gradients of tensors `first` to `last` in spans: (start, stop, gradient).

        A large gradient is a span, without a copy; small neighbours are joined.
        """
        small: list[Array] = []
        xp = self.xp
        start = stop = self.offsets[first]
        pairs = zip(self.tensors[first:last], self.orders[first:last], strict=True)
        for tensor, order in pairs:
            g: Array = tensor._grad.data.ravel(order)  # type: ignore[union-attr]
            size = g.size
            if small and stop - start + size > self.joined:
                yield start, stop, _join(xp, small)
                small, start = [], stop
            stop += size
            if size <= self.joined:
                small.append(g)
            else:
                yield start, stop, g
                start = stop
        if small:
            yield start, stop, _join(xp, small)


def _join(xp: Any, parts: list[Array]) -> Array:
    return parts[0] if len(parts) == 1 else xp.concatenate(parts)


def _order(array: Array) -> str:
    """Return "F" for a column-major array, else "C"."""
    return "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
