"""Operations of neural networks that pay to be one: losses and norms, in few passes.

Two of them take beside x a function of x that was computed on the way (the log-probabilities, the
moments). Their rule for x is the whole derivative, along both paths, and reads that value, which
saves computing it again; the rule for the value passes nothing. Since the value is a node of its
own, the derivatives of the rule, of any order, go through it to x.
"""

from __future__ import annotations

from typing import Any

from minigrad.ops.elementwise import exp
from minigrad.ops.reduce import _log_softmax
from minigrad.ops.shape import unsqueeze
from minigrad.primitive import Array, Backend, primitive
from minigrad.tensor import Value


def _no_gradient() -> None:
    """Pass nothing: the rule of another input is the derivative along this one too."""


# Cross-entropy of class indices ------------------------------------------------------------------


@primitive(lambda g, logp: g * exp(logp))
def _residual(xp: Backend, logp: Array, *, index: Array) -> Array:
    """Return the probabilities less 1 at the flat positions `index`."""
    out = xp.exp(logp)
    out.reshape(-1)[index] -= 1
    return out


def _pull(g: Any, logp: Any, index: Array, scale: float) -> Any:
    """Return g · scale · (softmax - one-hot)."""
    g = g * scale
    return (unsqueeze(g, 1) if g.ndim else g) * _residual(logp, index=index)


@primitive(_pull, _no_gradient)
def _cross_entropy(
    xp: Backend, x: Array, logp: Array, *, index: Array, scale: float, total: bool
) -> Array:
    """Return -scale · log-probability at the flat positions, or the sum of it if `total`."""
    picked = logp.take(index)
    return (picked.sum() if total else picked) * -scale


def cross_entropy(x: Value, index: Array, scale: float, total: bool) -> Any:
    """Return scale · Σ (logsumexp(xᵢ) - xᵢ[tᵢ]) for logits x (N, C), or the N terms unless `total`.

    `index` is the flat position i·C + tᵢ of each row's class. The gradient is softmax - one-hot.
    """
    logp = _log_softmax(x, axis=(1,))
    return _cross_entropy(x, logp, index=index, scale=scale, total=total)
