"""Tensors from nothing: constants, ranges, random numbers.

Floor 2. Each takes `dtype` (default float32), `device` (default ``"cpu"``) and `requires_grad`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad import backend, random
from minigrad.backend import Device
from minigrad.tensor import DType, Tensor

Shape = int | Sequence[int]


def _made(
    name: str, shape: Any, dtype: DType, device: Device | None, requires_grad: bool, *rest: Any
) -> Tensor:
    array = getattr(backend.get(device), name)(shape, *rest, dtype=dtype)
    return Tensor.of(array).requires_grad_(requires_grad)


def zeros(
    shape: Shape,
    dtype: DType = "float32",
    device: Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor of zeros."""
    return _made("zeros", shape, dtype, device, requires_grad)


def ones(
    shape: Shape,
    dtype: DType = "float32",
    device: Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor of ones."""
    return _made("ones", shape, dtype, device, requires_grad)


def full(
    shape: Shape,
    value: float,
    dtype: DType = "float32",
    device: Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor filled with a value."""
    return _made("full", shape, dtype, device, requires_grad, value)


def zeros_like(x: Tensor) -> Tensor:
    """Return zeros of the shape, dtype and device of x."""
    return zeros(x.shape, x.dtype, x.device)


def ones_like(x: Tensor) -> Tensor:
    """Return ones of the shape, dtype and device of x."""
    return ones(x.shape, x.dtype, x.device)


def eye(
    n: int, dtype: DType = "float32", device: Device | None = None, requires_grad: bool = False
) -> Tensor:
    """Return the n × n identity."""
    return _made("eye", n, dtype, device, requires_grad)


def arange(
    start: float,
    stop: float | None = None,
    step: float = 1,
    dtype: DType = None,
    device: Device | None = None,
) -> Tensor:
    """Return start, start + step, … below stop: int64 for integers, else float32."""
    first, last = (0, start) if stop is None else (start, stop)
    if dtype is None:
        dtype = "int64" if all(isinstance(x, int) for x in (first, last, step)) else "float32"
    return Tensor.of(backend.get(device).arange(first, last, step, dtype=dtype))


def linspace(
    start: float, stop: float, count: int, dtype: DType = "float32", device: Device | None = None
) -> Tensor:
    """Return `count` evenly spaced numbers from start to stop, both included."""
    return Tensor.of(backend.get(device).linspace(start, stop, count, dtype=dtype))


def randn(
    *shape: Any, dtype: DType = "float32", device: Device | None = None, requires_grad: bool = False
) -> Tensor:
    """Return standard normal random numbers: ``randn(2, 3)`` or ``randn((2, 3))``."""
    array = random.generator(device).standard_normal(_flat(shape), dtype=dtype)
    return Tensor(array, requires_grad)


def rand(
    *shape: Any, dtype: DType = "float32", device: Device | None = None, requires_grad: bool = False
) -> Tensor:
    """Return random numbers uniform in [0, 1)."""
    array = random.generator(device).random(_flat(shape), dtype=dtype)
    return Tensor(array, requires_grad)


def _flat(shape: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
