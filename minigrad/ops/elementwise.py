"""Elementwise operations: each with ∂out/∂input above its forward, as in a table of derivatives.

The partial derivatives read `out` where that is cheaper than recomputing. At a kink the derivative
is a chosen subgradient: 0 for abs, sign and relu at 0, one half each for maximum and minimum of
equals, 1 at the bounds of clip.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.fuse.chain import one_pass
from minigrad.primitive import _BROADCAST, Array, Backend, elementwise, primitive
from minigrad.tensor import Value

__all__ = [
    "abs", "add", "arctan", "clip", "cos", "cosh", "div", "equal", "erf", "exp", "expm1", "floor",
    "floor_divide", "greater", "greater_equal", "isfinite", "isnan", "less", "less_equal", "log",
    "log1p", "logical_and", "logical_not", "logical_or", "maximum", "minimum", "mul", "neg",
    "not_equal", "pow", "relu", "remainder", "round", "sigmoid", "sign", "sin", "sinh",
    "softplus", "sqrt", "square", "sub", "tan", "tanh", "where",
]  # fmt: skip

# Arithmetic --------------------------------------------------------------------------------------


@elementwise(1, 1)
@one_pass
def add(xp: Backend, a: Array, b: Array) -> Array:
    """Return a + b."""
    return a + b


@elementwise(1, -1)
@one_pass
def sub(xp: Backend, a: Array, b: Array) -> Array:
    """Return a - b."""
    return a - b


@elementwise(lambda b: b, lambda a: a)
@one_pass
def mul(xp: Backend, a: Array, b: Array) -> Array:
    """Return a · b."""
    return a * b


def _inverse(b: Any) -> Any:
    """Return 1 / b; of Python's 0, by which Python does not divide, infinity, as of an array's."""
    if type(b) in (float, int, bool) and not b:
        return math.copysign(math.inf, b)
    return 1 / b


@elementwise(lambda b: _inverse(b), lambda b, out: -out / b)
@one_pass
def div(xp: Backend, a: Array, b: Array) -> Array:
    """Return a / b."""
    return a / b


@elementwise(1, lambda a, b: -floor_divide(a, b))
def remainder(xp: Backend, a: Array, b: Array) -> Array:
    """Return a - b⌊a/b⌋, of the sign of b; the jumps have no derivative and count as flat."""
    return a % b


@elementwise(0, 0)
def floor_divide(xp: Backend, a: Array, b: Array) -> Array:
    """Return ⌊a/b⌋; the derivative is 0."""
    return a // b


@elementwise(-1)
@one_pass
def neg(xp: Backend, x: Array) -> Array:
    """Return -x."""
    return -x


@elementwise(lambda x, exponent: exponent * power(x, exponent=exponent - 1) if exponent else 0)
def power(xp: Backend, x: Array, *, exponent: float) -> Array:
    """Return x to a constant exponent, a Python number."""
    return xp.powered(x, exponent)


@elementwise(
    # 0 at 0⁰, not 0 · ∞. The difference comes last: of a b without axes it is a mere number.
    lambda a, b: b * pow(a, where((a == 0) * (b == 0), 2, b) - 1),
    lambda a, out: out * log(where(a > 0, a, 1)),
)
def _pow(xp: Backend, a: Array, b: Array) -> Array:
    return a**b


def pow(a: Value, b: Value) -> Any:
    """Return a to the power b: ∂/∂a = b·aᵇ⁻¹, ∂/∂b = aᵇ·log a (taken as 0 for a ≤ 0)."""
    if isinstance(b, (int, float)):
        return power(a, exponent=b)
    return _pow(a, b)


# Exponentials and logarithms ---------------------------------------------------------------------


@elementwise(lambda out: out)
@one_pass
def exp(xp: Backend, x: Array) -> Array:
    """Return eˣ."""
    return xp.exp(x)


@elementwise(lambda out: out + 1)
def expm1(xp: Backend, x: Array) -> Array:
    """Return eˣ - 1, exact for small x."""
    return xp.expm1(x)


@elementwise(lambda x: 1 / x)
@one_pass
def log(xp: Backend, x: Array) -> Array:
    """Return the natural logarithm of x."""
    return xp.log(x)


@elementwise(lambda x: 1 / (1 + x))
def log1p(xp: Backend, x: Array) -> Array:
    """Return log(1 + x), exact for small x."""
    return xp.log1p(x)


@elementwise(lambda out: 0.5 / out)
@one_pass
def sqrt(xp: Backend, x: Array) -> Array:
    """Return the square root of x; its derivative at 0 is infinite."""
    return xp.sqrt(x)


@elementwise(lambda x: 2 * x)
@one_pass
def square(xp: Backend, x: Array) -> Array:
    """Return x²."""
    return xp.square(x)


# Trigonometric and hyperbolic --------------------------------------------------------------------


@elementwise(lambda x: cos(x))
def sin(xp: Backend, x: Array) -> Array:
    """Return the sine of x, in radians."""
    return xp.sin(x)


@elementwise(lambda x: -sin(x))
def cos(xp: Backend, x: Array) -> Array:
    """Return the cosine of x, in radians."""
    return xp.cos(x)


@elementwise(lambda out: 1 + square(out))
def tan(xp: Backend, x: Array) -> Array:
    """Return the tangent of x, in radians."""
    return xp.tan(x)


@elementwise(lambda x: 1 / (1 + x * x))
def arctan(xp: Backend, x: Array) -> Array:
    """Return the inverse tangent of x, in radians."""
    return xp.arctan(x)


@elementwise(lambda x: cosh(x))
def sinh(xp: Backend, x: Array) -> Array:
    """Return the hyperbolic sine of x."""
    return xp.sinh(x)


@elementwise(lambda x: sinh(x))
def cosh(xp: Backend, x: Array) -> Array:
    """Return the hyperbolic cosine of x."""
    return xp.cosh(x)


@elementwise(lambda out: 1 - square(out))
@one_pass
def tanh(xp: Backend, x: Array) -> Array:
    """Return the hyperbolic tangent of x."""
    return xp.tanh(x)


# Curves of neural networks -----------------------------------------------------------------------


@elementwise(lambda out: out * (1 - out))
@one_pass
def sigmoid(xp: Backend, x: Array) -> Array:
    """Return eˣ / (1 + eˣ), to full relative precision; x is limited to where eˣ is finite.

    It is 1 there, to the last digit, and 0 where eˣ is too small for the dtype.
    """
    highest = float(int(math.log(xp.finfo(x.dtype).max)) if x.dtype.kind == "f" else 88)
    power = xp.exp(xp.minimum(x, highest))
    return power / (1 + power)


@elementwise(lambda x: sigmoid(x))
@one_pass
def softplus(xp: Backend, x: Array) -> Array:
    """Return log(1 + eˣ), as max(x, 0) + log(1 + e^-|x|), which cannot overflow."""
    return xp.relu(x) + xp.log1p(xp.exp(-xp.abs(x)))


@elementwise(lambda x: (2 / math.sqrt(math.pi)) * exp(-x * x))
def erf(xp: Backend, x: Array) -> Array:
    """Return the error function of x, 2/√π ∫₀ˣ exp(-t²) dt."""
    return xp.erf(x)


@elementwise(lambda out: out > 0)
def relu(xp: Backend, x: Array) -> Array:
    """Return max(x, 0); the derivative at 0 is 0."""
    return xp.relu(x)


# Pieces ------------------------------------------------------------------------------------------


@elementwise(lambda x: sign(x))
@one_pass
def abs(xp: Backend, x: Array) -> Array:
    """Return the absolute value of x; the derivative at 0 is 0."""
    return xp.abs(x)


@elementwise(0)
def sign(xp: Backend, x: Array) -> Array:
    """Return -1, 0 or 1; the derivative is 0."""
    return xp.sign(x)


def _share(a: Any, b: Any) -> Any:
    """Return 1 where a > b, one half where they are equal (infinities too), else 0."""
    dtype = (a if hasattr(a, "dtype") else b).dtype
    return 0.5 * ((a > b).astype(dtype) + (a >= b).astype(dtype))


@elementwise(lambda a, b: _share(a, b), lambda a, b: _share(b, a))
@one_pass
def maximum(xp: Backend, a: Array, b: Array) -> Array:
    """Return the larger of a and b; equals share the derivative."""
    return xp.maximum(a, b)


@elementwise(lambda a, b: _share(b, a), lambda a, b: _share(a, b))
@one_pass
def minimum(xp: Backend, a: Array, b: Array) -> Array:
    """Return the smaller of a and b; equals share the derivative."""
    return xp.minimum(a, b)


@elementwise(lambda x, low, high: _inside(x, low, high))
def _clip(xp: Backend, x: Array, *, low: float | None, high: float | None) -> Array:
    return xp.clip(x, low, high)


def clip(x: Value, low: float | None = None, high: float | None = None) -> Any:
    """Return x limited to [low, high], two numbers or None; the derivative at a bound is 1.

    Raises TypeError for bounds that are tensors or arrays.
    """
    for bound in (low, high):
        if not (bound is None or isinstance(bound, (int, float))):
            raise TypeError(
                f"clip: a bound is a number or None, not {type(bound).__name__}; "
                "between tensors, mg.minimum(mg.maximum(x, low), high)"
            )
    return _clip(x, low=low, high=high)


def _inside(x: Value, low: float | None, high: float | None) -> Any:
    above = x == x if low is None else x >= low
    return above if high is None else above * (x <= high)


@primitive(
    None,
    lambda g, condition: where(condition, g, 0),
    lambda g, condition: where(condition, 0, g),
    shape_rule=_BROADCAST,
)
def where(xp: Backend, condition: Array, a: Array, b: Array) -> Array:
    """Return a where the condition holds, else b; the gradient of what was not chosen is 0."""
    return xp.where(condition, a, b)


@elementwise(0)
def floor(xp: Backend, x: Array) -> Array:
    """Return the largest integer ≤ x; the derivative is 0."""
    return xp.floor(x)


@elementwise(0)
def round(xp: Backend, x: Array) -> Array:
    """Return the nearest integer, halves to even; the derivative is 0."""
    return xp.round(x)


# Comparisons: booleans, through which no gradient flows -------------------------------------------


@elementwise()
def equal(xp: Backend, a: Array, b: Array) -> Array:
    """Return a = b."""
    return xp.equal(a, b)


@elementwise()
def not_equal(xp: Backend, a: Array, b: Array) -> Array:
    """Return a ≠ b."""
    return xp.not_equal(a, b)


@elementwise()
def less(xp: Backend, a: Array, b: Array) -> Array:
    """Return a < b."""
    return xp.less(a, b)


@elementwise()
def less_equal(xp: Backend, a: Array, b: Array) -> Array:
    """Return a ≤ b."""
    return xp.less_equal(a, b)


@elementwise()
def greater(xp: Backend, a: Array, b: Array) -> Array:
    """Return a > b."""
    return xp.greater(a, b)


@elementwise()
def greater_equal(xp: Backend, a: Array, b: Array) -> Array:
    """Return a ≥ b."""
    return xp.greater_equal(a, b)


@elementwise()
def logical_and(xp: Backend, a: Array, b: Array) -> Array:
    """Return a and b, elementwise."""
    return xp.logical_and(a, b)


@elementwise()
def logical_or(xp: Backend, a: Array, b: Array) -> Array:
    """Return a or b, elementwise."""
    return xp.logical_or(a, b)


@elementwise()
def logical_not(xp: Backend, x: Array) -> Array:
    """Return not x, elementwise."""
    return xp.logical_not(x)


@elementwise()
def isfinite(xp: Backend, x: Array) -> Array:
    """Say where x is neither NaN nor infinite."""
    return xp.isfinite(x)


@elementwise()
def isnan(xp: Backend, x: Array) -> Array:
    """Say where x is NaN."""
    return xp.isnan(x)
