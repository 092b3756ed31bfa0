"""Trust regions: how the radius follows the ratio, and what no step ends in."""

from __future__ import annotations

import pytest

import minigrad as mg
from minigrad import optim
from tests.optim.second_order.functions import leaf


def test_the_radius_follows_the_ratio():
    """Of f = x⁴ from 1: the model's steps are known, so that radii and points are too."""
    x = leaf([1.0])
    rule = optim.TrustRegion(radius=0.01, max_radius=0.03)
    optimizer = optim.NewtonCG([x], line_search=rule, forcing=1e-8)
    optimizer.step(lambda: (x**4).sum())
    assert x.item() == pytest.approx(0.99)
    assert rule.memory["radius"] == 0.02
    optimizer.step(lambda: (x**4).sum())
    assert x.item() == pytest.approx(0.97)
    assert rule.memory["radius"] == 0.03


def test_a_bad_step_is_repeated_in_a_smaller_region():
    def f(p):  # a wall at 1.5, which the model at 0 knows nothing of
        x = p[0]
        return -x + mg.exp(20 * (x - 1.5))

    p = leaf([0.0])
    optimizer = optim.NewtonCG([p], line_search=optim.TrustRegion(radius=100.0))
    optimizer.step(lambda: f(p))
    assert optimizer.rule.memory["radius"] == 2 * 100 / 4**4
    assert optimizer.report.step_length == 1
    assert p.item() == pytest.approx(100 / 4**4)
    assert optimizer.report.njev == 1
    assert "trial 5" in optimizer.report.reason


def test_a_loss_that_is_no_number_is_not_gone_to():
    p = leaf([0.5])
    optimizer = optim.Newton([p], line_search=optim.TrustRegion(radius=50.0))
    for _ in range(30):
        optimizer.step(lambda: p.sum() - mg.log(p).sum())
    assert p.item() == pytest.approx(1)
