"""Losses as modules: called with the output and the target, they return a scalar Tensor.

`reduction` is ``"mean"`` over all elements, ``"sum"``, or ``"none"``, which keeps the shape. A
target of another shape is a ShapeError (no broadcasting), another word for the reduction a
ValueError.
"""

from __future__ import annotations

from typing import Any

from minigrad.nn import functional
from minigrad.nn.functional.reduction import REDUCTIONS, check_reduction
from minigrad.nn.module import Module


class _Loss(Module):
    """A loss with a reduction."""

    def __init__(self, reduction: str = "mean") -> None:
        check_reduction(reduction)
        self.reduction = reduction

    def extra_repr(self) -> str:
        """Return the reduction unless it is the default."""
        return "" if self.reduction == "mean" else f"reduction={self.reduction!r}"


class MSELoss(_Loss):
    """The squared error (x - target)²."""

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss."""
        return functional.mse_loss(x, target, self.reduction)


class L1Loss(_Loss):
    """The absolute error |x - target|; the derivative at 0 is 0."""

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss."""
        return functional.l1_loss(x, target, self.reduction)


class HuberLoss(_Loss):
    """½d² for |d| ≤ δ, else δ(|d| - ½δ), with d = x - target (Huber 1964)."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        if not delta > 0:
            raise ValueError(f"HuberLoss: delta must be positive, and is {delta!r}")
        self.delta = delta

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss."""
        return functional.huber_loss(x, target, self.reduction, self.delta)


class CrossEntropyLoss(_Loss):
    """-log softmax(logits)[class]: softmax and negative log-likelihood in one, without overflow.

    Logits are (N, C), or (N, C, d₁, …) with a target (N, d₁, …), or (C,). The target holds

    - class indices, integers from 0 to C - 1; those equal to `ignore_index` do not count, nor in
      the mean (which is 0 if none counts);
    - or probabilities, floating, of the logits' shape; the mean divides by the number of samples.

    `label_smoothing` ε mixes the target with the uniform distribution: (1 - ε) · target + ε/C.

    Raises ShapeError, TypeError and ValueError for a target of a wrong shape, dtype and range. On a
    GPU a class out of range makes the loss NaN instead, since the host does not wait to look at the
    classes; within ``mg.detect_anomaly()`` it does, and raises the ValueError.
    """

    def __init__(
        self,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing is a number from 0 to 1, not {label_smoothing!r}")
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, logits: Any, target: Any) -> Any:
        """Return the loss."""
        return functional.cross_entropy(
            logits,
            target,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_Loss):
    """-logp[class] for log-probabilities (of `LogSoftmax`); shapes as in `CrossEntropyLoss`."""

    def __init__(self, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.ignore_index = ignore_index

    def forward(self, logp: Any, target: Any) -> Any:
        """Return the loss."""
        return functional.nll_loss(
            logp, target, ignore_index=self.ignore_index, reduction=self.reduction
        )


class BCEWithLogitsLoss(_Loss):
    """-t log σ(x) - (1 - t) log(1 - σ(x)), for targets t from 0 to 1, without overflow."""

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss."""
        return functional.binary_cross_entropy_with_logits(x, target, self.reduction)


class KLDivLoss(_Loss):
    """t (log t - x) for log-probabilities x and probabilities t: the divergence of x from t.

    PyTorch's conventions: ``"mean"`` divides by the number of elements; ``"batchmean"``, by the
    length of the first axis, is the divergence in the mathematical sense. With `log_target` the
    target holds log t.
    """

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        check_reduction(reduction, (*REDUCTIONS, "batchmean"))
        self.reduction = reduction
        self.log_target = log_target

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss."""
        return functional.kl_div(x, target, self.reduction, self.log_target)
