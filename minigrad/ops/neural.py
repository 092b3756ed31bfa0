"""Operations of neural networks that pay to be one: activations, losses, norms, penalties.

Four of them take beside x a function of x that was computed on the way (Φ(x), the moments, the
log-probabilities). Their rule for x is the whole derivative, along both paths, and reads that
value, which saves computing it again; the rule for the value passes nothing. Since the value is a
node of its own, the derivatives of the rule, of any order, go through it to x.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from minigrad import backend
from minigrad.fuse.chain import one_pass
from minigrad.fuse.rows import in_rows
from minigrad.ops.elementwise import (
    clip,
    exp,
    mul,
    power,
    relu,
    sigmoid,
    sign,
    square,
    sub,
    tanh,
)  # fmt: skip
from minigrad.ops.half import HALF, is_half
from minigrad.ops.indexing import getitem
from minigrad.ops.linalg import _einsum
from minigrad.ops.reduce import _log_softmax, _sum
from minigrad.ops.shape import astype, unsqueeze
from minigrad.primitive import Array, Backend, bilinear, elementwise, primitive
from minigrad.tensor import Tensor, Value


def _no_gradient() -> None:
    """Pass nothing: the rule of another input is the derivative along this one too."""


def _raw(x: Value) -> Any:
    return x.data if isinstance(x, Tensor) else x


# Activations -------------------------------------------------------------------------------------


def _step(x: Any) -> Any:
    """Return 1 where x > 0, else 0, in x's dtype."""
    return (x > 0).astype(x.dtype)


@elementwise(lambda x, slope: _step(x) * (1 - slope) + slope)
@one_pass
def leaky_relu(xp: Backend, x: Array, *, slope: float) -> Array:
    """Return x for x > 0, else slope · x; the derivative at 0 is the slope."""
    return xp.maximum(x, x * slope) if slope <= 1 else xp.minimum(x, x * slope)


@elementwise(lambda x, weight: _step(x) * (1 - weight) + weight, lambda x: -relu(-x))
@one_pass
def prelu(xp: Backend, x: Array, weight: Array) -> Array:
    """Return x for x > 0, else weight · x; ∂/∂x at 0 is the weight."""
    return xp.relu(x) - weight * xp.relu(-x)


def _elu_slope(x: Any, alpha: float, scale: float) -> Any:
    below = (scale * alpha) * exp(-relu(-x))  # above 0 that is scale · α
    return below if alpha == 1 else below + _step(x) * (scale * (1 - alpha))


@elementwise(_elu_slope)
@one_pass
def elu(xp: Backend, x: Array, *, alpha: float, scale: float) -> Array:
    """Return scale · x for x > 0, else scale · α(eˣ - 1); the derivative at 0 is scale · α."""
    return scale * (xp.relu(x) + alpha * xp.expm1(-xp.relu(-x)))


def _squarable(x: Any) -> Any:
    """Return x, of float16 within ±16: both GELUs are flat beyond, and 256² is infinite."""
    return clip(x, -16, 16) if is_half(x) else x


def _normal_density(x: Any) -> Any:
    x = _squarable(x)
    return exp(-0.5 * (x * x)) * (1 / math.sqrt(2 * math.pi))


@elementwise(_normal_density)
@one_pass
def normal_cdf(xp: Backend, x: Array) -> Array:
    """Return Φ(x) = ½(1 + erf(x/√2)), the standard normal distribution function."""
    return 0.5 + 0.5 * xp.erf(x * math.sqrt(0.5))


def _gelu_rule(g: Any, x: Any, cdf: Any) -> Any:
    return g * (cdf + x * _normal_density(x))


@primitive(_gelu_rule, _no_gradient, tangent=_gelu_rule, one_pass=True)
def _gelu(xp: Backend, x: Array, cdf: Array) -> Array:
    return x * cdf


def gelu(x: Value) -> Any:
    """Return x Φ(x), with derivative Φ(x) + x φ(x), for which Φ(x) is kept."""
    return _gelu(x, normal_cdf(x))


_ROOT = math.sqrt(2 / math.pi)
_CUBIC = 0.044715


def _gelu_tanh_slope(x: Any) -> Any:
    x = _squarable(x)
    square = x * x
    t = tanh(_ROOT * x * (1 + _CUBIC * square))
    return 0.5 * (1 + t) + (0.5 * _ROOT) * x * (1 - t * t) * (1 + 3 * _CUBIC * square)


@elementwise(_gelu_tanh_slope)
@one_pass
def gelu_tanh(xp: Backend, x: Array) -> Array:
    """Return ½x(1 + tanh(√(2/π)(x + 0.044715x³))), close to `gelu` and cheaper."""
    near = _squarable(x)
    return 0.5 * x * (1 + xp.tanh(_ROOT * near * (1 + _CUBIC * (near * near))))


def _silu_slope(x: Any) -> Any:
    s = sigmoid(x)
    return s * (1 + x * (1 - s))


@elementwise(_silu_slope)
@one_pass
def silu(xp: Backend, x: Array) -> Array:
    """Return x · sigmoid(x)."""
    return x * (0.5 + 0.5 * xp.tanh(0.5 * x))


_HEIGHT, _RATE = 1.7159, 2 / 3


@elementwise(lambda out: _HEIGHT * _RATE - (_RATE / _HEIGHT) * square(out))
@one_pass
def lecun_tanh(xp: Backend, x: Array) -> Array:
    """Return 1.7159 tanh(2x/3)."""
    return _HEIGHT * xp.tanh(_RATE * x)


# Cross-entropy -----------------------------------------------------------------------------------


@elementwise(lambda logp: exp(logp))
def _residual(xp: Backend, logp: Array, *, index: Array) -> Array:
    """Return the probabilities less 1 at the flat positions `index`."""
    out = xp.ascontiguousarray(xp.exp(logp))  # so that the flat view is a view
    out.reshape(-1)[index] -= 1
    return out


def _rows(g: Any) -> Any:
    """Return one gradient a row as a column; a single one as it is."""
    return unsqueeze(g, 1) if g.ndim else g


@primitive(
    lambda g, logp, index, scale: _residual(logp, index=index) * _rows(g * scale), _no_gradient
)
def _cross_entropy(
    xp: Backend, x: Array, logp: Array, *, index: Array, scale: float, total: bool
) -> Array:
    """Return -scale · log-probability at the flat positions, or the sum of it if `total`."""
    picked = logp.take(index)
    return (picked.sum() if total else picked) * -scale


def cross_entropy(x: Value, index: Array, scale: float, total: bool) -> Any:
    """Return scale · Σᵢ (logsumexp(xᵢ) - xᵢ[tᵢ]) for logits x (N, C), or the N terms.

    `index` is the flat position i·C + tᵢ of each row's class. The gradient is softmax - one-hot.
    """
    logp = _log_softmax(x, axis=(1,))
    return _cross_entropy(x, logp, index=index, scale=scale, total=total)


@primitive(
    lambda g, logp, target, scale: (
        _rows(g * scale) * (exp(logp) * _sum(target, axis=(1,), keepdims=True) - target)
    ),
    _no_gradient,
    lambda g, logp, scale: _rows(g * -scale) * logp,
)
def _soft_cross_entropy(
    xp: Backend, x: Array, logp: Array, target: Array, *, scale: float, total: bool
) -> Array:
    """Return -scale · Σ target · log-probability over each row, or over all if `total`."""
    if not xp.known_finite(logp):
        logp = xp.where(target == 0, 0, logp)  # an impossible class that never occurs costs nothing
    return xp.sum(target * logp, axis=None if total else (1,)) * -scale


def soft_cross_entropy(x: Value, target: Value, scale: float, total: bool) -> Any:
    """Return -scale · Σ target · log_softmax(x) for x and target (N, C), or the N terms of it."""
    logp = _log_softmax(x, axis=(1,))
    return _soft_cross_entropy(x, logp, target, scale=scale, total=total)


@elementwise(lambda x, target: sigmoid(x) - target, lambda x: -x)
@one_pass
def bce_with_logits(xp: Backend, x: Array, target: Array) -> Array:
    """Return -t log σ(x) - (1-t) log(1-σ(x)), as max(x,0) - x·t + log(1 + e^-|x|)."""
    return (xp.relu(x) - x * target) + xp.log1p(xp.exp(-xp.abs(x)))


@elementwise(lambda x, delta: clip(x, -delta, delta))
@one_pass
def huber(xp: Backend, x: Array, *, delta: float) -> Array:
    """Return ½x² where |x| ≤ δ, else δ(|x| - ½δ); its derivative is x limited to ±δ."""
    inner = clip(x, -delta, delta)
    return inner * (x - 0.5 * inner)


# Norms -------------------------------------------------------------------------------------------


@cache
def _contraction(ndim: int, axis: tuple[int, ...]) -> str:
    """Return Einstein's sum of the products of two arrays over axes."""
    letters = "abcdefgh"[:ndim]
    kept = "".join(letter for i, letter in enumerate(letters) if i not in axis)
    return f"{letters},{letters}->{kept}"


def _kept(x: Any, axis: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(1 if a in axis else n for a, n in enumerate(x.shape))


def _count(x: Any, axis: tuple[int, ...]) -> int:
    return math.prod(x.shape[a] for a in axis)


def _moments_rule(g: Any, out: Any, x: Any, axis: tuple[int, ...]) -> Any:
    """Return g₀/m + 2 g₁ (x - mean)/m."""
    share = g * (1 / _count(x, axis))
    return getitem(share, 0) + (x - getitem(out, 0)) * (2 * getitem(share, 1))


@primitive(_moments_rule)
@in_rows(results=2, compiled=True)
def _moments(xp: Backend, x: Array, *, axis: tuple[int, ...]) -> Any:
    """Return the mean and the (biased) variance over axes, stacked; the axes are kept at size 1."""
    share = 1 / _count(x, axis)
    # Less the first element, a constant is exactly 0, and a large mean drowns no small spread.
    first = x[tuple(slice(0, 1) if a in axis else slice(None) for a in range(x.ndim))]
    deviation = sub(x, first)
    mean = xp.sum(deviation, axis=axis, keepdims=True) * share
    deviation -= mean
    total = xp.einsum(_contraction(x.ndim, axis), deviation, deviation)
    return first + mean, total.reshape(_kept(x, axis)) * share


@elementwise(
    lambda scale: scale,
    lambda scale: -scale,
    lambda along, scale: -along * scale,
    lambda value, scale: -value * scale,
    lambda grad, mean, value, along: grad - mean - value * along,
)
@one_pass
def _project(
    xp: Backend, grad: Array, mean: Array, value: Array, along: Array, scale: Array
) -> Array:
    """Return (grad - mean - value · along) · scale, in one buffer."""
    out = mul(value, along)
    out = xp.subtract(grad, out, out=out)
    out -= mean
    out *= scale
    return out


def _normalize_rule(g: Any, out: Any, moments: Any, axis: tuple[int, ...], eps: float) -> Any:
    """Return (g - mean(g) - out · mean(g · out)) / √(var + ε): the Jacobian is symmetric.

    The root is a function of x, too, for further derivatives.
    """
    scale = power(getitem(moments, 1) + eps, exponent=-0.5)
    share = 1 / _count(g, axis)
    along = _einsum(g, out, spec=_contraction(g.ndim, axis))
    along = along.reshape(_kept(g, axis)) * share
    return _project(g, _sum(g, axis=axis, keepdims=True) * share, out, along, scale)


@one_pass
def _scaled(xp: Backend, x: Array, mean: Array, scale: Array) -> Array:
    return (x - mean) * scale


@primitive(_normalize_rule, _no_gradient, tangent=_normalize_rule, one_pass=True)
def _normalize(
    xp: Backend, x: Array, moments: Array, *, axis: tuple[int, ...], eps: float
) -> Array:
    """Return (x - mean) / √(var + ε)."""
    return _scaled(xp, x, moments[0], (moments[1] + eps) ** -0.5)


def normalize(x: Value, axis: tuple[int, ...], eps: float) -> tuple[Any, Array, Array]:
    """Return x less its mean over axes, divided by √(variance + ε), and the raw mean and variance.

    `axis` is increasing and non-negative; the variance is the biased one. The two arrays keep the
    axes at size 1. The result is right wherever x is finite, on the CPU also where its squares
    overflow; a GPU's host would have to wait to see that.
    """
    if is_half(x):
        out, mean, variance = normalize(astype(x, "float32"), axis, eps)
        return astype(out, HALF), mean, variance
    moments = _moments(x, axis=axis)
    raw = _raw(moments)
    xp = backend.of((raw,))
    if xp is not backend.cpu or xp.isfinite(raw[1]).all():
        return _normalize(x, moments, axis=axis, eps=eps), raw[0], raw[1]
    top = float(xp.abs(_raw(x)).max())
    if not math.isfinite(top):
        return _normalize(x, moments, axis=axis, eps=eps), raw[0], raw[1]
    shrink = 2.0 ** -math.frexp(top)[1]  # a power of two loses no digit
    x = mul(x, shrink)
    moments = _moments(x, axis=axis)
    raw = _raw(moments)
    limit = float(xp.finfo(raw.dtype).max) / 4  # room for the unbiased estimate
    variance = xp.minimum(raw[1], limit * shrink * shrink) / shrink / shrink
    out = _normalize(x, moments, axis=axis, eps=eps * shrink * shrink)
    return out, raw[0] / shrink, variance


def _weight_gradient(g: Any, x: Any, weight: Any) -> Any:
    """Return g · x summed over the axes along which the weight was broadcast."""
    sizes = (1,) * (g.ndim - len(weight.shape)) + weight.shape
    axis = tuple(a for a, n in enumerate(sizes) if n == 1)
    return _einsum(g, x, spec=_contraction(g.ndim, axis)).reshape(weight.shape)


@bilinear(lambda g, weight: mul(g, weight), _weight_gradient, added=lambda g: g)
@one_pass
def scale_shift(xp: Backend, x: Array, weight: Array, bias: Array) -> Array:
    """Return x · weight + bias, broadcast over x."""
    return x * weight + bias


# Penalties ---------------------------------------------------------------------------------------


@primitive(lambda g, xs, i, strength: (g * (2 * strength)) * xs[i])
def sum_of_squares(xp: Backend, *xs: Array, strength: float) -> Array:
    """Return strength · Σ x² over all elements of all inputs."""
    flat = [x.ravel(order="K") for x in xs]
    return sum(xp.dot(x, x) for x in flat) * strength


@primitive(lambda g, xs, i, strength: (g * strength) * sign(xs[i]))
def sum_of_absolutes(xp: Backend, *xs: Array, strength: float) -> Array:
    """Return strength · Σ|x| over all elements of all inputs; the derivative at 0 is 0."""
    return sum(xp.abs(x).sum() for x in xs) * strength
