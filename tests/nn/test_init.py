"""Initializers: bounds and deviations by their formulas, and what they do to a deep net."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

import minigrad as mg
from minigrad import nn
from minigrad.nn import init

OUT, IN = 300, 200
# name, function, standard deviation, bound of a uniform distribution (None: normal)
TABLE: list[tuple[str, Callable[[Any], Any], float, float | None]] = [
    ("uniform", lambda w: init.uniform_(w, -2, 2), 4 / math.sqrt(12), 2),
    ("normal", lambda w: init.normal_(w, 0, 0.3), 0.3, None),
    ("xavier_uniform", init.xavier_uniform_, math.sqrt(2 / 500), math.sqrt(6 / 500)),
    (
        "xavier_uniform gain",
        lambda w: init.xavier_uniform_(w, gain=init.calculate_gain("tanh")),
        5 / 3 * math.sqrt(2 / 500),
        5 / 3 * math.sqrt(6 / 500),
    ),
    ("xavier_normal", init.xavier_normal_, math.sqrt(2 / 500), None),
    ("kaiming_uniform", init.kaiming_uniform_, math.sqrt(2 / 200), math.sqrt(6 / 200)),
    ("kaiming_normal", init.kaiming_normal_, math.sqrt(2 / 200), None),
    (
        "kaiming_normal out",
        lambda w: init.kaiming_normal_(w, mode="fan_out"),
        math.sqrt(2 / 300),
        None,
    ),
    (
        "kaiming_normal leaky",
        lambda w: init.kaiming_normal_(w, a=0.2),
        math.sqrt(2 / 1.04 / 200),
        None,
    ),
    (
        "kaiming_uniform of √5",
        lambda w: init.kaiming_uniform_(w, a=math.sqrt(5)),
        1 / math.sqrt(600),
        1 / math.sqrt(200),
    ),
    (
        "kaiming_normal selu",
        lambda w: init.kaiming_normal_(w, nonlinearity="selu"),
        0.75 / math.sqrt(200),
        None,
    ),
    ("lecun_uniform", init.lecun_uniform_, math.sqrt(1 / 200), math.sqrt(3 / 200)),
    ("lecun_normal", init.lecun_normal_, math.sqrt(1 / 200), None),
    ("plain_uniform", init.plain_uniform_, 1 / math.sqrt(600), 1 / math.sqrt(200)),
    ("orthogonal", init.orthogonal_, 1 / math.sqrt(300), None),
]


@pytest.mark.parametrize(("name", "fill", "std", "bound"), TABLE, ids=[row[0] for row in TABLE])
def test_distribution(name: str, fill: Any, std: float, bound: float | None) -> None:
    mg.manual_seed(0)
    layer = nn.Linear(IN, OUT)
    memory = layer.weight.data
    assert fill(layer.weight) is layer.weight
    assert layer.weight.data is memory
    assert layer.weight.data.T.flags.c_contiguous
    values = layer.weight.numpy().reshape(-1).astype("float64")
    # A mean of n numbers deviates by std/√n, the standard deviation by about std/√(2n).
    assert abs(values.mean()) < 5 * std / math.sqrt(values.size)
    assert abs(values.std() - std) < 5 * std / math.sqrt(2 * values.size)
    if bound is not None:
        assert np.abs(values).max() <= bound * (1 + 1e-6)
        assert stats.kstest((values[::7] + bound) / (2 * bound), "uniform").pvalue > 1e-3
    else:
        assert stats.kstest(values[::7] / std, "norm").pvalue > 1e-3


def test_constants() -> None:
    w = nn.Parameter(mg.randn(2, 3))
    assert init.zeros_(w).tolist() == [[0] * 3] * 2
    assert init.ones_(w).tolist() == [[1] * 3] * 2
    assert init.constant_(w, 0.5).tolist() == [[0.5] * 3] * 2


@pytest.mark.parametrize("shape", [(3, 8), (8, 3), (5, 5), (4, 3, 2)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    w = init.orthogonal_(mg.zeros(shape, dtype="float64"), gain=2).numpy()
    matrix = w.reshape(shape[0], -1)
    rows, columns = matrix.shape
    product = matrix @ matrix.T if rows <= columns else matrix.T @ matrix
    np.testing.assert_allclose(product, 4 * np.eye(min(rows, columns)), atol=1e-12)


def test_orthogonal_matrices_are_equally_likely() -> None:
    """The signs of QR are undone: a corner's element is negative as often as not."""
    mg.manual_seed(0)
    negative = sum(init.orthogonal_(mg.zeros((3, 3)))[0, 0].item() < 0 for _ in range(1000))
    assert 420 < negative < 580


def test_fans_of_images_and_gains() -> None:
    assert init.fans(mg.zeros((8, 4, 3, 5))) == (60, 120)
    assert init.calculate_gain("linear") == init.calculate_gain("sigmoid") == 1
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("leaky_relu", 1.0) == 1
    assert init.he_normal_ is init.kaiming_normal_
    assert init.glorot_uniform_ is init.xavier_uniform_


def test_the_seed_decides_and_the_layout_does_not() -> None:
    for fill in init.SCHEMES.values():
        mg.manual_seed(5)
        first = fill(mg.zeros((4, 6))).numpy()
        mg.manual_seed(5)
        np.testing.assert_array_equal(fill(nn.Linear(6, 4).weight.detach() * 0).numpy() * 0, 0)
        mg.manual_seed(5)
        turned = mg.Tensor.of(mg.zeros((6, 4)).data.T)
        np.testing.assert_array_equal(fill(turned).numpy(), first)


def test_filling_is_noticed_by_graphs_and_not_recorded() -> None:
    layer = nn.Linear(3, 2)
    loss = layer(mg.ones((1, 3), requires_grad=True)).sum()
    init.xavier_normal_(layer.weight)
    assert layer.weight.is_leaf
    with pytest.raises(mg.GraphError, match="modified in place"):
        loss.backward()


def test_linear_starts_as_in_pytorch_unless_told() -> None:
    mg.manual_seed(0)
    layer = nn.Linear(400, 300)
    for p in (layer.weight, layer.bias):
        assert np.abs(p.numpy()).max() <= 0.05
    assert layer.weight.numpy().std() == pytest.approx(0.05 / math.sqrt(3), rel=0.02)
    other = nn.Linear(400, 300, init=init.kaiming_normal_)
    assert other.weight.numpy().std() == pytest.approx(math.sqrt(2 / 400), rel=0.02)
    assert not other.bias.numpy().any()


def test_he_keeps_a_deep_relu_network_alive_and_xavier_does_not() -> None:
    """30 layers of width 128: std of the logits .88 against 4.8e-5, in theory √2⁻²⁹ = 4.3e-5 of it.

    Random matrices scatter: the mean of the logarithm over seeds is compared.
    """
    x = np.random.default_rng(0).standard_normal((256, 784)).astype("float32")
    found = {}
    for name, fill in (("he", init.he_normal_), ("xavier", init.xavier_normal_)):
        logs = []
        for seed in range(5):
            mg.manual_seed(seed)
            sizes = [784] + [128] * 29 + [10]
            layers = [nn.Linear(a, b, init=fill) for a, b in itertools.pairwise(sizes)]
            with mg.no_grad():
                h = mg.tensor(x)
                for layer in layers[:-1]:
                    h = layer(h).relu()
                logs.append(math.log(layers[-1](h).numpy().std()))
        found[name] = math.exp(np.mean(logs))
    assert 0.3 < found["he"] < 2.5
    assert 1e-5 < found["xavier"] < 2e-4


ERRORS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: init.xavier_normal_(mg.zeros(3)), mg.ShapeError, r"not \(3,\); fill vectors"),
    (lambda: init.orthogonal_(mg.zeros(3)), mg.ShapeError, r"not \(3,\)"),
    (lambda: init.calculate_gain("swish"), ValueError, "known are linear, sigmoid"),
    (
        lambda: init.kaiming_normal_(mg.zeros((2, 2)), mode="in"),
        ValueError,
        '"fan_in" or "fan_out"',
    ),
    (lambda: init.uniform_(mg.zeros(2), 1, 0), ValueError, "low 1 must not be above high 0"),
    (lambda: init.normal_(mg.zeros(2), 0, -1), ValueError, "std must not be negative, and is -1"),
]


@pytest.mark.parametrize(("call", "error", "message"), ERRORS)
def test_errors(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
