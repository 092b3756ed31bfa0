"""Functions and matrices that the tests of second-order methods share."""

from __future__ import annotations

import numpy as np

import minigrad as mg


def leaf(value, dtype=np.float64):
    """Return a leaf that requires a gradient."""
    return mg.tensor(np.asarray(value, dtype), requires_grad=True)


def rosenbrock(p):
    """Rosenbrock's banana."""
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


def random_quadratic(n, seed=0, condition=1e3):
    """Return A and b of ½xᵀAx − bᵀx."""
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    return (Q * np.geomspace(1, condition, n)) @ Q.T, rng.standard_normal(n)


def logistic(dtype=np.float64, seed=0):
    """Return the data of a small logistic regression whose minimum is finite."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((80, 5))
    y = (x @ rng.standard_normal(5) + rng.standard_normal(80) > 0).astype(dtype)
    return x.astype(dtype), y


def symmetric(values, seed=0):
    """Return a matrix of these eigenvalues in random axes."""
    n = len(values)
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]
    return (rotation * np.asarray(values, float)) @ rotation.T
