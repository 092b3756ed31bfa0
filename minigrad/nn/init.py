"""Initial values of parameters, written into their memory in place.

Thin: see below.
"""

from __future__ import annotations

from minigrad import random
from minigrad.tensor import Tensor


def uniform_(tensor: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Fill with numbers uniform in [low, high)."""
    array = tensor.data
    drawn = random.generator(tensor.device).random(tensor.shape, dtype=array.dtype)
    array[...] = drawn * (high - low) + low
    tensor.modified()
    return tensor
