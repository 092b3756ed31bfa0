"""BFGS and L-BFGS: the inverse on a quadratic, pairs against the matrix, PyTorch's minimum."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.optim.second_order.objective import Objective
from minigrad.optim.second_order.step_rules import Step
from tests.optim.second_order.functions import leaf, logistic, random_quadratic
from tests.optim.table import NO_TORCH


def test_bfgs_on_a_quadratic_learns_the_inverse():
    """With exact steps H is A⁻¹ after n of them (Nocedal and Wright 2006, theorem 6.4)."""
    n = 8
    A, b = random_quadratic(n, condition=10.0)
    p = leaf(np.zeros(n))
    optimizer = optim.BFGS([p], line_search=optim.StrongWolfe(c1=1e-9, c2=1e-8))
    for _ in range(n):
        optimizer.step(lambda: 0.5 * (p @ (A @ p)) - b @ p)
    np.testing.assert_allclose(optimizer.state["H"], np.linalg.inv(A), atol=1e-5)


def test_lbfgs_takes_two_dots_a_pair():
    p = leaf([1.0, 2.0, 3.0])
    optimizer = optim.LBFGS([p], line_search=optim.Armijo())
    at = Objective(optimizer.flat, lambda: (p**4).sum())
    for _ in range(3):
        optimizer.advance(at)
    taken, dot = [], at.dot
    at.dot = lambda a, b: (taken.append(1), dot(a, b))[1]
    f, g = at.here()
    optimizer.direction(at, f, g)
    assert len(optimizer.state["s"]) == 3
    assert len(taken) == 2 * 3


def test_lbfgs_with_all_pairs_is_bfgs():
    """From one H₀: BFGS's own starts at γI once, L-BFGS's at each step, so both start at I·γ₁."""
    A, _ = random_quadratic(5, condition=50.0)
    rng = np.random.default_rng(1)
    pairs = [(s, A @ s) for s in rng.standard_normal((4, 5))]
    g = rng.standard_normal(5)
    H = np.eye(5) * (pairs[-1][0] @ pairs[-1][1]) / (pairs[-1][1] @ pairs[-1][1])
    for s, y in pairs:
        rho = 1 / (s @ y)
        V = np.eye(5) - rho * np.outer(s, y)
        H = V @ H @ V.T + rho * np.outer(s, s)
    optimizer = optim.LBFGS([leaf(np.zeros(5))])
    at = Objective(optimizer.flat, lambda: None)
    origin = Step(0.0, np.zeros(5), 0.0, np.zeros(5), "")
    for s, y in pairs:
        optimizer.learn(at, origin, Step(1.0, s, 0.0, y, ""), s)
    np.testing.assert_allclose(optimizer.direction(at, 0.0, g), -H @ g, rtol=1e-10)


@pytest.mark.parity
def test_lbfgs_finds_pytorchs_minimum():
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    x, y = logistic()
    p, q = leaf(np.zeros(5)), torch.zeros(5, dtype=torch.float64, requires_grad=True)
    ours = optim.LBFGS([p], max_iter=60)
    theirs = torch.optim.LBFGS(
        [q], max_iter=60, line_search_fn="strong_wolfe", tolerance_grad=1e-12,
        tolerance_change=0.0,
    )  # fmt: skip
    tx, ty = torch.tensor(x), torch.tensor(y)

    def closure():
        theirs.zero_grad()
        loss = (torch.nn.functional.softplus(tx @ q) - ty * (tx @ q)).mean()
        loss.backward()
        return loss

    theirs.step(closure)
    ours.step(lambda: (mg.softplus(x @ p) - y * (x @ p)).mean())
    np.testing.assert_allclose(p.data, q.detach().numpy(), atol=1e-8)


def test_a_matrix_that_is_too_large_is_refused_before_any_work():
    p = leaf(np.ones(50_000), np.float32)
    with pytest.raises(MemoryError, match=r"50,000 parameters takes 10 GB.*LBFGS"):
        optim.BFGS([p])
    with pytest.raises(MemoryError, match="max_bytes=32"):
        optim.BFGS([leaf([1.0, 2.0])], max_bytes=31)
    optim.BFGS([leaf([1.0, 2.0])], max_bytes=32)
