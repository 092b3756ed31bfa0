"""The classical problems: solved wherever SciPy's same method solves, and as cheaply."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from tests.optim.problems import PROBLEMS

scipy_optimize = pytest.importorskip(
    "scipy.optimize", reason="needs the test extra: pip install minigrad[test]"
)

METHODS = {  # ours: SciPy's, and what makes its gradient's tolerance the only end
    "CG": ("CG", {}),
    "BFGS": ("BFGS", {}),
    "L-BFGS": ("L-BFGS-B", {"ftol": 0.0, "maxfun": 100_000}),
    "Newton-CG": ("Newton-CG", {"xtol": 1e-8, "gtol": None, "maxiter": 300}),
    "trust-ncg": ("trust-ncg", {"maxiter": 300}),
    "trust-exact": ("trust-exact", {"maxiter": 300}),
}
EVERY = [(problem, method) for problem in PROBLEMS for method in METHODS]
IDS = [f"{problem.name}-{method}" for problem, method in EVERY]


@functools.cache
def ours(problem, method):
    x0 = np.array(problem.start, float)
    return optim.minimize(problem, x0, method=method, options={"maxiter": 5000})


@functools.cache
def theirs(problem, method):
    """SciPy's result with our values and gradients, and whether it reached the tolerance."""
    pair = mg.value_and_grad(problem)

    def function(x):
        value, gradient = pair(mg.tensor(x))
        return value.item(), gradient.numpy().copy()

    def hessian(x):
        return mg.hessian(problem)(mg.tensor(x)).numpy()

    name, options = METHODS[method]
    x0 = np.array(problem.start, float)
    options = {"gtol": 1e-5, "maxiter": 5000, **options}
    options = {key: value for key, value in options.items() if value is not None}
    more = {"hess": hessian} if name.startswith(("Newton", "trust")) else {}
    with np.errstate(all="ignore"):
        found = scipy_optimize.minimize(
            function, x0, jac=True, method=name, options=options, **more
        )
    return found, np.abs(function(found.x)[1]).max() <= 1e-5


@pytest.mark.filterwarnings("ignore::scipy.optimize.OptimizeWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # SciPy's line searches overflow
@pytest.mark.parametrize(("problem", "method"), EVERY, ids=IDS)
def test_solves_what_scipy_solves(problem, method):
    found = ours(problem, method)
    _, solved = theirs(problem, method)
    assert found.success or not solved
    assert found.success == (np.abs(found.jac.numpy()).max() <= 1e-5)
    assert found.fun == problem(found.x).item()
    assert found.nfev >= found.njev > 0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("method", METHODS)
def test_costs_no_more_than_scipy(method):
    """In the median over what both solve, at most 1.2 times the gradients."""
    ratios = [
        ours(problem, method).njev / theirs(problem, method)[0].njev
        for problem in PROBLEMS
        if theirs(problem, method)[1]
    ]
    assert len(ratios) >= 20
    assert np.median(ratios) <= 1.2


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_reaches_a_published_minimum(problem):
    """BFGS with a tight tolerance ends in a minimum that the paper prints, to its digits."""
    x0 = np.array(problem.start, float)
    found = optim.minimize(problem, x0, method="BFGS", tol=1e-9, options={"maxiter": 2000})
    known = [abs(found.fun - f) <= max(1e-5 * f, 1e-10) for f in problem.minima]
    assert any(known), found


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_float32_gets_as_far_as_it_can_see(problem):
    """Where the decrease drowns in rounding, the slopes go on: near a minimum, and no NaN."""
    x0 = np.array(problem.start, np.float32)

    def narrow(x):
        return problem(x).astype("float32")

    found = optim.minimize(narrow, x0, method="L-BFGS", tol=1e-4, options={"maxiter": 500})
    assert found.status in (0, 2)  # converged, or no further progress
    assert found.x.dtype == np.float32
    assert any(abs(found.fun - f) <= 1e-3 * max(f, 1.0) for f in problem.minima)
