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
from minigrad.ops import affine, matmul, reshape
from minigrad.ops.shape import mT
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
    """Joins the axes from `start` on into one: (N, C, H, W) becomes (N, C·H·W)."""

    def __init__(self, start: int = 1) -> None:
        self.start = start

    def forward(self, x: Any) -> Any:
        """Return x with its last axes joined."""
        return reshape(x, (*x.shape[: self.start], math.prod(x.shape[self.start :])))

    def extra_repr(self) -> str:
        """Return `start` unless it is the default."""
        return "" if self.start == 1 else f"start={self.start}"
