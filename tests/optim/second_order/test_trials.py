"""Trials that go too far: whatever the method and the rule, it comes back to where numbers are."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim

RULES = ["fixed", "armijo", "strong-wolfe", "nonmonotone", "trust-region"]
METHODS = {n: m for n, m in optim.METHODS.items() if issubclass(m, optim.SecondOrder)}


def combines(method, rule):
    """Whether a method takes a rule; one that finds its own length is tried once, under its own."""
    if "line_search" in method.without:
        return rule == method.class_defaults["line_search"]
    return rule != "trust-region" or method.has_model


# residuals that are no numbers, or overflow, not far from where a step starts
WALLS = {
    "a logarithm": lambda p: 3 * mg.log(p) + 5 * (p - 0.01),
    "a root": lambda p: 10 * mg.sqrt(p - 0.5) + p,
    "walls on both sides": lambda p: 5 * p + 0 * mg.log(1.2 - p) + 0 * mg.log(p - 0.999),
    "an overflow": lambda p: 4 * (p - 3) + mg.exp(1000 * (p - 1.5)),
    "an overflow of products": lambda p: 1 / p**3 + 1e-30 * mg.exp(p**8),
}


@pytest.mark.parametrize(
    ("name", "rule"), [(n, r) for n, m in METHODS.items() for r in RULES if combines(m, r)]
)
def test_no_step_ends_where_there_are_no_numbers(name, rule):
    method = METHODS[name]
    keywords = {} if "line_search" in method.without else {"line_search": rule}
    for residuals in WALLS.values():
        p = mg.tensor(np.array([1.0, 1.1], "float32"), requires_grad=True)
        optimizer = method([p], **keywords)
        if name == "stochastic-diagonal-lm":
            optimizer.param_groups[0]["lr"] = 5.0

        def closure(residuals=residuals, p=p):
            r = residuals(p)
            loss = (r * r).sum() / 2
            return (loss, r) if METHODS[name].needs_outputs else loss

        for _ in range(5):
            optimizer.step(closure)
            with mg.no_grad(), np.errstate(all="ignore"):
                value = closure()[0] if method.needs_outputs else closure()
            assert np.isfinite(p.data).all()
            assert math.isfinite(value.item()), optimizer.report


def test_hessian_free_goes_along_minus_g_where_products_are_no_numbers():
    """G times the last direction overflows, so that conjugate gradients find nothing."""
    p = mg.tensor(np.array([1.0], "float32"), requires_grad=True)
    optimizer = optim.HessianFree([p])
    optimizer.step(lambda: ((p * p).sum() / 2, p))
    optimizer.state["d"] = np.array([3e38], "float32")
    before = p.item()
    optimizer.step(lambda: (50 * (p * p).sum(), p))
    assert p.item() < before
    assert "(not finite)" in optimizer.report.reason
    assert "along −g, as the direction did not go down; armijo" in optimizer.report.reason
    assert optimizer.state["damping"] > 2 / 3
    assert np.isfinite(optimizer.state["d"])


def test_conjugate_gradients_with_a_fixed_length():
    """α is lr, and the direction is restarted where it goes up: the recursion by hand."""
    A, b, alpha = np.diag([1.0, 10.0, 3.0]), np.array([1.0, -2.0, 0.5]), 0.3
    p = mg.tensor(np.zeros(3), requires_grad=True)
    optimizer = optim.ConjugateGradient([p], lr=alpha, line_search="fixed", beta="fletcher-reeves")
    x, d, last, count, restarts = np.zeros(3), None, None, 0, 0
    for _ in range(6):
        g = A @ x - b
        if d is None or count == 3:
            d, count = -g, 0
        else:
            d = (g @ g) / (last @ last) * d - g
        if not g @ d < 0:
            d, count, restarts = -g, 0, restarts + 1
        count += 1
        optimizer.step(lambda: 0.5 * (p @ (A @ p)) - b @ p)
        x, last = x + alpha * d, g
        np.testing.assert_allclose(p.data, x, rtol=1e-12)
        assert optimizer.report.step_length == alpha
    assert 0 < restarts < 6
