"""Losses as modules."""

from __future__ import annotations

from typing import Any

from minigrad.nn import functional
from minigrad.nn.module import Module


class CrossEntropyLoss(Module):
    """Cross-entropy of logits (N, C) and class indices (N,)."""

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = reduction

    def forward(self, logits: Any, target: Any) -> Any:
        """Return the loss."""
        return functional.cross_entropy(logits, target, self.reduction)
