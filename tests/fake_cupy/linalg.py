"""The fake's linear algebra: no errors but for shapes, where NumPy's raises, unless asked for."""

from contextlib import contextmanager

import numpy as np

from tests.fake_cupy.account import waited
from tests.fake_cupy.arrays import call, inside, outside

_said = ["ignore"]


@contextmanager
def errstate(*, divide=None, over=None, under=None, invalid=None, linalg=None):
    _said.append(linalg or _said[-1])
    try:
        yield
    finally:
        _said.pop()


def solve(a, b):
    if b.ndim == 1 and a.shape[-1] != b.size:
        raise ValueError("a must have (..., M, M) shape and b must have (M,)")
    if b.ndim > 1 and a.shape[:-1] != b.shape[:-1]:
        raise ValueError("a must have (..., M, M) shape and b must have (..., M, K)")
    return _silent(np.linalg.solve, a, b, like=b)


def inv(a):
    return _silent(np.linalg.inv, a, like=a)


def cholesky(a):
    """Where there is none, what cuSOLVER leaves may be any numbers; it says so to who asks."""
    if _said[-1] == "raise":
        waited()
        return call(np.linalg.cholesky, a)
    try:
        return call(np.linalg.cholesky, a)
    except np.linalg.LinAlgError:
        return outside(np.tril(inside(a)))


def _silent(function, *values, like):
    try:
        return call(function, *values)
    except np.linalg.LinAlgError:  # cuSOLVER's answer is not looked at
        dtype = np.result_type(*(value.dtype for value in values), np.float32)
        return outside(np.full(like.shape, np.nan, dtype))
