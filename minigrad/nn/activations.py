"""Activations as modules."""

from __future__ import annotations

from typing import Any

from minigrad.nn.module import Module
from minigrad.ops import relu


class ReLU(Module):
    """max(x, 0); the derivative at 0 is 0."""

    def forward(self, x: Any) -> Any:
        """Return max(x, 0)."""
        return relu(x)
