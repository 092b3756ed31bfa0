"""Initial values of parameters, written into their memory in place.

Each function fills a tensor (keeping its memory layout), notes the change, and returns the tensor;
nothing is recorded. Random numbers come from `mg.random`, so `mg.manual_seed` decides them. Names
are PyTorch's; ``glorot_*`` and ``he_*`` are other names of ``xavier_*`` and ``kaiming_*``.

The fans of a weight of shape (out, in, *receptive field) are fan_in = in · receptive and
fan_out = out · receptive. `SCHEMES` has the functions that need no further argument, by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from minigrad import backend, calls, elsewhere, random
from minigrad.mode import ShapeError
from minigrad.tensor import Tensor

_GAINS: dict[str, float] = {
    "linear": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
}


def calculate_gain(nonlinearity: str, slope: float = 0.01) -> float:
    """Return the factor on the standard deviation that keeps signals alive through an activation.

    1 for ``"linear"`` and ``"sigmoid"``, 5/3 for ``"tanh"``, √2 for ``"relu"``, √(2/(1 + slope²))
    for ``"leaky_relu"``, 3/4 for ``"selu"``, as in PyTorch. Raises ValueError for any other name.
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        legal = ", ".join([*_GAINS, "leaky_relu"])
        raise ValueError(f"no gain is known for {nonlinearity!r}; known are {legal}")
    return _GAINS[nonlinearity]


def fans(tensor: Tensor) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight of shape (out, in, *receptive field), at least 1.

    Raises ShapeError for a tensor of fewer than two axes.
    """
    if tensor.ndim < 2:
        raise ShapeError(
            f"a fan needs a weight of shape (out, in, …), not {tensor.shape}; fill vectors such as "
            "biases with zeros_, constant_, uniform_ or normal_"
        )
    receptive = math.prod(tensor.shape[2:])
    return max(tensor.shape[1] * receptive, 1), max(tensor.shape[0] * receptive, 1)


def _fill(tensor: Tensor, values: Any) -> Tensor:
    if not isinstance(tensor, Tensor):
        raise TypeError(
            f"what is filled is a Tensor, such as a Parameter, not {type(tensor).__name__}"
        )
    backend.of((tensor.data,))  # which makes its device the current one
    tensor.data[...] = values
    tensor.modified()
    return tensor


def _random(tensor: Tensor, kind: str) -> Any:
    """Return random numbers of the tensor's shape, dtype and device."""
    if tensor.dtype.kind != "f":
        raise TypeError(
            f"random initial values are floating, and the tensor is of {tensor.dtype}; use "
            ".astype(mg.float32)"
        )
    draw = getattr(random.generator(tensor.device), kind)
    dtype = tensor.dtype if tensor.dtype.itemsize >= 4 else "float32"
    return draw(tensor.shape, dtype=dtype)


# Without fans ------------------------------------------------------------------------------------


def constant_(tensor: Tensor, value: float) -> Tensor:
    """Fill with one value."""
    return _fill(tensor, float(value))


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0."""
    return _fill(tensor, 0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1."""
    return _fill(tensor, 1)


def uniform_(tensor: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Fill with numbers uniform in [low, high)."""
    if not low <= high:
        raise ValueError(f"uniform_: low {low} must not be above high {high}")
    return _fill(tensor, _random(tensor, "random") * (high - low) + low)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Fill with normal numbers of a mean and a standard deviation."""
    if not std >= 0:
        raise ValueError(f"normal_: std must not be negative, and is {std}")
    return _fill(tensor, _random(tensor, "standard_normal") * std + mean)


# By fans -----------------------------------------------------------------------------------------


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill uniformly in ±gain·√(6/(fan_in + fan_out)) (Glorot and Bengio 2010)."""
    bound = gain * math.sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill normally with std gain·√(2/(fan_in + fan_out)) (Glorot and Bengio 2010)."""
    return normal_(tensor, 0, gain * math.sqrt(2 / sum(fans(tensor))))


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f'mode is "fan_in" or "fan_out", not {mode!r}')
    fan = fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Fill uniformly in ±gain·√(3/fan) (He et al. 2015).

    `a` is the negative slope of the leaky ReLU that follows (0: a ReLU, gain √2). `mode` keeps the
    variance of the signals (``"fan_in"``) or of the gradients (``"fan_out"``).
    """
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Fill normally with standard deviation gain/√fan (He et al. 2015); see `kaiming_uniform_`."""
    return normal_(tensor, 0, _kaiming_std(tensor, a, mode, nonlinearity))


def lecun_uniform_(tensor: Tensor) -> Tensor:
    """Fill uniformly in ±√(3/fan_in), of variance 1/fan_in (LeCun et al. 1998)."""
    bound = math.sqrt(3 / fans(tensor)[0])
    return uniform_(tensor, -bound, bound)


def lecun_normal_(tensor: Tensor) -> Tensor:
    """Fill normally with standard deviation √(1/fan_in) (LeCun et al. 1998)."""
    return normal_(tensor, 0, math.sqrt(1 / fans(tensor)[0]))


def plain_uniform_(tensor: Tensor) -> Tensor:
    """Fill uniformly in ±1/√fan_in: what Glorot and Bengio compare with, and `Linear`'s default.

    It is PyTorch's ``kaiming_uniform_(weight, a=√5)``, of variance 1/(3 fan_in).
    """
    bound = math.sqrt(1 / fans(tensor)[0])
    return uniform_(tensor, -bound, bound)


def orthogonal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill with a random matrix of orthonormal rows or columns (whichever are fewer), times gain.

    From the QR decomposition of a normal matrix, with signs such that all orthogonal matrices are
    equally likely (Saxe et al. 2013). Further axes are joined with the second.
    """
    fans(tensor)  # at least two axes
    rows = tensor.shape[0]
    columns = math.prod(tensor.shape[1:])
    xp = backend.of((tensor.data,))
    normal = random.generator(tensor.device).standard_normal(
        (max(rows, columns), min(rows, columns))
    )
    q, r = xp.linalg.qr(normal)
    q = q * xp.sign(xp.diagonal(r))
    matrix = q if rows >= columns else q.T
    return _fill(tensor, gain * matrix.reshape(tensor.shape))


calls.tell(globals(), [name for name in list(globals()) if name.endswith("_")])
calls.tell(globals(), ["calculate_gain", "fans"])
glorot_uniform_, glorot_normal_ = xavier_uniform_, xavier_normal_
he_uniform_, he_normal_ = kaiming_uniform_, kaiming_normal_

SCHEMES: dict[str, Callable[[Tensor], Tensor]] = {
    "plain-uniform": plain_uniform_,
    "xavier-uniform": xavier_uniform_,
    "xavier-normal": xavier_normal_,
    "kaiming-uniform": kaiming_uniform_,
    "kaiming-normal": kaiming_normal_,
    "lecun-uniform": lecun_uniform_,
    "lecun-normal": lecun_normal_,
    "orthogonal": orthogonal_,
    "zeros": zeros_,
    "ones": ones_,
}

if not TYPE_CHECKING:  # else every name would be one to a checker of types
    __getattr__ = elsewhere.missing(__name__)
