"""Activations as modules: elementwise but for the two softmaxes; `functional` has the formulas."""

from __future__ import annotations

from typing import Any

from minigrad import ops
from minigrad.backend import Device
from minigrad.creation import full
from minigrad.nn import functional
from minigrad.nn.module import Module, Parameter
from minigrad.tensor import DType


class ReLU(Module):
    """max(x, 0); the derivative at 0 is 0."""

    def forward(self, x: Any) -> Any:
        """Return max(x, 0)."""
        return ops.relu(x)


class LeakyReLU(Module):
    """x for x > 0, else slope · x; the derivative at 0 is the slope."""

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def forward(self, x: Any) -> Any:
        """Return x, or slope · x where x ≤ 0."""
        return functional.leaky_relu(x, self.slope)

    def extra_repr(self) -> str:
        """Return the slope."""
        return f"{self.slope}"


class PReLU(Module):
    """x for x > 0, else weight · x, with one learned weight or one for each channel.

    ``weight`` has shape (num_parameters,), 1 or the channels C of inputs (N, C, …). The derivative
    with respect to x at 0 is the weight (He et al. 2015).
    """

    def __init__(
        self,
        num_parameters: int = 1,
        init: float = 0.25,
        dtype: DType = "float32",
        device: Device | None = None,
    ) -> None:
        self.weight = Parameter(full(num_parameters, init, dtype=dtype, device=device))

    def forward(self, x: Any) -> Any:
        """Return x, or weight · x where x ≤ 0."""
        return functional.prelu(x, self.weight)

    def extra_repr(self) -> str:
        """Return the number of weights."""
        return f"{self.weight.size}"


class ELU(Module):
    """x for x > 0, else α(eˣ - 1) (Clevert et al. 2015)."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        """Return x, or α(eˣ - 1) where x ≤ 0."""
        return functional.elu(x, self.alpha)

    def extra_repr(self) -> str:
        """Return α unless it is the default."""
        return "" if self.alpha == 1 else f"alpha={self.alpha}"


class SELU(Module):
    """The scaled ELU whose outputs tend to mean 0 and variance 1 (Klambauer et al. 2017)."""

    def forward(self, x: Any) -> Any:
        """Return 1.0507 · elu(x, 1.6733)."""
        return functional.selu(x)


class GELU(Module):
    """x Φ(x) with the normal distribution Φ; ``approximate="tanh"`` is its approximation.

    Hendrycks and Gimpel 2016.
    """

    def __init__(self, approximate: str = "none") -> None:
        if approximate not in ("none", "tanh"):
            raise ValueError(f'GELU: approximate is "none" or "tanh", not {approximate!r}')
        self.approximate = approximate

    def forward(self, x: Any) -> Any:
        """Return x Φ(x)."""
        return functional.gelu(x, self.approximate)

    def extra_repr(self) -> str:
        """Return the approximation unless there is none."""
        return "" if self.approximate == "none" else f"approximate={self.approximate!r}"


class SiLU(Module):
    """x · sigmoid(x), also called swish."""

    def forward(self, x: Any) -> Any:
        """Return x · sigmoid(x)."""
        return functional.silu(x)


class Sigmoid(Module):
    """1/(1 + e⁻ˣ)."""

    def forward(self, x: Any) -> Any:
        """Return 1/(1 + e⁻ˣ)."""
        return ops.sigmoid(x)


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, x: Any) -> Any:
        """Return tanh(x)."""
        return ops.tanh(x)


class LeCunTanh(Module):
    """1.7159 tanh(2x/3), which is ±1 at ±1 (LeCun et al., Efficient BackProp, 1998)."""

    def forward(self, x: Any) -> Any:
        """Return 1.7159 tanh(2x/3)."""
        return functional.lecun_tanh(x)


class Softplus(Module):
    """log(1 + e^(βx))/β, a smooth ReLU.

    PyTorch's has a threshold beyond which it returns x; this one needs none.
    """

    def __init__(self, beta: float = 1.0) -> None:
        if not beta > 0:
            raise ValueError(f"Softplus: beta must be positive, and is {beta!r}")
        self.beta = beta

    def forward(self, x: Any) -> Any:
        """Return log(1 + e^(βx))/β."""
        return functional.softplus(x, self.beta)

    def extra_repr(self) -> str:
        """Return β unless it is the default."""
        return "" if self.beta == 1 else f"beta={self.beta}"


class Softmax(Module):
    """eˣ/Σeˣ over an axis, without overflow."""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        """Return eˣ/Σeˣ."""
        return ops.softmax(x, self.axis)

    def extra_repr(self) -> str:
        """Return the axis."""
        return f"axis={self.axis}"


class LogSoftmax(Softmax):
    """x - log Σeˣ over an axis, without overflow."""

    def forward(self, x: Any) -> Any:
        """Return x - log Σeˣ."""
        return ops.log_softmax(x, self.axis)
