"""Step rules: what they promise holds, on curves and where a trial is no number."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.optim.second_order.objective import Objective
from minigrad.optim.second_order.step_rules import RULES
from tests.optim.second_order.functions import leaf

CURVES = {  # φ, and a first length that is far too short, far too long, or right
    "parabola": lambda a: (a - 3) ** 2,
    "quartic": lambda a: (a - 2) ** 4 - a,
    "exponential": lambda a: mg.exp(a) - 20 * a,
    "logarithm": lambda a: -mg.log(a + 0.01) + a,
    "wave": lambda a: -mg.sin(a) + 0.1 * a * a + 0.3 * mg.sin(5 * a),
}


def objective_of(phi, dtype=np.float64):
    optimizer = optim.LBFGS([leaf([0.0], dtype)])
    p = optimizer.param_groups[0]["params"][0]
    return Objective(optimizer.flat, lambda: phi(p).sum())


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("first", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("c2", [0.9, 0.1, 1e-3])
def test_strong_wolfe_holds(curve, first, c2, dtype):
    at = objective_of(CURVES[curve], dtype)
    f, g = at.here()
    d = -g / np.abs(g)
    step = optim.StrongWolfe(c2=c2)(at, f, g, d, first)
    slope = float(g @ d)
    assert step.reason == "strong-wolfe"
    assert step.f <= f + 1e-4 * step.length * slope + 1e-4 * abs(f) * (dtype == np.float32)
    assert abs(float(step.g @ d)) <= c2 * abs(slope)
    assert (step.f, step.g) == at.value_and_gradient(step.x)
    assert at.counts.njev <= at.counts.nfev <= 20


@pytest.mark.parametrize(
    ("name", "max_iter", "nfev", "njev"),
    [
        ("newton", 1, 2, 1),  # a gradient at the start, the loss at the end
        ("newton", 3, 4, 3),  # where one iteration ends the next begins
        ("stochastic-diagonal-lm", 1, 2, 1),
        ("bfgs", 1, 2, 2),  # which learns from the gradient at the end
        ("bfgs", 3, 4, 4),
    ],
)
def test_a_fixed_length_takes_no_gradient_that_nobody_reads(name, max_iter, nfev, njev):
    p = leaf([1.0, 2.0])
    optimizer = optim.METHODS[name]([p], line_search="fixed", lr=0.1, max_iter=max_iter)
    optimizer.step(lambda: (p**4).sum())
    assert optimizer.report.loss_after == pytest.approx((p.data**4).sum())
    assert (optimizer.report.nfev, optimizer.report.njev) == (nfev, njev)


@pytest.mark.parametrize("rule", ["armijo", "nonmonotone"])
@pytest.mark.parametrize("first", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("curve", CURVES)
def test_armijo_holds_and_takes_no_gradient(curve, first, rule):
    at = objective_of(CURVES[curve])
    at.goes_on = False
    f, g = at.here()
    step = RULES[rule]()(at, f, g, -g, first)
    assert 0 < step.length <= first
    assert step.f <= f - 1e-4 * step.length * float(g @ g)
    assert step.f == at.value(step.x)
    assert at.counts.njev == 1


def test_nonmonotone_remembers_the_mean():
    """Zhang and Hager's C is the weighted mean of all losses: written out for three of them."""
    rule = optim.Nonmonotone(eta=0.5)
    losses = [8.0, 2.0, 5.0]
    means = []
    for f in losses:
        means.append(rule.reference(f))
        assert rule.reference(f) == means[-1]  # a search that finds nothing changes nothing
        rule.accept(f)
    weights = np.array([0.25, 0.5, 1.0])
    assert means[0] == 8.0
    assert rule.memory["mean"] == pytest.approx(weights @ losses / weights.sum())
    assert means[2] == 5.0  # never below the present loss


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_trial_that_is_no_number_is_backed_off(rule, dtype):
    """log is NaN beyond 0: the first trial lands there, the parameters never stay there."""
    p = leaf([1e-3, 1.0], dtype)
    if RULES[rule].needs_model:
        optimizer = optim.NewtonCG([p], line_search=optim.TrustRegion(radius=1e3))
    else:
        optimizer = optim.LBFGS([p], line_search=rule, lr=1e3)
    for _ in range(60):
        optimizer.step(lambda: (p * p - mg.log(p)).sum())
        assert np.isfinite(p.data).all()
        assert math.isfinite(optimizer.report.loss_after)
    if rule != "fixed":
        np.testing.assert_allclose(p.data, 0.5**0.5, rtol=1e-2)


@pytest.mark.parametrize(
    ("rule", "keywords"),
    [
        (optim.StrongWolfe, {"c1": 0.0}),
        (optim.StrongWolfe, {"c2": 1e-5}),
        (optim.StrongWolfe, {"max_trials": 0}),
        (optim.Armijo, {"c1": 1.0}),
        (optim.Nonmonotone, {"eta": 2.0}),
    ],
    ids=str,
)
def test_bad_settings_of_rules(rule, keywords):
    with pytest.raises(optim.HyperparameterError, match=f"{next(iter(keywords))}.*; try"):
        rule(**keywords)
