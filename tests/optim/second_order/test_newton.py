"""Newton's methods: published iterates, saddles, truncation, a network, a saved run."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from tests.optim.second_order.functions import leaf, rosenbrock, symmetric

FAMILY = {
    "newton": {},
    "newton-shift": {"indefinite": "shift"},
    "newton-trust": {"line_search": "trust-region"},
    "newton-cg": {},
    "newton-cg-forced": {"forcing": "eisenstat-walker", "preconditioner": "diagonal"},
    "newton-cg-trust": {"line_search": optim.TrustRegion(radius=0.5)},
    "saddle-free-newton": {},
    "saddle-free-newton-krylov": {"krylov": 2},
    "stochastic-diagonal-lm": {"lr": 0.3},
}


def make(name, params, **keywords):
    method = next(m for key, m in reversed(optim.METHODS.items()) if name.startswith(key))
    return method(params, **{**FAMILY[name], **keywords})


def quadratic(A, b):
    return lambda x: 0.5 * (x @ (mg.tensor(A) @ x)) - (x * b).sum()


# Published figures -------------------------------------------------------------------------------


def test_pure_newton_on_rosenbrock_as_published():
    """Equation 1 of the survey from (−1.2, 1): the values in every textbook."""
    p = leaf([-1.2, 1.0])
    optimizer = optim.Newton([p], line_search="fixed", indefinite="none")
    values = [optimizer.step(lambda: rosenbrock(p)).item() for _ in range(6)]
    printed = ["24.2", "4.7319", "1411.85", "0.05597", "0.31319", "1.85e-11"]
    digits = [3, 5, 6, 4, 5, 3]
    assert [f"{f:.{d}g}" for f, d in zip(values, digits, strict=True)] == printed


@pytest.mark.parametrize("name", FAMILY)
def test_it_finds_the_end_of_the_valley(name):
    p = leaf([-1.2, 1.0])
    optimizer = make(name, [p])
    for _ in range(2000 if name.startswith("stochastic") else 100):
        optimizer.step(lambda: rosenbrock(p))
    reached = 0.1 if name.startswith("stochastic") else 1e-20
    assert rosenbrock(p).item() < reached


@pytest.mark.parametrize(
    "keywords", [{}, {"indefinite": "shift"}, {"indefinite": "none"}, {"line_search": "fixed"}]
)
def test_one_step_solves_a_convex_quadratic(keywords):
    A, b = symmetric(np.geomspace(1e-2, 1e2, 150)), np.ones(150)
    x = leaf(np.zeros(150))
    optimizer = optim.Newton([x], **keywords)
    optimizer.step(lambda: quadratic(A, b)(x))
    np.testing.assert_allclose(x.data, np.linalg.solve(A, b), rtol=1e-8)
    assert optimizer.report.nhev == 150
    damped = leaf(np.zeros(150))
    optim.Newton([damped], damping=0.5, line_search="fixed").step(lambda: quadratic(A, b)(damped))
    np.testing.assert_allclose(damped.data, np.linalg.solve(A + np.eye(150) / 2, b), rtol=1e-8)


# Saddles -----------------------------------------------------------------------------------------


def saddle(p):
    x, y = p
    return x**2 - y**2 + y**4 / 4  # a saddle at 0, minima −1 at (0, ±√2)


def go(name_or_optimizer, start, steps=60, f=saddle):
    p = leaf(start)
    optimizer = name_or_optimizer([p])
    for _ in range(steps):
        optimizer.step(lambda: f(p))
    return p.data, f(p).item()


def test_pure_newton_is_drawn_into_the_saddle():
    where, f = go(lambda p: optim.Newton(p, line_search="fixed", indefinite="none"), [1.0, 0.1])
    np.testing.assert_allclose(where, [0, 0], atol=1e-12)
    assert f == pytest.approx(0, abs=1e-20)


@pytest.mark.parametrize("y", [0.1, -1e-4, 1e-7])
@pytest.mark.parametrize("name", [name for name in FAMILY if not name.startswith("stochastic")])
def test_the_others_leave_the_saddle(name, y):
    where, f = go(lambda p: make(name, p), [1.0, y])
    np.testing.assert_allclose(where, [0, math.copysign(math.sqrt(2), y)], atol=1e-6)
    assert f == pytest.approx(-1)


def test_a_saddle_free_step_is_that_of_the_absolute_hessian():
    values = np.array([-4.0, -0.5, 1.0, 3.0, 10.0])
    A, b = symmetric(values), np.arange(1.0, 6.0)
    w, U = np.linalg.eigh(A)
    for damping in (0.0, 0.7):
        x = leaf(np.zeros(5))
        optimizer = optim.SaddleFreeNewton([x], dampings=(damping,), line_search="fixed")
        optimizer.step(lambda x=x: quadratic(A, b)(x))
        np.testing.assert_allclose(x.data, U @ ((U.T @ b) / (np.abs(w) + damping)), rtol=1e-10)
        whole = leaf(np.zeros(5))
        optim.SaddleFreeNewton(
            [whole], dampings=(damping,), line_search="fixed", krylov=5
        ).step(lambda x=whole: quadratic(A, b)(x))  # fmt: skip
        np.testing.assert_allclose(whole.data, x.data, rtol=1e-9)
    small = leaf(np.zeros(5))
    optim.SaddleFreeNewton([small], dampings=(0.0,), line_search="fixed", krylov=2).step(
        lambda: quadratic(A, b)(small)
    )
    Q = np.linalg.qr(np.column_stack([b, A @ b]))[0]
    w, U = np.linalg.eigh(Q.T @ A @ Q)
    np.testing.assert_allclose(small.data, Q @ U @ ((U.T @ Q.T @ b) / np.abs(w)), rtol=1e-9)


def test_of_all_dampings_the_lowest_loss_is_kept():
    x0 = [0.3, 0.2]
    tried = [1.0, 0.1, 0.01, 1e-6]
    losses = []
    for damping in tried:
        keywords = {"dampings": (damping,), "line_search": "fixed"}
        losses.append(go(lambda p, k=keywords: optim.SaddleFreeNewton(p, **k), x0, 1)[1])
    found = go(lambda p: optim.SaddleFreeNewton(p, dampings=tried, line_search="fixed"), x0, 1)
    assert found[1] == min(losses)
    assert len(set(losses)) == 4


# Truncated Newton --------------------------------------------------------------------------------


def test_newton_cg_multiplies_as_often_as_it_must():
    A, b = symmetric(np.repeat([1.0, 10.0, 100.0], 20)), np.ones(60)
    x = leaf(np.zeros(60))
    optimizer = optim.NewtonCG([x], forcing=1e-10)
    optimizer.step(lambda: quadratic(A, b)(x))
    np.testing.assert_allclose(x.data, np.linalg.solve(A, b), rtol=1e-8)
    assert (optimizer.report.inner, optimizer.report.nhev) == (3, 3)
    short = leaf(np.zeros(60))
    optimizer = optim.NewtonCG([short], forcing=1e-10, max_inner=2)
    optimizer.step(lambda: quadratic(A, b)(short))
    assert optimizer.report.inner == 2


def test_the_inner_loop_is_truncated_by_the_forcing_term():
    A, b = symmetric(np.geomspace(1, 1e4, 60)), np.ones(60)
    for forcing, bound in [(0.5, 0.5), (0.01, 0.01), ("root", 0.5), ("eisenstat-walker", 0.5)]:
        x = leaf(np.zeros(60))
        optim.NewtonCG([x], forcing=forcing, line_search="fixed").step(
            lambda x=x: quadratic(A, b)(x)
        )
        left = np.linalg.norm(A @ x.data - b) / np.linalg.norm(b)
        assert 0.05 * bound < left <= bound
    x = leaf(np.zeros(60))
    optimizer = optim.NewtonCG([x], forcing="eisenstat-walker")
    norms = []
    for _ in range(4):
        optimizer.step(lambda: quadratic(A, b)(x))
        norms.append(optimizer.report.gradient_norm)
    power = (1 + math.sqrt(5)) / 2
    assert optimizer.state["eta"] == pytest.approx(min(0.9 * (norms[3] / norms[2]) ** power, 0.5))


def test_the_length_along_negative_curvature_is_that_of_its_size():
    p = leaf([1.0])
    optimizer = optim.NewtonCG([p], line_search="fixed")
    optimizer.step(lambda: -2 * (p * p).sum())
    np.testing.assert_allclose(p.data, [2.0])  # g = −4 and h = −4: one step of 1, away from 0


def test_a_preconditioner_is_used():
    A = np.diag(np.geomspace(1, 1e4, 80)) + symmetric(np.linspace(0, 1, 80))
    b = np.ones(80)
    spent = {}
    for name, preconditioner in [
        ("none", None),
        ("given", lambda r: r / np.diag(A)),
        ("diagonal", "diagonal"),
    ]:
        x = leaf(np.zeros(80))
        optimizer = optim.NewtonCG([x], forcing=1e-6, preconditioner=preconditioner, probes=3)
        optimizer.step(lambda x=x: quadratic(A, b)(x))
        spent[name] = optimizer.report.inner
        assert optimizer.report.nhev == optimizer.report.inner + 3 * (name == "diagonal")
    assert spent["given"] < 20
    assert spent["given"] < spent["diagonal"] < spent["none"]


# A network ---------------------------------------------------------------------------------------


def network(dtype="float32"):
    mg.manual_seed(3)
    rng = np.random.default_rng(0)
    x = mg.tensor(rng.standard_normal((40, 5)), dtype=dtype)
    y = mg.tensor(rng.integers(0, 3, 40))
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
    for p in model.parameters():
        p.data = p.data.astype(dtype)
    return model, lambda: nn.functional.cross_entropy(model(x), y)


@pytest.mark.parametrize("name", FAMILY)
def test_a_network_learns_and_stays_float32(name):
    model, closure = network()
    optimizer = make(name, model.parameters())
    first = closure().item()
    for _ in range(40):
        optimizer.step(closure)
    assert closure().item() < 0.5 * first
    assert {str(p.dtype) for p in model.parameters()} == {"float32"}


@pytest.mark.parametrize("name", FAMILY)
def test_a_run_that_is_saved_goes_on_as_it_would_have(name):
    model, closure = network("float64")
    other, other_closure = network("float64")
    optimizer, later = make(name, model.parameters()), make(name, other.parameters())
    for _ in range(4):
        optimizer.step(closure)
    later.load_state_dict(optimizer.state_dict())
    other.load_state_dict(model.state_dict())
    for _ in range(4):
        optimizer.step(closure)
        later.step(other_closure)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(p.data, q.data)


@pytest.mark.parametrize("rule", ["armijo", "trust-region"])
def test_what_is_float64_leaves_a_float32_search_what_it_is(rule):
    scales = np.array([3.0, 0.5])  # float64, as NumPy makes it
    options = {"preconditioner": lambda r: r / scales, "line_search": rule}
    start = np.array([-1.2, 1.0], np.float32)
    found = optim.minimize(rosenbrock, start, "newton-cg", tol=1e-3, options=options)
    assert found.success
    assert found.x.dtype == found.jac.dtype == np.float32

    class Steepest(optim.SecondOrder, line_search="armijo"):
        def direction(self, at, f, g, *, factor=1.0):
            return -g * np.float64(factor)

    short = optim.minimize(rosenbrock, start, Steepest, options={"maxiter": 3})
    assert short.x.dtype == np.float32
    assert short.fun == rosenbrock(short.x).item()


def test_a_preconditioner_function_is_not_saved_but_kept():
    p = leaf([1.0, 2.0])
    function = lambda r: r / 2  # noqa: E731
    optimizer = optim.NewtonCG([p], preconditioner=function)
    optimizer.step(lambda: (p * p).sum())
    state = optimizer.state_dict()
    assert "preconditioner" not in state["param_groups"][0]
    optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["preconditioner"] is function


# Errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "keywords", "words"),
    [
        ("newton", {"indefinite": "lift"}, "flip"),
        ("newton", {"damping": -1.0}, "damping"),
        ("newton", {"floor": 2.0}, "floor"),
        ("newton-cg", {"forcing": 1.5}, "eisenstat-walker"),
        ("newton-cg", {"preconditioner": "jacobi"}, "diagonal"),
        ("newton-cg", {"max_inner": 0}, "max_inner"),
        ("newton-cg", {"line_search": {"name": "trust-region", "radius": 0.0}}, "radius"),
        ("newton-cg", {"line_search": {"name": "trust-region", "eta": 0.5}}, "eta"),
        ("lbfgs", {"line_search": "trust-region"}, "use NewtonCG or Newton"),
        ("saddle-free-newton", {"krylov": 0}, "krylov"),
        ("saddle-free-newton", {"dampings": ()}, "dampings"),
        ("saddle-free-newton", {"dampings": (1.0, -1.0)}, "dampings"),
        ("stochastic-diagonal-lm", {"mu": 0.0}, "mu"),
        ("stochastic-diagonal-lm", {"gamma": 0.0}, "gamma"),
        ("stochastic-diagonal-lm", {"matrix": "fisher"}, "gauss-newton"),
    ],
)
def test_bad_hyperparameters(name, keywords, words):
    with pytest.raises(optim.HyperparameterError, match=words) as error:
        optim.METHODS[name]([leaf([1.0])], **keywords)
    assert "try" in str(error.value)


def test_a_hessian_too_large_is_refused_before_any_work():
    big = mg.zeros(300, 1000, requires_grad=True)
    with pytest.raises(MemoryError, match=r"300,000 parameters takes 360 GB.*newton-cg.*lbfgs"):
        optim.Newton([big])
    with pytest.raises(MemoryError, match="krylov=100"):
        optim.SaddleFreeNewton([big], krylov=300_000)
    optim.SaddleFreeNewton([big])
    with pytest.raises(MemoryError, match="max_bytes=32"):
        optim.Newton([leaf([1.0, 2.0])], max_bytes=31)


def test_a_singular_hessian():
    p = leaf([1.0, 2.0])
    with pytest.raises(ArithmeticError, match="flip"):
        optim.Newton([p], indefinite="none").step(lambda: p[0] * p[0] + p[1])
    for indefinite in ("flip", "shift"):
        q = leaf([1.0, 2.0])
        optim.Newton([q], indefinite=indefinite).step(lambda q=q: q[0] * q[0] + q[1])
        assert (q.data < [1.0, 2.0]).all()
