"""Dropout's statistics and randomness; penalties; batch norm's running estimates and graphs."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_drops_p_and_keeps_the_mean(p: float) -> None:
    mg.manual_seed(0)
    n = 200_000
    x = mg.ones(n, requires_grad=True)
    out = nn.Dropout(p)(x)
    values = out.numpy()
    kept = values != 0
    assert abs(kept.mean() - (1 - p)) < 5 * math.sqrt(p * (1 - p) / n)
    np.testing.assert_allclose(values[kept], 1 / (1 - p), rtol=1e-6)
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), values)  # the same mask


def test_dropout_draws_anew_and_from_the_seed() -> None:
    layer, x = nn.Dropout(), mg.ones(100)
    mg.manual_seed(3)
    first, second = layer(x).tolist(), layer(x).tolist()
    mg.manual_seed(3)
    assert layer(x).tolist() == first != second
    state = mg.random.get_state()
    third = layer(x).tolist()
    mg.random.set_state(state)
    assert layer(x).tolist() == third


def test_dropout_of_nothing_draws_nothing() -> None:
    state = mg.random.get_state()
    x = mg.ones(3)
    assert nn.Dropout(0.0)(x) is x
    assert nn.Dropout(0.7).eval()(x) is x
    assert mg.random.get_state() == state
    assert nn.Dropout(1.0)(x).tolist() == [0, 0, 0]


def test_penalties_are_the_sums_they_say() -> None:
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    arrays = [p.numpy().astype("float64") for p in model.parameters()]
    l1, l2 = nn.L1Penalty(model.parameters(), 0.1), nn.L2Penalty(model.parameters(), 0.01)
    assert l1().shape == l2().shape == ()
    assert l1().item() == pytest.approx(0.1 * sum(np.abs(a).sum() for a in arrays), rel=1e-6)
    assert l2().item() == pytest.approx(0.01 * sum((a**2).sum() for a in arrays), rel=1e-6)
    (l1() + l2()).backward()
    for p, a in zip(model.parameters(), arrays, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), 0.1 * np.sign(a) + 0.02 * a, rtol=1e-5)
        assert p.grad.dtype == "float32"


def test_penalties_count_a_shared_parameter_once_and_own_nothing() -> None:
    w = nn.Parameter(mg.tensor([3.0, 0.0]))
    penalty = nn.L1Penalty([w, w], 1)
    assert penalty().item() == 3
    assert not list(penalty.parameters())
    assert penalty.state_dict() == {}
    (gradient,) = mg.autograd.grad(penalty(), [w])
    assert gradient.tolist() == [1, 0]  # 0 at 0
    assert nn.L2Penalty(w, 2.0)().item() == 18


def test_running_estimates_leave_older_graphs_right() -> None:
    layer = nn.BatchNorm(2)
    x = mg.tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True)
    layer.eval()
    out = layer(x).sum()
    layer.train()
    layer(x)
    assert not layer.running_mean.requires_grad
    out.backward()
    np.testing.assert_allclose(x.grad.numpy(), 1 / math.sqrt(1 + 1e-5), rtol=1e-6)


def test_batch_norm_in_training_records_nothing_for_its_buffers_and_counts() -> None:
    layer = nn.BatchNorm(2)
    memory = layer.running_mean
    for _ in range(3):
        layer(mg.randn(4, 2))
    assert layer.running_mean is memory
    assert layer.num_batches_tracked.item() == 3
    layer.eval()(mg.randn(1, 2))
    assert layer.num_batches_tracked.item() == 3
