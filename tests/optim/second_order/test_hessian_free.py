"""Hessian-free against plain conjugate gradients, Martens' rules by hand, and in training."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import datasets, nn, optim, training
from minigrad.optim.second_order.hessian_free import backtracked


def leaf(array):
    return mg.tensor(np.array(array, float), requires_grad=True)


def problem(rows=20, seed=0, dtype="float64"):
    """Return a small network's parameters, and closures of (loss, logits) for some of the rows."""
    mg.manual_seed(seed)
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    for p in net.parameters():
        p.data = p.data.astype(dtype)
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((rows, 4)).astype(dtype), rng.integers(0, 3, rows)

    def of(n):
        def closure():
            logits = net(mg.tensor(x[:n]))
            return nn.functional.cross_entropy(logits, mg.tensor(y[:n])), logits

        return closure

    return list(net.parameters()), of


@pytest.mark.parametrize("preconditioner", [None, "diagonal"])
def test_on_a_quadratic_it_is_conjugate_gradients(preconditioner):
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((12, 6)), rng.standard_normal(12)
    for iterations in (1, 3, 6):
        x = leaf(np.zeros(6))
        optimizer = optim.HessianFree(
            [x], damping=0.0, max_inner=iterations, preconditioner=preconditioner
        )

        def closure(x=x):
            r = A @ x - b
            return 0.5 * (r * r).sum(), r

        optimizer.step(closure)
        if preconditioner is None:  # the best point of the Krylov space of AᵀA and Aᵀb
            powers = [np.linalg.matrix_power(A.T @ A, k) @ (A.T @ b) for k in range(iterations)]
            Q = np.linalg.qr(np.column_stack(powers))[0]
            best = Q @ np.linalg.lstsq(A @ Q, b, rcond=None)[0]
            np.testing.assert_allclose(x.numpy(), best, rtol=1e-8, atol=1e-10)
        assert optimizer.report.inner == iterations
    np.testing.assert_allclose(x.numpy(), np.linalg.lstsq(A, b, rcond=None)[0], atol=1e-8)


@pytest.mark.parametrize(
    ("damping", "factor"), [(1e-3, 1.5), (0.01, 1.0), (0.04, 1.0), (0.05, 2 / 3)]
)
def test_damping_follows_the_reduction_ratio(damping, factor):
    """One step on ½ tanh(x)² by hand, from x = 1, where an undamped step overshoots."""
    x = leaf([1.0])
    optimizer = optim.HessianFree([x], damping=damping)

    def closure():
        z = mg.tanh(x)
        return (z * z).sum() / 2, z

    optimizer.step(closure)
    z = math.tanh(1)
    g, G = z * (1 - z * z), (1 - z * z) ** 2
    d = -g / (G + damping)
    ratio = (math.tanh(1 + d) ** 2 / 2 - z * z / 2) / (g * d + 0.5 * G * d * d)
    assert (0.25 <= ratio <= 0.75) == (factor == 1)
    assert optimizer.state["damping"] == pytest.approx(factor * damping)
    assert x.item() == pytest.approx(1 + d)


def test_it_starts_from_the_last_direction():
    params, of = problem()
    optimizer = optim.HessianFree(params, decay=0.5, max_inner=1)
    optimizer.step(of(20))
    last, x = optimizer.state["d"], optimizer.flat.vector.copy()
    at = optim.second_order.Objective(optimizer.flat, of(20), curvature=True)
    g, strength = at.here()[1], optimizer.state["damping"]

    def product(v):
        return at.ggn_vp(v) + strength * v

    r = -g - product(0.5 * last)
    expected = 0.5 * last + (r @ r) / (r @ product(r)) * r
    at.move(x)
    optimizer.step(of(20))
    np.testing.assert_allclose(optimizer.state["d"], expected, rtol=1e-9)


def test_going_back_takes_the_lowest_iterate_and_passes_by_infinity():
    x = leaf([0.0])
    at = optim.second_order.Objective(
        optim.HessianFree([x]).flat, lambda: (mg.log(4 - x) + (x - 1) ** 2 * 9).sum()
    )
    iterates = [np.array([v]) for v in (0.5, 1.0, 2.0, 3.0, 5.0)]
    last, value, best = backtracked(at, at.x, iterates)
    assert last == math.inf
    assert best == 1.0
    assert value == pytest.approx(math.log(3))


def test_curvature_of_fewer_cases():
    params, of = problem(rows=40)
    optimizer = optim.HessianFree(params)
    start = optimizer.flat.vector.copy()
    at = optim.second_order.Objective(optimizer.flat, of(40))
    part = optim.second_order.Objective(optimizer.flat, of(10), curvature=True)
    g = at.here()[1]
    G = part.gauss_newton()
    optimizer.param_groups[0].update(progress=1e-12)
    optimizer.step(of(40), curvature=of(10))
    expected = -np.linalg.solve(G + np.eye(g.size), g)
    np.testing.assert_allclose(optimizer.state["d"], expected, rtol=1e-5, atol=1e-7)
    assert optimizer.report.nhev >= optimizer.report.inner > 0
    assert not np.array_equal(start, optimizer.flat.vector)
    whole = optim.HessianFree(params)
    whole.step(of(40))
    assert whole._part is None


@pytest.mark.parametrize("method", ["gauss-newton", "levenberg-marquardt", "hessian-free"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_loss_of_logits_falls(method, dtype):
    params, of = problem(dtype=dtype)
    keywords = {"damping": 1e-2} if method == "gauss-newton" else {}
    optimizer = optim.METHODS[method](params, **keywords)
    losses = [optimizer.step(of(20)).item() for _ in range(30)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.1 * losses[0]
    assert all(p.dtype == dtype for p in params)


@pytest.mark.parametrize(
    ("method", "keywords"),
    [
        ("gauss-newton", {"damping": 1e-2}),
        ("levenberg-marquardt", {"scaling": True}),
        ("levenberg-marquardt", {"solver": "cg"}),
        ("hessian-free", {"preconditioner": "diagonal"}),
    ],
)
def test_a_run_goes_on_bit_for_bit(method, keywords):
    params, of = problem()
    optimizer = optim.METHODS[method](params, **keywords)
    for _ in range(3):
        optimizer.step(of(20))
    saved, point = optimizer.state_dict(), optimizer.flat.vector.copy()
    for _ in range(3):
        optimizer.step(of(20))
    params, of = problem(seed=0)
    again = optim.METHODS[method](params)
    again.load_state_dict(saved)
    again.flat.vector[...] = point
    for _ in range(3):
        again.step(of(20))
    np.testing.assert_array_equal(again.flat.vector, optimizer.flat.vector)


def test_the_diagonal_is_of_the_cases_squared_gradients():
    """With two cases a draw of signs gives one of two results; their mean is N Σᵢ gᵢ², exactly."""
    params, of = problem(rows=2)
    optimizer = optim.HessianFree(params)
    at = optim.second_order.Objective(optimizer.flat, of(2), curvature=True)
    at.here()
    drawn = {tuple(at.squared_gradients(seed).round(12)) for seed in range(20)}
    assert len(drawn) == 2
    one, both = (optim.second_order.Objective(optimizer.flat, of(n)).here()[1] for n in (1, 2))
    other = 2 * both - one  # the loss is the mean of the two
    np.testing.assert_allclose(np.mean(list(drawn), 0), (one**2 + other**2) / 2, atol=1e-10)
    before = at.counts.njev
    at.squared_gradients(0)
    assert (at.counts.njev, at.counts.nhev) == (before + 1, 0)


def test_the_diagonal_saves_iterations_where_scales_differ():
    """Inputs from 1 to 1000 make G ill-conditioned, and its diagonal tells."""
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((40, 8)) * np.logspace(0, 3, 8), rng.standard_normal(40)
    spent = {}
    for kind in (None, "diagonal"):
        x = leaf(np.zeros(8))
        optimizer = optim.HessianFree([x], damping=1e-6, preconditioner=kind)

        def closure(x=x):
            r = A @ x - b
            return 0.5 * (r * r).sum(), r

        optimizer.step(closure)
        spent[kind] = optimizer.report.inner
    np.testing.assert_allclose(x.numpy(), np.linalg.lstsq(A, b, rcond=None)[0], rtol=1e-3)
    assert spent["diagonal"] < spent[None]


def test_dropout_is_frozen_in_the_curvature_too():
    drop = nn.Dropout(0.5)
    x = mg.randn(30, 4, dtype="float64")
    weight = leaf(np.ones((4, 2)))

    def dropped():
        outputs = drop(x) @ weight
        return (outputs * outputs).sum(), outputs

    optimizer = optim.HessianFree([weight], damping=0.0)
    optimizer.step(dropped, curvature=dropped)
    assert optimizer.report.loss_after < 1e-12  # a quadratic is solved only if all is the same


@pytest.mark.parametrize("method", ["levenberg-marquardt", "hessian-free"])
def test_fit_hands_over_the_outputs_and_resumes_bit_for_bit(method, tmp_path):
    data, _ = datasets.moons(60, seed=0).split(test=0.2, seed=0)

    def run(epochs, path, resume=False):
        mg.manual_seed(0)
        net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 2))
        optimizer = optim.METHODS[method](net.parameters())
        history = training.fit(
            net, nn.CrossEntropyLoss(), optimizer, data, epochs=epochs, batch_size=24, seed=0,
            penalties=[nn.L2Penalty(net.parameters(), 1e-3)], run=path, resume=resume,
            progress=False,
        )  # fmt: skip
        return history, optimizer.flat.vector

    history, whole = run(6, tmp_path / "whole")
    run(3, tmp_path / "parts")
    _, parts = run(6, tmp_path / "parts", resume=True)
    np.testing.assert_array_equal(whole, parts)
    assert history.rows[-1]["loss"] < 0.7 * history.rows[0]["loss"]
