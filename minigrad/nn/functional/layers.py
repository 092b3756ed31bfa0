"""Layers, activations, norms and dropout as functions. Not here: what keeps state (the modules)."""

from __future__ import annotations

from typing import Any

from minigrad import backend, ops, random
from minigrad.mode import ShapeError
from minigrad.nn.functional.reduction import raw
from minigrad.ops import affine, neural
from minigrad.tensor import Value

# Layers and activations --------------------------------------------------------------------------


def linear(x: Value, weight: Value, bias: Value = None) -> Any:
    """Return x Wᵀ + b for x (…, in), W (out, in) and b (out,) or None."""
    return affine(x, weight, bias)


def leaky_relu(x: Value, slope: float = 0.01) -> Any:
    """Return x for x > 0, else slope · x; the derivative at 0 is the slope."""
    return neural.leaky_relu(x, slope=slope)


def prelu(x: Value, weight: Value) -> Any:
    """Return x for x > 0, else weight · x; weight (1,), or (C,) for the channels of x (N, C, …)."""
    if weight.shape[0] == 1:
        return neural.prelu(x, weight)
    return neural.prelu(x, channels(weight, x, "prelu"))


def channels(vector: Value, x: Value, operation: str) -> Any:
    """Return a vector (C,) in the shape that broadcasts over the channels of x (N, C, …)."""
    if x.ndim < 2 or x.shape[1] != vector.shape[0]:
        raise ShapeError(
            f"{operation}: an input of shape {x.shape} for {vector.shape[0]} channels; it must be "
            f"(N, {vector.shape[0]}) or (N, {vector.shape[0]}, …)"
        )
    return vector if x.ndim == 2 else vector.reshape((-1,) + (1,) * (x.ndim - 2))


def elu(x: Value, alpha: float = 1.0) -> Any:
    """Return x for x > 0, else α(eˣ - 1) (Clevert et al. 2015)."""
    return neural.elu(x, alpha=alpha, scale=1.0)


def selu(x: Value) -> Any:
    """Return λ·elu(x, α) with λ = 1.0507… and α = 1.6732… (Klambauer et al. 2017)."""
    return neural.elu(x, alpha=1.6732632423543772, scale=1.0507009873554805)


def gelu(x: Value, approximate: str = "none") -> Any:
    """Return x Φ(x) with the normal distribution Φ, or its approximation by ``"tanh"``."""
    if approximate not in ("none", "tanh"):
        raise ValueError(f'gelu: approximate is "none" or "tanh", not {approximate!r}')
    return neural.gelu(x) if approximate == "none" else neural.gelu_tanh(x)


def softplus(x: Value, beta: float = 1.0) -> Any:
    """Return log(1 + e^(βx))/β."""
    return ops.softplus(x) if beta == 1 else ops.softplus(x * beta) * (1 / beta)


# Norms and dropout -------------------------------------------------------------------------------


def batch_norm(
    x: Value,
    mean: Value = None,
    variance: Value = None,
    weight: Value = None,
    bias: Value = None,
    eps: float = 1e-5,
) -> tuple[Any, Any, Any]:
    """Return (x - mean)/√(variance + ε) · weight + bias over channels, and raw mean and variance.

    x is (N, C) or (N, C, …), the vectors (C,). Without `mean` and `variance` they are those of the
    batch, over all axes but the channels' (the variance biased), and gradients flow through them.
    """
    if mean is None:
        axis = (0, *range(2, x.ndim))
        out, used_mean, used_variance = neural.normalize(x, axis, eps)
        statistics = used_mean.reshape(-1), used_variance.reshape(-1)
    else:
        statistics = mean, variance
        scale = (channels(variance, x, "batch_norm") + eps) ** -0.5
        out = (x - channels(mean, x, "batch_norm")) * scale
    return _scaled(out, weight, bias, channel=True), *statistics


def layer_norm(
    x: Value, axes: int, weight: Value = None, bias: Value = None, eps: float = 1e-5
) -> Any:
    """Return x normalized over its last `axes` axes, times weight plus bias of their shape."""
    axis = tuple(range(x.ndim - axes, x.ndim))
    return _scaled(neural.normalize(x, axis, eps)[0], weight, bias, channel=False)


def _scaled(x: Any, weight: Value, bias: Value, channel: bool) -> Any:
    """Return x · weight + bias, either of which may be None."""
    if channel:
        weight = None if weight is None else channels(weight, x, "batch_norm")
        bias = None if bias is None else channels(bias, x, "batch_norm")
    if weight is not None and bias is not None:
        return neural.scale_shift(x, weight, bias)
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def dropout(x: Value, p: float = 0.5, training: bool = True) -> Any:
    """Return x with each element set to 0 with probability p, the others divided by 1 - p."""
    if not training or p == 0:
        return x
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p is the probability to drop, from 0 to 1, not {p!r}")
    generator = random.generator(backend.device_of(raw(x)))
    kept = generator.random(x.shape, dtype="float32") >= p
    return x * (kept.astype(x.dtype) * (1 / (1 - p) if p < 1 else 0.0))
