"""What functions of functions take and refuse: trees, dtypes, numbers, lists."""

from collections import namedtuple

import numpy as np
import pytest

import minigrad as mg
from tests.functions import V, X, Y, close, f, g, t

Pair = namedtuple("Pair", "a b")


def test_arguments_may_be_trees():
    tree = {"w": [t(X), t(V)], "pair": Pair(t(2.0), (t(3.0),))}

    def loss(p):
        return (p["w"][0] * p["w"][1]).sum() * p["pair"].a * p["pair"].b[0]

    gradient = mg.grad(loss)(tree)
    assert list(gradient) == ["w", "pair"]
    assert isinstance(gradient["w"], list)
    assert isinstance(gradient["pair"], Pair)
    close(gradient["w"][0], 6 * V)
    close(gradient["pair"].a, 3 * (X @ V))
    close(gradient["pair"].b[0], 2 * (X @ V))
    vectors = {"pair": Pair(t(0.0), (t(1.0),)), "w": [t(np.zeros(3)), t(np.ones(3))]}
    (product,) = mg.hvp(loss, (tree,), (vectors,))  # the order of the keys does not matter
    close(product["w"][0], 6 + 2 * V)
    close(product["pair"].b[0], 2 * X.sum())
    jacobian = mg.jacobian(lambda p: {"twice": p["w"][0] * 2, "sum": p["w"][1].sum()})(tree)
    close(jacobian["twice"]["w"][0], 2 * np.eye(3))
    close(jacobian["sum"]["w"][1], np.ones(3))
    assert jacobian["twice"]["pair"].a.shape == (3,)
    blocks = mg.hessian(loss)(tree)
    close(blocks["w"][0]["w"][1], 6 * np.eye(3))
    close(blocks["pair"].a["pair"].b[0], X @ V)
    value, pull = mg.vjp(lambda p: Pair(p["w"][0] * 2, p["pair"].a), tree)
    assert isinstance(value, Pair)
    close(pull((t(V), t(1.0)))[0]["w"][0], 2 * V)


def test_what_f_does_not_depend_on_gets_zeros():
    x = t([np.inf, np.nan, 1.0])
    assert mg.grad(lambda x, y: (y * y).sum())(x, t(Y)).tolist() == [0, 0, 0]
    assert mg.grad(lambda x: t(1.0))(t(X)).tolist() == [0, 0, 0]
    assert mg.vjp(lambda x: t(Y), t(X))[1](t(Y))[0].tolist() == [0, 0, 0]
    assert mg.hvp(lambda x: x.sum(), (t(X),), (t(V),))[0].tolist() == [0, 0, 0]
    assert mg.hessian(lambda x: x.sum())(t(X)).shape == (3, 3)
    assert mg.jacobian(lambda x: mg.ones(2))(t(X)).tolist() == [[0, 0, 0]] * 2
    assert mg.jacobian(lambda x: x / 0.5)(t([np.inf, 1.0])).tolist() == [[2, 0], [0, 2]]


def test_numbers_and_arrays_are_arguments_too():
    assert mg.grad(lambda x: x**3)(2.0).item() == 12.0
    assert mg.grad(lambda x: x**3)(2.0).dtype == mg.float32
    assert mg.grad(lambda x: (x * x).sum())(X).dtype == mg.float64
    assert mg.grad(lambda x: (x * x).sum())(t(X).astype(mg.float32)).dtype == mg.float32
    assert mg.hvp(lambda x: (x**3).sum(), (X,), (V.tolist(),))[0].dtype == mg.float64
    assert mg.grad(lambda x, scale, *, shift: x * scale + shift)(2.0, 5, shift=1).item() == 5.0


def test_hvp_of_one_argument_needs_no_tuple():
    close(mg.hvp(lambda x: (x**3).sum(), t(X), t(V)), 6 * X * V)
    close(mg.hvp(lambda x: (x**3).sum(), X, V), 6 * X * V)
    assert mg.hvp(lambda x: x**3, 2.0, 1.0).item() == 12
    close(mg.hvp(lambda p: (p["a"] ** 3).sum(), {"a": t(X)}, {"a": t(V)})["a"], 6 * X * V)


def test_blocks_of_a_hessian_can_be_changed_each_for_itself():
    blocks = mg.hessian(lambda x, y: x.sum() ** 2 * (y * y).sum(), argnums=(0, 1))(t(X), t(V))
    before = blocks[1][0].tolist()
    blocks[0][1][...] = 7
    assert blocks[1][0].tolist() == before


def test_arguments_are_left_alone():
    x = t(X)
    mg.grad(lambda z: (z * z).sum())(x)
    assert not x.requires_grad
    assert x.grad is None


INCORRECT = {
    "grad of a vector": (lambda: mg.grad(lambda x: x * 2)(t(X)), mg.GraphError, r"shape \(3,\)"),
    "grad of a number": (lambda: mg.grad(lambda x: 2.0)(t(X)), mg.GraphError, "not float"),
    "hvp of a vector": (lambda: mg.hvp(lambda x: x, (t(X),), (t(V),)), mg.GraphError, "hvp needs"),
    "hvp, wrong shape": (
        lambda: mg.hvp(lambda x: x.sum(), (t(X),), (t(Y),)),
        mg.ShapeError,
        r"hvp: a vector of shape \(2, 3\) for a tensor of shape \(3,\)",
    ),
    "hvp, too few": (lambda: mg.hvp(f, (t(X), t(Y)), (t(X),)), mg.ShapeError, "2 tensors"),
    "hvp, wrong keys": (
        lambda: mg.hvp(lambda p: p["a"], ({"a": t(1.0)},), ({"b": t(1.0)},)),
        mg.ShapeError,
        r"\['a'\]",
    ),
    "hvp of one argument, wrong shape": (
        lambda: mg.hvp(lambda x: x.sum(), t(X), t(Y)),
        mg.ShapeError,
        r"\(2, 3\).*\(3,\)",
    ),
    "hessian of a vector": (
        lambda: mg.hessian(lambda x: x * 2)(t(X)),
        mg.GraphError,
        r"hessian needs .* one element, not a Tensor of shape \(3,\); reduce it.* mg.jacobian",
    ),
    "vjp, wrong shape": (lambda: mg.vjp(g, t(X))[1](t(X)), mg.ShapeError, r"\(3,\).*\(4,\)"),
    "argnums": (lambda: mg.grad(f, 2)(t(X), t(Y)), IndexError, "argnums 2 .* 2 arguments"),
    "integer tensors": (lambda: mg.grad(mg.sum)(mg.tensor([1, 2])), TypeError, "int64.*astype"),
    "integers": (lambda: mg.grad(lambda x: x * 1.0)(3), TypeError, "3 is an integer.*give 3.0"),
    "jacobian of a number": (lambda: mg.jacobian(lambda x: 1.0)(t(X)), mg.GraphError, "not float"),
    "ggn_vp of two": (
        lambda: mg.ggn_vp(lambda x: (x, x), lambda y: y[0].sum(), t(X), t(V)),
        mg.GraphError,
        "ggn_vp needs a function that returns one Tensor, not tuple",
    ),
    "a list in an operation": (  # its gradient would be 0
        lambda: mg.grad(lambda x: (mg.ones(2) * x).sum())([1.0, 2.0]),
        mg.GraphError,
        "gradients of the Tensors in it would be lost; join them first, with mg.stack",
    ),
    "jvp of a number": (
        lambda: mg.jvp(lambda x: (x, 1.0), t(X), t(V)),
        mg.GraphError,
        "jvp needs a function that returns Tensors, not float",
    ),
    "vjp of nothing": (
        lambda: mg.vjp(lambda x: None, t(X)),
        mg.GraphError,
        "vjp needs a function that returns Tensors, not NoneType",
    ),
}


@pytest.mark.parametrize("name", INCORRECT)
def test_errors_explain_themselves(name):
    cause, error, message = INCORRECT[name]
    with pytest.raises(error, match=message):
        cause()


def squares(x):
    return (x * x).sum()


@pytest.mark.parametrize(
    ("derivative", "said"),
    [
        (lambda x: mg.grad(squares)(x), "can't multiply sequence"),
        (lambda x: mg.value_and_grad(lambda x: x.sum())(x), "'list' object has no attribute 'sum'"),
        (lambda x: mg.hessian(squares)(x), "can't multiply sequence"),
        (lambda x: mg.jacobian(squares)(x), "can't multiply sequence"),
        (lambda x: mg.vjp(squares, x), "can't multiply sequence"),
        (lambda x: mg.jvp(squares, x, x), "1 positional argument but 2 were given"),
        (lambda x: mg.hvp(squares, x, x), "1 positional argument but 2 were given"),
        (lambda x: mg.vhp(squares, x, x), "1 positional argument but 2 were given"),
    ],
)
def test_a_list_of_numbers_is_no_vector_and_the_error_says_so(derivative, said):
    with pytest.raises((TypeError, AttributeError)) as caught:
        derivative([1.0, 2.5])
    advice = "for one Tensor of them give mg.tensor([1.0, 2.5])"
    assert said in str(caught.value)
    assert str(caught.value).endswith(advice)
    derivative(mg.tensor([1.0, 2.5]))


def test_a_list_of_numbers_is_a_tree_of_them():
    found = mg.grad(lambda p: p[0] * p[1])([2.0, 3.0])
    assert [x.item() for x in found] == [3.0, 2.0]


def test_an_error_that_is_of_no_list_stays_what_it_is():
    with pytest.raises(TypeError, match=r"^an operand is a Tensor[^;]*$"):
        mg.grad(lambda x: x["a"] + None)({"a": mg.tensor([1.0, 2.0])})
    with pytest.raises(KeyError):
        mg.grad(lambda x: {}[0])([1.0, 2.0])
