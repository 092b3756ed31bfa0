"""Methods that go down along a direction: closures, state, errors, minima."""

from __future__ import annotations

import ast
import inspect
import json

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from tests.optim.second_order.functions import leaf, logistic, random_quadratic, rosenbrock

SECOND_ORDER = {
    name: method
    for name, method in optim.METHODS.items()
    if issubclass(method, optim.SecondOrder) and not method.needs_outputs
}
GRADIENT_ONLY = ["cg", "derivative-free-cg", "bfgs", "lbfgs"]
BETAS = ["fletcher-reeves", "polak-ribiere", "hestenes-stiefel", "dai-yuan", "hager-zhang"]
SEARCHING = [  # those that find the length themselves
    name for name in SECOND_ORDER if optim.METHODS[name].class_defaults["line_search"] != "fixed"
]
every_method = pytest.mark.parametrize("name", SECOND_ORDER)


@every_method
def test_nan_at_the_start_leaves_the_parameters(name):
    p = leaf([-1.0, 2.0])
    optimizer = optim.METHODS[name]([p])
    optimizer.step(lambda: mg.log(p).sum())
    np.testing.assert_array_equal(p.data, [-1.0, 2.0])
    assert "not finite at the start" in optimizer.report.reason


@pytest.mark.parametrize("name", [n for n, m in optim.METHODS.items() if m.needs_closure])
def test_what_is_raised_in_a_trial_leaves_the_parameters(name):
    """Interrupted at any evaluation, they are where one of the steps ended."""
    ends = {(-1.2, 1.0)}
    for last in (*range(2, 12), 10**9):
        p, calls = leaf([-1.2, 1.0]), []
        optimizer = optim.METHODS[name]([p])

        def closure(p=p, calls=calls, last=last):
            calls.append(p.numpy().copy())
            if len(calls) == last:
                raise KeyboardInterrupt
            r = mg.stack([1 - p[0], 10 * (p[1] - p[0] ** 2)])
            loss = 0.5 * (r * r).sum()
            return (loss, r) if optimizer.needs_outputs else loss  # noqa: B023

        try:
            for _ in range(6):
                optimizer.step(closure)
                ends.add(tuple(p.tolist()))
        except KeyboardInterrupt:
            assert tuple(p.tolist()) in ends
    assert len(ends) > 3


@pytest.mark.parametrize(
    "name", ["cg", "bfgs", "lbfgs", "newton", "gauss-newton", "levenberg-marquardt"]
)
def test_a_gradient_whose_square_is_beyond_float32(name):
    """Residuals of 1e12, a loss of 1e25, a gradient of 1e25: all of them are numbers."""
    p = leaf([1.0, 2.0, -1.0], np.float32)
    A = mg.tensor(np.array([[3, 1, 0], [1, 2, 0], [0, 0, 1]], np.float32))
    optimizer = optim.METHODS[name]([p])

    def closure():
        r = (A @ p - 1) * 1e12
        loss = 0.5 * (r * r).sum()
        return (loss, r) if optimizer.needs_outputs else loss

    for _ in range(20):
        optimizer.step(closure)
    assert p.dtype == np.float32
    np.testing.assert_allclose(p.numpy(), [0.2, 0.4, 1.0], rtol=1e-5)


# Methods -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", BETAS)
def test_cg_with_exact_steps_is_linear_cg_on_a_quadratic(beta):
    """n = 20: the residual after n steps is rounding, and the iterates those of linear CG.

    The cubic through two trials of a parabola is that parabola, so the second interpolation is
    exact; a smaller c₂ would make the search fight the rounding of f.
    """
    n = 20
    A, b = random_quadratic(n, condition=3.0)
    p = leaf(np.zeros(n))
    exact = optim.StrongWolfe(c1=1e-9, c2=1e-2)
    optimizer = optim.ConjugateGradient([p], beta=beta, line_search=exact)
    x, r = np.zeros(n), b.copy()
    d = r.copy()
    for _ in range(n):
        optimizer.step(lambda: 0.5 * (p @ (A @ p)) - b @ p)
        alpha = r @ r / (d @ A @ d)
        x, after = x + alpha * d, r - alpha * (A @ d)
        d, r = after + (after @ after) / (r @ r) * d, after
        np.testing.assert_allclose(p.data, x, atol=1e-7)
    assert np.linalg.norm(A @ p.data - b) < 1e-11 * np.linalg.norm(b)


def test_derivative_free_cg_by_hand():
    """One step on ½xᵀDx: z = x − αDx, and x is projected on the plane through z."""
    D = np.array([1.0, 0.25])
    p = leaf([1.0, 2.0])
    optim.DerivativeFreeCG([p]).step(lambda: 0.5 * (p * D * p).sum())
    x = np.array([1.0, 2.0])
    z, a = x - D * x, 1.0
    while not (D * z) @ (D * x) >= 1e-4 * a * (D * x) @ (D * x):
        a /= 2
        z = x - a * D * x
    F = D * z
    np.testing.assert_allclose(p.data, x - (F @ (x - z)) / (F @ F) * F, rtol=1e-14)


def test_derivative_free_cg_backs_off_from_where_there_are_no_numbers():
    """Some planes lie beyond 0, where there is no logarithm."""
    start = np.array([1e-3, 50.0, 3.0])
    found = optim.minimize(lambda x: (x - mg.log(x)).sum(), start, "derivative-free-cg")
    assert found.success
    np.testing.assert_allclose(found.x.numpy(), 1, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rule", ["strong-wolfe", "armijo", "nonmonotone"])
@pytest.mark.parametrize("name", GRADIENT_ONLY)
def test_finds_the_minimum_of_a_logistic_regression(name, rule, dtype):
    method = optim.METHODS[name]
    keywords = {} if "line_search" in method.without else {"line_search": rule}
    x, y = logistic(dtype)
    p = leaf(np.zeros(5), dtype)
    optimizer = method([p], max_iter=100, **keywords)
    for _ in range(3):
        optimizer.step(lambda: (mg.softplus(x @ p) - y * (x @ p)).mean())
    assert p.dtype == dtype
    gradient = x.T @ (1 / (1 + np.exp(-x @ p.data)) - y) / len(y)
    assert np.abs(gradient).max() < (2e-6 if dtype == np.float64 else 3e-4)


def test_a_direction_that_goes_up_is_replaced():
    class Uphill(optim.SecondOrder):
        """Goes the wrong way."""

        def direction(self, at, f, g):
            return g

    p = leaf([3.0])
    optimizer = Uphill([p])
    optimizer.step(lambda: (p * p).sum())
    assert "restarted along −g, as the direction did not go down" in optimizer.report.reason
    assert optimizer.report.loss_after < 9
    fixed = Uphill([p], lr=0.5, line_search="fixed")  # which takes any direction, as Newton's
    before = p.item()
    fixed.step(lambda: (p * p).sum())
    assert p.item() == 2 * before


@pytest.mark.parametrize("name", SEARCHING)
def test_goes_down_rosenbrock_and_says_how(name):
    p = leaf([-1.2, 1.0])
    optimizer = optim.METHODS[name]([p], max_iter=5)
    calls = []

    def closure():
        calls.append(1)
        return rosenbrock(p)

    for _ in range(40):
        calls.clear()
        before = rosenbrock(p).item()
        loss = optimizer.step(closure)
        report = optimizer.report
        assert loss.item() == report.loss == pytest.approx(before)
        assert report.loss_after == pytest.approx(rosenbrock(p).item(), abs=1e-300)
        assert report.nfev == len(calls)
        assert report.reason
    assert rosenbrock(p).item() < (1e-8 if name != "derivative-free-cg" else 4.0)


@pytest.mark.parametrize(
    "name", [n for n, m in optim.METHODS.items() if issubclass(m, optim.SecondOrder)]
)
def test_the_class_is_its_formula_and_short(name):
    method = optim.METHODS[name]
    nodes = [
        x
        for x in ast.walk(ast.parse(inspect.getsource(method)))
        if isinstance(x, (ast.ClassDef, ast.FunctionDef))
    ]
    texts = [ast.get_docstring(node, clean=False) or "" for node in nodes]
    code = [line for line in inspect.getsource(method).splitlines() if line.strip()]
    written = [line for text in texts for line in text.splitlines() if line.strip()]
    assert len(code) - len(written) <= 40
    assert "Raises" in method.__doc__


# State -------------------------------------------------------------------------------------------

VARIANTS = [(name, {}) for name in SECOND_ORDER]
VARIANTS += [
    ("lbfgs", {"line_search": "nonmonotone"}),
    ("lbfgs", {"history_size": 2, "line_search": optim.StrongWolfe(c2=0.5)}),
    ("cg", {"beta": "hager-zhang", "restart_every": 3}),
]


@pytest.mark.parametrize(("name", "keywords"), VARIANTS, ids=str)
def test_state_round_trip_is_exact(name, keywords):
    """Saved, put through JSON's types, loaded elsewhere and continued, it is the run itself."""

    def make(values, keywords):
        params = [leaf(values[:3].reshape(1, 3)), leaf(values[3:])]
        return params, optim.METHODS[name](params, **keywords)

    def run(params, optimizer, steps):
        a, b = params
        for _ in range(steps):
            optimizer.step(lambda: ((a - 1) ** 4).sum() + (a[0] * b).sum() ** 2 + (b**2).sum())
        return np.concatenate([p.data.ravel() for p in params])

    start = np.array([0.3, -1.0, 2.0, 1.0, -0.5, 0.25])
    params, optimizer = make(start, keywords)
    middle = run(params, optimizer, 4).copy()
    state = optimizer.state_dict()
    groups = json.loads(json.dumps(state["param_groups"]))
    copied = {str(i): entry for i, entry in state["state"].items()}
    again, other = make(middle, {})
    other.load_state_dict({"state": copied, "param_groups": groups})
    np.testing.assert_array_equal(run(again, other, 4), run(params, optimizer, 4))
    assert other.state_dict()["param_groups"] == optimizer.state_dict()["param_groups"]
    with pytest.raises(ValueError, match="another method"):
        other.load_state_dict(
            optim.Adam([leaf(np.ones(2))]).state_dict() | {"state": {0: {"t": 1}}}
        )
    with pytest.raises(ValueError, match="parameters"):
        optim.METHODS[name]([leaf(np.ones(2))]).load_state_dict(state)


# Closures and other errors -----------------------------------------------------------------------


def _drawn(p):
    return lambda: (p * np.random.default_rng().standard_normal()).sum()


def _backward(p):
    loss = (p * p).sum()
    loss.backward()
    return loss


CLOSURES = {
    "number": (lambda p: lambda: (p * p).sum().item(), "returned float; return the loss"),
    "vector": (lambda p: lambda: p * p, r"returned shape \(2,\); return the loss"),
    "nothing": (lambda p: lambda: None, "returned NoneType"),
    "backward": (lambda p: lambda: _backward(p), r"has called backward\(\)"),
    "detached": (lambda p: lambda: (p * p).sum().detach(), "does not depend on any"),
    "noise": (_drawn, "for the same parameters"),
}


@pytest.mark.parametrize(
    ("name", "case"),
    # What searches no length compares no values.
    [(n, case) for n in SECOND_ORDER for case in CLOSURES if case != "noise" or n in SEARCHING],
)
def test_closures_that_do_not_serve(name, case):
    make, message = CLOSURES[case]
    p = leaf([1.0, 2.0])
    with pytest.raises(optim.ClosureError, match=message):
        optim.METHODS[name]([p]).step(make(p))
    np.testing.assert_array_equal(p.data, [1.0, 2.0])


@every_method
def test_what_else_is_refused(name):
    method = optim.METHODS[name]
    p, q = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    with pytest.raises(TypeError, match=r"step needs a closure, .*define it"):
        method([p]).step()
    with pytest.raises(optim.ClosureError, match=r"parameter 1 .*shape \(2,\)"):
        method([p, q]).step(lambda: (p * p).sum())
    q.requires_grad_(False)
    method([p, q]).step(lambda: (p * p).sum())
    np.testing.assert_array_equal(q.data, [1.0, 2.0])
    with pytest.raises(ValueError, match="a second group"):
        method([{"params": [p]}, {"params": [q]}])
    with pytest.raises(ValueError, match="float64 on cpu and float32 on cpu"):
        method([p, leaf([1.0], np.float32)])
    with pytest.raises(optim.HyperparameterError, match=r"line_search='wolfe'.*(try| has no)"):
        method([p], line_search="wolfe")
    for keywords in ({"lr": -1.0}, {"max_iter": 0}, {"freeze_random": 1}, {"momentum": 0.9}):
        with pytest.raises(optim.HyperparameterError, match=next(iter(keywords))):
            method([p], **keywords)


@pytest.mark.parametrize(
    ("method", "keywords"),
    [
        (optim.LevenbergMarquardt, {"lr": 0.5}),
        (optim.LevenbergMarquardt, {"line_search": "armijo"}),
        (optim.HessianFree, {"lr": 0.1}),
        (optim.DerivativeFreeCG, {"line_search": "armijo"}),
        (optim.Newton, {"lr": 0.1, "line_search": "trust-region"}),
        (optim.Newton, {"floor": 0.1, "line_search": "trust-region"}),
        (optim.Newton, {"indefinite": "shift", "line_search": "trust-region"}),
        (optim.NewtonCG, {"lr": 0.1, "line_search": optim.TrustRegion(radius=2.0)}),
    ],
    ids=str,
)
def test_what_would_have_no_effect_is_refused(method, keywords):
    name, p = next(iter(keywords)), leaf([1.0, 2.0])
    for arguments in ([[p], keywords], [[{"params": [p], **keywords}], {}]):
        with pytest.raises(optim.HyperparameterError, match=f"{name}.* has no effect.*leave it"):
            method(arguments[0], **arguments[1])


BAD = [
    (optim.LBFGS, {"history_size": 0}),
    (optim.LBFGS, {"history_size": 1.5}),
    (optim.ConjugateGradient, {"beta": "polak"}),
    (optim.ConjugateGradient, {"restart_every": 0}),
    (optim.DerivativeFreeCG, {"sigma": 1.0}),
    (optim.DerivativeFreeCG, {"descent": 0}),
]


@pytest.mark.parametrize(("method", "keywords"), BAD, ids=str)
def test_bad_hyperparameters(method, keywords):
    with pytest.raises(optim.HyperparameterError, match=f"{next(iter(keywords))}.*; try"):
        method([leaf(np.ones(2))], **keywords)


# Dropout and batch normalization -----------------------------------------------------------------


def network():
    mg.manual_seed(0)
    layers = nn.Linear(5, 8), nn.BatchNorm(8), nn.Tanh(), nn.Dropout(0.4), nn.Linear(8, 2)
    return nn.Sequential(*layers)


def test_dropout_repeats_its_masks_within_a_step():
    x, y = logistic(np.float32)
    model, loss_fn = network(), nn.CrossEntropyLoss()
    batch, labels = mg.tensor(x), mg.tensor(y.astype(np.int64))
    optimizer = optim.LBFGS(model.parameters(), max_iter=5)
    losses = []

    def closure():
        losses.append(loss_fn(model(batch), labels))
        return losses[-1]

    optimizer.step(closure)
    assert losses[0].item() == losses[1].item()  # the check that it is a function
    first = losses[0].item()
    losses.clear()
    optimizer.step(closure)
    assert optimizer.report.loss_after < optimizer.report.loss
    assert losses[0].item() != first
    refuses = optim.LBFGS(model.parameters(), freeze_random=False)
    with pytest.raises(optim.ClosureError, match=r"dropout.*freeze_random=True"):
        refuses.step(closure)
