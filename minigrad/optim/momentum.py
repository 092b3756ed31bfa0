"""Gradient descent, momentum, and Nesterov's accelerated gradient."""

from __future__ import annotations

import math
from typing import Any

from minigrad.backend import Array
from minigrad.optim.hyper import HyperparameterError
from minigrad.optim.optimizer import Group, Optimizer


class Momentum(Optimizer):
    """Gradient descent with momentum (Polyak 1964, Some methods of speeding up the convergence).

    v ← μv + (1 − d)·g;  θ ← θ − αv

    α is ``lr``, μ ``momentum``, d ``dampening`` (which the first step ignores). With ``classical``
    the learning rate is inside: v ← μv − (1 − d)·αg; θ ← θ + v, Keras's form, which differs once α
    changes. θ, g, v: 1-D, one shape and dtype.

    PyTorch's ``SGD(momentum=μ, dampening=d)`` is ``Momentum(momentum=μ, dampening=d)``.

    Raises HyperparameterError: α < 0, μ or d outside [0, 1].
    """

    @staticmethod
    def update(
        t: int,
        theta: Array,
        g: Array,
        v: Array,
        *,
        lr: float = 1e-3,
        momentum: float = 0.9,
        dampening: float = 0.0,
        classical: bool = False,
    ) -> Any:
        """Return θ, v after one step."""
        if dampening:
            g = (1 - dampening * (t > 1)) * g
        if classical:
            v = momentum * v - lr * g
            return theta + v, v
        v = momentum * v + g
        return theta - lr * v, v


class NAG(Optimizer):
    """Nesterov's accelerated gradient, in Sutskever's form (Sutskever et al. 2013, ICML).

    v ← μv + g;  φ ← φ − α(g + μv)

    The parameter holds the point φ = θ + μv at which the gradient is taken, as in PyTorch, Keras
    and optax. α is ``lr``, μ ``momentum``. ``variant="1983"`` is Nesterov's own sequence (Nesterov
    1983, A method of solving a convex programming problem with convergence rate O(1/k²)), which
    uses no μ:

    x = y − αg;  a′ = (1 + √(4a² + 1))/2;  y ← x + (a − 1)/a′·(x − x_prev)

    The parameter holds y and the state x; f(x_k) − f* ≤ 4L‖y₀ − x*‖²/(k + 2)² for convex f whose
    gradient has Lipschitz constant L = 1/α. All arrays: 1-D, one shape and dtype.

    PyTorch's ``SGD(momentum=μ, nesterov=True)`` is ``NAG(momentum=μ)``.

    Raises HyperparameterError: α < 0, μ outside [0, 1], a variant that is not one.
    """

    @staticmethod
    def update(
        t: int,
        theta: Array,
        g: Array,
        v: Array,
        x: Array,
        a: float = 1.0,
        *,
        lr: float = 1e-3,
        momentum: float = 0.9,
        variant: str = "sutskever",
    ) -> Any:
        """Return θ, v, x, a after one step."""
        if variant == "1983":
            before, x = x, theta - lr * g
            a, weight = (1 + math.sqrt(4 * a * a + 1)) / 2, a - 1
            return x + weight / a * (x - before), v, x, a
        v = momentum * v + g
        return theta - lr * (g + momentum * v), v, x, a


class SGD(Optimizer):
    """Stochastic gradient descent (Robbins and Monro 1951, A stochastic approximation method).

    θ ← θ − αg

    With ``momentum`` it is `Momentum`, with ``nesterov`` too it is `NAG`. α is ``lr``. θ, g: 1-D,
    one shape and dtype. All keywords are PyTorch's, with its defaults.

    Raises HyperparameterError: α < 0, momentum or dampening outside [0, 1], ``nesterov`` without
    momentum or with dampening.
    """

    @staticmethod
    def update(
        t: int,
        theta: Array,
        g: Array,
        v: Array,
        *,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
    ) -> Any:
        """Return θ, v after one step."""
        if nesterov:
            return NAG.update(t, theta, g, v, v, lr=lr, momentum=momentum)[:2]
        if momentum:
            return Momentum.update(t, theta, g, v, lr=lr, momentum=momentum, dampening=dampening)
        return theta - lr * g, v

    def check(self, group: Group) -> None:
        """Raise HyperparameterError for Nesterov's form of something that it is not a form of."""
        if group["nesterov"] and (group["dampening"] or not group["momentum"]):
            raise HyperparameterError(
                f"SGD: nesterov=True with momentum={group['momentum']} and dampening="
                f"{group['dampening']}; it needs a momentum and no dampening, try momentum=0.9"
            )
