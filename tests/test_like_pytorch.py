"""Calls as PyTorch's users write them: the same result, or one line that says what to write here.

Names that are others here: `test_elsewhere.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.elsewhere import OF_MODULES
from tests.optim.table import NO_TORCH

F = nn.functional
X = np.random.default_rng(0).standard_normal((4, 5)).astype("float32")
A = np.random.default_rng(1).standard_normal((2, 3, 4)).astype("float32")
V = np.random.default_rng(2).random(5).astype("float32") + 0.5
x, a, v, i = mg.tensor(X), mg.tensor(A), mg.tensor(V), mg.tensor([[0], [1], [2], [3]])

# what is written the same; L is the library, F its functions, and x, a, v the tensors
SAME = """
    a.transpose(0, 1)
    a.transpose(-1, 0)
    x.transpose(0, 1)
    x.transpose(1, 0)
    L.transpose(a, 0, 2)
    a.flatten(1, 2)
    a.flatten(0, 1)
    L.flatten(a, 0, -2)
    nn.Flatten(1, 2)(a)
    nn.Flatten(0)(a)
    nn.Flatten()(a)
    L.einsum("ij,kj->ik", [x, x])
    L.zeros_like(x, dtype=L.float64)
    L.ones_like(x, requires_grad=True)
    L.linspace(0, 1, 5, requires_grad=True)
    x.to("cpu", L.float64)
    x.to(device="cpu", dtype=L.float64)
    nn.Linear(5, 3).to(device="cpu", dtype=L.float64).weight * 0
    F.layer_norm(x, (5,))
    F.layer_norm(x, [5], v)
    F.layer_norm(x, x.shape[1:], v, v, 1e-3)
    F.layer_norm(x, normalized_shape=(5,), weight=v, bias=v, eps=1e-3)
    F.layer_norm(a, (3, 4))
    F.batch_norm(x, v, v * v)
    F.batch_norm(x, v, v * v, v, v, False, 0.1, 1e-3)
    F.batch_norm(x, None, None, training=True)
    F.batch_norm(x, running_mean=v, running_var=v, weight=v, training=True)
    F.batch_norm(a, None, None, v[:3], v[:3], True)
    F.batch_norm(x, v, v, v, v, True, 0.25) + v
    F.prelu(x, v[0])
    F.linear(v, x)
    x.sum(1, True)
    L.softmax(x, 1)
    F.huber_loss(x, x + 1, reduction="sum", delta=0.5)
""".strip().splitlines()


@pytest.mark.parity
@pytest.mark.parametrize("text", [line.strip() for line in SAME])
def test_the_same(text: str) -> None:
    torch = pytest.importorskip("torch", reason=NO_TORCH)

    def of(library: Any, parts: Any) -> Any:
        names = {"x": X, "a": A, "v": V}
        tensors = {name: library.tensor(array) for name, array in names.items()}
        return eval(text, {"L": library, "nn": parts, "F": parts.functional, **tensors})

    expected, found = of(torch, torch.nn).detach().numpy(), of(mg, nn).detach().numpy()
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


TOLD: list[tuple[Callable[[], Any], str]] = [
    # an argument's name
    (lambda: nn.ReLU(inplace=True), "ReLU has no inplace=; nothing is changed in place"),
    (lambda: nn.LeakyReLU(negative_slope=0.2), "LeakyReLU has no negative_slope=; use slope="),
    (lambda: nn.LogSoftmax(dim=1), "LogSoftmax has no dim=; use axis=, as in NumPy"),
    (lambda: nn.Softplus(threshold=20), "it needs none: leave it out"),
    (lambda: nn.MSELoss(size_average=False), 'MSELoss has no size_average=; use reduction="mean"'),
    (lambda: nn.CrossEntropyLoss(weight=v), 'weigh what reduction="none" returns'),
    (lambda: nn.Flatten(start_dim=1), "Flatten has no start_dim=; use start="),
    (lambda: nn.Linear(5, 3, axis=1), "Linear has no axis=; it takes in_features, out_features"),
    (lambda: F.relu(x, inplace=True), "relu has no inplace="),
    (lambda: F.silu(x, inplace=True), "silu has no inplace="),
    (lambda: F.dropout(x, inplace=True), "dropout has no inplace="),
    (lambda: F.linear(input=x, weight=x), "linear has no input=; use x="),
    (lambda: mg.norm(x, p=1), "norm has no p=; use ord="),
    (lambda: x.var(unbiased=False), "var has no unbiased=; use correction="),
    (lambda: x.clip(min=0), "clip has no min=; use low="),
    (lambda: mg.tril(x, diagonal=1), "tril has no diagonal=; use k="),
    (lambda: mg.full((2,), fill_value=1.0), "full has no fill_value=; use value="),
    (lambda: mg.arange(0, end=5), "arange has no end=; use stop="),
    (lambda: mg.zeros(size=(2, 3)), "zeros has no size=; give it by position"),
    (lambda: mg.reshape(x, shape=(2, 10)), "reshape has no shape=; give it by position"),
    (lambda: mg.rand(2, generator=None), "mg.manual_seed"),
    (lambda: nn.init.uniform_(x, a=0.0), "uniform_ has no a=; use low="),
    (lambda: optim.StepLR(None, 1, last_epoch=3), "StepLR has no last_epoch=; .* load_state_dict"),
    (lambda: optim.Adam([x], amsgrad=True), "use optim.AMSGrad"),
    (lambda: optim.LBFGS([x], line_search_fn=None), "use line_search="),
    # a primitive's inputs have no names
    (lambda: mg.exp(input=x), "exp takes x by position, not as input="),
    (lambda: mg.where(x > 0, a=x, b=x), "where takes condition, a, b by position, not as a="),
    (lambda: mg.mul(x, b=x), "mul takes a, b by position, not as b="),
    # too many, twice, too few
    (lambda: nn.ReLU(True), "ReLU takes nothing, and 1 value was given by position"),
    (lambda: F.relu(x, True), "relu takes x, and 2 values were given by position"),
    (lambda: x.sum(0, True, 3), "sum takes axis, keepdims, and 3 values were given"),
    (lambda: F.cross_entropy(x, i, v), r"takes logits, target, ignore_index=, .* and 3 values"),
    (lambda: optim.SGD([x], 0.1, 0.9), r"SGD takes params, lr, momentum=, .* and 3 values"),
    (lambda: mg.sum(x, 1, axis=1), "sum: axis is given twice, by position and by name"),
    (lambda: nn.Linear(5), "Linear needs out_features; it takes in_features, out_features"),
    (lambda: mg.where(x > 0), "where needs a, b; it takes condition, a, b"),
    # another order, another kind
    (lambda: x.gather(1, i), "gather: the index comes before the axis here"),
    (lambda: x.scatter_add(1, i, x[:, :1]), "scatter_add: the index comes before the axis"),
    (lambda: mg.max(x, x), r"not a Tensor of shape \(4, 5\); of two tensors, mg.maximum"),
    (lambda: x.var(False), "var: an axis is an integer, not False"),
    (lambda: nn.Linear(5, 3, True, "cpu"), "init is a function .* not 'cpu'; dtype and device are"),
    (lambda: mg.arange(3) & 1, r"& is of booleans, not of int64; compare first.*mg\.logical_and"),
    (lambda: 1 | mg.arange(3), r"\| is of booleans, not of int64.*mg\.logical_or"),
    (lambda: np.arange(3) & mg.arange(3), "& is of booleans, not of int64"),
    (lambda: ~mg.ones(3), "~ is of booleans, not of float32.*mg.logical_not"),
]


@pytest.mark.parametrize(("call", "message"), TOLD)
def test_told(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((TypeError, optim.HyperparameterError), match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


SHAPES: list[tuple[Callable[[], Any], str]] = [
    (lambda: F.layer_norm(x, 4), r"\(4, 5\), which does not end in its normalized_shape \(4,\)"),
    (lambda: F.layer_norm(x, ()), r"normalized_shape \(\); try \(5,\)"),
    (lambda: F.layer_norm(x, 5, a), r"a weight of shape \(2, 3, 4\) for the normalized_shape \(5,"),
    (lambda: F.layer_norm(x, 5, v, v[:1]), r"a bias of shape \(1,\) for the normalized_shape"),
    (lambda: F.batch_norm(x, weight=x.T, training=True), r"of shape \(5, 4\) for the channels"),
    (lambda: F.linear(x, v), r"a weight of shape \(5,\); it is a matrix"),
    (lambda: a.flatten(2, 1), "axis 2 comes after axis 1"),
    (lambda: mg.eye(-1), "eye: every size must be at least 0, not -1"),
    (lambda: mg.linspace(0, 1, -1), "linspace: every size must be at least 0, not -1"),
]


@pytest.mark.parametrize(("call", "message"), SHAPES)
def test_shapes(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(mg.ShapeError, match=message):
        call()


def test_batch_norm_moves_the_running_estimates_or_says_what_it_needs() -> None:
    mean, variance = mg.zeros(5), mg.ones(5)
    F.batch_norm(x, mean, variance, training=True, momentum=0.25)
    np.testing.assert_allclose(mean.numpy(), 0.25 * X.mean(0), rtol=1e-5)
    np.testing.assert_allclose(variance.numpy(), 0.75 + 0.25 * X.var(0, ddof=1), rtol=1e-5)
    with pytest.raises(ValueError, match=r"out of training it needs running_mean .* training=True"):
        F.batch_norm(x)
    with pytest.raises(TypeError, match=r"are Tensors, which training changes, not a ndarray"):
        F.batch_norm(x, np.zeros(5), np.ones(5), training=True)


def test_zero_grad_of_a_module_may_keep_the_arrays() -> None:
    layer = nn.Linear(5, 3)
    layer(x).sum().backward()
    layer.bias.grad = None
    layer.zero_grad(set_to_none=False)
    assert not layer.weight.grad.numpy().any()
    assert layer.bias.grad is None


@pytest.mark.parametrize(
    ("kind", "name"), [(k, name) for k in OF_MODULES for name in OF_MODULES[k]]
)
def test_a_method_of_modules_that_is_another_here_is_told_of(kind: str, name: str) -> None:
    for module in (getattr(nn, kind)(), nn.Sequential()):  # which is a ModuleList
        said = f"{type(module).__name__} has no .{name}; use {OF_MODULES[kind][name]}"
        with pytest.raises(AttributeError, match=re.escape(said)):
            getattr(module, name)
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'nope'"):
        _ = nn.Linear(1, 1).nope


def test_booleans_are_joined_as_ever() -> None:
    positive = x > 0
    both = [positive & ~positive, positive & False, np.zeros((4, 5), bool) & positive]
    assert not any(mask.any() for mask in both)
    assert (True | positive).all()


def test_what_a_module_of_the_users_own_takes_is_its_own_affair() -> None:
    class Net(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.dim = dim

    assert Net(dim=3).dim == 3
    with pytest.raises(TypeError, match=r"Net\.__init__\(\) got an unexpected keyword"):
        Net(axis=3)  # type: ignore[call-arg]
