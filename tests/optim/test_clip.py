"""Clipping of gradients, against PyTorch and NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from tests.optim.table import NO_TORCH

SHAPES = [(3, 4), (), (7,), (0, 2)]


def parameters(scale=1.0, dtype=np.float64):
    rng = np.random.default_rng(0)
    tensors = [mg.tensor(np.zeros(shape, dtype), requires_grad=True) for shape in SHAPES]
    for p in tensors:
        p.grad = (scale * rng.standard_normal(p.shape)).astype(dtype)
    return [*tensors, mg.tensor([1.0], requires_grad=True)]  # one without a gradient


def flat(tensors):
    return np.concatenate([p.grad.data.ravel() for p in tensors if p.grad is not None])


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0, math.inf])
@pytest.mark.parametrize("bound", [0.1, 1e3])
def test_global_norm(order, bound):
    params = parameters()
    before = flat(params)
    norm = np.linalg.norm(before, order)
    assert optim.clip_grad_norm_(params, bound, order) == pytest.approx(norm, rel=1e-14)
    expected = before * min(bound / norm, 1.0)
    np.testing.assert_allclose(flat(params), expected, rtol=1e-14)


@pytest.mark.parity
def test_like_pytorch():
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    ours = parameters()
    theirs = [torch.zeros(shape, dtype=torch.float64, requires_grad=True) for shape in SHAPES]
    for p, q in zip(ours, theirs, strict=False):
        q.grad = torch.tensor(p.grad.numpy().copy())
    norm = optim.clip_grad_norm_(ours, 0.5)
    assert norm == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs, 0.5).item(), rel=1e-14)
    for p, q in zip(ours, theirs, strict=False):
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=1e-6)  # its + 1e-6
    optim.clip_grad_value_(ours, 0.05)
    torch.nn.utils.clip_grad_value_(theirs, 0.05)
    for p, q in zip(ours, theirs, strict=False):
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=1e-6)


def test_per_parameter():
    params = parameters(2.0)
    before = [p.grad.numpy().copy() for p in params[:-1]]
    norms = optim.clip_grad_norm_per_parameter_(params, 1.0)
    for p, g, norm in zip(params[:-1], before, norms, strict=True):
        assert norm == pytest.approx(np.linalg.norm(g.ravel()))
        np.testing.assert_allclose(p.grad.data, g * min(1, 1 / max(norm, 1e-300)), rtol=1e-14)


@pytest.mark.parametrize("scale", [1e25, 1e-30])
def test_squares_that_float32_cannot_hold(scale):
    params = parameters(scale, np.float32)
    exact = np.linalg.norm(flat(params).astype(np.float64))
    assert optim.clip_grad_norm_(params, scale / 100) == pytest.approx(exact, rel=1e-5)
    assert np.linalg.norm(flat(params).astype(np.float64)) == pytest.approx(scale / 100, rel=1e-5)
    assert {p.grad.dtype for p in params[:-1]} == {np.dtype(np.float32)}


def test_nan():
    params = parameters()
    params[2].grad.data[3] = math.nan
    before = params[0].grad.numpy().copy()
    with pytest.raises(FloatingPointError, match=r"gradient 2, of shape \(7,\)"):
        optim.clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    np.testing.assert_array_equal(params[0].grad.data, before)
    assert math.isnan(optim.clip_grad_norm_(params, 1.0))
    assert np.isnan(params[0].grad.data).all()


def test_a_gradient_used_twice_is_scaled_once():
    p, q = (mg.tensor([0.0], requires_grad=True) for _ in range(2))
    p.grad = q.grad = mine = mg.tensor([3.0])
    assert optim.clip_grad_norm_([p, q], 1.0) == pytest.approx(math.sqrt(18))
    assert mine.item() == 3.0
    assert p.grad.item() == q.grad.item() == pytest.approx(math.sqrt(0.5))


def test_edges():
    p = mg.tensor([0.0, 0.0], requires_grad=True)
    assert optim.clip_grad_norm_(p, 1.0) == 0.0
    p.grad = [0.0, 0.0]
    assert optim.clip_grad_norm_(p, 1.0) == 0.0
    assert p.grad.tolist() == [0.0, 0.0]
    for bad in (0.0, -1.0, math.nan, "1"):
        with pytest.raises(optim.HyperparameterError, match="is not a number > 0"):
            optim.clip_grad_norm_(p, bad)
        with pytest.raises(optim.HyperparameterError, match="clip_value"):
            optim.clip_grad_value_(p, bad)
