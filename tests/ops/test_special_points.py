"""Kinks, singularities and extremes: the documented derivative, to third order, and no NaN.

Each row gives f, the point x, and at x the value of Σ f and the derivatives of Σ f: the gradient,
then the gradient of the sum of the gradient, and so on. Warnings are errors, so that nothing
overflows or divides by zero on the way either.
"""

import numpy as np
import pytest
from scipy import special

import minigrad as mg

INF, NAN = np.inf, np.nan
ZEROS = [[0.0, 0.0]] * 3
EXPONENTS = np.array([0.0, 1.0, 2.0, 3.0])

POINTS = {
    # norms and deviations at 0, and with a 0 among their elements
    "norm at 0": (mg.norm, [0, 0], 0, *ZEROS),
    "norm 1 at 0": (lambda x: mg.norm(x, 1), [0, 3], 3, [0, 1], [0, 0]),
    "norm 1.5 at 0": (lambda x: mg.norm(x, 1.5), [0, 0], 0, *ZEROS),
    "norm 1.5 beside 0": (lambda x: mg.norm(x, 1.5), [0, 2], 2, [0, 1], [0, 0], [0, 0]),
    "norm 2.5 beside 0": (lambda x: mg.norm(x, 2.5), [0, 2], 2, [0, 1], [0, 0], [0, 0]),
    "norm 3 at 0": (lambda x: mg.norm(x, 3), [0, 0], 0, *ZEROS),
    "norm 4 beside 0": (lambda x: mg.norm(x, 4), [0, 2], 2, [0, 1], [0, 0], [0, 0]),
    "norm inf at 0": (lambda x: mg.norm(x, INF), [0, 0], 0, [0, 0], [0, 0]),
    "norm inf of equals": (lambda x: mg.norm(x, INF), [-3, 3, 1], 3, [-0.5, 0.5, 0]),
    "norm of rows, one 0": (
        lambda x: mg.norm(x, axis=1), [[0, 0], [3, 4]], 5, [[0, 0], [0.6, 0.8]],
        [[0, 0], [0.032, -0.024]],
    ),
    "norm of nothing": (mg.norm, [], 0, []),
    "std of equals": (mg.std, [0.1] * 10, 0, [0] * 10, [0] * 10, [0] * 10),
    "std of 49 equals": (mg.std, [3] * 49, 0, [0] * 49, [0] * 49),
    "std of one": (mg.std, [3], 0, [0], [0], [0]),
    "norm of NaN": (mg.norm, [NAN, 1], NAN, [NAN, NAN]),
    "std of NaN": (mg.std, [NAN, 1], NAN, [NAN, NAN]),
    # pieces
    "abs": (mg.abs, [0, -2], 2, [0, -1], [0, 0]),
    "sign": (mg.sign, [0, -2], -1, [0, 0]),
    "relu": (mg.relu, [0, -1, 2], 2, [0, 0, 1]),
    "floor": (mg.floor, [1, 0.5], 1, [0, 0]),
    "round": (mg.round, [0.5, 1.5], 2, [0, 0]),
    "clip at its bounds": (lambda x: x.clip(0, 1), [0, 1, 2, -1], 2, [1, 1, 0, 0]),
    "clip at infinity": (lambda x: x.clip(0, 1), [INF, -INF], 1, [0, 0]),
    "maximum of equals": (lambda x: mg.maximum(x, 1.0), [1, 2, 0], 4, [0.5, 1, 0]),
    "minimum of equals": (lambda x: mg.minimum(x, 1.0), [1, 2, 0], 2, [0.5, 0, 1]),
    "maximum of -inf": (lambda x: mg.maximum(x, -INF), [-INF, 1], -INF, [0.5, 1]),
    "max of equals": (mg.max, [2, 1, 2], 2, [0.5, 0, 0.5]),
    "min of equals": (mg.min, [1, 1, 1, 2], 1, [1 / 3, 1 / 3, 1 / 3, 0]),
    "max of infinities": (mg.max, [INF, INF, 0], INF, [0.5, 0.5, 0]),
    "max of rows": (lambda x: x.max(1), [[1, 1], [1, 2]], 3, [[0.5, 0.5], [0, 1]]),
    # powers
    "x ** 0": (lambda x: x**0, [0, 2], 2, [0, 0]),
    "x ** 1": (lambda x: x**1, [0, 2], 2, [1, 1], [0, 0]),
    "x ** 2": (lambda x: x**2, [0, 2], 4, [0, 4], [2, 2], [0, 0]),
    "x ** 3": (lambda x: x**3, [0, 2], 8, [0, 12], [0, 12], [6, 6]),
    "x ** tensor at 0": (
        lambda x: x ** mg.tensor(EXPONENTS), [0] * 4, 1, [0, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 6],
    ),
    "x ** tensor below 0": (
        lambda x: x ** mg.tensor(EXPONENTS), [-2] * 4, -5, [0, 1, -4, 12], [0, 0, 2, -12],
        [0, 0, 0, 6],
    ),
    "0 ** x": (lambda x: 0.0**x, [1, 2], 0, [0, 0], [0, 0], [0, 0]),
    "cube root of a square": (lambda x: mg.square(x) ** 0.5, [1, -3], 4, [1, -1]),
    # products with zeros
    "prod, one 0": (mg.prod, [0, 2, 3], 0, [6, 0, 0], [5, 3, 2], [2, 2, 2]),
    "prod, two 0": (mg.prod, [0, 2, 0], 0, [0, 0, 0], [2, 0, 2], [2, 2, 2]),
    "prod, three 0": (mg.prod, [0, 0, 0], 0, [0, 0, 0], [0, 0, 0], [2, 2, 2]),
    "prod of nothing": (mg.prod, [], 1, []),
    # exponentials far out
    "sigmoid": (mg.sigmoid, [1000, -1000, 0], 1.5, [0, 0, 0.25], [0, 0, 0], [0, 0, -0.125]),
    "sigmoid at infinity": (mg.sigmoid, [INF, -INF], 1, [0, 0], [0, 0], [0, 0]),
    "softplus": (
        mg.softplus, [1000, -1000, 0], 1000 + np.log(2), [1, 0, 0.5], [0, 0, 0.25], [0, 0, 0],
    ),
    "softplus at infinity": (mg.softplus, [INF, -INF], INF, [1, 0], [0, 0], [0, 0]),
    "tanh": (mg.tanh, [1000, -1000], 0, [0, 0], [0, 0], [0, 0]),
    "erf": (mg.erf, [100, -100, INF, -INF], 0, [0] * 4),
    "softmax": (
        lambda x: mg.softmax(x)[0], [1e4, -1e4, 0], 1, [0, 0, 0], [0, 0, 0], [0, 0, 0],
    ),
    "softmax with -inf": (lambda x: mg.softmax(x)[1], [-INF, 0, 0], 0.5, [0, 0.25, -0.25]),
    "log_softmax": (
        lambda x: mg.log_softmax(x)[1], [1e4, -1e4, 0], -2e4, [-1, 1, 0], [0, 0, 0], [0, 0, 0],
    ),
    "logsumexp": (mg.logsumexp, [1e4, 1e4, -1e4], 1e4 + np.log(2), [0.5, 0.5, 0], [0, 0, 0]),
    "logsumexp with -inf": (mg.logsumexp, [-INF, 1, 1], 1 + np.log(2), [0, 0.5, 0.5], [0, 0, 0]),
    "logsumexp of -inf": (mg.logsumexp, [-INF, -INF], -INF, *ZEROS),
    "logsumexp of -inf in a row": (
        lambda x: mg.logsumexp(x, 1)[1], [[-INF, -INF], [0, 0]], np.log(2), [[0, 0], [0.5, 0.5]],
    ),
    # what was not chosen
    "where, a constant infinity": (
        lambda x: mg.where(x > 0, x * x, INF), [2, 3], 13, [4, 6], [2, 2], [0, 0],
    ),
    "where guarding a division": (
        lambda x: mg.where(x > 0, 1 / mg.where(x > 0, x, 1), 0), [0, 2], 0.5, [0, -0.25],
        [0, 0.25], [0, -0.375],
    ),
    "sum with an infinity": (mg.sum, [INF, 1], INF, [1, 1]),
}  # fmt: skip


@pytest.mark.parametrize("name", POINTS)
def test_value_and_derivatives(name):
    f, point, value, *derivatives = POINTS[name]
    x = mg.tensor(np.array(point, dtype=np.float64), requires_grad=True)
    y = f(x).sum()
    np.testing.assert_allclose(y.item(), value, rtol=1e-14, atol=1e-300)
    for expected in derivatives:
        if not y.requires_grad:
            assert not np.any(expected), "the derivative is constant"
            break
        plain = mg.autograd.grad(y, x, retain_graph=True)[0]
        (g,) = mg.autograd.grad(y, x, create_graph=True)
        for gradient in (plain, g):
            np.testing.assert_allclose(gradient.numpy(), np.array(expected), rtol=1e-12, atol=1e-12)
        y = g.sum()


def test_where_gives_nothing_to_what_was_not_chosen():
    a = mg.tensor([1.0, 2.0], requires_grad=True)
    b = mg.tensor([INF, 3.0], requires_grad=True)
    (mg.where(np.array([True, False]), a, b) * 5.0).sum().backward()
    assert a.grad.tolist() == [5, 0]
    assert b.grad.tolist() == [0, 5]


def test_mixed_derivatives_of_a_power():
    """∂²/∂a∂b aᵇ = aᵇ⁻¹ (1 + b log a): 1/a at b = 0."""
    a = mg.tensor(np.array([2.0, 2.0]), requires_grad=True)
    b = mg.tensor(np.array([0.0, 3.0]), requires_grad=True)
    (by_a,) = mg.autograd.grad((a**b).sum(), a, create_graph=True)
    np.testing.assert_allclose(
        mg.autograd.grad(by_a.sum(), b)[0].numpy(), [0.5, 4 * (1 + 3 * np.log(2))]
    )


def test_the_tail_of_sigmoid_keeps_its_digits():
    x = mg.tensor([-80.0, -20.0, -1e30, 1e30])
    np.testing.assert_allclose(mg.sigmoid(x).numpy()[:2], np.exp([-80.0, -20.0]), rtol=1e-5)
    assert mg.sigmoid(x).dtype == mg.float32
    assert mg.log(mg.sigmoid(x[:1])).item() == pytest.approx(-80, rel=1e-6)


def test_an_index_is_what_it_was():
    """The index of a tensor may change before its gradient is wanted."""
    x, index = mg.ones(3, requires_grad=True), mg.tensor([0, 0, 1])
    y = x[index].sum()
    index[:] = 2
    y.backward()
    assert x.grad.tolist() == [2, 1, 0]


@pytest.mark.parametrize("f", [mg.sqrt, mg.log, lambda x: 1 / x], ids=["sqrt", "log", "div"])
def test_infinite_slopes_stay_infinite(f):
    x = mg.tensor(np.array([0.0]), requires_grad=True)
    with np.errstate(divide="ignore"):
        f(x).sum().backward()
    assert np.isinf(x.grad.item())


@pytest.mark.parametrize("reduce", [mg.mean, mg.var])
def test_statistics_of_nothing_are_nan(reduce):
    assert np.isnan(reduce(mg.zeros(0)).item())
    assert np.isnan(mg.var(mg.ones(1), correction=1).item())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_erf_to_the_last_digits(dtype):
    x = np.concatenate([np.linspace(-7, 7, 100_001), 10.0 ** np.linspace(-36, 2, 20_001)])
    x = x.astype(dtype)
    exact = special.erf(x.astype("float64"))
    scale = np.where(exact == 0, 1, np.abs(exact))
    error = np.abs(mg.erf(x) - exact) / scale
    assert error.max() < {"float32": 4e-7, "float64": 1e-15}[dtype]
    assert mg.erf(x).dtype == dtype
    assert np.isnan(mg.erf(np.array([np.nan], dtype))).all()
    assert mg.erf(np.array([-np.inf, -1e30, 1e30, np.inf], dtype)).tolist() == [-1, -1, 1, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gelu_of_a_large_negative_number_is_0(dtype):
    x = mg.tensor([-60.0, -1e4, -1e15], dtype=dtype, requires_grad=True)
    y = mg.nn.functional.gelu(x)
    y.sum().backward()
    assert not y.numpy().any()
    assert not x.grad.numpy().any()


@pytest.mark.parametrize("f", [mg.softmax, mg.log_softmax])
@pytest.mark.parametrize("shape", [(4, 3), (20, 3), (400, 300)])
def test_a_row_with_infinity_is_nan_and_alone(f, shape):
    """As in PyTorch: ∞ / ∞ is no share, and the others have none of it."""
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    expected = f(x)
    x[1, 1] = x[2, 0] = x[2, 2] = INF
    x[3] = -INF
    x[3, 0] = INF
    expected[1:4] = np.nan
    for axis, array, rows in ((1, x, expected), (0, x.T.copy(), expected.T)):
        with np.errstate(invalid="ignore"):
            found = f(mg.tensor(array), axis).numpy()
        np.testing.assert_allclose(found, rows, rtol=1e-6)


def test_logsumexp_with_infinity_is_infinite():
    x = mg.tensor([[1, INF, 2], [INF, INF, -INF], [1, 2, -INF]], requires_grad=True)
    with np.errstate(invalid="ignore"):
        y = mg.logsumexp(x, 1)
        y.sum().backward()
    np.testing.assert_allclose(y.tolist(), [INF, INF, np.logaddexp(1, 2)], rtol=1e-6)
    assert x.grad[0].tolist()[::2] == [0, 0]
    assert np.isfinite(x.grad[2].numpy()).all()


@pytest.mark.parametrize("f", [mg.softmax, mg.log_softmax])
def test_a_row_of_nothing_but_minus_infinity_is_nan_and_alone(f):
    """As in PyTorch: eˣ has no share in a sum that is 0, and what is NaN has no derivative."""
    x = mg.tensor([[-INF, -INF], [0, 1]], dtype="float64", requires_grad=True)
    g = mg.tensor([[0.0, 0.0], [1.0, 0.0]], dtype="float64")
    with np.errstate(invalid="ignore", divide="ignore"):
        y = f(x)
        y.backward(g)
    alone = mg.tensor([[0, 1]], dtype="float64", requires_grad=True)
    f(alone).backward(g[1:])
    for found, expected in ((y, f(alone)), (x.grad, alone.grad)):
        assert np.isnan(found.numpy()[0]).all()
        np.testing.assert_array_equal(found.numpy()[1], expected.numpy()[0])


@pytest.mark.parametrize("shape", [(15, 3), (16, 1), (16, 32), (40, 33), (200, 7)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log_softmax_of_short_rows_and_long_ones(shape, dtype):
    """Short ones are computed as columns; no number may come from another row."""
    x = (np.random.default_rng(0).normal(size=shape) * 50).astype(dtype)
    x[1, 0], x[2, 0], x[3] = -INF if shape[1] > 1 else 0, np.nan, -1e30
    found, gradient = mg.value_and_grad(lambda x: mg.log_softmax(x, 1).sum())(mg.tensor(x))
    rows = np.isfinite(x).all(axis=1)
    y = mg.log_softmax(mg.tensor(x), 1).numpy()
    assert y.dtype == dtype
    assert y.flags.c_contiguous
    assert np.isnan(found.item())
    tolerance = {"float32": 1e-6, "float64": 1e-15}[dtype]
    expected = special.log_softmax(x.astype("float64"), axis=1)
    np.testing.assert_allclose(y[rows], expected[rows], rtol=tolerance, atol=tolerance * 100)
    assert np.isnan(y[2]).all()
    slope = 1 - shape[1] * special.softmax(x.astype("float64"), axis=1)
    np.testing.assert_allclose(gradient.numpy()[rows], slope[rows], atol=tolerance * 100)


def test_a_row_that_is_masked_as_a_whole_is_given_numbers_first():
    """The way that the docstring of softmax names."""
    scores = mg.tensor([[1.0, 2.0], [3.0, 1.0]], requires_grad=True)
    mask = mg.tensor([[False, False], [True, False]])
    weights = mg.softmax(mg.where(mask | ~mg.any(mask, 1, keepdims=True), scores, -INF))
    weights = mg.where(mask, weights, 0)
    assert weights.tolist() == [[0, 0], [1, 0]]
    weights.sum().backward()
    assert np.isfinite(scores.grad.numpy()).all()
