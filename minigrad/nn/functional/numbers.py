"""The losses that compare numbers with numbers of the same shape."""

from __future__ import annotations

from typing import Any

from minigrad import ops
from minigrad.nn.functional.reduction import REDUCTIONS, alike, check_reduction, reduced
from minigrad.ops import neural
from minigrad.tensor import Value


def mse_loss(x: Value, target: Value, reduction: str = "mean") -> Any:
    """Return (x - target)², reduced."""
    return reduced(ops.square(x - alike(x, target, "mse_loss")), reduction)


def l1_loss(x: Value, target: Value, reduction: str = "mean") -> Any:
    """Return |x - target|, reduced; the derivative at 0 is 0."""
    return reduced(ops.abs(x - alike(x, target, "l1_loss")), reduction)


def huber_loss(x: Value, target: Value, reduction: str = "mean", delta: float = 1.0) -> Any:
    """Return ½d² where |d| ≤ δ, else δ(|d| - ½δ), for d = x - target, reduced (Huber 1964)."""
    difference = x - alike(x, target, "huber_loss")
    return reduced(neural.huber(difference, delta=delta), reduction)


def binary_cross_entropy_with_logits(x: Value, target: Value, reduction: str = "mean") -> Any:
    """Return -t log σ(x) - (1 - t) log(1 - σ(x)), without overflow, reduced; t from 0 to 1."""
    target = alike(x, target, "binary_cross_entropy_with_logits")
    target = target.astype(x.dtype) if target.dtype != x.dtype else target
    return reduced(neural.bce_with_logits(x, target), reduction)


def kl_div(x: Value, target: Value, reduction: str = "mean", log_target: bool = False) -> Any:
    """Return t (log t - x) for log-probabilities x and probabilities t (0 where t = 0), reduced.

    As in PyTorch, ``"mean"`` divides by the number of elements and ``"batchmean"`` by the length of
    the first axis, which is the divergence. With `log_target` the target is log t.
    """
    check_reduction(reduction, (*REDUCTIONS, "batchmean"))
    target = alike(x, target, "kl_div")
    if log_target:
        values = ops.exp(target) * (target - x)
    else:
        present = target > 0
        values = target * (ops.log(ops.where(present, target, 1)) - ops.where(present, x, 0))
    if reduction == "batchmean":
        return reduced(values, "mean", x.shape[0])
    return reduced(values, reduction)
