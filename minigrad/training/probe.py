"""Probe: measures one step of training, layer by layer.

What is not here: when to measure and what to make of it (`gradient_flow.py`, `layer_log.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.mode import is_grad_enabled
from minigrad.nn import Module
from minigrad.node import Observer
from minigrad.tensor import Tensor

_KINDS = ("activation", "signal", "gradient", "update", "size")


class Probe:
    """Listens at the modules of a model that have parameters of their own.

    Between `begin` and `end` one step is taken; `end` returns a row for each layer, with ``layer``
    (its name) and the Euclidean norms, over the batch, ``activation`` ‖h‖ of its output, ``signal``
    ‖∂L/∂h‖, ``gradient`` ‖∂L/∂θ‖, ``update`` ‖Δθ‖ and ``size`` ‖θ‖ before it. Of a method that
    computes the loss more than once in a step, activation and signal are those of the first time:
    of one that uses second derivatives, those of the gradient, as an `Observer` does not see the
    products that follow.
    """

    def __init__(self, model: Module) -> None:
        self._layers: dict[str, list[Tensor]] = {}
        self._before: dict[str, list[Array]] | None = None  # parameters, while a step is measured
        self._squares: dict[tuple[str, str], Array] = {}  # on the device, until all are read
        self._forwards = 0
        self._observers: list[Callable[[], None]] = []  # their removers: a leaf would keep them
        for name, parameter in model.named_parameters():
            self._layers.setdefault(name.rpartition(".")[0], []).append(parameter)
        self._removers = [model.register_forward_pre_hook(self._count)]
        for name, module in model.named_modules():
            if name in self._layers:
                self._removers.append(module.register_forward_hook(self._hook(name)))

    @property
    def layers(self) -> list[str]:
        """The names of the layers."""
        return list(self._layers)

    @property
    def listening(self) -> bool:
        """Whether the output that is just being computed is to be measured."""
        return self._before is not None and self._forwards == 1

    @property
    def begun(self) -> bool:
        """Whether a step is being measured."""
        return self._before is not None

    def begin(self) -> None:
        """Measure the step that follows."""
        self._squares = {}
        self._forwards = 0
        self._before = {
            name: [p.data.copy() for p in parameters] for name, parameters in self._layers.items()
        }

    def end(self) -> list[dict[str, Any]]:
        """Return what was measured since `begin`; the gradients must still be there."""
        assert self._before is not None
        self._unobserve()
        for layer, parameters in self._layers.items():
            for parameter, before in zip(parameters, self._before[layer], strict=True):
                if parameter.grad is not None:
                    self._add(layer, "gradient", parameter.grad.data)
                self._add(layer, "update", parameter.data - before)
                self._add(layer, "size", before)
        self._before = None
        squares = self._read()
        return [
            {"layer": layer}
            | {k: math.sqrt(squares[layer, k]) for k in _KINDS if (layer, k) in squares}
            for layer in self._layers
        ]

    def close(self) -> None:
        """Stop listening."""
        for remove in self._removers:
            remove()
        self._removers = []
        self._unobserve()
        self._before = None

    def _unobserve(self) -> None:
        for remove in self._observers:
            remove()
        self._observers = []

    def _count(self, model: Module, inputs: Any) -> None:
        self._forwards += is_grad_enabled()  # an evaluation is no pass of the step

    def _hook(self, layer: str) -> Callable[..., None]:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            if not self.listening or not isinstance(output, Tensor) or not output.requires_grad:
                return
            self._add(layer, "activation", output.data)
            heard = False

            def listen(gradient: Tensor) -> None:
                nonlocal heard
                if not heard:  # a graph that is kept may be swept again
                    self._add(layer, "signal", gradient.data)
                heard = True

            self._observers.append(output.register_hook(Observer(listen)))

        return hook

    def _add(self, layer: str, kind: str, array: Array) -> None:
        key = (layer, kind)
        self._squares[key] = self._squares.get(key, 0.0) + _square(array)

    def _read(self) -> dict[tuple[str, str], float]:
        """Return the sums of squares as numbers; of each device all at once."""
        found: dict[tuple[str, str], float] = {}
        devices: dict[str, list[tuple[str, str]]] = {}
        for key, square in self._squares.items():
            devices.setdefault(backend.device_of(square), []).append(key)
        for keys in devices.values():
            squares = [self._squares[key] for key in keys]
            xp = backend.of(squares)
            numbers = xp.to_host(xp.stack(squares)).tolist()
            found.update(zip(keys, numbers, strict=True))
        return found


def _square(array: Array) -> Array:
    """Return the sum of squares, in float64 so that it cannot overflow before the norm does."""
    flat = array.astype("float64").reshape(-1)
    return backend.of((flat,)).dot(flat, flat)
