"""Curvature's operators in CuPy's sparse solvers: accepted, and solved as by NumPy's dense ones.

On the stand-in the solvers are CuPy's own text (`tests/fake_cupy/sparse.py`), read from the package
where that is installed.
"""

import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.curvature import (
    FisherOperator,
    GaussNewtonOperator,
    HessianOperator,
    as_operator,
    top_eigenvalues,
)
from tests.cuda.compare import host
from tests.fake_cupy import sparse as solvers


@pytest.fixture
def sparse(device, request, monkeypatch):
    """``cupyx.scipy.sparse.linalg`` for the device's arrays."""
    if "gpu" not in request.node.name:
        if not solvers.installed():
            pytest.skip("CuPy is not installed, whose solvers are read: pip install cupy-cuda13x")
        return solvers.install(lambda name, module: monkeypatch.setitem(sys.modules, name, module))
    return pytest.importorskip("cupyx.scipy.sparse.linalg")


def recorded(kind, where, dtype="float64"):
    """Return an operator of 27 rows: of a network of two layers and its cross-entropy."""
    rng = np.random.default_rng(0)
    made = lambda *shape: mg.tensor(rng.standard_normal(shape), dtype=dtype, device=where)  # noqa: E731
    x, y = made(20, 4), mg.tensor(rng.integers(0, 3, 20), device=where)
    weights = [made(*shape).requires_grad_() for shape in ((3, 4), (3,), (3, 3), (3,))]
    outputs = mg.affine(mg.tanh(mg.affine(x, *weights[:2])), *weights[2:])
    value = nn.functional.cross_entropy(outputs, y)
    return kind(value, weights) if kind is HessianOperator else kind(value, weights, outputs)


def vector(seed, where, dtype="float64"):
    values = np.random.default_rng(seed).standard_normal(27)
    return mg.tensor(values, dtype=dtype, device=where).data


def damped(sparse, operator):
    """Return A + I/10, made of CuPy's own operators."""
    identity = sparse.LinearOperator(
        operator.shape, lambda v: v, rmatvec=lambda v: v, dtype=operator.dtype
    )
    return sparse.aslinearoperator(operator) + identity * operator.dtype.type(0.1)


@pytest.mark.parametrize("kind", [GaussNewtonOperator, FisherOperator])
@pytest.mark.parametrize("method", ["cg", "gmres", "cgs", "bicgstab"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_linear_systems(kind, method, dtype, sparse, device):
    operator = recorded(kind, device, dtype)
    a = host(operator.dense(), device, dtype).astype("float64")
    b = vector(6, device, dtype)
    rtol = 1e-12 if dtype == "float64" else 1e-5
    x, failed = getattr(sparse, method)(damped(sparse, operator), b, rtol=rtol, maxiter=500)
    assert failed == 0
    expected = np.linalg.solve(a + 0.1 * np.eye(27), host(b, device))
    np.testing.assert_allclose(host(x, device, dtype), expected, rtol=0, atol=1e4 * rtol)


def test_an_operator_is_taken_as_it_is(sparse, device):
    """Without any wrapping: a positive definite one by cg, an indefinite one by minres and lsmr."""
    matrix = np.diag(np.linspace(1, 2, 27)) + 0.01
    definite = as_operator(mg.tensor(matrix, device=device))
    b = vector(1, device)
    x, failed = sparse.cg(definite, b, rtol=1e-12)
    assert failed == 0
    np.testing.assert_allclose(host(x, device), np.linalg.solve(matrix, host(b, device)), atol=1e-9)
    hessian = recorded(HessianOperator, device)
    a = host(hessian.dense(), device)
    rhs = hessian @ b
    for found in (
        sparse.minres(hessian, rhs, tol=1e-12, maxiter=1000)[0],
        sparse.lsmr(hessian, rhs, atol=1e-12, btol=1e-12, conlim=1e14, maxiter=1000)[0],
    ):
        assert np.linalg.norm(a @ host(found, device) - host(rhs, device)) < 1e-6


@pytest.mark.parametrize("kind", [HessianOperator, GaussNewtonOperator])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_eigenvalues(kind, dtype, sparse, device):
    operator = recorded(kind, device, dtype)
    values = np.linalg.eigvalsh(host(operator.dense(), device, dtype))
    tolerance = {"rtol": 0, "atol": 1e-8 if dtype == "float64" else 1e-5}
    for which, expected in (("LA", values[-3:]), ("SA", values[:3])):
        found, vectors = sparse.eigsh(operator, k=3, which=which)
        np.testing.assert_allclose(host(found, device, dtype), expected, **tolerance)
        residual = host(operator @ vectors, device) - host(vectors, device) * host(found, device)
        np.testing.assert_allclose(residual, 0, **tolerance)
    largest = np.sort(np.abs(values))[-2:]
    found = sparse.svds(operator, k=2, return_singular_vectors=False)
    np.testing.assert_allclose(np.sort(host(found, device)), largest, rtol=1e-3)
    guess = mg.tensor(np.eye(27, 2) + 0.1, dtype=dtype, device=device).data
    tol = 1e-9 if dtype == "float64" else 1e-4
    found, _ = sparse.lobpcg(operator, guess, tol=tol, maxiter=200)
    np.testing.assert_allclose(np.sort(host(found, device)), values[-2:], rtol=0, atol=1e-4)


def test_operators_of_cupy_are_taken_here(sparse, device):
    matrix = np.diag([3.0, 2.0, 1.0])
    theirs = sparse.aslinearoperator(mg.tensor(matrix, device=device).data)
    operator = as_operator(theirs)
    assert operator.device == device
    found = top_eigenvalues(operator, 1)
    assert host(found.values, device)[0] == pytest.approx(3)
    both = sparse.aslinearoperator(operator)
    product = (both.T + 2 * both.H) @ mg.ones(3, dtype="float64", device=device).data
    np.testing.assert_allclose(host(product, device), [9, 6, 3])
