"""Tensors from nothing: constants, ranges, random numbers.

Floor 2. Each takes `dtype` (default float32), `device` (default ``"cpu"``) and `requires_grad`.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from minigrad import backend, random
from minigrad.backend import Device
from minigrad.calls import told
from minigrad.mode import ShapeError
from minigrad.tensor import DType, Tensor, legal_dtype, tensor

Shape = int | Sequence[int]


@backend.explaining
def _made(
    name: str, shape: Any, dtype: DType, device: Device | None, requires_grad: bool, *rest: Any
) -> Tensor:
    array = getattr(backend.get(device), name)(shape, *rest, dtype=legal_dtype(dtype))
    return Tensor.of(array).requires_grad_(requires_grad)


@told
def zeros(
    *shape: Any, dtype: DType = "float32", device: Device | None = None, requires_grad: bool = False
) -> Tensor:
    """Return a tensor of zeros: ``zeros(2, 3)`` or ``zeros((2, 3))``."""
    return _made("zeros", sizes("zeros", shape), dtype, device, requires_grad)


@told
def ones(
    *shape: Any, dtype: DType = "float32", device: Device | None = None, requires_grad: bool = False
) -> Tensor:
    """Return a tensor of ones: ``ones(2, 3)`` or ``ones((2, 3))``."""
    return _made("ones", sizes("ones", shape), dtype, device, requires_grad)


@told
def full(
    shape: Shape,
    value: float,
    dtype: DType = "float32",
    device: Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor filled with a value.

    Raises OverflowError for a number that an integer dtype does not hold, TypeError for none.
    """
    tensor(value, dtype=dtype)  # raises: NumPy's own errors do not say what is legal
    return _made("full", sizes("full", (shape,)), dtype, device, requires_grad, value)


@told
def zeros_like(
    x: Tensor, dtype: DType = None, device: Device | None = None, requires_grad: bool = False
) -> Tensor:
    """Return zeros of the shape of x, and of its dtype and device unless others are given."""
    x = x if isinstance(x, Tensor) else tensor(x)
    return zeros(
        x.shape, dtype=dtype or x.dtype, device=device or x.device, requires_grad=requires_grad
    )


@told
def ones_like(
    x: Tensor, dtype: DType = None, device: Device | None = None, requires_grad: bool = False
) -> Tensor:
    """Return ones of the shape of x, and of its dtype and device unless others are given."""
    x = x if isinstance(x, Tensor) else tensor(x)
    return ones(
        x.shape, dtype=dtype or x.dtype, device=device or x.device, requires_grad=requires_grad
    )


@told
def eye(
    n: int, dtype: DType = "float32", device: Device | None = None, requires_grad: bool = False
) -> Tensor:
    """Return the n × n identity."""
    return _made("eye", sizes("eye", (n, n))[0], dtype, device, requires_grad)


@told
@backend.explaining
def arange(
    start: float,
    stop: float | None = None,
    step: float = 1,
    dtype: DType = None,
    device: Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return start, start + step, … below stop: int64 for integers, else float32.

    Raises ValueError for a step of 0 and for what is not finite, OverflowError for numbers that an
    integer dtype does not hold, MemoryError for too many.
    """
    first, last = (0, start) if stop is None else (start, stop)
    said = f"arange from {first} to {last} in steps of {step}"
    if any(x - x != 0 for x in (first, last, step)) or step == 0:
        raise ValueError(f"{said} has no end; legal are finite numbers and a step other than 0")
    if dtype is None:
        dtype = "int64" if all(isinstance(x, int) for x in (first, last, step)) else "float32"
    count = -((first - last) // step)
    if count > 0 and legal_dtype(dtype).kind in "iu":
        tensor([first, first + (count - 1) * step], dtype=dtype)  # raises, as in `full`
    try:
        array = backend.get(device).arange(first, last, step, dtype=legal_dtype(dtype))
    except ValueError:
        raise MemoryError(f"{said} is too many numbers for any memory; try a larger step") from None
    return Tensor.of(array).requires_grad_(requires_grad)


@told
@backend.explaining
def linspace(
    start: float,
    stop: float,
    count: int,
    dtype: DType = "float32",
    device: Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return `count` evenly spaced numbers from start to stop, both included."""
    count, _ = sizes("linspace", (count, count))
    array = backend.get(device).linspace(start, stop, count, dtype=legal_dtype(dtype))
    return Tensor.of(array).requires_grad_(requires_grad)


@told
@backend.explaining
def randn(
    *shape: Any, dtype: DType = "float32", device: Device | None = None, requires_grad: bool = False
) -> Tensor:
    """Return standard normal random numbers: ``randn(2, 3)`` or ``randn((2, 3))``."""
    draw = random.generator(device).standard_normal
    array = draw(sizes("randn", shape), dtype=legal_dtype(dtype))
    return Tensor(array, requires_grad)


@told
@backend.explaining
def rand(
    *shape: Any, dtype: DType = "float32", device: Device | None = None, requires_grad: bool = False
) -> Tensor:
    """Return random numbers uniform in [0, 1): ``rand(2, 3)`` or ``rand((2, 3))``."""
    array = random.generator(device).random(sizes("rand", shape), dtype=legal_dtype(dtype))
    return Tensor(array, requires_grad)


def sizes(what: str, shape: tuple[Any, ...], low: int = 0) -> tuple[int, ...]:
    """Return a shape that was given as sizes or as one tuple of them.

    Raises TypeError for a size that is no integer, ShapeError for one below `low`, naming `what`.
    """
    given = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    found = []
    for n in given:
        try:
            found.append(operator.index(n))
        except TypeError:
            raise TypeError(f"{what}: every size must be an integer, not {n!r}") from None
        if found[-1] < low:
            raise ShapeError(f"{what}: every size must be at least {low}, not {n}")
    return tuple(found)
