"""Linear and Flatten."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from minigrad.backend import Device
from minigrad.creation import sizes, zeros
from minigrad.mode import ShapeError
from minigrad.nn import init as initializers
from minigrad.nn.module import Module, Parameter
from minigrad.ops.linalg import affine, matmul
from minigrad.ops.shape import flatten, mT, reshape
from minigrad.tensor import DType, Tensor


class Linear(Module):
    """The affine map y = x Wᵀ + b, from x (…, in) to y (…, out).

    ``weight`` has PyTorch's shape (out, in), and its memory runs along `out`, which makes the
    product and its gradient faster; ``bias`` has shape (out,), or is None. Both start uniform in
    ±1/√in, PyTorch's default; `init`, a function of `nn.init` such as ``nn.init.kaiming_normal_``,
    fills the weight instead, and then the bias starts at 0.

    Raises TypeError for sizes that are no integers, ShapeError for sizes below 1 and for an input
    whose last size is not `in`.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        init: Callable[[Tensor], Any] | None = None,
        dtype: DType = "float32",
        device: Device | None = None,
    ) -> None:
        sizes(f"Linear({in_features}, {out_features})", (in_features, out_features), 1)
        if init is not None and not callable(init):
            raise TypeError(
                f"Linear: init is a function such as nn.init.kaiming_normal_, not {init!r}; dtype "
                "and device are given by name"
            )
        weight = zeros(in_features, out_features, dtype=dtype, device=device)
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(weight.T)
        self.bias = Parameter(zeros(out_features, dtype=dtype, device=device)) if bias else None
        bound = 1 / math.sqrt(in_features)
        if init is not None:
            init(self.weight)
        else:
            initializers.uniform_(self.weight, -bound, bound)
            if self.bias is not None:
                initializers.uniform_(self.bias, -bound, bound)

    def forward(self, x: Any) -> Any:
        """Return x Wᵀ + b."""
        shape = x.shape
        if not shape or shape[-1] != self.in_features:
            raise ShapeError(
                f"Linear({self.in_features}, {self.out_features}) got an input of shape {shape}; "
                f"its last size must be {self.in_features} (nn.Flatten() makes images rows)"
            )
        if self.bias is None:
            return matmul(x, mT(self.weight))
        return affine(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes."""
        sizes = f"{self.in_features}, {self.out_features}"
        return sizes if self.bias is not None else f"{sizes}, bias=False"


class Flatten(Module):
    """Joins the axes from `start` to `end` into one: (N, C, H, W) becomes (N, C·H·W).

    An input that ends before `start`, such as (N,), gets an axis of size 1.
    """

    def __init__(self, start: int = 1, end: int = -1) -> None:
        self.start = start
        self.end = end

    def forward(self, x: Any) -> Any:
        """Return x with these axes joined."""
        if x.ndim == self.start:
            return reshape(x, (*x.shape, 1))
        return flatten(x, self.start, self.end)

    def extra_repr(self) -> str:
        """Return what is not the default."""
        notes = [] if self.start == 1 else [f"start={self.start}"]
        notes += [] if self.end == -1 else [f"end={self.end}"]
        return ", ".join(notes)
