"""Where second-order methods used to get stuck: no gradient, no model, no damping, no curvature."""

from __future__ import annotations

import gc
import math
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.optim.second_order import Rule, Step, dense
from tests.optim.second_order.functions import leaf

# A gradient that is not finite where the loss is ------------------------------------------------


def no_slope_at_0(x):
    """½‖x‖², whose gradient is NaN wherever a component is 0."""
    return 0.5 * (x * x).sum() + 0.0 * (x * mg.sqrt(mg.abs(x))).sum()


VALUES_ONLY = [
    ("newton", {}), ("newton", {"line_search": "nonmonotone"}), ("newton-cg", {}),
    ("trust-exact", {}), ("trust-ncg", {}), ("saddle-free-newton", {}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "options"), VALUES_ONLY, ids=str)
def test_no_search_ends_where_there_is_no_gradient(method, options):
    found = optim.minimize(no_slope_at_0, [1.0, 2.0], method=method, options=options)
    assert np.isfinite(found.jac.numpy()).all()
    assert found.success == (np.abs(found.jac.numpy()).max() <= 1e-5)
    assert found.fun < 0.5


@pytest.mark.parametrize("method", ["levenberg-marquardt", "hessian-free"])
def test_nor_does_one_of_least_squares(method):
    def f(x):
        return no_slope_at_0(x), x

    found = optim.minimize(f, [1.0, 2.0], method=method, options={"damping": 1e-30})
    assert np.isfinite(found.jac.numpy()).all()
    assert found.success == (np.abs(found.jac.numpy()).max() <= 1e-5)
    assert found.fun < 2.5


def test_minimize_does_not_call_it_a_success():
    class Leap(Rule):
        name = "leap"

        def __call__(self, objective, f, g, d, first):
            x = objective.x + d
            return Step(1.0, x, objective.value(x), None, "blindly")

    found = optim.minimize(
        no_slope_at_0, [1.0, 2.0], method="newton", options={"line_search": Leap()}
    )
    assert (found.success, found.status, found.nit) == (False, 4, 0)
    assert "not finite" in found.message
    assert (found.fun, found.x.tolist(), found.jac.tolist()) == (2.5, [1, 2], [1, 2])


def test_a_step_alone_takes_no_gradient_at_its_end():
    x = leaf([1.0, 2.0])
    for search in ("armijo", "trust-region"):
        optimizer = optim.Newton([x], line_search=search)
        optimizer.step(lambda: ((x - 5) ** 2).sum())
        assert optimizer.report.njev == 1


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy, for 0 · ∞
def test_a_step_from_where_there_is_no_gradient_says_which_it_is():
    x = leaf([1.0, 2.0])
    optimizer = optim.Newton([x], line_search="armijo")
    optimizer.step(lambda: no_slope_at_0(x))
    assert x.tolist() == [0, 0]  # the step has seen a value only
    optimizer.step(lambda: no_slope_at_0(x))
    assert x.tolist() == [0, 0]
    assert optimizer.report.reason.startswith("the loss is 0 at the start, and its gradient is not")
    optimizer.step(lambda: mg.log(x).sum())
    assert optimizer.report.reason == "the loss is not finite at the start"


# Newton's equations ------------------------------------------------------------------------------


def test_without_a_floor_eigenvalues_are_as_they_are():
    H = np.diag([0.01, -0.5])
    np.testing.assert_allclose(dense.newton_direction(H, np.ones(2), "flip", 0.0, 0.0), [-100, -2])
    singular = dense.newton_direction(np.diag([1.0, 0.0]), np.ones(2), "flip", 0.0, 0.0)
    assert np.isfinite(singular).all()
    small, large = (dense.newton_direction(H, np.ones(2), "shift", 0.0, x) for x in (0.0, 0.9))
    np.testing.assert_array_equal(small, large)


# Trust regions -----------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy, for 0^−½
@pytest.mark.parametrize("method", [optim.Newton, optim.NewtonCG])
def test_without_a_model_the_gradient_is_followed(method):
    """abs(x)^1.5 at 0 has a gradient and no second derivative."""
    x = leaf([0.0, 3.0])
    optimizer = method([x], line_search=optim.TrustRegion(radius=0.5))

    def closure():
        return (mg.abs(x) ** 1.5).sum() * 1e-3 + ((x - 1) ** 2).sum()

    with mg.no_grad():
        start = closure().item()
    optimizer.step(closure)
    assert optimizer.report.step_length == 1
    assert closure().item() < start
    assert optimizer.rule.memory["radius"] >= 0.1


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy, for 0^−½
@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("newton", {}),
        ("newton-cg", {}),
        ("newton-cg", {"preconditioner": "diagonal"}),
        ("saddle-free-newton", {}),
        ("saddle-free-newton", {"krylov": 2}),
        ("gauss-newton", {}),
        ("gauss-newton", {"solver": "cg"}),
        ("levenberg-marquardt", {}),
        ("levenberg-marquardt", {"scaling": True}),
        ("levenberg-marquardt", {"solver": "cg"}),
        ("hessian-free", {}),
        ("hessian-free", {"preconditioner": "diagonal"}),
        ("stochastic-diagonal-lm", {}),
    ],
    ids=str,
)
def test_a_curvature_that_is_no_number_does_not_end_it(name, keywords):
    """Of abs(x)^1.5, one coordinate at 0; then it moves, and what was remembered is of use."""
    x = leaf([0.0, 3.0, 1.0])
    optimizer = optim.METHODS[name]([x], **keywords)

    def closure():
        outputs = x * 1.0
        loss = (mg.abs(outputs) ** 1.5).sum()
        return (loss, outputs) if optimizer.needs_outputs else loss

    losses = [optimizer.step(closure).item() for _ in range(3)]
    assert losses[0] > losses[1] > losses[2]
    with mg.no_grad():
        x.data[0] = -2.0
        x.modified()
    for _ in range(5):
        before = optimizer.step(closure).item()
        assert optimizer.report.loss_after < before
    assert all(np.isfinite(a).all() for a in optimizer.state.values() if hasattr(a, "shape"))


def test_a_step_that_finds_nothing_leaves_the_radius():
    x = leaf([0.0])
    optimizer = optim.Newton([x], line_search=optim.TrustRegion(radius=0.5))

    def wall():  # nowhere lower than at 0, though the derivatives say so
        return ((x - 5) ** 2).sum() + (9 if x.item() else 0)

    optimizer.step(wall)
    assert optimizer.report.step_length == 0
    optimizer.step(lambda: ((x - 5) ** 2).sum())
    assert optimizer.report.step_length == 1
    assert x.item() == pytest.approx(0.5)


@pytest.mark.parametrize("method", [optim.Newton, optim.NewtonCG])
def test_a_refused_trial_costs_a_value_only(method):
    def f(p):
        return -p[0] + mg.exp(20 * (p[0] - 1.5)) + 0.5 * (p[1] - 1) ** 2

    def cost(radius):
        p = leaf([0.0, 0.0])
        optimizer = method([p], line_search=optim.TrustRegion(radius=radius))
        optimizer.step(lambda: f(p))
        return optimizer.report, p.data

    (report, where), (direct, there) = cost(1.25 * 4**4), cost(1.25)
    assert "trial 5" in report.reason
    assert "trial 1" in direct.reason
    np.testing.assert_allclose(where, there, rtol=1e-6)
    assert report.nfev == direct.nfev + 4
    assert report.njev == 1
    assert report.nhev <= 2


def squares(r):
    return 0.5 * (r * r).sum(), r


# Damping -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("update", ["nielsen", "marquardt"])
def test_levenberg_marquardts_damping_can_grow_again(update):
    x = leaf([1.0, 2.0])
    optimizer = optim.LevenbergMarquardt([x], update=update)
    for i in range(1500):  # a linear problem, whose minimum moves a little: every step is taken
        r = mg.tensor(np.array([math.sin(i), math.cos(i)]))
        optimizer.step(lambda r=r: squares(x - r))
    assert 0 < optimizer.state["damping"] < 1e-20


def test_hessian_frees_damping_can_grow_again():
    x = leaf([1.0, 2.0])
    optimizer = optim.HessianFree([x])
    optimizer.step(lambda: (0.5 * (x * x).sum(), x))
    optimizer.state["damping"] = 5e-324
    r = mg.tensor(np.array([3.0, 4.0]))
    optimizer.step(lambda: squares(x - r))
    assert optimizer.state["damping"] > 1e-40


@pytest.mark.parametrize("solver", ["dense", "cg"])
def test_a_loss_linear_in_the_outputs_goes_down(solver):
    x = leaf([1.0, 2.0])
    optimizer = optim.LevenbergMarquardt([x], solver=solver)
    losses = [optimizer.step(lambda: ((y := x * x).sum(), y)).item() for _ in range(40)]
    assert losses[-1] < 0.1 * losses[0]


def test_no_step_is_no_progress():
    x = leaf([1.0, 2.0])
    optimizer = optim.LevenbergMarquardt([x])
    optimizer.step(lambda: ((y := x * x).sum(), y))
    optimizer.state.update(damping=0.0, least=0.0)
    optimizer.step(lambda: ((y := x * x).sum(), y))
    assert optimizer.report.step_length == 0
    assert "no decrease is promised" in optimizer.report.reason


# The rest ----------------------------------------------------------------------------------------


def test_a_trial_that_is_a_solution_is_taken():
    x = leaf([1.0])
    optimizer = optim.METHODS["derivative-free-cg"]([x])
    optimizer.step(lambda: 0.5 * (x * x).sum())
    assert x.item() == 0


def test_a_rule_that_is_set_later_is_checked():
    x = leaf([1.0])
    optimizer = optim.LBFGS([x])
    good = optimizer.state_dict()
    for rule, words in [("wolf", "is not one of"), ("trust-region", "needs a quadratic model")]:
        with pytest.raises(optim.HyperparameterError, match=words) as made:
            optim.LBFGS([x], line_search=rule)
        bad = {"state": {}, "param_groups": [{**good["param_groups"][0], "line_search": rule}]}
        with pytest.raises(optim.HyperparameterError) as loaded:
            optimizer.load_state_dict(bad)
        assert optimizer.param_groups[0]["line_search"] == "strong-wolfe"
        optimizer.param_groups[0]["line_search"] = rule
        with pytest.raises(optim.HyperparameterError) as used:
            optimizer.step(lambda: (x * x).sum())
        optimizer.param_groups[0]["line_search"] = "strong-wolfe"
        assert str(made.value) == str(loaded.value) == str(used.value)


def test_hessian_free_lets_the_curvatures_batch_go():
    class Batch:
        pass

    x, batch = leaf([1.0]), Batch()
    kept = weakref.ref(batch)
    optimizer = optim.HessianFree([x])

    def closure(batch=None):
        return 0.5 * (x * x).sum(), x

    optimizer.step(closure, curvature=lambda batch=batch: closure(batch))
    del batch
    gc.collect()
    assert kept() is None
