"""The estimated diagonal: its error, the preconditioner, stochastic Levenberg–Marquardt."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.optim.second_order.diagonal import diagonal_preconditioner, sampled_diagonal
from tests.optim.second_order.functions import leaf, symmetric


def test_the_estimated_diagonal():
    A = symmetric(np.linspace(-1, 5, 40))
    like = np.zeros(40)
    found = sampled_diagonal(lambda v: A @ v, like, 4000, seed=0)
    error = np.sqrt((A**2).sum(0) - np.diag(A) ** 2) / math.sqrt(4000)
    assert (np.abs(found - np.diag(A)) < 5 * error).all()
    exact = np.array([3.0, -2.0, 0.0])
    np.testing.assert_allclose(sampled_diagonal(lambda v: exact * v, like[:3], 1, 7), exact)
    scale = diagonal_preconditioner(lambda v: exact * v, like[:3], 1, 0)
    np.testing.assert_allclose(scale(np.ones(3)), [1 / 3, 1 / 2, 3 / 5 * 1e3])


def test_stochastic_diagonal_lm_is_its_formula():
    """On a diagonal quadratic the estimate is exact: h = a."""
    a, x = np.array([10.0, 1.0, -0.5]), leaf([1.0, 1.0, 1.0])
    optimizer = optim.StochasticDiagonalLM([x], lr=0.1, mu=0.3, gamma=0.25)
    factor = mg.tensor(a)
    expected, h = np.ones(3), a
    for k in range(3):
        batch = 1.0 + k  # each batch has another curvature
        optimizer.step(lambda: 0.5 * batch * (factor * x * x).sum())  # noqa: B023
        h = 0.75 * h + 0.25 * batch * a if k else a
        expected = expected - 0.1 * batch * a * expected / (np.abs(h) + 0.3)
        np.testing.assert_allclose(x.data, expected)


@pytest.mark.parametrize(
    ("matrix", "outputs", "h"),
    [("auto", True, 16), ("auto", False, 18), ("hessian", True, 18), ("gauss-newton", True, 16)],
)
def test_stochastic_diagonal_lm_asks_the_closure_for_the_matrix(matrix, outputs, h):
    """f = ½(x² − 3)² at 2: f″ = 2(x² − 3) + 4x², of which Gauss and Newton keep the second."""
    x = leaf([2.0])
    optimizer = optim.StochasticDiagonalLM([x], matrix=matrix)

    def closure():
        r = x * x - 3
        loss = 0.5 * (r * r).sum()
        return (loss, r) if outputs else loss

    optimizer.step(closure)
    assert optimizer.state["h"].item() == pytest.approx(h)


def test_stochastic_diagonal_lm_estimates_now_and_then():
    x = leaf([2.0])
    optimizer = optim.StochasticDiagonalLM([x], estimate_every=3, probes=2)
    spent = []
    for _ in range(7):
        optimizer.step(lambda: (x * x).sum())
        spent.append(optimizer.report.nhev)
    assert spent == [2, 0, 0, 2, 0, 0, 2]
