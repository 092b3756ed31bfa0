"""Lanczos: A Q = Q T + r eᵀ, Q orthonormal, T's eigenvalues those of known matrices."""

import numpy as np
import pytest

from minigrad.curvature import lanczos, tridiagonal


def symmetric(values, seed=0, dtype="float64"):
    """Return a random symmetric matrix with these eigenvalues."""
    n = len(values)
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]
    return ((rotation * np.asarray(values, "float64")) @ rotation.T).astype(dtype)


SPECTRA = {
    "spread": np.linspace(-3, 10, 60),
    "decaying": 10.0 ** -np.arange(0, 12, 0.2),
    "one outlier": np.r_[np.linspace(0, 1, 59), 1000],
    "indefinite": np.r_[-np.linspace(1, 2, 30), np.linspace(1, 2, 30)],
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SPECTRA)
def test_the_decomposition_holds_and_the_basis_is_orthonormal(name, dtype):
    a = symmetric(SPECTRA[name], dtype=dtype)
    start = np.random.default_rng(1).standard_normal(60).astype(dtype)
    basis, alpha, beta = lanczos(lambda v: a @ v, start, 40)
    rounding = 100 * np.finfo(dtype).eps
    m = len(alpha)
    assert basis.shape == (60, m)
    assert basis.dtype == dtype
    assert alpha.dtype == beta.dtype == "float64"
    assert len(beta) == m
    assert np.abs(basis.T @ basis - np.eye(m)).max() < rounding
    assert np.allclose(basis[:, 0], start / np.linalg.norm(start))
    left = a @ basis - basis @ tridiagonal(alpha, beta)
    size = np.abs(SPECTRA[name]).max()
    assert np.abs(left[:, :-1]).max() < rounding * size
    assert abs(np.linalg.norm(left[:, -1]) - beta[-1]) < rounding * size


@pytest.mark.parametrize("steps", [60, 1000])
def test_all_steps_give_all_eigenvalues(steps):
    a = symmetric(SPECTRA["spread"])
    basis, alpha, beta = lanczos(lambda v: a @ v, np.ones(60), steps)
    assert basis.shape == (60, 60)
    assert beta[-1] == 0
    found = np.linalg.eigvalsh(tridiagonal(alpha, beta))
    assert np.allclose(found, np.linalg.eigvalsh(a), atol=1e-12)


@pytest.mark.parametrize(
    ("values", "distinct"),
    [
        ([5, 5, 5, 1, 1, 1], [1, 5]),
        ([2] * 6, [2]),
        ([0] * 6, [0]),
        ([1, 1, 3, 3, 3, -1], [-1, 1, 3]),
    ],
)
def test_it_stops_where_the_space_is_invariant(values, distinct):
    a = np.diag(np.asarray(values, "float64"))
    basis, alpha, beta = lanczos(lambda v: a @ v, np.arange(1.0, 7.0), 6)
    assert basis.shape == (6, len(distinct))
    assert beta[-1] == 0
    assert np.allclose(np.linalg.eigvalsh(tridiagonal(alpha, beta)), distinct, atol=1e-13)


def test_more_steps_only_append():
    a = symmetric(SPECTRA["spread"])
    start = np.arange(60.0)
    short, long = (lanczos(lambda v: a @ v, start, m) for m in (7, 20))
    assert np.array_equal(short[0], long[0][:, :7])
    assert np.array_equal(short[1], long[1][:7])
    assert np.allclose(short[2], long[2][:7], rtol=1e-12)


@pytest.mark.parametrize(
    ("matvec", "start", "steps", "error", "words"),
    [
        (lambda v: v, np.zeros(3), 2, ValueError, "norm is 0.0"),
        (lambda v: v, np.array([1.0, np.nan]), 2, ValueError, "norm is nan"),
        (lambda v: v, np.ones((3, 1)), 2, ValueError, r"shape \(3, 1\)"),
        (lambda v: v, np.ones(3), 0, ValueError, "at least one step, not 0"),
        (lambda v: v * np.nan, np.ones(3), 2, ArithmeticError, "NaN or infinity"),
    ],
)
def test_errors(matvec, start, steps, error, words):
    with pytest.raises(error, match=words):
        lanczos(matvec, start, steps)
