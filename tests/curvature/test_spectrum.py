"""Spectra: against dense eigenvalues, known spectra, and the step at which descent diverges."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator as ScipyOperator
from scipy.sparse.linalg import eigsh

import minigrad as mg
from minigrad import optim
from minigrad.curvature import (
    ConvergenceError,
    HessianOperator,
    LinearOperator,
    condition_number,
    spectral_density,
    top_eigenvalues,
)
from tests.curvature.networks import LOSSES, flat, hessian_by_differences, logits, parameters
from tests.curvature.test_lanczos import symmetric

SPECTRA = {
    "even": np.linspace(-3, 10, 200),
    "outliers": np.r_[np.linspace(-1, 1, 190), np.linspace(5, 50, 10)],
    "several times": np.r_[[5] * 3, 4, np.linspace(-1, 1, 196)],
    "both signs": np.r_[5, -5, 4, -4, np.linspace(-1, 1, 196)],
    "many zeros": np.r_[np.zeros(100), np.linspace(0.1, 1, 100)],
    "decaying": 2.0 ** -np.arange(0, 20, 0.1),
    "identity": np.ones(200),
    "zero": np.zeros(200),
    "small": np.array([3.0, -2, 1]),
}
KEYS = {"magnitude": lambda x: -abs(x), "largest": lambda x: -x, "smallest": lambda x: x}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize(
    ("name", "which"),
    # Between the smallest of the decaying ones lies 1e-7 of the range: too many products.
    [(n, w) for n in SPECTRA for w in KEYS if (n, w) != ("decaying", "smallest")],
)
def test_top_eigenvalues_are_the_dense_ones(name, which, k, dtype):
    spectrum, key = SPECTRA[name], KEYS[which]
    a = symmetric(spectrum, dtype=dtype)
    found = top_eigenvalues(a, k, which)
    values, vectors = found
    assert values.dtype == vectors.dtype == dtype
    size, epsilon = abs(spectrum).max(), np.finfo(dtype).eps
    expected = np.sort(key(spectrum))[:k]
    error = np.abs(key(values.numpy().astype("float64")) - expected).max()
    assert error <= (1e-4 if dtype == "float32" else 1e-12) * size
    x = vectors.numpy()
    assert np.abs(x.T @ x - np.eye(k)).max() < 100 * epsilon
    measured = np.linalg.norm(a @ x - x * values.numpy(), axis=0)
    assert np.allclose(measured, found.residuals, atol=100 * epsilon * size)
    assert max(found.residuals) <= (3 * np.sqrt(epsilon)) * size
    assert found.products <= 200


@pytest.mark.parametrize("scale", [1e-28, 1e28])
def test_eigenvalues_whose_squares_are_beyond_float32(scale):
    spectrum = SPECTRA["even"] * scale
    a = symmetric(spectrum, dtype="float32")
    found = top_eigenvalues(a, 2)
    assert np.allclose(found.values.numpy() / scale, [10, 10 - 13 / 199], atol=1e-3)
    x = found.vectors.numpy()
    exact = np.linalg.norm((a.astype("float64") @ x - x * found.values.numpy()) / scale, axis=0)
    assert np.allclose(np.array(found.residuals) / scale, exact, atol=1e-5)
    assert condition_number(a, 100).largest == pytest.approx(10 * scale, rel=1e-3)


def test_top_eigenvalues_of_a_network_are_those_of_its_dense_hessian():
    weights, loss = parameters(), LOSSES["cross-entropy"]
    h = HessianOperator(loss(logits(*weights)), weights)
    dense = np.linalg.eigvalsh(hessian_by_differences(loss, flat([w.numpy() for w in weights])))
    assert np.allclose(top_eigenvalues(h, 4, "largest").values.numpy(), dense[:-5:-1], atol=1e-8)
    assert np.allclose(top_eigenvalues(h, 2, "smallest").values.numpy(), dense[:2], atol=1e-8)
    every = top_eigenvalues(h, 27, "smallest")
    assert np.allclose(every.values.numpy(), dense, atol=1e-8)
    assert every.products == 54


def test_a_tighter_tolerance_gives_smaller_residuals_and_costs_more():
    a = symmetric(SPECTRA["even"])
    rough, fine = (top_eigenvalues(a, 2, tolerance=t, steps=15) for t in (1e-2, 1e-10))
    assert max(fine.residuals) < 1e-9 < max(rough.residuals) < 0.2
    assert rough.products < fine.products


@pytest.mark.parametrize("k", [1, 3, 6])
@pytest.mark.parametrize(
    ("name", "which", "share"),
    [
        ("even", "largest", 1),
        ("even", "smallest", 1),
        ("both signs", "magnitude", 1),
        ("many zeros", "largest", 1),
        ("outliers", "largest", 1),
        # Ten values far out at the other end, which each restart keeps, and ARPACK's do not.
        ("outliers", "smallest", 0.75),
    ],
)
def test_it_takes_no_more_products_than_arpack_with_the_same_space_and_tolerance(
    name, which, share, k
):
    spectrum, steps, ours, theirs = SPECTRA[name], 2 * k + 20, 0, 0
    wanted = np.sort(KEYS[which](spectrum))[k - 1]
    tolerance = 1.5e-8 * abs(spectrum).max() / abs(wanted)  # ARPACK's is relative to each value
    for seed in range(6):
        a, seen = symmetric(spectrum, seed=seed), []
        operator = ScipyOperator(a.shape, lambda v, a=a, s=seen: (s.append(v), a @ v)[1], dtype="d")
        start = np.random.default_rng(seed).standard_normal(200)
        names = {"magnitude": "LM", "largest": "LA", "smallest": "SA"}
        eigsh(operator, k, which=names[which], ncv=steps, tol=tolerance, v0=start)
        found = top_eigenvalues(a, k, which, seed=seed, steps=steps, tolerance=1.5e-8)
        ours += found.products - (steps - k) - k  # without the second look, and the residuals
        theirs += len(seen)
    assert ours <= share * theirs


@pytest.mark.parametrize("k", [1, 3, 6])
def test_where_the_gap_is_below_the_tolerance_the_error_is_far_below(k):
    """A gap of 0.0106 beside values of 50: float32's tolerance is 0.0173."""
    spectrum, errors = SPECTRA["outliers"], []
    for seed in range(12):
        a = symmetric(spectrum, seed=seed, dtype="float32")
        values = top_eigenvalues(a, k, "smallest", seed=seed).values.numpy()
        errors.append(np.abs(values - np.sort(spectrum)[:k]).max())
    assert np.median(errors) < 4e-6 * 50


def test_restarts_of_a_long_basis_which_are_made_in_parts():
    spectrum = np.r_[np.linspace(0, 1, 70_000 - 4), 1.3, 1.2, -0.2, -0.1].astype("float32")
    operator = LinearOperator(70_000, lambda v: spectrum * v, "float32")
    found = top_eigenvalues(operator, 2, "smallest")
    assert found.products > 2 * 24  # more than one space
    assert np.allclose(found.values.numpy(), [-0.2, -0.1], atol=1e-4)
    expected = np.zeros((70_000, 2))
    expected[-2, 0] = expected[-1, 1] = 1
    assert np.allclose(abs(found.vectors.numpy()), expected, atol=1e-2)


@pytest.mark.parametrize("allowed", [9, 23, 37, 38])
def test_products_are_not_beyond_those_allowed_before_the_second_look(allowed):
    a, counted = symmetric(SPECTRA["even"]), []
    operator = LinearOperator(200, lambda v: (counted.append(v), a @ v)[1], "float64")
    with pytest.raises(ConvergenceError):
        top_eigenvalues(operator, max_products=allowed)
    assert len(counted) == allowed


def test_the_seed_decides_and_training_does_not_notice():
    a = symmetric(SPECTRA["even"])
    before = mg.random.get_state()
    one, two, other = (top_eigenvalues(a, seed=s).vectors.numpy() for s in (0, 0, 1))
    spectral_density(a, 5, 2)
    assert mg.random.get_state() == before
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)
    top_eigenvalues(a, seed=None)
    assert mg.random.get_state() != before


# Densities ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["even", "outliers", "decaying", "many zeros"])
def test_the_moments_are_those_of_the_spectrum(name):
    spectrum = SPECTRA[name]
    density = spectral_density(symmetric(spectrum), steps=30, probes=40)
    for power in range(5):
        moment, exact = density.moment(power), (spectrum**power).mean()
        assert abs(moment.value - exact) <= 4 * moment.standard_error + 1e-12
        assert moment.standard_error < 0.2 * max(abs(exact), 1) * 10**power
    assert density.products == 1200


@pytest.mark.parametrize("power", [1, 2, 7])
def test_the_quadrature_is_exact_for_the_random_vectors(power):
    """For each v and up to degree 2m - 1: Σ w tᵖ is vᵀ Aᵖ v / n, here from NumPy's own powers."""
    a, seen = symmetric(SPECTRA["even"]), []
    density = spectral_density(
        LinearOperator(200, lambda v: (seen.append(v), a @ v)[1], "float64"), steps=4, probes=3
    )
    starts = seen[::4]  # unit vectors, the first of each run
    exact = [v @ np.linalg.matrix_power(a, power) @ v for v in starts]
    found = [w @ t**power for w, t in zip(density.weights, density.nodes, strict=True)]
    assert np.allclose(found, exact, rtol=1e-10)
    assert all(np.allclose(abs(v), 200**-0.5) for v in starts)


def test_the_density_is_the_smoothed_spectrum():
    spectrum = SPECTRA["outliers"]
    density = spectral_density(symmetric(spectrum), steps=60, probes=60, width=1.0)
    grid = density.grid.numpy()
    kernel = np.exp(-((grid[:, None] - spectrum) ** 2) / 2) / np.sqrt(2 * np.pi)
    distance = abs(density.density.numpy() - kernel.mean(1))
    assert (distance <= 4 * density.standard_error.numpy() + 1e-6).all()
    assert distance.max() < 0.02
    assert np.trapezoid(density.density.numpy(), grid) == pytest.approx(1, abs=1e-3)
    assert density.grid.shape == density.density.shape == density.standard_error.shape == (500,)


def test_the_share_of_negative_eigenvalues():
    spectrum = SPECTRA["even"]
    density = spectral_density(symmetric(spectrum, dtype="float32"), steps=50, probes=40)
    share, exact = density.share(high=0), (spectrum < 0).mean()
    assert abs(share.value - exact) < 4 * share.standard_error + 1 / 50
    assert density.share().value == pytest.approx(1)
    assert density.density.dtype == np.float32


def test_a_grid_of_ones_own():
    for grid in (np.linspace(0, 1, 7), mg.linspace(0, 1, 7)):
        density = spectral_density(np.eye(50), 3, 2, grid=grid)
        assert np.allclose(density.grid.numpy(), np.linspace(0, 1, 7))
    assert [len(t) for t in density.nodes] == [1, 1]
    assert density.products == 2
    height = 1 / math.sqrt(2 * math.pi) / 0.01
    assert density.density.numpy()[-1] == pytest.approx(height)


@pytest.mark.parametrize("value", [3.0, -1e-20, 0.0])
def test_the_density_of_one_eigenvalue(value):
    """Its range is 0 up to rounding; still the curve is drawn, and its integral is 1."""
    q = np.linalg.qr(np.random.default_rng(3).standard_normal((60, 60)))[0]
    for matrix in (value * q @ q.T, value * np.eye(60)):
        density = spectral_density(matrix, steps=20, probes=3)
        grid, heights = density.grid.numpy(), density.density.numpy()
        assert np.trapezoid(heights, grid) == pytest.approx(1, abs=1e-3)
        assert grid[heights.argmax()] == pytest.approx(value, abs=density.width)


# Condition ---------------------------------------------------------------------------------------


def test_the_condition_number_is_exact_with_all_steps_and_a_lower_bound_before():
    spectrum = np.r_[np.linspace(-8, -1, 40), np.geomspace(1e-3, 10, 60)]
    a, before = symmetric(spectrum), 0
    for steps in (5, 20, 50, 100):
        found = condition_number(a, steps)
        assert before < found.value < 1e4 * (1 + 1e-9)
        assert found.largest <= 10 * (1 + 1e-12)
        assert found.smallest >= 1e-3 * (1 - 1e-9)
        assert found.products == steps
        before = found.value
    assert before == pytest.approx(1e4)


def test_a_singular_matrix_has_no_finite_condition():
    assert condition_number(np.diag([1.0, 0, 2])).value > 1e15
    assert condition_number(np.zeros((3, 3))).value == math.inf


# The largest step --------------------------------------------------------------------------------


def descend(loss, weights, lr, steps):
    optimizer = optim.SGD(weights, lr=lr)
    for _ in range(steps):
        optimizer.step(loss)
    return loss().item()


def test_descent_on_a_quadratic_converges_just_below_two_over_lambda_max():
    a = mg.tensor(symmetric(np.geomspace(1e-2, 30, 50)))

    def loss():
        return 0.5 * (w @ (a @ w))

    w = mg.tensor(np.ones(50), requires_grad=True)
    largest = top_eigenvalues(HessianOperator(loss(), [w])).values.item()
    start = loss().item()
    assert descend(loss, [w], 1.99 / largest, 2000) < 1e-3 * start
    w = mg.tensor(np.ones(50), requires_grad=True)
    assert descend(loss, [w], 2.01 / largest, 2000) > 1e3 * start


def test_descent_near_the_minimum_of_a_network_converges_just_below_two_over_lambda_max():
    """From close to the minimum, which SciPy finds: below 2/λmax back to it, above away from it."""
    shapes = [w.shape for w in parameters()]

    def split(point):
        ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
        parts = zip(np.split(point, ends), shapes, strict=True)
        return [mg.tensor(part.reshape(shape), requires_grad=True) for part, shape in parts]

    def loss(weights):
        penalty = sum((w * w).sum() for w in weights)
        return LOSSES["cross-entropy"](logits(*weights)) + 0.02 * penalty

    def value_and_gradient(point):
        weights = split(point)
        value = loss(weights)
        return value.item(), flat([g.numpy() for g in mg.autograd.grad(value, weights)])

    start = flat([w.numpy() for w in parameters()])
    minimum = minimize(value_and_gradient, start, jac=True, method="BFGS", options={"gtol": 1e-9})
    weights = split(minimum.x)
    hessian = HessianOperator(loss(weights), weights)
    assert hessian.gradient().norm().item() < 1e-6
    assert top_eigenvalues(hessian, which="smallest").values.item() > 0
    values, vectors = top_eigenvalues(hessian)
    nearby = minimum.x + 1e-3 * vectors.numpy()[:, 0]
    height = loss(split(nearby)).item() - minimum.fun
    reached = {}
    for factor in (1.95, 2.05):
        weights = split(nearby)
        lowest = descend(lambda w=weights: loss(w), weights, factor / values.item(), 100)
        reached[factor] = (lowest - minimum.fun) / height
    assert reached[1.95] < 1e-3
    assert reached[2.05] > 1e3


# Errors ------------------------------------------------------------------------------------------

small = np.diag([1.0, 2, 3])
ERRORS = {
    "k too large": (lambda: top_eigenvalues(small, 4), ValueError, "k=4; a matrix of 3 rows has"),
    "k of 0": (lambda: top_eigenvalues(small, 0), ValueError, "k=0"),
    "which": (lambda: top_eigenvalues(small, 1, "LM"), ValueError, "'LM'; legal are magnitude, la"),
    "few steps": (lambda: top_eigenvalues(np.eye(9), 3, steps=4), ValueError, "takes at least 5"),
    "products": (
        lambda: top_eigenvalues(symmetric(SPECTRA["decaying"]), 1, "smallest", max_products=99),
        ConvergenceError,
        "after 99 products the residuals are .* should be below",
    ),
    "one probe": (lambda: spectral_density(small, probes=1), ValueError, "least 2 probes, not 1"),
    "no step": (lambda: spectral_density(small, steps=0), ValueError, "at least one step, not 0"),
    "width": (lambda: spectral_density(small, width=0), ValueError, "width=0"),
    "NaN": (lambda: top_eigenvalues(small * np.nan), ArithmeticError, "NaN or infinity"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    act, error, words = ERRORS[name]
    with pytest.raises(error, match=words):
        act()
