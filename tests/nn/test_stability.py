"""Extreme inputs: logits of ±1e4 and infinity, norms of constants and of huge and tiny numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

inf = math.inf


def gradient(f: Callable[[Any], Any], x: Any, dtype: str = "float32") -> tuple[Any, Any, Any]:
    """Return the value, its gradient, and the Hessian's product with ones."""
    z = mg.tensor(x, dtype=dtype, requires_grad=True)
    value = f(z).sum()
    (g,) = mg.autograd.grad(value, [z], create_graph=True)
    (h,) = mg.autograd.grad(g.sum(), [z]) if g.requires_grad else (z.detach() * 0,)
    return value.item(), g.numpy(), h.numpy()


ROWS = [
    # logits, class, loss, gradient: of -log softmax, worked out by hand
    ([1e4, 0, -1e4], 0, 0, [0, 0, 0]),
    ([1e4, 0, -1e4], 1, 1e4, [1, -1, 0]),
    ([1e4, 0, -1e4], 2, 2e4, [1, 0, -1]),
    ([-1e4, -1e4, -1e4], 0, math.log(3), [-2 / 3, 1 / 3, 1 / 3]),
    ([3e38, 3e38, -inf], 0, math.log(2), [-1 / 2, 1 / 2, 0]),
    ([0, -inf, 0], 2, math.log(2), [1 / 2, 0, -1 / 2]),
    ([-inf, 0, -inf], 1, 0, [0, 0, 0]),
    ([1e-30, 0, -1e-30], 0, math.log(3), [-2 / 3, 1 / 3, 1 / 3]),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("logits", "target", "loss", "slope"), ROWS)
def test_cross_entropy(logits: Any, target: int, loss: float, slope: Any, dtype: str) -> None:
    one_hot = np.eye(3, dtype=dtype)[target]
    targets: list[Any] = [np.array([target]), one_hot[None]]
    for given in targets:
        value, g, h = gradient(lambda x, t=given: F.cross_entropy(x, t), [logits], dtype)
        assert value == pytest.approx(loss, rel=1e-6)
        np.testing.assert_allclose(g[0], slope, atol=1e-6)
        assert np.isfinite(h).all()
    value, g, _ = gradient(lambda x: F.nll_loss(F.log_softmax(x), np.array([target])), [logits])
    assert value == pytest.approx(loss, rel=1e-6)
    np.testing.assert_allclose(g[0], slope, atol=1e-6)


def test_an_impossible_class_that_occurs_costs_infinity() -> None:
    assert F.cross_entropy(mg.tensor([[0.0, -inf]]), mg.tensor([1])).item() == inf


def test_ignored_rows_may_hold_anything() -> None:
    logits = mg.tensor([[0.0, 0.0], [math.nan, inf]], requires_grad=True)
    loss = F.cross_entropy(logits, mg.tensor([0, -100]))
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2))
    np.testing.assert_allclose(logits.grad.numpy(), [[-0.5, 0.5], [0, 0]])
    nothing = F.cross_entropy(logits, mg.tensor([-100, -100]))
    assert nothing.item() == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_binary_cross_entropy_and_softplus(dtype: str) -> None:
    x = [-1e4, -30.0, 0.0, 30.0, 1e4]
    for t in (0.0, 1.0):
        expected = [np.logaddexp(0, z) - t * z for z in np.array(x, "longdouble")]
        target = np.full(5, t, dtype)
        f = lambda z, target=target: F.binary_cross_entropy_with_logits(z, target, "none")  # noqa: E731
        got = f(mg.tensor(x, dtype=dtype)).numpy()
        np.testing.assert_allclose(got, np.array(expected, dtype), rtol=1e-5)
        _, g, h = gradient(f, x, dtype)
        np.testing.assert_allclose(g, 0.5 * (1 + np.tanh(np.array(x) / 2)) - t, atol=1e-6)
        assert np.isfinite(h).all()


ACTIVATIONS = [
    nn.ReLU(), nn.LeakyReLU(), nn.ELU(), nn.SELU(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(),
    nn.Sigmoid(), nn.Tanh(), nn.LeCunTanh(), nn.Softplus(), nn.Softmax(), nn.LogSoftmax(),
]  # fmt: skip


@pytest.mark.parametrize("module", ACTIVATIONS, ids=repr)
def test_activations_and_their_derivatives_stay_finite(module: nn.Module) -> None:
    value, g, h = gradient(module, [-1e4, -100, -1e-30, 0, 1e-30, 100, 1e4])
    assert math.isfinite(value)
    assert np.isfinite(g).all()
    assert np.isfinite(h).all()


NORMS = [
    ("batch_norm", lambda x: F.batch_norm(x, training=True), 0),
    ("layer_norm", lambda x: F.layer_norm(x, x.shape[-1]), 1),
]


@pytest.mark.parametrize(("f", "axis"), [row[1:] for row in NORMS], ids=[row[0] for row in NORMS])
def test_a_constant_input_gives_zero_and_finite_derivatives(f: Any, axis: int) -> None:
    w = np.random.default_rng(0).standard_normal((6, 5)).astype("float32")
    for constant in (0.0, 3.0, 0.1, -1e6, 1234567.1):
        x = np.full((6, 5), constant, "float32")
        np.testing.assert_array_equal(f(mg.tensor(x)).numpy(), 0)
        _, g, h = gradient(lambda z: f(z) * w, x)
        expected = (w - w.mean(axis, keepdims=True)) / math.sqrt(1e-5)
        np.testing.assert_allclose(g, expected, rtol=1e-4, atol=1e-3)
        assert np.isfinite(h).all()


@pytest.mark.parametrize(("f", "axis"), [row[1:] for row in NORMS], ids=[row[0] for row in NORMS])
@pytest.mark.parametrize("scale", [1e-30, 1e-10, 1e-3, 1.0, 1e10, 1e18, 1e25, 1e37])
def test_scales_in_float32(f: Any, axis: int, scale: float) -> None:
    random = np.random.default_rng(0)
    x = (random.standard_normal((6, 5)) * scale).astype("float32")
    w = random.standard_normal((6, 5)).astype("float32")
    z = x.astype("longdouble")
    centred = z - z.mean(axis, keepdims=True)
    inverse = 1 / np.sqrt((centred**2).mean(axis, keepdims=True) + 1e-5)
    out = centred * inverse
    slope = w - w.mean(axis, keepdims=True) - out * (w * out).mean(axis, keepdims=True)
    value = f(mg.tensor(x)).numpy()
    np.testing.assert_allclose(value, out.astype("float32"), rtol=2e-5, atol=1e-30)
    _, g, _ = gradient(lambda z: f(z) * w, x)
    expected = (slope * inverse).astype("float32")
    np.testing.assert_allclose(g, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_a_large_mean_costs_no_more_than_its_own_rounding() -> None:
    x = (np.arange(8) + 1e6).astype("float32").reshape(8, 1)
    expected = (np.arange(8) - 3.5) / np.sqrt(5.25 + 1e-5)
    np.testing.assert_allclose(
        F.batch_norm(mg.tensor(x), training=True).numpy()[:, 0], expected, rtol=1e-6
    )


def test_running_estimates_of_huge_numbers() -> None:
    module = nn.BatchNorm(1)
    module(mg.tensor([[1e15], [3e15]]))
    assert module.running_mean.item() == pytest.approx(2e14)
    assert module.running_var.item() == pytest.approx(2e29)
    module(mg.tensor([[1e25], [3e25]]))
    assert module.running_mean.item() == pytest.approx(2e24)
    assert module.running_var.item() == pytest.approx(1.7e37, rel=0.01)  # near float32's largest


def test_bad_numbers_stay_visible() -> None:
    out = F.layer_norm(mg.tensor([[1.0, math.nan], [1.0, 2.0]]), 2).numpy()
    assert np.isnan(out[0]).all()
    assert np.isfinite(out[1]).all()
