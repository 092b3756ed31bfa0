"""What the losses share: the array of a target, the check of its shape, the reductions."""

from __future__ import annotations

from typing import Any

from minigrad import backend, ops
from minigrad.mode import ShapeError
from minigrad.ops.half import in_float32
from minigrad.tensor import Tensor, Value

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


def raw(x: Value) -> Any:
    """Return the array of a tensor, or of what can be made one."""
    if isinstance(x, Tensor):
        return x.data
    return x if backend.is_array(x) else Tensor(x).data


def alike(x: Value, target: Value, operation: str) -> Any:
    """Return the target, or raise ShapeError unless it has the shape of x."""
    target = target if isinstance(target, Tensor) else raw(target)
    if x.shape != target.shape:
        raise ShapeError(
            f"{operation}: an input of shape {x.shape} and a target of shape {target.shape}; they "
            "must be equal, for broadcasting them would compare every element with every other"
        )
    return target
