"""Gauss–Newton and Levenberg–Marquardt against linear algebra, MINPACK and textbook rules."""

from __future__ import annotations

import functools
import math
import statistics

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from tests.optim.problems import PROBLEMS

scipy_optimize = pytest.importorskip(
    "scipy.optimize", reason="needs the test extra: pip install minigrad[test]"
)

METHODS = ["gauss-newton", "levenberg-marquardt", "hessian-free"]
# In float64 JᵀJ of the one cannot be told from a singular matrix, unless it is scaled; on the other
# MINPACK ends elsewhere from run to run, as rounding decides.
APART = ("powell-badly-scaled", "biggs-exp6")
PLAIN = [p for p in PROBLEMS if p.name not in APART]


def residuals(problem, x):
    r = problem.residuals(x)
    return mg.stack(list(r)) if isinstance(r, (list, tuple)) else r


def leaf(array):
    return mg.tensor(np.array(array, float), requires_grad=True)


def squares(function, x):
    """Return the closure of ½‖r‖²."""

    def closure():
        r = function(x)
        return 0.5 * (r * r).sum(), r

    return closure


class Count:
    """Values of ½‖r‖² in the order of Jacobians computed: what a Jacobian's evaluation bought."""

    def __init__(self):
        self.values = []

    def until(self, best, start):
        """Return how many Jacobians it took to come as near as 1e-8 of the way."""
        near = (i for i, f in enumerate(self.values) if f - best <= 1e-8 * (start - best))
        return next(near, None)


@functools.cache
def minpack(problem):
    count, start = Count(), np.array(problem.start, float)

    def fun(x):
        return residuals(problem, mg.tensor(x)).numpy()

    def jac(x):
        count.values.append(0.5 * (fun(x) ** 2).sum())
        return mg.jacobian(lambda t: residuals(problem, t))(mg.tensor(x)).numpy()

    tolerances = {"xtol": 1e-12, "ftol": 1e-15, "gtol": 1e-12}
    with np.errstate(all="ignore"):
        found = scipy_optimize.least_squares(fun, start, jac, method="lm", **tolerances)
    count.values.append(found.cost)
    return found, count


@functools.cache
def ours(problem, **keywords):
    x, count = leaf(problem.start), Count()
    optimizer = optim.LevenbergMarquardt([x], solver="dense", **keywords)
    closure = squares(lambda x: residuals(problem, x), x)
    for _ in range(200):
        optimizer.step(closure)
        count.values.append(optimizer.report.loss)
        if not optimizer.report.step_length or optimizer.report.gradient_norm < 1e-12:
            break
    count.values.append(optimizer.report.loss_after)
    return count


@pytest.mark.parametrize("problem", PLAIN, ids=[p.name for p in PLAIN])
def test_the_minimum_that_minpack_finds(problem):
    found, _ = minpack(problem)
    mine = ours(problem).values[-1]
    start = ours(problem).values[0]
    assert mine <= found.cost + 1e-8 * max(found.cost, 1e-4 * start)
    assert mine == pytest.approx(found.cost, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("name", APART)
def test_scaled_it_solves_those_too(name):
    problem = next(p for p in PROBLEMS if p.name == name)
    assert 2 * ours(problem, scaling=True).values[-1] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("method", ["lm", "levenberg-marquardt"])
def test_where_values_are_rounding_gradients_decide(method, dtype):
    """f is 24.49 at the minimum, where G is nearly singular: undamped steps would go astray."""
    problem = next(p for p in PROBLEMS if p.name == "freudenstein-roth")
    found = optim.minimize(
        lambda x: residuals(problem, x),
        np.asarray(problem.start, dtype),
        method,
        tol=2e-8 if dtype == "float64" else 1e-3,
    )
    assert found.success
    assert found.njev < 60


def test_as_few_jacobians_as_minpack():
    ratios = []
    for problem in PLAIN:
        found, theirs = minpack(problem)
        mine = ours(problem)
        best, start = min(found.cost, mine.values[-1]), mine.values[0]
        ratios.append(mine.until(best, start) / theirs.until(best, start))
    assert statistics.median(ratios) <= 1.2
    assert max(ratios) <= 5


LINEAR = {
    "full rank": lambda rng: rng.standard_normal((30, 8)),
    "more unknowns": lambda rng: rng.standard_normal((5, 8)),
    "rank 4": lambda rng: rng.standard_normal((30, 4)) @ rng.standard_normal((4, 8)),
}


@pytest.mark.parametrize("solver", ["dense", "cg"])
@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("start", [0.0, 1.0])
def test_one_gauss_newton_step_is_linear_least_squares(name, solver, start):
    rng = np.random.default_rng(0)
    A, b = LINEAR[name](rng), rng.standard_normal(30)
    b = b[: len(A)]
    x = leaf(np.full(8, start))
    optimizer = optim.GaussNewton([x], solver=solver, tol=1e-13)
    optimizer.step(squares(lambda x: A @ x - b, x))
    shortest = np.linalg.lstsq(A, b - A @ np.full(8, start), rcond=None)[0]
    np.testing.assert_allclose(x.numpy(), start + shortest, rtol=1e-8, atol=1e-8)
    assert optimizer.report.step_length == 1


def test_the_matrix_is_that_of_the_products_and_of_pytorch_s_layout():
    mg.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))  # column-major weights
    net[0].bias.requires_grad_(False)
    x, y = mg.randn(6, 3), mg.tensor([0, 1, 0, 1, 1, 0])
    optimizer = optim.GaussNewton(net.parameters(), damping=0.1)

    def closure():
        logits = net(x)
        return nn.CrossEntropyLoss()(logits, y), logits

    at = optim.second_order.Objective(optimizer.flat, closure, curvature=True)
    g = at.here()[1]
    G = at.gauss_newton()
    identity = np.eye(g.size, dtype=g.dtype)
    np.testing.assert_allclose(G, [at.ggn_vp(row) for row in identity], atol=1e-7)
    expected = at.x - np.linalg.solve(G + 0.1 * identity, g)
    optimizer.param_groups[0]["line_search"] = "fixed"
    optimizer.step(closure)
    np.testing.assert_allclose(optimizer.flat.vector, expected, atol=1e-5)


def one_residual(x):
    return mg.concatenate([10 * (x[1:2] - x[0:1] ** 2), 1 - x[0:1]])


@pytest.mark.parametrize("update", ["nielsen", "marquardt"])
def test_damping_follows_the_textbook(update):
    """The rules as Nielsen and Marquardt give them, on Rosenbrock's function by hand."""
    start = np.array([-1.2, 1.0])
    x = leaf(start)
    optimizer = optim.LevenbergMarquardt([x], update=update, damping=1e-3)
    closure = squares(one_residual, x)
    z, nu, mu = start, 2.0, None
    for _ in range(8):
        optimizer.step(closure)

        def r(z):
            return np.array([10 * (z[1] - z[0] ** 2), 1 - z[0]])

        J = np.array([[-20 * z[0], 10], [-1, 0]])
        A, g = J.T @ J, J.T @ r(z)
        mu = 1e-3 * A.diagonal().max() if mu is None else mu
        while True:
            h = -np.linalg.solve(A + mu * np.eye(2), g)
            gain = (r(z) @ r(z) - r(z + h) @ r(z + h)) / (h @ (mu * h - g))
            if gain > 0:
                z = z + h
                mu *= max(1 / 3, 1 - (2 * gain - 1) ** 3) if update == "nielsen" else 0.1
                nu = 2.0
                break
            mu, nu = (mu * nu, 2 * nu) if update == "nielsen" else (10 * mu, nu)
        np.testing.assert_allclose(x.numpy(), z, rtol=1e-9)
        assert optimizer.state["damping"] == pytest.approx(mu, rel=1e-9)


def test_scaled_steps_do_not_depend_on_units():
    units = np.array([1e-3, 1e4])
    paths = []
    for scale in (np.ones(2), units):
        x = leaf(np.array([-1.2, 1.0]) / scale)
        optimizer = optim.LevenbergMarquardt([x], scaling=True)
        closure = squares(lambda x, scale=scale: one_residual(x * scale), x)
        for _ in range(6):
            optimizer.step(closure)
        paths.append(x.numpy() * scale)
    np.testing.assert_allclose(paths[0], paths[1], rtol=1e-7)


def test_products_alone_find_the_same():
    x = leaf([-1.2, 1.0])
    optimizer = optim.LevenbergMarquardt([x], solver="cg", tol=1e-10)
    for _ in range(40):
        optimizer.step(squares(one_residual, x))
    np.testing.assert_allclose(x.numpy(), 1, atol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_a_trial_that_is_no_number_is_left(method):
    x = leaf([4.0])

    def function(x):  # Newton's step overshoots to below 0, where the root is NaN
        return mg.sqrt(x) - 0.5 + 0.0 * x

    optimizer = optim.METHODS[method]([x], damping=1e-9)
    for _ in range(60):
        optimizer.step(squares(function, x))
        assert math.isfinite(x.item())
        assert x.item() > 0
    assert x.item() == pytest.approx(0.25, abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_a_closure_with_the_loss_alone_is_told_what_to_return(method):
    x = leaf([1.0, 2.0])
    with pytest.raises(optim.ClosureError, match=r"return \(loss, outputs\)"):
        optim.METHODS[method]([x]).step(lambda: (x * x).sum())
    np.testing.assert_array_equal(x.numpy(), [1, 2])


@pytest.mark.parametrize(
    ("method", "keywords", "words"),
    [
        ("gauss-newton", {"solver": "lu"}, "cg"),
        ("gauss-newton", {"damping": -1.0}, "damping"),
        ("levenberg-marquardt", {"update": "powell"}, "nielsen"),
        ("levenberg-marquardt", {"solver": "cg", "scaling": True}, "scaling=False"),
        ("levenberg-marquardt", {"damping": 0.0}, "GaussNewton"),
        ("levenberg-marquardt", {"max_trials": 0}, "max_trials"),
        ("hessian-free", {"decay": 1.5}, "decay"),
        ("hessian-free", {"progress": 0.0}, "progress"),
        ("hessian-free", {"max_inner": 0}, "max_inner"),
    ],
)
def test_illegal_hyperparameters(method, keywords, words):
    with pytest.raises(optim.HyperparameterError, match=words):
        optim.METHODS[method]([leaf([1.0])], **keywords)


@pytest.mark.parametrize("method", METHODS[:2])
def test_too_large_a_matrix_says_what_to_do(method):
    p = leaf(np.zeros(300))
    with pytest.raises(MemoryError, match=r"300 parameters .*takes 2.16 MB.*solver='cg'"):
        optim.METHODS[method]([p], max_bytes=1_000_000)
    optim.METHODS[method]([p], max_bytes=1_000_000, solver="cg")


@pytest.mark.parametrize("method", [*METHODS, "lm"])
def test_minimize_takes_residuals(method):
    found = optim.minimize(one_residual, [-1.2, 1.0], method=method, tol=1e-6)
    assert found.success
    np.testing.assert_allclose(found.x.numpy(), 1, atol=1e-4)
    assert found.fun == pytest.approx(0.5 * (one_residual(found.x).numpy() ** 2).sum())

    def pair(x):
        r = one_residual(x)
        return 0.5 * (r * r).sum(), r

    assert optim.minimize(pair, [-1.2, 1.0], method=method, tol=1e-6).fun == found.fun
    with pytest.raises(optim.ClosureError, match=r"return \(loss, outputs\)"):
        optim.minimize(lambda x: pair(x)[0], [-1.2, 1.0], method=method)
