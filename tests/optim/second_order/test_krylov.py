"""Conjugate gradients against dense linear algebra: definite, indefinite, cut at a boundary."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minigrad.optim.second_order import krylov
from minigrad.optim.second_order.krylov import conjugate_gradients


def symmetric(values, seed=0, dtype=np.float64):
    """Return a random symmetric matrix with these eigenvalues, and a vector."""
    rng = np.random.default_rng(seed)
    n = len(values)
    rotation = np.linalg.qr(rng.standard_normal((n, n)))[0]
    A = (rotation * np.asarray(values, np.float64)) @ rotation.T
    return A.astype(dtype), rng.standard_normal(n).astype(dtype)


def counted(A):
    """Return the product with A, and the list of what it was given."""
    seen = []

    def product(v):
        seen.append(v)
        return A @ v

    return product, seen


def model(A, b, x):
    return 0.5 * x @ A @ x - b @ x


SPECTRA = {
    "spread": np.linspace(1, 10, 30),
    "wide": np.geomspace(1e-3, 1e3, 30),
    "few": np.repeat([1.0, 5.0, 100.0], 10),
}


@pytest.mark.parametrize("name", SPECTRA)
def test_a_definite_system_is_solved(name):
    A, b = symmetric(SPECTRA[name])
    product, seen = counted(A)
    found = conjugate_gradients(product, b, tol=1e-10, max_iter=300)
    assert found.status == "residual"
    assert found.iterations == len(seen)
    assert found.residual <= 1e-10 * np.linalg.norm(b)
    np.testing.assert_allclose(A @ found.x, b, atol=1e-7)
    assert found.model == pytest.approx(model(A, b, found.x), rel=1e-9)
    if name == "few":
        assert found.iterations == 3  # as many as there are distinct eigenvalues


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept_and_n_steps_are_enough(dtype):
    A, b = symmetric(np.linspace(1, 10, 20), dtype=dtype)
    found = conjugate_gradients(lambda v: A @ v, b, tol=0, max_iter=20)
    assert found.x.dtype == dtype
    assert found.status == "max_iter"
    np.testing.assert_allclose(found.x, np.linalg.solve(A, b), rtol=1e4 * np.finfo(dtype).eps)


def test_each_iterate_is_the_best_of_its_krylov_space():
    A, b = symmetric(SPECTRA["wide"])
    for i in range(1, 6):
        found = conjugate_gradients(lambda v: A @ v, b, tol=0, max_iter=i)
        space = np.linalg.qr(np.column_stack([np.linalg.matrix_power(A, k) @ b for k in range(i)]))
        Q = space[0]
        best = Q @ np.linalg.solve(Q.T @ A @ Q, Q.T @ b)
        np.testing.assert_allclose(found.x, best, rtol=1e-6, atol=1e-8)


def test_it_goes_on_from_a_start():
    A, b = symmetric(SPECTRA["spread"])
    start = np.random.default_rng(7).standard_normal(30)
    product, seen = counted(A)
    found = conjugate_gradients(product, b, x0=start, tol=1e-12)
    np.testing.assert_allclose(A @ found.x, b, atol=1e-9)
    assert found.iterations == len(seen)
    solved = conjugate_gradients(product, b, x0=found.x, tol=1e-9)
    assert solved.iterations == 1  # the product that shows it
    assert solved.x is found.x


def test_a_preconditioner_saves_iterations_and_changes_no_solution():
    A, b = symmetric(np.linspace(1, 2, 60))
    scales = np.geomspace(1e-3, 1e3, 60)
    A = scales[:, None] * A * scales
    diagonal = np.diag(A)
    plain = conjugate_gradients(lambda v: A @ v, b, tol=1e-8, max_iter=2000)
    helped = conjugate_gradients(
        lambda v: A @ v, b, tol=1e-8, max_iter=2000, preconditioner=lambda r: r / diagonal
    )
    np.testing.assert_allclose(A @ helped.x, b, atol=1e-6)
    assert helped.status == "residual"
    assert helped.iterations < 30 < plain.iterations


def test_martens_criterion_stops_where_the_model_hardly_falls():
    A, b = symmetric(np.geomspace(1e-6, 1, 200), seed=2)
    found = conjugate_gradients(lambda v: A @ v, b, tol=0, progress=5e-4, max_iter=500)
    assert found.status == "progress"
    q = [
        conjugate_gradients(lambda v: A @ v, b, tol=0, max_iter=i).model
        for i in range(found.iterations + 1)
    ]

    def small(i):
        k = max(10, i // 10)
        return i > k and (q[i] - q[i - k]) / q[i] < k * 5e-4

    assert [i for i in range(len(q)) if small(i)] == [found.iterations]


@pytest.mark.parametrize(("progress", "dots"), [(None, 2), (1e-9, 3)])
def test_the_model_is_computed_where_it_is_read(progress, dots, monkeypatch):
    taken, dot = [], krylov.dot
    monkeypatch.setattr(krylov, "dot", lambda u, v: (taken.append(1), dot(u, v))[1])
    A, b = symmetric(SPECTRA["spread"])
    for iterations in (5, 9):
        taken.clear()
        conjugate_gradients(lambda v: A @ v, b, tol=0, max_iter=iterations, progress=progress)
        assert len(taken) == dots * iterations + 3


def test_the_iterates_that_are_kept():
    A, b = symmetric(np.geomspace(1e-2, 1, 50))
    found = conjugate_gradients(lambda v: A @ v, b, tol=0, max_iter=20, keep=1.3)
    wanted = sorted({math.ceil(1.3**j) for j in range(12)} | {20})
    assert len(found.iterates) == len(wanted)
    for i, x in zip(wanted, found.iterates, strict=True):
        same = conjugate_gradients(lambda v: A @ v, b, tol=0, max_iter=i)
        np.testing.assert_array_equal(x, same.x)
    assert conjugate_gradients(lambda v: A @ v, b).iterates == []


# Negative curvature and the boundary -------------------------------------------------------------


def test_negative_curvature_ends_it():
    A, b = symmetric(np.r_[-2.0, np.linspace(1, 5, 29)])
    found = conjugate_gradients(lambda v: A @ v, b, tol=1e-12)
    assert found.status == "negative curvature"
    assert found.negative @ A @ found.negative <= 0
    before = conjugate_gradients(lambda v: A @ v, b, tol=0, max_iter=found.iterations - 1)
    np.testing.assert_array_equal(found.x, before.x)
    at_once = conjugate_gradients(lambda v: -v, b)
    assert at_once.iterations == 1
    np.testing.assert_array_equal(at_once.x, 0 * b)
    np.testing.assert_array_equal(at_once.negative, b)


@pytest.mark.parametrize("name", ["spread", "indefinite", "negative"])
@pytest.mark.parametrize("radius", [1e-3, 0.3, 1.0, 1e6])
def test_the_trust_region(name, radius):
    """On the path of plain conjugate gradients, cut at the boundary; never worse than Cauchy."""
    spectra = {"indefinite": np.linspace(-1, 10, 30), "negative": -np.linspace(1, 2, 30)}
    A, b = symmetric((SPECTRA | spectra)[name])
    found = conjugate_gradients(lambda v: A @ v, b, tol=1e-10, radius=radius)
    length = np.linalg.norm(found.x)
    assert length <= radius * (1 + 1e-10)
    direction = b / np.linalg.norm(b)
    slope, bend = np.linalg.norm(b), direction @ A @ direction
    stride = radius if bend <= 0 else min(radius, slope / bend)
    cauchy = model(A, b, stride * direction)
    assert model(A, b, found.x) <= cauchy + 1e-12 * abs(cauchy)
    assert found.model == pytest.approx(model(A, b, found.x), rel=1e-8)
    if found.status == "residual":
        assert length < radius
        np.testing.assert_allclose(A @ found.x, b, atol=1e-7)
    else:
        assert length == pytest.approx(radius)
    if name == "spread":
        assert found.status == ("residual" if radius == 1e6 else "boundary")
    assert (found.status == "negative curvature") == (found.negative is not None)
    assert (name == "negative") <= (found.status == "negative curvature")


def test_with_a_preconditioner_the_region_is_an_ellipsoid():
    A, b = symmetric(np.linspace(1, 10, 30))
    M = np.geomspace(0.1, 10, 30)
    found = conjugate_gradients(lambda v: A @ v, b, radius=0.5, preconditioner=lambda r: r / M)
    assert found.status == "boundary"
    assert math.sqrt(found.x @ (M * found.x)) == pytest.approx(0.5)
    root = np.sqrt(M)
    rescaled = A / root[:, None] / root
    same = conjugate_gradients(lambda v: rescaled @ v, b / root, radius=0.5)
    np.testing.assert_allclose(found.x, same.x / root, rtol=1e-9)


def test_special_cases():
    A, b = symmetric(SPECTRA["spread"])
    nothing = conjugate_gradients(lambda v: A @ v, 0 * b, radius=1.0)
    assert (nothing.iterations, nothing.status) == (0, "residual")
    broken = conjugate_gradients(lambda v: v * math.nan, b)
    assert broken.status == "not finite"
    np.testing.assert_array_equal(broken.x, 0 * b)
    with pytest.raises(ValueError, match="leave out x0"):
        conjugate_gradients(lambda v: v, b, x0=b, radius=1.0)
    huge = conjugate_gradients(lambda v: v, np.full(3, 1e200))  # its square is infinite
    assert huge.status == "not finite"
    large = conjugate_gradients(lambda v: v, np.full(3, 1e30, np.float32))
    assert large.status == "residual"
    np.testing.assert_array_equal(large.x, np.full(3, 1e30, np.float32))
