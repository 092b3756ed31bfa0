"""Second and third derivatives of the fused operations, against differences of lower ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F
from minigrad.testing import gradcheck, gradgradcheck

rng = np.random.default_rng(0)
CLASSES = rng.integers(0, 4, 5)
SOFT = rng.dirichlet(np.ones(4), 5)
GAIN, SHIFT = rng.random(4) + 0.5, rng.standard_normal(4)

TABLE: list[tuple[str, Callable[[Any], Any], Any]] = [
    ("cross_entropy", lambda x: F.cross_entropy(x, CLASSES), (5, 4)),
    ("cross_entropy none", lambda x: F.cross_entropy(x, CLASSES, reduction="none"), (5, 4)),
    ("cross_entropy turned", lambda x: F.cross_entropy(x.T, CLASSES), (4, 5)),
    ("cross_entropy soft", lambda x: F.cross_entropy(x, SOFT), (5, 4)),
    ("cross_entropy smooth", lambda x: F.cross_entropy(x, CLASSES, label_smoothing=0.1), (5, 4)),
    ("target", lambda t: F.cross_entropy(SOFT.copy(), t, label_smoothing=0.1), (5, 4)),
    ("bce", lambda x: F.binary_cross_entropy_with_logits(x, SOFT), (5, 4)),
    ("batch_norm", lambda x: F.batch_norm(x, weight=GAIN, bias=SHIFT, training=True), (5, 4)),
    ("batch_norm images", lambda x: F.batch_norm(x, training=True), (2, 3, 2, 2)),
    ("layer_norm", lambda x: F.layer_norm(x, 4, GAIN, SHIFT), (5, 4)),
    ("layer_norm of two axes", lambda x: F.layer_norm(x, (3, 2)), (2, 3, 2)),
    ("layer_norm of all", lambda x: F.layer_norm(x, (4,)), (4,)),
    ("gelu", F.gelu, (5,)),
    ("gelu tanh", lambda x: F.gelu(x, "tanh"), (5,)),
    ("silu", F.silu, (5,)),
    ("elu", lambda x: F.elu(x, 0.7), (5,)),
    ("lecun_tanh", F.lecun_tanh, (5,)),
    ("softplus", lambda x: F.softplus(x, 2.0), (5,)),
    ("huber", lambda x: F.huber_loss(3 * x, mg.zeros(5), delta=0.8), (5,)),
]


def inputs(shape: tuple[int, ...]) -> Any:
    return mg.tensor(np.random.default_rng(1).standard_normal(shape), requires_grad=True)


@pytest.mark.parametrize(("f", "shape"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_first_and_second_derivatives(f: Callable[[Any], Any], shape: tuple[int, ...]) -> None:
    x = inputs(shape)
    assert gradcheck(f, x)
    assert gradgradcheck(f, x)


@pytest.mark.parametrize(("f", "shape"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_third_derivatives(f: Callable[[Any], Any], shape: tuple[int, ...]) -> None:
    """The gradient of vᵀHv against central differences of it."""
    x = inputs(shape)
    v = np.random.default_rng(2).standard_normal(shape)
    with mg.no_grad():
        size = f(x).shape
    weights = np.random.default_rng(3).standard_normal(size)

    def curvature(z: Any) -> Any:
        gradient = mg.grad(lambda y: (f(y) * weights).sum())
        return (mg.grad(lambda y: (gradient(y) * v).sum())(z) * v).sum()

    assert gradcheck(curvature, x, eps=1e-5, atol=1e-6)


def test_every_parameter_of_the_norms_to_second_order() -> None:
    x = inputs((5, 4))
    gain = mg.tensor(GAIN, requires_grad=True)
    shift = mg.tensor(SHIFT, requires_grad=True)
    assert gradgradcheck(
        lambda *a: F.batch_norm(a[0], None, None, a[1], a[2], True), [x, gain, shift]
    )
    assert gradgradcheck(lambda *a: F.layer_norm(a[0], a[1].shape, a[1], a[2]), [x, gain, shift])


def test_the_deviation_is_a_function_of_the_input() -> None:
    """Where 1/std counts as a constant, the gradient is right and its derivative is not."""
    x = inputs((6, 3))
    v = np.random.default_rng(4).standard_normal((6, 3))
    w = np.random.default_rng(5).standard_normal((6, 3))

    def loss(z: Any) -> Any:
        return (F.batch_norm(z, training=True) ** 3 * w).sum()

    def naive(z: Any) -> Any:
        centred = z - z.mean(0)
        return ((centred / (centred.square().mean(0) + 1e-5).sqrt()) ** 3 * w).sum()

    ours, plain = (mg.hvp(f, [x], [v])[0].numpy() for f in (loss, naive))
    np.testing.assert_allclose(ours, plain, rtol=1e-10, atol=1e-12)


def test_penalties_to_second_order() -> None:
    w = inputs((3, 2))
    l1, l2 = nn.L1Penalty([w], 0.3), nn.L2Penalty([w], 0.3)
    assert mg.autograd.grad(l1(), [w])[0].tolist() == (0.3 * np.sign(w.numpy())).tolist()
    v = np.ones((3, 2))
    (gradient,) = mg.autograd.grad(l2(), [w], create_graph=True)
    (product,) = mg.autograd.grad((gradient * v).sum(), [w])
    np.testing.assert_allclose(product.numpy(), 0.6 * v, rtol=1e-15)
