"""Diagonal and trace: exact ones equal, estimated ones within their stated standard errors."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.curvature import HessianOperator, diagonal, estimate_diagonal, trace
from tests.curvature.networks import LOSSES, flat, hessian_by_differences, logits, parameters
from tests.curvature.test_lanczos import symmetric

SEEDS = range(20)
MATRICES = {
    "even": symmetric(np.linspace(-3, 10, 60)),
    "few dominate": symmetric(np.r_[np.linspace(50, 100, 5), np.linspace(0, 0.1, 55)]),
    "float32": symmetric(np.linspace(1, 2, 60), dtype="float32"),
}


def test_the_diagonal_of_a_network_is_that_of_its_dense_hessian():
    weights, loss = parameters(), LOSSES["cross-entropy"]
    h = HessianOperator(loss(logits(*weights)), weights)
    dense = hessian_by_differences(loss, flat([w.numpy() for w in weights]))
    assert np.allclose(diagonal(h).numpy(), np.diag(dense), atol=1e-9)
    exact = trace(h)  # 100 probes for 27 rows: exact
    assert exact.value == pytest.approx(np.trace(dense), abs=1e-8)
    assert (exact.standard_error, exact.products) == (0, 27)
    estimate = trace(h, probes=20)
    assert abs(estimate.value - np.trace(dense)) < 4 * estimate.standard_error


@pytest.mark.parametrize("name", MATRICES)
def test_the_diagonal_lies_within_the_stated_errors(name):
    """Of 1,200 entries with 50 probes nearly all within 3 errors, and all within 6."""
    a = MATRICES[name]
    off = a - np.diag(np.diag(a))
    theory = np.sqrt((off**2).sum(1) / 50)
    off_by = []
    for seed in SEEDS:
        found = estimate_diagonal(a, probes=50, seed=seed)
        value, error = found.value.numpy(), found.standard_error.numpy()
        assert value.dtype == error.dtype == a.dtype
        assert found.products == 50
        assert np.allclose(error, theory, rtol=0.6)
        off_by.append((value - np.diag(a)) / error)
    assert np.abs(off_by).max() < 6
    assert (np.abs(off_by) < 3).mean() > 0.98
    assert 0.8 < np.std(off_by) < 1.2


@pytest.mark.parametrize("method", ["hutchinson", "hutch++"])
@pytest.mark.parametrize("name", MATRICES)
def test_the_trace_lies_within_the_stated_errors(name, method):
    a = MATRICES[name]
    found = [trace(a, probes=48, method=method, seed=seed) for seed in SEEDS]
    off_by = [(f.value - np.trace(a)) / (f.standard_error + 1e-6) for f in found]
    assert np.abs(off_by).max() < 4
    assert all(f.products == 48 for f in found)
    if method == "hutchinson":
        theory = np.sqrt(2 * ((a**2).sum() - (np.diag(a) ** 2).sum()) / 48)
        assert np.allclose([f.standard_error for f in found], theory, rtol=0.4)
        assert 0.6 < np.std(off_by) < 1.4


def test_hutch_plus_plus_gains_where_few_eigenvalues_dominate():
    a = MATRICES["few dominate"]
    plain, plus = (trace(a, 48, method).standard_error for method in ("hutchinson", "hutch++"))
    assert plus < plain / 100


def test_diagonal_matrices_are_estimated_without_error():
    a = np.diag(np.arange(30.0))
    found = estimate_diagonal(a, probes=2)
    assert np.array_equal(found.value.numpy(), np.arange(30.0))
    assert not found.standard_error.numpy().any()
    assert trace(a, probes=2).value == 435
    assert trace(a, probes=2).standard_error == 0


def test_the_seed_decides_and_training_does_not_notice():
    a, before = MATRICES["even"], mg.random.get_state()
    one, two, other = (trace(a, 5, seed=seed).value for seed in (0, 0, 1))
    estimate_diagonal(a, 5)
    assert mg.random.get_state() == before
    assert one == two != other
    mg.manual_seed(3)
    free = trace(a, 5, seed=None).value
    mg.manual_seed(3)
    assert trace(a, 5, seed=None).value == free


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: trace(np.eye(9), 1), "at least 2 probes for 'hutchinson', not 1"),
        (lambda: trace(np.eye(9), 5, "hutch++"), "at least 6 probes for 'hutch\\+\\+', not 5"),
        (lambda: trace(np.eye(9), 5, "exact"), "'exact'; legal are 'hutchinson' and"),
        (lambda: estimate_diagonal(np.eye(9), 1), "at least 2 probes, not 1"),
    ],
)
def test_errors(act, words):
    with pytest.raises(ValueError, match=words):
        act()
