"""Diagonal and trace: exactly, by n products, or estimated from random vectors.

Floor 2. Every estimate comes with its standard error, from the spread of its samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minigrad import backend, random
from minigrad.backend import Array
from minigrad.curvature.operators import LinearOperator, Matrix, as_operator
from minigrad.tensor import Tensor

BLOCK = 64  # columns that are multiplied at once


@dataclass(frozen=True)
class Estimate:
    """A mean over random vectors.

    - ``value``: the estimate, and ``standard_error``: the standard deviation of such means, both
      numbers, or Tensors of one shape;
    - ``products``: how many products with the matrix it took.
    """

    value: Any
    standard_error: Any
    products: int


def diagonal(matrix: Matrix) -> Tensor:
    """Return the diagonal of a symmetric matrix, exactly: eᵢᵀ A eᵢ for every i, n products."""
    operator = as_operator(matrix)
    xp, n = backend.get(operator.device), operator.shape[0]
    parts = [xp.zeros(0, dtype=operator.dtype)]
    for start in range(0, n, BLOCK):
        units = xp.eye(n, min(BLOCK, n - start), -start, dtype=operator.dtype)
        parts.append((units * operator.matmat(units)).sum(0))
    return Tensor.of(xp.concatenate(parts))


def estimate_diagonal(matrix: Matrix, probes: int = 100, seed: int | None = 0) -> Estimate:
    """Return an estimate of the diagonal of a symmetric matrix, the mean of v ⊙ A v.

    The v are random signs (Bekas, Kokiopoulou and Saad 2007, An estimator for the diagonal of a
    matrix, Applied Numerical Mathematics 57). The standard error of entry i is about
    (Σ over j ≠ i of aᵢⱼ² / probes)^½: 0 for a diagonal matrix, and falling only with the root of
    the number of probes, each of them a product. See `trace` for the seed.

    Raises ValueError for fewer than 2 probes, which leave no standard error.
    """
    mean, spread = sampled(as_operator(matrix), probes, seed)
    error = (spread / (probes * (probes - 1))) ** 0.5
    return Estimate(Tensor.of(mean), Tensor.of(error), probes)


def sampled(
    operator: LinearOperator, probes: int, seed: int | None, least: int = 2
) -> tuple[Array, Array]:
    """Return the mean of v ⊙ A v over random signs v, and the sum of its squared deviations."""
    signs = random_signs(operator, probes, seed, least)
    mean = spread = backend.get(operator.device).zeros(operator.shape[0], dtype=operator.dtype)
    for i in range(probes):  # Welford's recursion
        v = signs()
        sample = v * operator.matvec(v)
        step = sample - mean
        mean = mean + step / (i + 1)
        spread = spread + step * (sample - mean)
    return mean, spread


def trace(
    matrix: Matrix, probes: int = 100, method: str = "hutchinson", seed: int | None = 0
) -> Estimate:
    """Return an estimate of the trace of a symmetric matrix, from about `probes` products.

    - "hutchinson": the mean of vᵀ A v over random signs v (Hutchinson 1990). The variance of one
      sample is 2 Σ over i ≠ j of aᵢⱼ²;
    - "hutch++": a third of the products finds a basis Q of the dominant part of A, a third takes
      tr(Qᵀ A Q) exactly, and a third estimates the rest (Meyer, Musco, Musco and Woodruff 2021):
      much better where few eigenvalues dominate.

    As many probes as the matrix has rows, or more, are spent on the exact diagonal: the standard
    error is 0 then. An integer as `seed` starts a generator for this call alone, so that measuring
    does not change the course of a training run; None draws from `mg.random`.

    Raises ValueError for too few probes (2; 6 for "hutch++"), and for another method.
    """
    operator = as_operator(matrix)
    if method not in ("hutchinson", "hutch++"):
        raise ValueError(f"trace: method={method!r}; legal are 'hutchinson' and 'hutch++'")
    if probes < (least := 2 if method == "hutchinson" else 6):
        raise ValueError(f"trace: at least {least} probes for {method!r}, not {probes}")
    xp, n = backend.get(operator.device), operator.shape[0]
    if probes >= n:
        return Estimate(float(diagonal(operator).sum()), 0.0, n)
    count = probes if method == "hutchinson" else probes // 3
    signs = random_signs(operator, count, seed)
    known, products, basis = 0.0, count, None
    if method == "hutch++":
        sketch = operator.matmat(xp.stack([signs() for _ in range(count)], axis=1))
        basis = xp.linalg.qr(sketch)[0]
        known = float((basis * operator.matmat(basis)).sum())
        products = 3 * count
    samples = []
    for _ in range(count):
        v = signs()
        if basis is not None:
            v = v - basis @ (basis.T @ v)
        samples.append((v * operator.matvec(v)).sum())
    mean, error = mean_and_error(xp.to_host(xp.stack(samples)).tolist())  # one transfer
    return Estimate(known + mean, error, products)


def mean_and_error(samples: list[float]) -> tuple[float, float]:
    """Return the mean of two or more samples, and its standard error."""
    count = len(samples)
    mean = sum(samples) / count
    variance = sum((sample - mean) ** 2 for sample in samples) / (count - 1)
    return mean, (variance / count) ** 0.5


def random_signs(
    operator: LinearOperator, probes: int, seed: int | None, least: int = 2
) -> Callable[[], Array]:
    """Return a function that draws a vector of random signs (Rademacher) for the operator."""
    if probes < least:
        raise ValueError(f"at least {least} probes, not {probes}: one has no standard error")
    xp, source = backend.get(operator.device), generator(operator, seed)

    def draw() -> Array:
        bits = source.integers(0, 2, size=operator.shape[0])
        return xp.asarray(2 * bits - 1, dtype=operator.dtype)

    return draw


def generator(operator: LinearOperator, seed: int | None) -> Any:
    """Return a generator of this seed on the operator's device; with None, the one of mg.random."""
    if seed is None:
        return random.generator(operator.device)
    return backend.get(operator.device).generator(seed)
