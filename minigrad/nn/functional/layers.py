"""Layers, activations, norms and dropout as functions. Not here: what keeps state (the modules)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minigrad import backend, ops, random
from minigrad.creation import sizes
from minigrad.mode import ShapeError
from minigrad.nn.functional.reduction import raw
from minigrad.ops import neural
from minigrad.ops.linalg import affine
from minigrad.ops.shape import shape_of
from minigrad.tensor import Tensor, Value

# Layers and activations --------------------------------------------------------------------------


def linear(x: Value, weight: Value, bias: Value = None) -> Any:
    """Return x Wᵀ + b for x (…, in), W (out, in) and b (out,) or None."""
    return affine(x, weight, bias)


def leaky_relu(x: Value, slope: float = 0.01) -> Any:
    """Return x for x > 0, else slope · x; the derivative at 0 is the slope."""
    return neural.leaky_relu(x, slope=slope)


def prelu(x: Value, weight: Value) -> Any:
    """Return x for x > 0, else weight · x; weight (1,), or (C,) for the channels of x (N, C, …)."""
    if math.prod(weight.shape) == 1:
        return neural.prelu(x, weight)
    return neural.prelu(x, channels(weight, x, "prelu"))


def channels(vector: Value, x: Value, operation: str) -> Any:
    """Return a vector (C,) in the shape that broadcasts over the channels of x (N, C, …)."""
    if len(vector.shape) != 1:
        raise ShapeError(
            f"{operation}: a tensor of shape {vector.shape} for the channels of an input of shape "
            f"{x.shape}; it is a vector, with a number for each of them"
        )
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
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Value = None,
    bias: Value = None,
    training: bool = False,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Return (x - mean)/√(variance + ε) · weight + bias over channels.

    x is (N, C) or (N, C, …), the vectors (C,). In `training` mean and variance are those of the
    batch, over all axes but the channels' (the variance biased), and gradients flow through them;
    the running ones, if given, move by `momentum`: running ← (1 - momentum) · running + momentum ·
    batch, with the unbiased variance. Else they are the running ones.

    Raises ValueError for a batch of one value a channel in training, and without running estimates
    out of it.
    """
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError(
                "batch_norm: out of training it needs running_mean and running_var; with "
                "training=True those of the batch are used"
            )
        scale = (channels(running_var, x, "batch_norm") + eps) ** -0.5
        out = (x - channels(running_mean, x, "batch_norm")) * scale
        return _scaled(out, weight, bias, channel=True)
    width = x.shape[1] if x.ndim > 1 else 1
    count = math.prod(x.shape) // max(width, 1)
    if count < 2:
        raise ValueError(
            f"BatchNorm in training needs more than one value a channel, and the input is "
            f"{x.shape}; use a larger batch (or drop the last one), or .eval()"
        )
    for running in (running_mean, running_var):
        if running is not None:
            channels(running, x, "batch_norm")
            if not isinstance(running, Tensor):
                raise TypeError(
                    "batch_norm: running_mean and running_var are Tensors, which training changes, "
                    f"not a {type(running).__name__}; use mg.tensor(...)"
                )
    out, mean, variance = neural.normalize(x, (0, *range(2, x.ndim)), eps)
    _move(running_mean, mean, momentum)
    _move(running_var, variance * (count / (count - 1)), momentum)
    return _scaled(out, weight, bias, channel=True)


def _move(running: Tensor | None, batch: Any, share: Any) -> None:
    """Move a running estimate; it gets new memory, so that older graphs stay right."""
    if running is not None:
        moved = running.data * (1 - share) + batch.reshape(-1) * share
        running.data = moved.astype(running.dtype, copy=False)


def layer_norm(
    x: Value,
    normalized_shape: int | Sequence[int],
    weight: Value = None,
    bias: Value = None,
    eps: float = 1e-5,
) -> Any:
    """Return x normalized over its last axes, times weight plus bias of their shape.

    `normalized_shape` is the shape of these axes, or the size of the last one.

    Raises ShapeError for an x that does not end in that shape, or a weight or bias of another.
    """
    shape = normalized_shape
    if type(shape) is not tuple:
        shape = sizes("layer_norm", (shape,), 1)
    if not shape or x.shape[-len(shape) :] != shape:
        raise ShapeError(
            f"layer_norm: an input of shape {x.shape}, which does not end in its normalized_shape "
            f"{shape}; try {x.shape[-1:] or '.reshape(1)'}"
        )
    for name, vector in (("weight", weight), ("bias", bias)):
        if vector is not None and shape_of(vector) != shape:
            raise ShapeError(
                f"layer_norm: a {name} of shape {shape_of(vector)} for the normalized_shape "
                f"{shape}; they must be equal"
            )
    axis = tuple(range(x.ndim - len(shape), x.ndim))
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
