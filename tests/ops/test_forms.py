"""The other spellings of an operation: operators, methods, mixed operands, in-place operators."""

import operator

import numpy as np
import pytest

import minigrad as mg
from minigrad import ops
from minigrad.ops import methods

X = np.array([[0.5, 1.5, 2.0], [1.0, 0.25, 3.0]], dtype=np.float32)
Y = np.array([2.0, 0.5, 1.0], dtype=np.float32)

OPERATORS = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.lt,
    operator.le, operator.gt, operator.ge, operator.eq, operator.ne,
]  # fmt: skip


@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.__name__)
@pytest.mark.parametrize(
    "other",
    [2, 2.5, True, np.float64(2.5), np.float32(2.5), np.int64(2), Y, Y.tolist(), X.tolist()],
    ids=lambda other: type(other).__name__,
)
def test_operators_mix_with_numbers_arrays_and_lists_on_either_side(op, other):
    """A NumPy scalar is a number: float32 stays float32."""
    plain = np.asarray(other, np.float32)
    for left, right, expected in [
        (mg.tensor(X), other, op(X, plain)),
        (other, mg.tensor(X), op(plain, X)),
    ]:
        y = op(left, right)
        assert type(y) is mg.Tensor
        assert y.dtype == expected.dtype
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("op", OPERATORS[:5], ids=lambda op: op.__name__)
def test_operators_differentiate_on_either_side(op):
    y = mg.tensor(Y, requires_grad=True)
    for function in (
        lambda y: op(y, X),
        lambda y: op(X, y),
        lambda y: op(y, 2),
        lambda y: op(2, y),
    ):
        z = function(y)
        (g,) = mg.autograd.grad(z, y, mg.ones(z.shape))
        assert g.dtype == np.float32
        double = mg.tensor(Y.astype(np.float64), requires_grad=True)
        assert mg.testing.gradcheck(function, double)
        z = function(double)
        (expected,) = mg.autograd.grad(z, double, mg.ones(z.shape))
        np.testing.assert_allclose(g.numpy(), expected.numpy(), rtol=1e-5)


def test_a_float64_array_is_a_wish_for_float64_and_a_scalar_is_not():
    x = mg.tensor(Y)
    assert (x * Y.astype(np.float64)).dtype == np.float64
    assert (x * np.float64(2)).dtype == np.float32
    assert (x / np.sqrt(2)).dtype == np.float32
    assert (mg.tensor([1, 2]) * np.float64(0.5)).dtype == np.float32
    assert (mg.tensor([1, 2]) + 1).dtype == np.int64
    assert mg.sqrt(mg.tensor([True])).dtype == np.float32
    assert mg.exp(mg.tensor(np.array([3], np.uint8))).item() == pytest.approx(np.exp(3), rel=1e-6)


def test_matrix_product_operator():
    x, w = mg.tensor(X), mg.tensor(X.T)
    for y in (x @ w, X @ w, x @ X.T, x @ X.T.tolist()):
        assert type(y) is mg.Tensor
        np.testing.assert_allclose(y.numpy(), X @ X.T, rtol=1e-6)


def test_unary_operators_and_properties():
    x = mg.tensor(X)
    np.testing.assert_array_equal((-x).numpy(), -X)
    np.testing.assert_array_equal(abs(-x).numpy(), X)
    np.testing.assert_array_equal((~(x > 1)).numpy(), X <= 1)
    np.testing.assert_array_equal(x.T.numpy(), X.T)
    np.testing.assert_array_equal(x.mT.numpy(), X.T)


def test_masks_combine_with_tensors_and_arrays():
    low, high = mg.tensor(X) > 0.4, mg.tensor(X) < 2
    expected = (X > 0.4) & (X < 2)
    for mask in (low & high, low & (X < 2), (X > 0.4) & high):
        assert type(mask) is mg.Tensor
        np.testing.assert_array_equal(mask.numpy(), expected)
    np.testing.assert_array_equal(((X > 9) | high).numpy(), X < 2)


def test_methods_are_the_functions():
    x = mg.tensor(X)
    assert x.sum(0).tolist() == mg.sum(x, 0).tolist()
    assert x.mean(axis=1, keepdims=True).shape == (2, 1)
    assert x.reshape(3, 2).tolist() == x.reshape((3, 2)).tolist() == mg.reshape(x, 3, 2).tolist()
    assert x.permute(1, 0).tolist() == x.transpose(1, 0).tolist() == x.transpose().tolist()
    assert x.expand(4, -1, -1).shape == (4, 2, 3)
    assert x.clip(1, 2).max().item() == 2
    assert [piece.shape for piece in x.split([1, 1])] == [(1, 3), (1, 3)]
    assert x.scatter_add([[0, 0, 0]], 1.0, 0).tolist()[0] == (X[0] + 1).tolist()
    for module, names in methods._METHODS.items():
        for name in names:
            assert getattr(mg.Tensor, name).__doc__ == getattr(module, name).__doc__


def test_every_operation_has_a_docstring_and_is_public():
    for name in ops.__all__:
        assert getattr(mg, name).__doc__, name


def test_iteration_and_unpacking_differentiate():
    x = mg.tensor(X, requires_grad=True)
    first, second = x
    a, b, c = first
    (a * b * c + second.sum() * 2).backward()
    np.testing.assert_allclose(x.grad.numpy(), [[3, 1, 0.75], [2, 2, 2]])


def test_arrays_in_arrays_out():
    """Operations work on raw arrays too: derivative rules rest on it."""
    for y in (mg.exp(X), mg.sum(X, 0), mg.matmul(X, Y), mg.softmax(X), mg.concatenate([X, X])):
        assert type(y) is np.ndarray
        assert y.dtype == np.float32


def test_in_place_operators():
    x = mg.tensor(X)
    memory, expected = x.data, X.copy()
    for op in (operator.iadd, operator.isub, operator.imul, operator.itruediv):
        for other in (mg.tensor(Y), Y, 2.0, np.float64(1.5)):
            x, expected = op(x, other), op(expected, getattr(other, "data", other))
    assert x.data is memory
    assert x.dtype == np.float32
    np.testing.assert_allclose(memory, expected, rtol=1e-5)


def test_in_place_operators_do_not_change_shape_or_kind():
    x = mg.tensor(Y)
    with pytest.raises(ValueError, match="shape"):
        x += mg.tensor(X)
    i = mg.tensor([1, 2])
    with pytest.raises(TypeError, match="int64"):
        i += 0.5


def test_gradients_of_0d_tensors_are_tensors_around_arrays():
    """NumPy turns 0-d results into scalars; a gradient must not become one."""
    x = mg.tensor(np.array(2.0), requires_grad=True)
    (mg.exp(-x) * x).backward()
    assert type(x.grad.data) is np.ndarray
    assert mg.exp(x.grad).dtype == np.float64
    x.grad += 1.0
    x = mg.tensor(2.0, requires_grad=True)
    (x * x).backward()
    assert type(x.grad.data) is np.ndarray
    assert x.grad.dtype == np.float32


def test_a_list_is_an_operand_of_constants():
    a = mg.tensor(3.0, requires_grad=True)
    for f in (lambda x: mg.ones(2) * x, lambda x: x + mg.ones(2), lambda x: mg.sum(x)):
        with pytest.raises(mg.GraphError, match=r"lost; join them first, with mg\.stack"):
            f([a, 1.0])
    with pytest.raises(mg.GraphError, match=r"mg\.stack"):
        mg.ones((1, 2)) @ [[1.0], (a,)]
    with mg.no_grad():
        assert (mg.ones(2) * [a, 1.0]).tolist() == [3, 1]
    assert (mg.ones(2) * [a.detach(), 1]).tolist() == [3, 1]
    assert (mg.ones(2) * mg.stack([a, a])).sum().requires_grad
