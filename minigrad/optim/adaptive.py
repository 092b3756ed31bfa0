"""Methods with a step size for each coordinate: Adagrad, Adadelta, RMSprop."""

from __future__ import annotations

from typing import Any

from minigrad.backend import Array
from minigrad.ops import maximum, sqrt
from minigrad.optim.optimizer import Group, Optimizer


class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan and Singer 2011, Adaptive subgradient methods, JMLR 12).

    G ← G + g²;  θ ← θ − η g/√(G + ε)

    η is ``lr``, divided by 1 + (t − 1)·``lr_decay`` at step t; G starts at
    ``initial_accumulator_value`` (Keras and optax: 0.1). ``eps_inside_sqrt=False`` gives
    η g/(√G + ε). All arrays: 1-D, one shape and dtype.

    PyTorch's ``Adagrad()`` is ``Adagrad(eps=1e-10, eps_inside_sqrt=False)``.

    Raises HyperparameterError: η, ε, the decay or the initial value < 0.
    """

    @staticmethod
    def update(
        t: int,
        theta: Array,
        g: Array,
        G: Array,
        *,
        lr: float = 1e-2,
        eps: float = 1e-8,
        eps_inside_sqrt: bool = True,
        lr_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
    ) -> Any:
        """Return θ, G after one step."""
        eta = lr / (1 + (t - 1) * lr_decay)
        G = G + g * g
        root = sqrt(G + eps) if eps_inside_sqrt else sqrt(G) + eps
        return theta - eta * g / root, G

    def start(self, group: Group) -> dict[str, float]:
        """Return what the accumulator starts at."""
        return {"G": group["initial_accumulator_value"]}


class Adadelta(Optimizer):
    """Adadelta (Zeiler 2012, Adadelta: an adaptive learning rate method, arXiv:1212.5701).

    E[g²] ← ρE[g²] + (1 − ρ)g²;  Δ = −√(E[Δ²] + ε)/√(E[g²] + ε)·g;
    E[Δ²] ← ρE[Δ²] + (1 − ρ)Δ²;  θ ← θ + lr·Δ

    All arrays: 1-D, one shape and dtype. PyTorch's ``Adadelta()`` is ``Adadelta(rho=0.9)``.

    Raises HyperparameterError: lr or ε < 0, ρ outside [0, 1).
    """

    @staticmethod
    def update(
        t: int,
        theta: Array,
        g: Array,
        Eg2: Array,
        Edelta2: Array,
        *,
        lr: float = 1.0,
        rho: float = 0.95,
        eps: float = 1e-6,
    ) -> Any:
        """Return θ, E[g²], E[Δ²] after one step."""
        Eg2 = rho * Eg2 + (1 - rho) * g * g
        delta = -sqrt(Edelta2 + eps) / sqrt(Eg2 + eps) * g
        Edelta2 = rho * Edelta2 + (1 - rho) * delta * delta
        return theta + lr * delta, Eg2, Edelta2


class RMSprop(Optimizer):
    """RMSprop (Tieleman and Hinton 2012, Coursera, Neural networks for machine learning, 6.5).

    v ← γv + (1 − γ)g²;  θ ← θ − η g/√(v + ε)

    η is ``lr``, γ is ``alpha``. ``eps_inside_sqrt=False`` gives η g/(√v + ε). ``centered`` (Graves
    2013, arXiv:1308.0850) subtracts the squared mean gradient, ḡ ← γḡ + (1 − γ)g, from v in the
    root. ``momentum`` μ: b ← μb + g/√(v + ε); θ ← θ − ηb. All arrays: 1-D, one shape and dtype.

    PyTorch's ``RMSprop()`` is ``RMSprop(alpha=0.99, eps_inside_sqrt=False)``.

    Raises HyperparameterError: η or ε < 0, γ outside [0, 1), μ outside [0, 1].
    """

    @staticmethod
    def update(
        t: int,
        theta: Array,
        g: Array,
        v: Array,
        mean: Array,
        b: Array,
        *,
        lr: float = 1e-2,
        alpha: float = 0.9,
        eps: float = 1e-8,
        eps_inside_sqrt: bool = True,
        centered: bool = False,
        momentum: float = 0.0,
    ) -> Any:
        """Return θ, v, the mean gradient, b after one step."""
        variance = v = alpha * v + (1 - alpha) * g * g
        if centered:
            mean = alpha * mean + (1 - alpha) * g
            variance = maximum(v - mean * mean, 0.0)  # rounding may make it negative
        step = g / (sqrt(variance + eps) if eps_inside_sqrt else sqrt(variance) + eps)
        if momentum:
            step = b = momentum * b + step
        return theta - lr * step, v, mean, b
