"""Activations and losses far out: at their limits, worked out by hand, and beside PyTorch's.

Values, first and second derivatives, up to the largest number of a dtype, array by array and in
blocks. Small numbers are `test_orders.py`'s, rows of logits `test_stability.py`'s.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.fuse import chain
from minigrad.fuse.rows import LARGE
from minigrad.nn import functional as F

ones, zeros = mg.ones_like, mg.zeros_like


def beside(x: Any, other: float) -> Any:
    """Return rows of two numbers, x and another."""
    return mg.stack([x, ones(x) * other], 1)


def class_0(x: Any) -> Any:
    return F.cross_entropy(beside(x, 0.0), np.zeros(len(x), "int64"), reduction="none")


# function: value, first and second derivative for x → ∞, and for x → -∞
RAMP = (lambda x: x, 1, 0), (lambda x: 0 * x, 0, 0)
LIMITS: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {
    "sigmoid": (mg.sigmoid, (lambda x: x / x, 0, 0), (lambda x: 0 * x, 0, 0)),
    "tanh": (mg.tanh, (lambda x: x / x, 0, 0), (lambda x: -x / x, 0, 0)),
    "erf": (mg.erf, (lambda x: x / x, 0, 0), (lambda x: -x / x, 0, 0)),
    "silu": (F.silu, *RAMP),
    "x · sigmoid": (lambda x: x * mg.sigmoid(x), *RAMP),
    "gelu": (F.gelu, *RAMP),
    "gelu tanh": (lambda x: F.gelu(x, "tanh"), *RAMP),
    "softplus": (F.softplus, *RAMP),
    "log sigmoid": (lambda x: -F.softplus(-x), (lambda x: 0 * x, 0, 0), (lambda x: x, 1, 0)),
    "elu": (F.elu, RAMP[0], (lambda x: -x / x, 0, 0)),
    "logsumexp": (lambda x: mg.logsumexp(beside(x, 0.0), 1), *RAMP),
    "cross-entropy": (class_0, (lambda x: 0 * x, 0, 0), (lambda x: -x, -1, 0)),
    "huber": (
        lambda x: F.huber_loss(x, zeros(x), "none"), (lambda x: x - 0.5, 1, 0),
        (lambda x: -x - 0.5, -1, 0),
    ),
    "bce of 0": (lambda x: F.binary_cross_entropy_with_logits(x, zeros(x), "none"), *RAMP),
    "bce of 1": (
        lambda x: F.binary_cross_entropy_with_logits(x, ones(x), "none"),
        (lambda x: 0 * x, 0, 0), (lambda x: -x, -1, 0),
    ),
}  # fmt: skip
FAR = {
    "float16": [30.0, 300.0, 1e4, 65504.0],
    "float32": [104.0, 1e4, 1e18, 1e20, 1e38, 3.4028235e38],
    "float64": [750.0, 1e4, 1e150, 1e160, 1e300, 1.7976931348623157e308],
}


def derivatives(f: Callable[[Any], Any], point: Any, orders: int = 2) -> list[Any]:
    """Return the value and derivatives of a function of each number alone, as graphs."""
    x = mg.tensor(point, requires_grad=True)
    found = [f(x)]
    for _ in range(orders):
        if found[-1].requires_grad:
            found += mg.autograd.grad(found[-1], [x], ones(found[-1]), create_graph=True)
        else:
            found.append(zeros(x))
    return [y.numpy() for y in found]


def slope(f: Callable[[Any], Any], point: Any) -> Any:
    """Return the derivative from a sweep over arrays."""
    x = mg.tensor(point, requires_grad=True)
    y = f(x)
    y.backward(ones(y))
    return x.grad.numpy()


@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.parametrize("dtype", FAR)
@pytest.mark.parametrize("name", LIMITS)
def test_limits(name: str, dtype: str, blocks: bool, monkeypatch: Any) -> None:
    f, *sides = LIMITS[name]
    far = np.array(FAR[dtype], dtype)
    if name == "gelu tanh" and dtype != "float16":  # its fifth power must be finite
        far = far[far < {"float32": 1e7, "float64": 1e60}[dtype]]
    count = len(far)
    if blocks:
        monkeypatch.setattr(chain, "WORTH", -(10**9))
        far = np.tile(far, LARGE // count + 1)
    for x, (value, first, second) in zip((far, -far), sides, strict=True):
        with np.errstate(over="ignore"):
            found = derivatives(f, x)
            raw = slope(f, x)
        np.testing.assert_allclose(found[0], value(x), rtol=2e-3 if dtype == "float16" else 1e-6)
        for each, expected in ((found[1], first), (raw, first), (found[2], second)):
            np.testing.assert_allclose(each, expected, atol=1e-8)


def test_the_gelus_of_float16_overflow_nowhere() -> None:
    """Warnings are errors."""
    for f in (F.gelu, lambda x: F.gelu(x, "tanh")):
        derivatives(f, np.array([-65504, -300, 300, 65504], "float16"))


@pytest.mark.parametrize("dtype", FAR)
def test_the_slope_of_the_huber_loss_is_known_at_infinity(dtype: str) -> None:
    found = derivatives(LIMITS["huber"][0], np.array([np.inf, -np.inf], dtype), 1)
    np.testing.assert_array_equal(found, [[np.inf, np.inf], [1, -1]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sigmoid_to_the_last_digits(dtype: str) -> None:
    lowest = {"float32": -87, "float64": -708}[dtype]
    x = np.concatenate([np.linspace(lowest, 40, 50_001), np.linspace(-1e-3, 1e-3, 101)])
    x = x.astype(dtype)
    exact = 1 / (1 + np.exp(-x.astype("longdouble")))
    error = np.abs(mg.sigmoid(x) - exact) / exact
    assert error.max() < 4 * np.finfo(dtype).eps
    assert mg.sigmoid(x).dtype == dtype


@pytest.mark.parity
@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="needs PyTorch")
@pytest.mark.parametrize("dtype", FAR)
@pytest.mark.parametrize(
    "name",
    [
        "sigmoid",
        "tanh",
        "erf",
        "silu",
        "gelu",
        "gelu tanh",
        "softplus",
        "log sigmoid",
        "elu",
        "huber",
    ],
)
def test_as_pytorch_at_all_distances(name: str, dtype: str) -> None:
    import torch

    T = torch.nn.functional
    theirs = {
        "gelu tanh": lambda x: T.gelu(x, approximate="tanh"),
        "log sigmoid": T.logsigmoid,
        "huber": lambda x: T.huber_loss(x, torch.zeros_like(x), reduction="none"),
        **{
            name: getattr(T, name)
            for name in ("sigmoid", "tanh", "silu", "gelu", "softplus", "elu")
        },
        "erf": torch.erf,
    }[name]
    near = [0.3, 2.0, 5.5, 11.0, 12.0, 16.0, 16.5, 20.0, 45.0, 87.0, 88.0, 89.0, 90.0, 100.0, 103.0]
    point = np.array([v for x in (*near, *FAR[dtype]) for v in (x, -x)], dtype)
    x = torch.tensor(point, requires_grad=True)
    expected = [theirs(x)]
    for _ in range(2):
        expected += torch.autograd.grad(
            expected[-1], [x], torch.ones_like(x), create_graph=True, materialize_grads=True
        )
    with np.errstate(over="ignore", invalid="ignore"):
        found = derivatives(LIMITS[name][0], point)
    epsilon = np.finfo(dtype).eps
    for ours, other in zip(found, expected, strict=True):
        there = other.detach().numpy(force=True)
        known = np.isfinite(there)  # the two GELUs are not, far out
        # softplus is linear there from 20 on, which is off by 2e-9
        np.testing.assert_allclose(
            ours[known], there[known], rtol=8 * epsilon, atol=max(8 * epsilon, 5e-9)
        )
