"""An exponential moving average of weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.legal import number
from minigrad.mode import ShapeError
from minigrad.optim.hyper import HyperparameterError, check_tensors
from minigrad.tensor import Tensor


class EMA:
    """The moving average s ← d·s + (1 − d)·θ of parameters, starting at their values.

    Call ``update()`` after each ``optimizer.step()``, and evaluate the model inside ``applied()``.
    d is `decay`; with `warmup`, min(decay, (1 + n)/(10 + n)) at update n (from 1), so that the
    start is forgotten faster. Averages have their parameters' shapes, dtypes and devices.

    Raises HyperparameterError for a decay outside [0, 1), ValueError for no parameters.
    """

    @backend.explaining
    def __init__(
        self, params: Iterable[Tensor], decay: float = 0.999, warmup: bool = False
    ) -> None:
        if not number(decay) or not 0 <= decay < 1:
            raise HyperparameterError(
                f"EMA: decay={decay!r} is not a number in [0, 1); try decay=0.999"
            )
        self.params = list(params)
        if not self.params:
            raise ValueError("EMA: no parameters; give an iterable such as model.parameters()")
        check_tensors("EMA", self.params)
        self.decay = float(decay)
        self.warmup = warmup
        self.count = 0
        self.averages: list[Array] = [backend.copied(p.data) for p in self.params]
        self._stored: list[Array] | None = None

    @backend.explaining
    def update(self) -> None:
        """Take the present values into the average."""
        self.count += 1
        decay = self.decay
        if self.warmup:
            decay = min(decay, (1 + self.count) / (10 + self.count))
        for i, p in enumerate(self.params):
            average = self._here(i)
            average += (1 - decay) * (p.data - average)

    def _here(self, i: int) -> Array:
        """Return average `i`, after its parameter to another device or dtype."""
        data = self.params[i].data
        average = backend.moved(self.averages[i], backend.device_of(data))
        self.averages[i] = average.astype(data.dtype, copy=False)
        return self.averages[i]

    def store(self) -> None:
        """Keep a copy of the parameters for `restore`."""
        self._stored = [backend.copied(p.data) for p in self.params]

    def copy_to(self) -> None:
        """Write the averages into the parameters."""
        _write(self.params, [self._here(i) for i in range(len(self.params))])

    def restore(self) -> None:
        """Write what `store` kept back into the parameters."""
        if self._stored is None:
            raise RuntimeError("EMA: nothing to restore; call store() first, or use applied()")
        _write(self.params, self._stored)
        self._stored = None

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Compute with the averages as the parameters' values: a context manager."""
        before = [backend.copied(p.data) for p in self.params]
        self.copy_to()
        try:
            yield
        finally:
            _write(self.params, before)

    def state_dict(self) -> dict[str, Any]:
        """Return ``{"count", "averages"}``: copies in host memory, in the parameters' order."""
        averages = [
            backend.cpu.array(backend.of((a,)).to_host(a), order="C") for a in self.averages
        ]
        return {"count": self.count, "averages": averages}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned.

        Raises ShapeError, with nothing changed, if the averages are of other parameters.
        """
        arrays = list(state_dict["averages"])
        shapes = [tuple(array.shape) for array in arrays]
        if shapes != [p.shape for p in self.params]:
            raise ShapeError(
                f"EMA: averages of shapes {shapes} for parameters of shapes "
                f"{[p.shape for p in self.params]}; load the state of the same model"
            )
        for i, array in enumerate(arrays):
            average = self._here(i)
            average[...] = backend.get(self.params[i].device).from_host(
                array, self.params[i].device
            )
        self.count = int(state_dict["count"])


def _write(params: list[Tensor], arrays: list[Array]) -> None:
    for p, array in zip(params, arrays, strict=True):
        backend.of((p.data,))  # which makes its device the current one
        p.data[...] = array
        p.modified()
