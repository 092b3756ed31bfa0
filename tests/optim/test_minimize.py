"""minimize: SciPy's manner: what goes in, what comes out, and what ends the search."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.optim.minimize import SOLVERS


def rosenbrock(p):
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


def bowl(a, b):
    return ((a - 1) ** 2).sum() + ((b + 2) ** 2 * mg.tensor(np.array([[1.0, 3.0]]))).sum()


@pytest.mark.parametrize("method", ["CG", "bfgs", "L-BFGS", "l-bfgs-b", optim.LBFGS, "lbfgs", "cg"])
def test_results_have_scipys_fields(method):
    calls = []

    def f(p):
        calls.append(p.data.copy())
        return rosenbrock(p)

    x0 = np.array([-1.2, 1.0])
    found = optim.minimize(f, x0, method=method)
    assert found.success
    assert (found.status, found.nfev, found.nhev) == (0, len(calls), 0)
    assert found.nit < found.njev <= found.nfev
    assert found.fun == rosenbrock(found.x).item() < 1e-8
    np.testing.assert_allclose(found.x.numpy(), [1, 1], atol=1e-4)
    gradient = mg.grad(rosenbrock)(found.x)
    np.testing.assert_array_equal(found.jac.numpy(), gradient.numpy())
    assert np.abs(found.jac.numpy()).max() <= 1e-5
    assert "no component of the gradient exceeds 1e-05" in found.message
    np.testing.assert_array_equal(x0, [-1.2, 1.0])


def test_tensors_arrays_and_numbers():
    for x0, dtype in [
        ([-1.2, 1], np.float64),
        (np.array([-1.2, 1.0]), np.float64),
        (np.array([-1.2, 1.0], np.float32), np.float32),
        (mg.tensor([-1.2, 1.0]), np.float32),
        (np.array([-1, 1]), np.float64),
        ((-1.2, 1.0), np.float64),
    ]:
        found = optim.minimize(rosenbrock, x0, tol=1e-3)
        assert found.success
        assert found.x.dtype == found.jac.dtype == dtype
    number = optim.minimize(lambda x: (x - 3) ** 2, 0.0)
    assert number.x.shape == ()
    assert number.x.item() == pytest.approx(3)


@pytest.mark.parametrize("sequence", [list, tuple])
def test_several_variables(sequence):
    start = sequence([np.zeros((2, 2)), mg.zeros((1, 2), dtype="float64")])
    found = optim.minimize(bowl, start, method="CG")
    assert found.success
    assert [x.shape for x in found.x] == [g.shape for g in found.jac] == [(2, 2), (1, 2)]
    np.testing.assert_allclose(found.x[0].numpy(), np.ones((2, 2)), atol=1e-5)
    np.testing.assert_allclose(found.x[1].numpy(), [[-2, -2]], atol=1e-5)
    assert start[1].numpy().sum() == 0
    with pytest.raises(ValueError, match=r"x0 is of float64 on cpu and float32 .* one dtype"):
        optim.minimize(bowl, [np.zeros((2, 2)), mg.zeros((1, 2))])


def test_a_tree_of_variables():
    """A function of a dict, and one of arguments that are trees: x and jac have their structure."""
    goal = {"w": np.array([[1.0, -2.0]]), "layers": [np.array([3.0]), {"b": np.array(4.0)}]}

    def f(p):
        weights, bias = p["layers"]
        return ((p["w"] - goal["w"]) ** 2).sum() + (weights.sum() - 3) ** 2 + (bias["b"] - 4) ** 4

    seen = []
    start = {"w": np.zeros((1, 2)), "layers": [np.zeros(1), {"b": 0.0}]}
    found = optim.minimize(f, start, method="trust-exact", tol=1e-8, callback=seen.append)
    assert found.success
    for x in (found.x, found.jac, seen[-1]):
        assert [x["w"].shape, x["layers"][0].shape, x["layers"][1]["b"].shape] == [(1, 2), (1,), ()]
    np.testing.assert_allclose(found.x["w"].numpy(), goal["w"])
    assert found.x["layers"][1]["b"].item() == pytest.approx(4, abs=1e-2)

    def g(a, pair):
        return ((a - 1) ** 2).sum() + ((pair[0] - pair[1] - 2) ** 2).sum() + (pair[1] ** 2).sum()

    two = optim.minimize(g, (np.zeros(3), (np.zeros(2), [1.0, 1.0])))
    assert two.success
    np.testing.assert_allclose(two.x[1][0].numpy(), [2, 2], atol=1e-4)


def test_what_ends_a_search():
    start = [-1.2, 1.0]
    few = optim.minimize(rosenbrock, start, options={"maxiter": 3})
    assert (few.status, few.nit, few.success) == (1, 3, False)
    assert "3 iterations were not enough" in few.message
    for limit in range(1, 12):
        spent = optim.minimize(rosenbrock, start, options={"max_evaluations": limit})
        assert (spent.status, spent.nfev) == (1, limit)
        assert spent.fun == rosenbrock(spent.x).item() <= 24.2
    infinite = optim.minimize(lambda x: mg.log(x).sum(), [-1.0])
    assert infinite.status == 3
    assert infinite.x.item() == -1
    rounded = optim.minimize(rosenbrock, start, tol=0.0, options={"maxiter": 1000})
    assert rounded.status in (0, 2)
    assert rounded.fun < 1e-20


def test_callbacks():
    seen = []
    found = optim.minimize(rosenbrock, [-1.2, 1.0], callback=seen.append)
    assert len(seen) == found.nit
    np.testing.assert_array_equal(seen[-1].numpy(), found.x.numpy())

    def whole(intermediate_result):
        seen.append(intermediate_result)
        if intermediate_result.fun < 1:
            raise StopIteration

    stopped = optim.minimize(rosenbrock, [-1.2, 1.0], callback=whole)
    assert (stopped.status, stopped.fun) == (99, seen[-1].fun)
    assert seen[-1].fun < 1 <= seen[-2].fun
    for true in (True, np.True_, mg.tensor(True), np.array([True])):
        assert optim.minimize(rosenbrock, [0, 0], callback=lambda x, true=true: true).nit == 1
    for other in (None, False, np.False_, 1, "stop", np.ones(2, bool), mg.tensor(1.0)):
        assert optim.minimize(rosenbrock, [0, 0], callback=lambda x, other=other: other).nit > 1


def test_options_reach_the_method():
    loose, tight = (
        optim.minimize(rosenbrock, [-1.2, 1.0], method="CG", options={"c2": c2, "gtol": 1e-6})
        for c2 in (0.8, 0.01)
    )
    assert loose.success
    assert tight.success
    assert loose.njev != tight.njev
    armijo = {"line_search": "armijo", "c1": 0.1}
    values = optim.minimize(rosenbrock, [-1.2, 1.0], method="L-BFGS", options=armijo)
    assert values.success
    assert values.njev < values.nfev


@pytest.mark.parametrize(
    ("method", "rule"),
    [("trust-ncg", optim.TrustRegion(radius=0.01)), ("L-BFGS", optim.Nonmonotone())],
    ids=str,
)
def test_searches_with_one_rule_object_know_nothing_of_each_other(method, rule):
    options = {"line_search": rule}
    first, second = (
        optim.minimize(rosenbrock, [-1.2, 1.0], method, options=options) for _ in range(2)
    )
    assert (first.nit, first.nfev, first.fun) == (second.nit, second.nfev, second.fun)
    assert options == {"line_search": rule}
    assert not rule.memory


ERRORS = [
    ({"method": "LBFG"}, r"method='LBFG' is not one of.*; try 'lbfgs'"),
    ({"method": 3}, "method=3 is not one of"),
    ({"options": {"maxiters": 3}}, "no keyword 'maxiters'.*try maxiter"),
    ({"options": {"maxiter": 0}}, "maxiter=0 is not an integer ≥ 1"),
    ({"options": {"gtol": -1}}, "gtol=-1 is not a number ≥ 0"),
    ({"options": {"line_search": "x"}}, "line_search='x'"),
    ({"options": {"c1": 2}}, "c1=2 is not"),
    ({"tol": -1}, "tol=-1 is not a number ≥ 0; try"),
    ({"tol": "small"}, "tol='small' is not a number"),
    ({"method": "adam"}, "first-order optimizer .* loop of your own; here try 'BFGS'"),
    ({"method": optim.Adam}, "first-order optimizer"),
    ({"method": []}, r"method=\[\] is not one of"),
    ({"method": "dogleg"}, "; try 'trust-exact'"),
    ({"method": "Nelder-Mead"}, "takes no derivatives: SciPy's"),
    ({"options": {"maxfun": 3}}, "no keyword 'maxfun'.*; try max_evaluations$"),
    ({"options": {"ftol": 1e-9}}, "the gradient decides: try gtol$"),
    ({"options": {"maxcor": 5}}, "no keyword 'maxcor'.*; try history_size"),
    ({"options": {"eps": 1e-8}}, "derivatives are exact: omit it$"),
    (
        {"method": "trust-ncg", "options": {"initial_trust_radius": 1}},
        r"try line_search=optim.TrustRegion\(radius=1.0\)$",
    ),
    ({"method": "Newton-CG", "options": {"c2": 0.5}}, "c2=0.5 has no effect.*rule is 'armijo'"),
    ({"method": "trust-ncg", "options": {"c1": 0.1}}, "c1=0.1 has no effect.*'trust-region'"),
    ({"options": {"c1": 0.1, "line_search": "fixed"}}, "c1=0.1 has no effect"),
    ({"options": {"c2": 0.1, "line_search": optim.StrongWolfe()}}, "c2=0.1 .* set it in the rule"),
    ({"method": "derivative-free-cg", "options": {"c1": 0.1}}, "the step is a projection"),
]


@pytest.mark.parametrize(("keywords", "message"), ERRORS, ids=str)
def test_errors(keywords, message):
    with pytest.raises(optim.HyperparameterError, match=message):
        optim.minimize(rosenbrock, [-1.2, 1.0], **keywords)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"options": [3]}, "options is a dict, .*, not list"),
        ({"callback": 3}, "callback is a function of x, .*, not int"),
        ({"x0": "abc"}, "in x0 stands 'abc', which is no real number; legal are"),
        ({"x0": [np.zeros(2), None]}, "in x0 stands None"),
        ({"x0": {"a": 1j}}, "in x0 stands 1j"),
    ],
    ids=str,
)
def test_arguments_of_another_kind(keywords, message):
    with pytest.raises(TypeError, match=message):
        optim.minimize(rosenbrock, **{"x0": [-1.2, 1.0], **keywords})


def test_a_function_that_returns_a_number():
    with pytest.raises(optim.ClosureError, match="the function returned float; return the loss"):
        optim.minimize(lambda p: rosenbrock(p).item(), [0.0, 0.0])


SCIPY = [name for name, (method, _) in SOLVERS.items() if not method.needs_outputs]
OWN = [
    name
    for name, method in optim.METHODS.items()
    if issubclass(method, optim.SecondOrder)
    and not method.needs_outputs
    and method.class_defaults["line_search"] != "fixed"
]


@pytest.mark.parametrize("name", [*SCIPY, *OWN])
def test_every_solver_minimizes_a_convex_function(name):
    weights = mg.tensor(np.array([1.0, 4.0, 9.0]))
    found = optim.minimize(lambda x: (weights * mg.cosh(x - 1)).sum(), [0.0, 0.5, 2.5], method=name)
    assert found.success
    np.testing.assert_allclose(found.x.numpy(), 1, atol=1e-4)


def test_a_search_that_rounding_stalls_ends():
    rng = np.random.default_rng(1)
    basis = rng.standard_normal((20, 20))
    matrix = basis @ np.diag(np.logspace(-4, 2, 20)) @ basis.T  # condition 2e8
    q, c = mg.tensor((matrix + matrix.T) / 2), mg.tensor(rng.standard_normal(20))
    found = optim.minimize(lambda p: 0.5 * p @ (q @ p) - c @ p, np.zeros(20), method="Newton-CG")
    assert found.status in (0, 2)
    assert found.nfev < 500


@pytest.mark.parametrize(
    ("name", "advice"),
    [("jac", "differentiated"), ("args", "lambda"), ("bounds", "SciPy"), ("max_iter", "options")],
)
def test_scipys_other_keywords_get_advice(name, advice):
    with pytest.raises(TypeError, match=f"no {name}=.*{advice}"):
        optim.minimize(lambda x: (x * x).sum(), [1.0, 2.0], **{name: None})
