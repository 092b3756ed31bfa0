"""Adam and its family: AdamW, Adamax, AMSGrad, NAdam."""

from __future__ import annotations

from typing import Any

from minigrad.backend import Array
from minigrad.ops import abs, clip, maximum, sqrt
from minigrad.optim.optimizer import Optimizer


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, Adam: a method for stochastic optimization, ICLR).

    m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g²;
    m̂ = m/(1 − β₁ᵗ);  v̂ = v/(1 − β₂ᵗ);  θ ← θ − α m̂/(√v̂ + ε)

    α is ``lr``. All arrays: 1-D, one shape and dtype. The defaults are the paper's and PyTorch's.

    Raises HyperparameterError: α or ε < 0, a β outside [0, 1).
    """

    @staticmethod
    def update(
        t: int,
        theta: Array,
        g: Array,
        m: Array,
        v: Array,
        *,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> Any:
        """Return θ, m, v after one step."""
        beta1, beta2 = betas
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        root = (1 - beta2**t) ** 0.5  # the paper's section 2: corrections that cost no array pass
        return theta - lr * root / (1 - beta1**t) * m / (sqrt(v) + eps * root), m, v


class AdamW(Adam, weight_decay=1e-2, decoupled=True):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, ICLR).

    θ ← (1 − αλ)θ, then Adam's update; λ is ``weight_decay``. The defaults are PyTorch's. See `Adam`
    for the formula and the errors.
    """


class Adamax(Optimizer):
    """AdaMax (Kingma and Ba 2015, section 7.1): Adam with the infinity norm.

    m ← β₁m + (1 − β₁)g;  u ← max(β₂u, abs(g));  θ ← θ − α/(1 − β₁ᵗ)·m/u

    α is ``lr``. A coordinate whose gradient was always 0 does not move. ``eps_inside_max`` gives
    u ← max(β₂u, abs(g) + ε), the only use of ε. All arrays: 1-D, one shape and dtype.

    PyTorch's ``Adamax()`` is ``Adamax(eps_inside_max=True)``.

    Raises HyperparameterError: α or ε < 0, a β outside [0, 1).
    """

    @staticmethod
    def update(
        t: int,
        theta: Array,
        g: Array,
        m: Array,
        u: Array,
        *,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        eps_inside_max: bool = False,
    ) -> Any:
        """Return θ, m, u after one step."""
        beta1, beta2 = betas
        m = beta1 * m + (1 - beta1) * g
        u = maximum(beta2 * u, abs(g) + eps if eps_inside_max else abs(g))
        return theta - lr / (1 - beta1**t) * _ratio(m, u), m, u


class AMSGrad(Optimizer):
    """AMSGrad (Reddi, Kale and Kumar 2018, On the convergence of Adam and beyond, ICLR).

    m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g²;  v̂ ← max(v̂, v);
    θ ← θ − α m/(1 − β₁ᵗ)/(√(v̂/(1 − β₂ᵗ)) + ε)

    α is ``lr``. ``bias_correction`` says where Adam's corrections stand: ``"after"`` the maximum
    (above: PyTorch, Keras), ``"before"`` it (optax: v̂ is the maximum of the corrected v), or
    ``"none"``; the paper prints none and no ε: ``bias_correction="none", eps=0``. A coordinate
    whose gradient was always 0 does not move. ``box=(low, high)`` projects θ onto a box after the
    update, as the paper's analysis has it. All arrays: 1-D, one shape and dtype.

    PyTorch's ``Adam(amsgrad=True)`` is ``AMSGrad()``.

    Raises HyperparameterError: α or ε < 0, a β outside [0, 1), low > high.
    """

    @staticmethod
    def update(
        t: int,
        theta: Array,
        g: Array,
        m: Array,
        v: Array,
        v_max: Array,
        *,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        bias_correction: str = "after",
        box: tuple[float, float] | None = None,
    ) -> Any:
        """Return θ, m, v, v̂ after one step."""
        beta1, beta2 = betas
        correction1 = 1 if bias_correction == "none" else 1 - beta1**t
        correction2 = 1 if bias_correction == "none" else 1 - beta2**t
        before, after = (correction2, 1) if bias_correction == "before" else (1, correction2)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        v_max = maximum(v_max, v / before)
        theta = theta - lr * _ratio(m / correction1, sqrt(v_max / after) + eps)
        return theta if box is None else clip(theta, *box), m, v, v_max


class NAdam(Optimizer):
    """Nadam (Dozat 2016, Incorporating Nesterov momentum into Adam, ICLR workshop).

    m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g²;  v̂ = v/(1 − β₂ᵗ);
    μ_t = β₁(1 − ½·0.96^(tψ));
    θ ← θ − α[μ_{t+1} m/(1 − ∏^{t+1}μ) + (1 − μ_t) g/(1 − ∏^t μ)]/(√v̂ + ε)

    α is ``lr``, ψ ``momentum_decay``: 0.004 is PyTorch's, 1 is Keras 3's, and ``math.inf`` keeps
    μ = β₁, which is optax's. All arrays: 1-D, one shape and dtype; ∏μ is a number.

    The defaults are PyTorch's, whose ``decoupled_weight_decay`` is ``decoupled`` here.

    Raises HyperparameterError: α, ε or ψ < 0, a β outside [0, 1).
    """

    @staticmethod
    def update(
        t: int,
        theta: Array,
        g: Array,
        m: Array,
        v: Array,
        mu_product: float = 1.0,
        *,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        momentum_decay: float = 4e-3,
    ) -> Any:
        """Return θ, m, v, ∏μ after one step."""
        beta1, beta2 = betas
        mu = beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))
        mu_next = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * momentum_decay))
        mu_product = mu_product * mu
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        v_hat = v / (1 - beta2**t)
        m_bar = mu_next / (1 - mu_product * mu_next) * m + (1 - mu) / (1 - mu_product) * g
        return theta - lr * m_bar / (sqrt(v_hat) + eps), m, v, mu_product


def _ratio(a: Array, b: Array) -> Any:
    """Return a/b, and 0 where both are 0."""
    return a / (b + (b == 0))
