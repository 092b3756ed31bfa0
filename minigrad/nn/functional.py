"""The functions beneath the modules, without state; names and conventions are PyTorch's.

Where PyTorch says `dim`, this library says `axis`. The losses have `losses.py`'s docstrings to
themselves: what is here says shapes and formulas. A `reduction` is ``"mean"``, ``"sum"`` or
``"none"``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from minigrad import backend, ops, random
from minigrad.backend import DeviceError
from minigrad.mode import ShapeError
from minigrad.ops import affine, log_softmax, neural, relu, sigmoid, softmax, tanh
from minigrad.ops.half import in_float32
from minigrad.ops.neural import lecun_tanh, silu
from minigrad.tensor import Tensor, Value

__all__ = [
    "batch_norm", "binary_cross_entropy_with_logits", "cross_entropy", "dropout", "elu", "gelu",
    "huber_loss", "kl_div", "l1_loss", "layer_norm", "leaky_relu", "lecun_tanh", "linear",
    "log_softmax", "mse_loss", "nll_loss", "prelu", "relu", "selu", "sigmoid", "silu", "softmax",
    "softplus", "tanh",
]  # fmt: skip

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


def raw(x: Value) -> Any:
    """Return the array of a tensor, or of what can be made one."""
    if isinstance(x, Tensor):
        return x.data
    return x if backend.is_array(x) else Tensor(x).data


# Losses of numbers -------------------------------------------------------------------------------

REDUCTIONS = ("mean", "sum", "none")


@in_float32
def reduced(values: Any, reduction: str, count: int | None = None) -> Any:
    """Return the mean, the sum, or the values; the mean divides by `count` if it is given."""
    check_reduction(reduction)
    if reduction == "none":
        return values
    total = ops.sum(values)
    if reduction == "sum":
        return total
    return total * (1 / max(values.size if count is None else count, 1))


def check_reduction(reduction: str, legal: tuple[str, ...] = REDUCTIONS) -> None:
    """Raise ValueError for a word that is no reduction."""
    if reduction not in legal:
        names = ", ".join(f'"{name}"' for name in legal)
        raise ValueError(f"reduction is one of {names}, not {reduction!r}")


def _alike(x: Value, target: Value, operation: str) -> Any:
    """Return the target, or raise ShapeError unless it has the shape of x."""
    target = target if isinstance(target, Tensor) else raw(target)
    if x.shape != target.shape:
        raise ShapeError(
            f"{operation}: an input of shape {x.shape} and a target of shape {target.shape}; they "
            "must be equal, for broadcasting them would compare every element with every other"
        )
    return target


def mse_loss(x: Value, target: Value, reduction: str = "mean") -> Any:
    """Return (x - target)², reduced."""
    return reduced(ops.square(x - _alike(x, target, "mse_loss")), reduction)


def l1_loss(x: Value, target: Value, reduction: str = "mean") -> Any:
    """Return |x - target|, reduced; the derivative at 0 is 0."""
    return reduced(ops.abs(x - _alike(x, target, "l1_loss")), reduction)


def huber_loss(x: Value, target: Value, reduction: str = "mean", delta: float = 1.0) -> Any:
    """Return ½d² where |d| ≤ δ, else δ(|d| - ½δ), for d = x - target, reduced (Huber 1964)."""
    difference = x - _alike(x, target, "huber_loss")
    inner = ops.clip(difference, -delta, delta)
    return reduced(inner * (difference - 0.5 * inner), reduction)


def binary_cross_entropy_with_logits(x: Value, target: Value, reduction: str = "mean") -> Any:
    """Return -t log σ(x) - (1 - t) log(1 - σ(x)), without overflow, reduced; t from 0 to 1."""
    target = _alike(x, target, "binary_cross_entropy_with_logits")
    target = target.astype(x.dtype) if target.dtype != x.dtype else target
    return reduced(neural.bce_with_logits(x, target), reduction)


def kl_div(x: Value, target: Value, reduction: str = "mean", log_target: bool = False) -> Any:
    """Return t (log t - x) for log-probabilities x and probabilities t (0 where t = 0), reduced.

    As in PyTorch, ``"mean"`` divides by the number of elements and ``"batchmean"`` by the length of
    the first axis, which is the divergence. With `log_target` the target is log t.
    """
    check_reduction(reduction, (*REDUCTIONS, "batchmean"))
    target = _alike(x, target, "kl_div")
    if log_target:
        values = ops.exp(target) * (target - x)
    else:
        present = target > 0
        values = target * (ops.log(ops.where(present, target, 1)) - ops.where(present, x, 0))
    if reduction == "batchmean":
        return reduced(values, "mean", x.shape[0])
    return reduced(values, reduction)


# Losses of classes -------------------------------------------------------------------------------


@in_float32
def cross_entropy(
    logits: Value,
    target: Value,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Return -log softmax(logits)[target], reduced; see `nn.CrossEntropyLoss`."""
    classes = raw(target)
    on_cpu = _together(logits, classes, "cross_entropy") is backend.cpu
    if (
        on_cpu
        and logits.ndim == 2
        and classes.ndim == 1
        and classes.dtype.kind == "i"
        and not label_smoothing
        and ignore_index < 0
        and reduction in REDUCTIONS
        and 0 < len(classes) == logits.shape[0]
    ):
        count, width = logits.shape
        # Seen as unsigned, a negative class is a large one: one comparison finds both errors.
        if classes.view(f"u{classes.dtype.itemsize}").max() < width:
            index = backend.of((classes,)).arange(0, count * width, width) + classes
            scale = 1 / count if reduction == "mean" else 1.0
            return neural.cross_entropy(logits, index, scale, reduction != "none")
    check_reduction(reduction)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing is a number from 0 to 1, not {label_smoothing!r}")
    if classes.dtype.kind == "f":
        return _probable(logits, target, reduction, label_smoothing)
    if not on_cpu:

        def losses(rows: Any, flat: Any, place: Any) -> Any:
            if not label_smoothing:
                return neural.cross_entropy(rows, place, 1.0, False)
            soft = _smoothed(rows, place, label_smoothing)
            return neural.soft_cross_entropy(rows, soft, 1.0, False)

        return _unseen(logits, classes, ignore_index, reduction, "cross_entropy", losses)
    return _indexed(logits, classes, ignore_index, reduction, label_smoothing)


@in_float32
def nll_loss(
    logp: Value, target: Value, *, ignore_index: int = -100, reduction: str = "mean"
) -> Any:
    """Return -logp[target] for log-probabilities (N, C) or (N, C, …), reduced; see `nn.NLLLoss`."""
    check_reduction(reduction)
    if _together(logp, raw(target), "nll_loss") is not backend.cpu:

        def picked(rows: Any, flat: Any, place: Any) -> Any:
            return -ops.getitem(ops.flatten(rows), place)

        return _unseen(logp, raw(target), ignore_index, reduction, "nll_loss", picked)
    rows = _class_rows(logp)
    classes, kept = _classes(logp, raw(target), ignore_index, "nll_loss")
    losses = -ops.getitem(rows, (kept, classes[kept]))
    return _spread(losses, kept, classes, raw(target).shape, reduction)


def _class_rows(x: Value) -> Any:
    """Return x (N, C, …) as a matrix whose rows have the C classes of one place each."""
    if x.ndim == 2:
        return x
    if x.ndim == 0:
        raise ShapeError("a loss of classes needs an input (C,), (N, C) or (N, C, …), not a scalar")
    if x.ndim == 1:
        return ops.reshape(x, (1, -1))
    return ops.reshape(ops.permute(x, (0, *range(2, x.ndim), 1)), (-1, x.shape[1]))


def _together(x: Value, target: Any, operation: str) -> Any:
    """Return the backend of an input and its target; DeviceError if they are on two devices."""
    array = raw(x)
    devices = [backend.device_of(array), backend.device_of(target)]
    if devices[0] != devices[1]:
        raise DeviceError(
            f"{operation}: an input on {devices[0]} and a target on {devices[1]}; "
            f"move one with .to({devices[0]!r})"
        )
    return backend.of((array,))


def _check_classes(x: Value, target: Any, operation: str) -> int:
    """Return the number of classes; raise for a target of another dtype or shape."""
    if target.dtype.kind not in "iu":
        raise TypeError(
            f"{operation}: classes are integers (int64), not {target.dtype}; use .astype(mg.int64)"
        )
    expected = x.shape[:1] + x.shape[2:] if x.ndim > 1 else ()
    if target.shape != expected:
        raise ShapeError(
            f"{operation}: an input of shape {x.shape} needs classes of shape {expected}, or "
            f"probabilities of its own shape; the target's is {target.shape}"
        )
    return x.shape[1 if x.ndim > 1 else 0]  # type: ignore[no-any-return]


def _classes(x: Value, target: Any, ignore_index: int, operation: str) -> tuple[Any, Any]:
    """Return the flat class indices and the positions of those that count, or raise."""
    width = _check_classes(x, target, operation)
    flat = target.reshape(-1)
    ignored = flat == ignore_index
    wrong = ((flat < 0) | (flat >= width)) & ~ignored
    if wrong.any():
        raise ValueError(
            f"{operation}: a class {int(flat[wrong][0])} in the target; with {width} classes it "
            f"must be from 0 to {width - 1}, or ignore_index ({ignore_index})"
        )
    return flat, backend.of((flat,)).nonzero(~ignored)[0]


def _unseen(
    x: Value,
    target: Any,
    ignore_index: int,
    reduction: str,
    operation: str,
    losses: Callable[[Any, Any, Any], Any],
) -> Any:
    """Return a loss of classes on a device whose numbers the host does not look at.

    What is ignored is multiplied by 0, and what is no class by NaN: to leave it out, or to raise,
    the host would have to wait for the device. ``losses(rows, classes, places)`` is of every row.
    """
    width = _check_classes(x, target, operation)
    rows, flat = _class_rows(x), target.reshape(-1)
    xp, number = backend.of((flat,)), raw(x).dtype.type
    kept = flat != ignore_index
    # Seen as unsigned, a negative class is a large one: one comparison finds both errors.
    legal = flat.view(f"u{flat.dtype.itemsize}") < width
    if 0 <= ignore_index < width:
        legal &= kept
    safe = xp.where(legal, flat, 0)
    every = losses(rows, safe, xp.arange(0, flat.size * width, width) + safe)
    share = xp.where(legal, number(1), xp.where(kept, number(math.nan), number(0)))
    if reduction == "mean":
        share /= xp.maximum(kept.sum(), 1)
    every = ops.where(kept, every, 0) * share
    return ops.reshape(every, target.shape) if reduction == "none" else ops.sum(every)


def _smoothed(rows: Any, place: Any, smoothing: float) -> Any:
    """Return the mixture of the classes at flat places with the uniform distribution."""
    count, width = rows.shape
    soft = backend.of((place,)).full((count, width), smoothing / width, raw(rows).dtype)
    soft.reshape(-1)[place] += 1 - smoothing
    return soft


def _spread(losses: Any, kept: Any, flat: Any, shape: Any, reduction: str) -> Any:
    """Return the losses of the rows that count reduced, or in their places among zeros."""
    if reduction != "none":
        return reduced(losses, reduction)
    if len(kept) == len(flat):
        return ops.reshape(losses, shape)
    return ops.reshape(ops.indexing.put(losses, index=(kept,), shape=(len(flat),)), shape)


def _indexed(
    logits: Value, target: Any, ignore_index: int, reduction: str, smoothing: float
) -> Any:
    """Return the cross-entropy of class indices: any shape, ignored rows, smoothed labels."""
    rows = _class_rows(logits)
    flat, kept = _classes(logits, target, ignore_index, "cross_entropy")
    xp = backend.of((flat,))
    if len(kept) < len(flat):
        rows = ops.getitem(rows, kept)
    count, width = rows.shape
    if count == 0:
        losses = ops.sum(rows, 1)
    else:
        index = xp.arange(0, count * width, width) + flat[kept]
        if smoothing:
            losses = neural.soft_cross_entropy(rows, _smoothed(rows, index, smoothing), 1.0, False)
        else:
            losses = neural.cross_entropy(rows, index, 1.0, False)
    return _spread(losses, kept, flat, target.shape, reduction)


def _probable(logits: Value, target: Value, reduction: str, smoothing: float) -> Any:
    """Return the cross-entropy of class probabilities."""
    target = _alike(logits, target, "cross_entropy")
    shape = (logits.shape[:1] + logits.shape[2:]) if logits.ndim > 1 else ()
    rows, wanted = _class_rows(logits), _class_rows(target)
    if smoothing:
        wanted = wanted * (1 - smoothing) + smoothing / rows.shape[1]
    scale = 1 / max(math.prod(shape), 1) if reduction == "mean" else 1.0
    losses = neural.soft_cross_entropy(rows, wanted, scale, reduction != "none")
    return losses if reduction != "none" else ops.reshape(losses, shape)
