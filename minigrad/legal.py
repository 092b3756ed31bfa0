"""Legal numbers: what an argument must be, and the error that says so.

Floor 0. Not here: what hyperparameters may be (`optim/hyper.py`), what an array may hold
(`backend/legal.py`).
"""

from __future__ import annotations

import math
import numbers
from typing import Any


def number(value: Any) -> bool:
    """Say whether `value` is a real number, and no boolean."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def not_negative(value: Any) -> bool:
    """Say whether `value` is a finite number ≥ 0."""
    return number(value) and 0 <= value < math.inf


def count(value: Any, least: int = 1) -> bool:
    """Say whether `value` is an integer ≥ `least`, and no boolean."""
    return isinstance(value, numbers.Integral) and number(value) and int(value) >= least


def inner(value: Any) -> bool:
    """Say whether `value` is a number in (0, 1)."""
    return number(value) and 0 < value < 1


def integer(
    name: str, value: Any, least: int = 1, error: type[Exception] = ValueError, such: str = ""
) -> int:
    """Return an argument that is an integer from `least` as Python's, or raise an error."""
    if not count(value, least):
        raise error(f"{name}={value!r}; legal is an integer from {least}{such}")
    return int(value)


def finite(name: str, value: Any, error: type[Exception] = ValueError, such: str = "") -> float:
    """Return an argument that is a finite number from 0 as Python's, or raise an error."""
    if not not_negative(value):
        raise error(f"{name}={value!r}; legal is a finite number from 0{such}")
    return float(value)
