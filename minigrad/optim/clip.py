"""Clipping of gradients, between ``backward()`` and ``step()``.

All three replace ``p.grad`` by a new tensor where they change it, so that a gradient that is used
elsewhere too keeps its value. On a GPU nothing here is read by the host, which would have to wait:
norms are returned as Tensors of no axis, and gradients are multiplied by 1 where they stay.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from minigrad import backend, ops
from minigrad.legal import number
from minigrad.optim.hyper import HyperparameterError, check_tensors
from minigrad.tensor import Tensor

Parameters = Tensor | Iterable[Tensor]


@backend.explaining
def clip_grad_norm_(
    parameters: Parameters,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Any:
    """Scale all gradients by c/‖g‖ if their common norm ‖g‖ exceeds c, and return ‖g‖.

    c is `max_norm`; the norm is that of all gradients taken as one vector, of order `norm_type`
    (``math.inf``: the largest absolute value). If the norm is NaN or infinite, the gradients become
    NaN or 0 as the formula says, as in PyTorch; with `error_if_nonfinite` that is an error instead,
    which names the parameter. (PyTorch scales by c/(‖g‖ + 1e-6).)

    On a GPU the norm is a Tensor, and infinite where the sum of the powers overflows, as PyTorch's
    is; with `error_if_nonfinite` the host reads it.

    Raises HyperparameterError for `max_norm` or `norm_type` ≤ 0, FloatingPointError as said.
    """
    tensors = _with_gradient("clip_grad_norm_", parameters, "max_norm", max_norm)
    _positive("clip_grad_norm_", "norm_type", norm_type)
    if not error_if_nonfinite and _on_one_gpu(tensors):
        powers = ops.stack([_power(p, norm_type) for p in tensors])
        return _limited(tensors, powers, max_norm, norm_type)
    norms = [_norm(p, norm_type) for p in tensors]
    largest = max(norms, default=0.0)
    total = largest
    if norm_type < math.inf and 0 < largest < math.inf:
        total = largest * sum((norm / largest) ** norm_type for norm in norms) ** (1 / norm_type)
    if any(math.isnan(norm) for norm in norms):
        total = math.nan
    if error_if_nonfinite and not math.isfinite(total):
        i = next(i for i, norm in enumerate(norms) if not math.isfinite(norm))
        raise FloatingPointError(
            f"clip_grad_norm_: the norm of the gradients is {total}; the first that is not finite "
            f"is gradient {i}, of shape {tensors[i].shape}. Run the step inside "
            "mg.detect_anomaly() to see where it came from, or lower the learning rate"
        )
    if not total <= max_norm:
        for p in tensors:
            _scale(p, max_norm / total)
    return total


@backend.explaining
def clip_grad_norm_per_parameter_(
    parameters: Parameters, max_norm: float, norm_type: float = 2.0
) -> list[Any]:
    """Scale each gradient by c/‖g‖ if its own norm ‖g‖ exceeds c, and return the norms before.

    Raises HyperparameterError for `max_norm` or `norm_type` ≤ 0.
    """
    name = "clip_grad_norm_per_parameter_"
    tensors = _with_gradient(name, parameters, "max_norm", max_norm)
    _positive(name, "norm_type", norm_type)
    if _on_one_gpu(tensors):
        return [_limited([p], _power(p, norm_type), max_norm, norm_type) for p in tensors]
    norms = [_norm(p, norm_type) for p in tensors]
    for p, norm in zip(tensors, norms, strict=True):
        if not norm <= max_norm:
            _scale(p, max_norm / norm)
    return norms


def clip_grad_value_(parameters: Parameters, clip_value: float) -> None:
    """Replace each gradient's coordinates by the nearest in [−clip_value, clip_value]; NaN stays.

    Raises HyperparameterError for `clip_value` ≤ 0.
    """
    for p in _with_gradient("clip_grad_value_", parameters, "clip_value", clip_value):
        bound = float(clip_value)
        p.grad = Tensor.of(ops.clip(p.grad.data, -bound, bound))  # type: ignore[union-attr]


def _positive(function: str, name: str, value: Any) -> None:
    if not (number(value) and value > 0):
        raise HyperparameterError(f"{function}: {name}={value!r} is not a number > 0")


def _with_gradient(function: str, parameters: Parameters, name: str, bound: Any) -> list[Tensor]:
    """Return the parameters that have a gradient, after a look at the bound."""
    _positive(function, name, bound)
    tensors = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    check_tensors(function, tensors)
    return [p for p in tensors if p.grad is not None]


def _norm(p: Tensor, order: float) -> float:
    """Return the norm of a parameter's gradient, safe from overflow of its squares."""
    xp = backend.of((p.grad.data,))  # type: ignore[union-attr]
    g = p.grad.data.ravel("K")  # type: ignore[union-attr]
    if g.size == 0:
        return 0.0
    if order == 2.0:
        square = xp.sum_of_squares(g)
        if 1e-30 < square < math.inf and g.dtype != "float16":
            return math.sqrt(square)
    largest = float(abs(g).max())
    if order == math.inf or largest == 0 or not math.isfinite(largest):
        return largest
    portions = abs(g / largest).astype("float64") ** order
    return float(largest * float(portions.sum()) ** (1 / order))


def _on_one_gpu(tensors: list[Tensor]) -> bool:
    devices = {p.device for p in tensors}
    return len(devices) == 1 and devices != {"cpu"}


def _power(p: Tensor, order: float) -> Any:
    """Return Σ|g|ᵖ of a gradient on a GPU (max|g| for p = ∞), at least in float32, as an array."""
    xp = backend.of((p.grad.data,))  # type: ignore[union-attr]
    g = p.grad.data.ravel("K")  # type: ignore[union-attr]
    if g.dtype == "float16":
        g = g.astype("float32")
    if order == math.inf:
        return xp.concatenate([abs(g), xp.zeros(1, g.dtype)]).max()
    return xp.dot(g, g) if order == 2.0 else (abs(g) ** order).sum()


def _limited(tensors: list[Tensor], powers: Any, max_norm: float, order: float) -> Tensor:
    """Scale gradients on a GPU by min(1, c/‖g‖), and return ‖g‖, which stays there too."""
    xp = backend.of((powers,))
    norm = powers.max() if order == math.inf else powers.sum() ** (1 / order)
    factor = xp.minimum(max_norm / norm, 1.0)
    for p in tensors:
        g = p.grad.data  # type: ignore[union-attr]
        p.grad = Tensor.of(g * factor.astype(g.dtype))
    return Tensor.of(norm)


def _scale(p: Tensor, factor: float) -> None:
    p.grad = Tensor.of(ops.mul(p.grad.data, factor))  # type: ignore[union-attr]
