"""Functions of functions: JAX's meaning, PyTorch's numbers, finite differences."""

import numpy as np
import pytest

import minigrad as mg
from tests.functions import V, W, X, Y, close, f, g, t


def f_torch(x, y):
    import torch

    return (torch.sin(x * y) * torch.exp(y)).sum() + (x**3).sum() * (y @ x).prod()


def numerical(function, x, eps=1e-6):
    """Return the central differences of a function of an array, of shape out + in."""
    x = np.asarray(x, dtype=np.float64)
    columns = []
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = eps
        columns.append((function(x + step) - function(x - step)) / (2 * eps))
    columns = np.array(columns)
    return np.moveaxis(
        columns.reshape(x.shape + columns.shape[1:]), range(x.ndim), range(-x.ndim, 0)
    )


# The numbers -------------------------------------------------------------------------------------


def test_grad_and_value_and_grad():
    value, gradient = mg.value_and_grad(f)(t(X), t(Y))
    assert value.item() == f(t(X), t(Y)).item()
    assert not value.requires_grad
    assert not gradient.requires_grad
    close(gradient, numerical(lambda x: f(t(x), t(Y)).item(), X))
    close(mg.grad(f, 1)(t(X), t(Y)), numerical(lambda y: f(t(X), t(y)).item(), Y))
    close(mg.grad(f, -1)(t(X), t(Y)), mg.grad(f, 1)(t(X), t(Y)))
    both = mg.grad(f, (0, 1))(t(X), t(Y))
    assert isinstance(both, tuple)
    close(both[0], gradient)
    assert both[1].shape == (2, 3)
    assert mg.grad(f, [1])(t(X), t(Y))[0].shape == (2, 3)


def test_hvp_is_the_hessian_times_the_vectors():
    ours = mg.hvp(f, (t(X), t(Y)), (t(V), t(W)))

    def directional(x, y):
        a, b = mg.grad(f, (0, 1))(t(x), t(y))
        return (a * V).sum().item() + (b * W).sum().item()

    close(ours[0], numerical(lambda x: directional(x, Y), X))
    close(ours[1], numerical(lambda y: directional(X, y), Y))


def test_vjp_may_be_called_many_times():
    value, pull = mg.vjp(g, t(X))
    close(value, g(t(X)))
    expected = numerical(lambda x: g(t(x)).numpy(), X)
    for vector in np.eye(4):
        (row,) = pull(t(vector))
        close(row, vector @ expected)
        assert not row.requires_grad


@pytest.mark.parametrize("order", ["forward-over-reverse", "reverse-over-reverse"])
def test_the_orders_of_an_hvp_agree(order):
    ours = mg.hvp(f, (t(X), t(Y)), (t(V), t(W)), order=order)
    whole = mg.hessian(f, (0, 1))(t(X), t(Y))
    close(ours[0], whole[0][0] @ V + (whole[0][1] * W).sum((1, 2)), rtol=1e-12)
    close(mg.vhp(f, (t(X), t(Y)), (t(V), t(W)))[0], ours[0], rtol=1e-12)


def test_jvp():
    value, tangent = mg.jvp(g, (t(X),), (t(V),))
    close(value, g(t(X)))
    close(tangent, numerical(lambda s: g(t(X + s * V)).numpy(), 0.0))
    assert not tangent.requires_grad
    value, tangent = mg.jvp(lambda x: {"a": x * 2, "b": mg.ones(2)}, t(X), t(V))  # one argument
    close(tangent["a"], 2 * V)
    assert tangent["b"].tolist() == [0, 0]


def test_jvps_nest_with_everything():
    def slope(x):
        return mg.jvp(lambda y: mg.sin(y * y).sum(), (x,), (t(V),))[1]

    close(mg.grad(slope)(t(X)), mg.hvp(lambda y: mg.sin(y * y).sum(), t(X), t(V)), rtol=1e-12)
    _, twice = mg.jvp(slope, (t(X),), (t(V),))
    close(twice, (mg.grad(slope)(t(X)) * V).sum(), rtol=1e-12)
    v = t(V, requires_grad=True)
    mg.jvp(lambda x: (x**3).sum(), (t(X),), (v,))[1].backward()
    close(v.grad, 3 * X**2)


@pytest.mark.parametrize("sweep", ["forward", "reverse", "auto"])
def test_jacobian_by_either_sweep(sweep):
    close(mg.jacobian(g, sweep=sweep)(t(X)), numerical(lambda x: g(t(x)).numpy(), X))
    y = t(Y, requires_grad=True)  # so that the result is a graph
    recorded = mg.jacobian(lambda x: mg.exp(y * x), sweep=sweep)(t(X))
    expected = np.exp(Y * X)[..., None] * Y[:, :, None] * np.eye(3)[None]
    close(recorded, expected)
    (recorded * recorded).sum().backward()
    close(y.grad, 2 * np.exp(2 * Y * X) * (Y + X * Y * Y))


def test_ggn_vp_is_the_product_of_its_three_factors():
    def loss(z):
        return (mg.log_softmax(z)[1] ** 2).sum() + mg.exp(z).sum()

    jacobian = numerical(lambda x: g(t(x)).numpy(), X)
    inner = numerical(lambda z: mg.grad(loss)(t(z)).numpy(), g(t(X)).numpy())
    close(mg.ggn_vp(g, loss, t(X), t(V)), jacobian.T @ inner @ jacobian @ V)


def test_a_hook_in_the_graph_of_an_hvp_is_an_error():
    def hooked(x):
        y = x * x
        y.register_hook(lambda g: g * 2)
        return y.sum()

    with pytest.raises(mg.GraphError, match="hook has no second derivative"):
        mg.hvp(hooked, t(X), t(V))
    close(mg.vhp(hooked, t(X), t(V)), 4 * V)


def test_hvp_of_what_passes_parts_of_its_arguments_on():
    """The rules of where and solve get a gradient of which only the tangent is computed."""
    condition, matrix = X > 1, np.diag(Y[0]) + 0.1
    cases = (
        (lambda x: mg.where(condition, x, 0.5), np.diag(condition * 1.0)),
        (lambda x: mg.solve(matrix, x), np.linalg.inv(matrix)),
    )
    for h, j in cases:
        seen = [
            mg.hvp(lambda x, h=h: (h(x) ** 3).sum(), t(X), t(V), order=order)
            for order in ("forward-over-reverse", "reverse-over-reverse")
        ]
        expected = j.T @ (6 * h(t(X)).numpy() * (j @ V))
        for product in seen:
            close(product, expected)
        close(mg.hessian(lambda x, h=h: (h(x) ** 3).sum())(t(X)) @ t(V), expected)


def test_an_exponent_without_axes_loses_no_digits():
    product = mg.hvp(lambda x: (x ** t(1.3)).sum(), t(X), t(V), order="reverse-over-reverse")
    close(product, 1.3 * 0.3 * X**-0.7 * V, rtol=1e-13, atol=0)


def test_jacobian_and_hessian():
    close(mg.jacobian(g)(t(X)), numerical(lambda x: g(t(x)).numpy(), X))
    hessian = mg.hessian(f, 1)(t(X), t(Y))
    assert hessian.shape == (2, 3, 2, 3)
    close(hessian, numerical(lambda y: mg.grad(f, 1)(t(X), t(y)).numpy(), Y))
    flat = hessian.numpy().reshape(6, 6)
    close(flat, flat.T, atol=1e-12)
    blocks = mg.hessian(f, (0, 1))(t(X), t(Y))
    close(blocks[0][1], np.moveaxis(blocks[1][0].numpy(), -1, 0))
    close(blocks[1][1], hessian)
    assert mg.jacobian(lambda x: x[:0] * 2)(t(X)).shape == (0, 3)
    assert mg.jacobian(lambda x: x.sum())(t(X)).shape == (3,)


@pytest.mark.parity
def test_parity_with_torch_func():
    torch = pytest.importorskip(
        "torch", reason="needs the parity extra: pip install minigrad[parity]"
    )
    x, y, v, w = map(torch.tensor, (X, Y, V, W))
    for n in (0, 1):
        close(mg.grad(f, n)(t(X), t(Y)), torch.func.grad(f_torch, n)(x, y), rtol=1e-12)
        close(
            mg.hessian(f, n)(t(X), t(Y)),
            torch.func.jacrev(torch.func.grad(f_torch, n), n)(x, y),
            rtol=1e-10,
        )
    theirs = torch.autograd.functional.hvp(f_torch, (x, y), (v, w))[1]
    for a, b in zip(mg.hvp(f, (t(X), t(Y)), (t(V), t(W))), theirs, strict=True):
        close(a, b, rtol=1e-11)
    third = torch.func.jacrev(torch.func.jacrev(torch.func.grad(f_torch)))(x, y)
    close(mg.jacobian(mg.hessian(f))(t(X), t(Y)), third, rtol=1e-9)
    close(
        mg.jacobian(mg.grad(f), 1)(t(X), t(Y)), torch.func.jacrev(torch.func.grad(f_torch), 1)(x, y)
    )
    _, pull = torch.func.vjp(f_torch, x, y)
    for a, b in zip(
        mg.vjp(f, t(X), t(Y))[1](t(2.0)), pull(torch.tensor(2.0).double()), strict=True
    ):
        close(a, b, rtol=1e-12)


# Nesting -----------------------------------------------------------------------------------------


def test_derivatives_nest():
    quartic = lambda x: x**4 * 2  # noqa: E731
    d = mg.grad(quartic)
    assert [h(t(1.5)).item() for h in (d, mg.grad(d), mg.grad(mg.grad(d)))] == [27.0, 54.0, 72.0]
    assert mg.grad(mg.grad(mg.grad(mg.grad(mg.grad(quartic)))))(t(1.5)).item() == 0.0


def test_an_hvp_inside_a_gradient():
    def curvature(x):
        (h,) = mg.hvp(lambda z: (z**3).sum(), (x,), (t(V),))
        return (h * V).sum()  # Σ 6 x v²

    close(mg.grad(curvature)(t(X)), 6 * V * V)


def test_a_gradient_of_vjp_sees_its_value_and_its_products():
    def through(x):
        value, pull = mg.vjp(lambda z: z**3, x)
        return (value + pull(t(np.ones(3)))[0]).sum()  # Σ x³ + 3x²

    close(mg.grad(through)(t(X)), 3 * X**2 + 6 * X)


def test_a_product_can_be_differentiated_by_its_vector():
    v = t(V, requires_grad=True)
    _, pull = mg.vjp(lambda z: z**3, t(X))
    (pull(v)[0] * W[0]).sum().backward()
    close(v.grad, 3 * X**2 * W[0])
    v = t(V, requires_grad=True)
    (mg.hvp(lambda z: (z**3).sum(), (t(X),), (v,))[0] * W[0]).sum().backward()
    close(v.grad, 6 * X * W[0])


def test_inner_gradients_see_what_they_close_over():
    """∂/∂w of ∂/∂x of Σ sin(w x), where the inner x is a constant."""

    def outer(w):
        return mg.grad(lambda x: mg.sin(w * x).sum())(t(X)).sum()

    close(mg.grad(outer)(t(V)), np.cos(V * X) - V * X * np.sin(V * X))

    def of_hvp(w):
        return mg.hvp(lambda x: (w * x * x).sum(), (t(X),), (t(V),))[0].sum()

    close(mg.grad(of_hvp)(t(V)), 2 * V)

    def of_jacobian(w):
        return mg.jacobian(lambda x: w * x * x)(t(X)).sum()

    close(mg.grad(of_jacobian)(t(V)), 2 * X)

    def of_vjp(w):
        value, pull = mg.vjp(lambda x: w * x * x, t(X))
        return value.sum() + pull(t(np.ones(3)))[0].sum()

    close(mg.grad(of_vjp)(t(V)), X * X + 2 * X)

    def of_value(w):
        return mg.value_and_grad(lambda x: (w * x).sum())(t(X))[0]

    close(mg.grad(of_value)(t(V)), X)


def test_a_closed_over_leaf_gets_its_gradient_by_backward():
    w = t(V, requires_grad=True)
    mg.grad(lambda x: mg.sin(w * x).sum())(t(X)).sum().backward()
    close(w.grad, np.cos(V * X) - V * X * np.sin(V * X))
    with mg.no_grad():
        value, gradient = mg.value_and_grad(lambda x: (w * x).sum())(t(X))
    assert not value.requires_grad
    assert not gradient.requires_grad


def test_an_argument_with_a_graph_passes_the_gradient_on():
    x = t(X, requires_grad=True)
    (mg.grad(lambda z: (z**3).sum())(x * 2).sum()).backward()
    close(x.grad, 24 * X)  # d/dx of 3 (2x)²
    x.grad = None
    mg.grad(lambda z: (z**3).sum())(x)
    assert x.grad is None


def test_jacobian_of_a_jacobian_of_a_hessian():
    h = mg.hessian(lambda x: (x**5).sum())
    fourth = mg.jacobian(mg.jacobian(h))(t(X)).numpy()
    assert fourth.shape == (3,) * 4
    close(np.einsum("iiii->i", fourth), 120 * X)
    assert np.count_nonzero(fourth) == 3
