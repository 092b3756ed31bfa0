"""Factorizations for Newton's equations: against NumPy, and the conditions of optimality."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minigrad.optim.second_order import dense
from tests.optim.second_order.functions import symmetric


@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_modifications_of_an_indefinite_hessian(damping):
    A, g = symmetric(np.linspace(-2, 6, 90)), np.ones(90)
    w, U = np.linalg.eigh(A)
    flipped = dense.newton_direction(A, g, "flip", damping, 1e-6)
    np.testing.assert_allclose(flipped, -U @ ((U.T @ g) / (np.abs(w) + damping)), rtol=1e-8)
    plain = dense.newton_direction(A, g, "none", damping, 1e-6)
    np.testing.assert_allclose((A + damping * np.eye(90)) @ plain, -g, atol=1e-8)
    shifted = dense.newton_direction(A, g, "shift", damping, 1e-6)
    ratio = (-g - A @ shifted) / shifted  # all the same: the shift
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-6)
    assert 2 < ratio.mean() < 9
    assert g @ shifted < 0 > g @ flipped


def test_small_eigenvalues_are_raised():
    found = dense.newton_direction(np.diag([4.0, -1e-9, 0.0]), np.ones(3), "flip", 0.0, 1e-2)
    np.testing.assert_allclose(found, [-0.25, -25, -25])
    zero = np.zeros((2, 2))
    np.testing.assert_allclose(dense.newton_direction(zero, np.ones(2), "flip", 0.0, 0.1), [-1, -1])
    assert (dense.newton_direction(zero, np.ones(2), "shift", 0.0, 0.1) < 0).all()
    assert np.isnan(dense.newton_direction(zero * math.nan, np.ones(2), "flip", 0.0, 0.1)).all()


def test_cholesky():
    for n in (1, 63, 64, 65, 200):
        A, b = symmetric(np.geomspace(0.1, 10, n), seed=n), np.arange(1.0, n + 1)
        np.testing.assert_allclose(dense.cholesky_solved(A, b), np.linalg.solve(A, b), rtol=1e-9)
    assert dense.cholesky_solved(symmetric([-0.1, 1, 2]), np.ones(3)) is None


@pytest.mark.parametrize("radius", [0.01, 1.0, 3.0, 100.0])
@pytest.mark.parametrize("kind", ["definite", "indefinite", "hard", "nearly hard", "singular"])
def test_the_exact_minimizer_in_a_ball(kind, radius):
    """It fulfils the conditions of Moré and Sorensen, which are sufficient."""
    values = {"definite": [1.0, 2, 3, 4], "singular": [0.0, 1, 2, 3]}.get(kind, [-2.0, 1, 2, 3])
    H = symmetric(values)
    w, U = np.linalg.eigh(H)
    first = {"hard": 0.0, "nearly hard": 1e-13, "singular": 0.0}.get(kind, 1.0)
    g = U @ np.array([first, 1.0, -1.0, 0.5])
    if kind == "hard":
        H, g, w = np.diag(values), np.array([0.0, 1.0, -1.0, 0.5]), np.array(values)
    p, model, norm = dense.in_ball(H, g)(radius)
    assert norm == pytest.approx(np.linalg.norm(p))
    assert norm <= radius * (1 + 1e-9)
    assert model == pytest.approx(g @ p + 0.5 * p @ H @ p)
    sigma = -(p @ (H @ p + g)) / (p @ p)
    np.testing.assert_allclose(H @ p + sigma * p, -g, atol=1e-6)
    assert sigma >= max(0, -w[0]) - 1e-6
    assert sigma * (radius - norm) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_where_nothing_is_gained_the_minimizer_stays(dtype):
    """Of rank 5 with g in its range: eigenvalues of rounding, some below 0, are no curvature."""
    for seed in range(5):
        B = np.random.default_rng(seed).standard_normal((5, 30))
        H, g = (B.T @ B).astype(dtype), (B.T @ np.ones(5)).astype(dtype)
        shortest = -np.linalg.lstsq(B, np.linalg.solve(B @ B.T, B @ g.astype("float64")))[0]
        for radius in (1.0, 1e4):
            p, _, norm = dense.in_ball(H, g)(radius)
            assert p.dtype == dtype
            tolerance = 1e-10 if dtype == "float64" else 1e-4
            np.testing.assert_allclose(p, shortest, atol=tolerance)
            assert norm == pytest.approx(np.linalg.norm(shortest), rel=10 * tolerance)
    p, model, _ = dense.in_ball(np.zeros((3, 3)), np.array([3.0, 0, 4]))(10.0)
    np.testing.assert_allclose(p, [-6, 0, -8])
    assert model == pytest.approx(-50)
