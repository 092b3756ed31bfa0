"""The losses of classes: given as integers, which may be ignored, or as probabilities.

On the CPU the classes are looked at, so that what is no class is an error, and rows that are
ignored are left out. On a GPU the host would have to wait for them: it looks only within
``mg.detect_anomaly()``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from minigrad import backend, ops
from minigrad.backend import DeviceError
from minigrad.mode import ShapeError, mode
from minigrad.nn.functional.reduction import REDUCTIONS, alike, check_reduction, raw, reduced
from minigrad.ops import neural
from minigrad.ops.half import in_float32
from minigrad.tensor import Value


def cross_entropy(
    logits: Value,
    target: Value,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Return -log softmax(logits)[target], reduced; see `nn.CrossEntropyLoss`."""
    array, classes = raw(logits), raw(target)
    if (
        type(array) is type(classes) is backend.cpu.Array
        and array.dtype.char in "fd"
        and classes.dtype.kind == "i"
        and array.ndim == 2
        and classes.ndim == 1
        and ignore_index < 0
        and not label_smoothing
        and reduction in REDUCTIONS
    ):
        count, width = array.shape
        # Seen as unsigned, a negative class is a large one: one comparison finds both errors.
        unsigned = classes.dtype.char.upper()
        if 0 < count == len(classes) and classes.view(unsigned).max() < width:
            scale = 1 / count if reduction == "mean" else 1.0
            index = _first_places(count, width) + classes
            return neural.cross_entropy(logits, index, scale, reduction != "none")
    return _any_cross_entropy(logits, target, ignore_index, reduction, label_smoothing)


@functools.lru_cache(32)
def _first_places(count: int, width: int) -> Any:
    """Return the flat position of the first number of each row."""
    return backend.cpu.arange(0, count * width, width)


@in_float32
def _any_cross_entropy(
    logits: Value, target: Value, ignore_index: int, reduction: str, label_smoothing: float
) -> Any:
    """Return the cross-entropy of classes or probabilities, of any shape, on any device."""
    classes = raw(target)
    on_cpu = _together(logits, classes, "cross_entropy") is backend.cpu
    check_reduction(reduction)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing is a number from 0 to 1, not {label_smoothing!r}")
    if classes.dtype.kind == "f":
        return _probable(logits, target, reduction, label_smoothing)
    if on_cpu:
        return _indexed(logits, classes, ignore_index, reduction, label_smoothing)

    def losses(rows: Any, flat: Any, place: Any) -> Any:
        if not label_smoothing:
            return neural.cross_entropy(rows, place, 1.0, False)
        soft = _smoothed(rows, place, label_smoothing)
        return neural.soft_cross_entropy(rows, soft, 1.0, False)

    return _unseen(logits, classes, ignore_index, reduction, "cross_entropy", losses)


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
    xp = backend.of((target,))
    flat = target.reshape(-1)
    ignored = flat == ignore_index
    wrong = ((flat < 0) | (flat >= width)) & ~ignored
    if wrong.any():
        raise ValueError(
            f"{operation}: a class {int(flat[wrong][0])} in the target; with {width} classes it "
            f"must be from 0 to {width - 1}, or ignore_index ({ignore_index})"
        )
    return flat, xp.nonzero(~ignored)[0]


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
    if mode.anomaly:
        _classes(x, target, ignore_index, operation)  # this waits, and raises
    xp, number = backend.of((target,)), raw(x).dtype.type
    rows, flat = _class_rows(x), target.reshape(-1)
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
    if target.ndim == logits.ndim - 1 and target.shape == logits.shape[:1] + logits.shape[2:]:
        raise TypeError(
            f"cross_entropy: classes of {target.dtype}, of shape {target.shape}; class indices are "
            "integers: .astype(mg.int64)"
        )
    target = alike(logits, target, "cross_entropy")
    shape = (logits.shape[:1] + logits.shape[2:]) if logits.ndim > 1 else ()
    rows, wanted = _class_rows(logits), _class_rows(target)
    if smoothing:
        wanted = wanted * (1 - smoothing) + smoothing / rows.shape[1]
    scale = 1 / max(math.prod(shape), 1) if reduction == "mean" else 1.0
    losses = neural.soft_cross_entropy(rows, wanted, scale, reduction != "none")
    return losses if reduction != "none" else ops.reshape(losses, shape)
