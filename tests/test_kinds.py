"""Arguments of a wrong kind: the error names the argument, what was given and what is legal."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim

F, init = nn.functional, nn.init
x, i = mg.ones((2, 3)), mg.arange(3)
words = np.array(["a"])


def sgd() -> optim.Optimizer:
    return optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)


KINDS: list[tuple[Callable[[], Any], str]] = [
    # what should be a tensor
    (lambda: F.mse_loss([1.0], x), r"mse_loss: x=\[1.0\] is not a tensor, as of mg.tensor\(...\)"),
    (lambda: F.prelu(x, 0.5), "prelu: weight=0.5 is not a tensor"),
    (lambda: init.normal_(3.0), "normal_: tensor=3.0 is not a tensor"),
    (lambda: init.fans([1, 2]), r"fans: tensor=\[1, 2\] is not a tensor"),
    (lambda: init.zeros_(np.ones(3)), "what is filled is a Tensor, .* not ndarray"),
    (lambda: init.uniform_(i), "initial values are floating, and the tensor is of int64"),
    (lambda: nn.refresh_statistics(3, []), "refresh_statistics: module=3 is not a module"),
    (lambda: mg.exp(words), "exp: an operand of <U1; legal are real numbers"),
    (lambda: F.elu(x > 0), r"there is none of booleans; use \.astype\(mg.float32\)"),
    (lambda: operator.iadd(mg.ones(3), None), "an operand is a Tensor, .* not NoneType"),
    # a number
    (lambda: nn.Dropout("a"), "Dropout: p='a' is not a number"),
    (lambda: nn.Dropout(p=[0.5]), r"Dropout: p=\[0.5\] is not a number"),
    (lambda: nn.LayerNorm(5, eps="a"), "LayerNorm: eps='a' is not a number"),
    (lambda: nn.HuberLoss(delta=None), "HuberLoss: delta=None is not a number"),
    (lambda: nn.CrossEntropyLoss(label_smoothing="a"), "label_smoothing='a' is not a number"),
    (lambda: nn.Softplus(beta=nn.ReLU()), r"Softplus: beta=ReLU\(\) is not a number"),
    (lambda: nn.L2Penalty(x, "a"), "L2Penalty: strength='a' is not a number"),
    (lambda: F.leaky_relu(x, ()), r"leaky_relu: slope=\(\) is not a number"),
    (lambda: F.softplus(x, beta=x), r"beta=a Tensor of shape \(2, 3\) is not a number"),
    (lambda: init.xavier_normal_(x, gain="a"), "xavier_normal_: gain='a' is not a number"),
    (
        lambda: init.normal_(x, mean=[[1], [2, 3]]),
        r"normal_: mean=\[\[1\], \[2, 3\]\] is not a number",
    ),
    (lambda: mg.linspace("a", 1, 3), "linspace: start='a' is not a number"),
    (lambda: init.constant_(x, None), "constant_: value=None is not a number"),
    (lambda: init.constant_(x, "a"), "constant_: value='a' is not a number"),
    (lambda: mg.arange("a"), "arange: start='a' is not a number"),
    (lambda: x.var(correction=()), r"var: correction=\(\) is not a number"),
    (lambda: nn.LayerNorm(5, eps="a" * 99), "eps='a{56}... is not a number"),
    # an integer, True or False, a string
    (lambda: mg.tril(x, k="a"), "tril: k='a' is not an integer"),
    (lambda: mg.tril(x, k=np.ones(2)), r"tril: k=a ndarray of shape \(2,\) is not an integer"),
    (lambda: mg.diagonal(x, offset=""), "diagonal: offset='' is not an integer"),
    (lambda: mg.split(x, "a"), "split: sizes='a' is not an integer or a list or tuple"),
    (lambda: x.sum(keepdims=1.5), "sum: keepdims=1.5 is not True or False"),
    (lambda: x.sum(keepdims=x), r"sum: keepdims=a Tensor of shape \(2, 3\) is not True or False"),
    (lambda: mg.einsum(x, x), r"einsum: spec=a Tensor of shape \(2, 3\) is not a string"),
    (lambda: nn.MSELoss(np.ones(3)), r"reduction=a ndarray of shape \(3,\) is not a string"),
    (lambda: mg.unsqueeze(x, int), "unsqueeze: an axis is an integer, not <class 'int'>"),
    (lambda: x.argmax(axis=[]), r"argmax: the axis is one integer, not \[\]"),
    (lambda: mg.transpose(x, 0.5, "a"), "transpose: an axis is an integer, not 0.5"),
    (lambda: x.reshape(3, [1]), r"reshape: every number must be an integer, not \[1\]"),
    (lambda: mg.expand(x, ""), "expand: every number must be an integer, not ''"),
    (lambda: mg.eye(np.ones(2)), r"eye: every size must be an integer, not array\(\[1., 1.\]\)"),
    (lambda: mg.linspace(0, 1, 2.5), "linspace: every size must be an integer, not 2.5"),
    (lambda: mg.Tensor(2, 3), r"requires_grad is True or False, not int; .* mg.zeros\(2, 3\)"),
    (lambda: mg.zeros(2, requires_grad=words), "requires_grad is True or False, not ndarray"),
    # several, a function, an optimizer, a state
    (lambda: nn.ModuleList(nn.ReLU()), r"ModuleList: modules=ReLU\(\) is not a list"),
    (lambda: nn.L1Penalty(nn.ReLU(), 1), r"parameters=ReLU\(\) is not a list, such as list\(model"),
    (lambda: optim.clip_grad_norm_(nn.Linear(1, 1), 1), "is not a list, such as list"),
    (lambda: optim.clip_grad_norm_(np.ones(2), 1), "the parameters are Tensors, not float64"),
    (lambda: optim.SGD(None), r"iterable of Tensors or of groups, .* NoneType; try model\.param"),
    (lambda: optim.EMA([1]), "EMA: the parameters are Tensors, not int; try model.parameters"),
    (lambda: optim.MultiStepLR(sgd(), 3), "MultiStepLR: milestones=3 is not a list or tuple"),
    (lambda: optim.ChainedScheduler(5), "ChainedScheduler: schedulers=5 is not a list or tuple"),
    (lambda: optim.ChainedScheduler(np.float32), "schedulers=<class 'numpy.float32'> is not a"),
    (lambda: optim.LambdaLR(sgd(), 3), "LambdaLR: lr_lambda=3 is not a function"),
    (lambda: sgd().step(3), "SGD.step takes a function that returns the loss, not int"),
    (lambda: mg.grad(x)(x), "what is differentiated is a function, .* not Tensor"),
    (lambda: nn.Linear(1, 1).load_state_dict(None), "a state is a dict of arrays .* not NoneType"),
    # in place
    (
        lambda: operator.iadd(mg.arange(3), 0.5),
        r"in place keeps the dtype int64 .* x = x \+ y makes",
    ),
]


@pytest.mark.parametrize(("call", "message"), KINDS)
def test_the_argument_is_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [optim.SGD, optim.NewtonCG])
@pytest.mark.parametrize("state", [None, {}, {"state": {}}])
def test_a_state_that_is_none_says_so(kind: Any, state: Any) -> None:
    optimizer = kind(nn.Linear(2, 2).parameters())
    with pytest.raises(ValueError, match='a state is a dict with "state" and "param_groups"'):
        optimizer.load_state_dict(state)


def test_other_errors() -> None:
    with pytest.raises(ValueError, match='reduction is one of "mean", "sum", "none", not 99'):
        F.mse_loss(x, x, reduction=99)
    with pytest.raises(mg.ShapeError, match=r"in place keeps the shape \(3,\) .* \(2,3\)"):
        operator.iadd(mg.ones(3), x)
    with pytest.raises(mg.DeviceError, match=r"no device array"):
        mg.zeros(2, device=np.ones(2))  # type: ignore[arg-type]
    with pytest.raises(optim.HyperparameterError, match="step_size=inf is not an int"):
        optim.StepLR(sgd(), float("inf"))  # type: ignore[arg-type]


def test_what_errors_of_its_own_says_is_left_as_it_is() -> None:
    def broken(tensor: Any) -> Any:
        raise TypeError("mine")

    with pytest.raises(TypeError, match=r"^mine$"):
        nn.Linear(2, 2, init=broken)
    with pytest.raises(TypeError, match="'int' object is not callable"):
        nn.Linear(2, 2, init=lambda tensor: tensor.ndim())


def test_what_was_an_error_and_need_not_be() -> None:
    """Numbers where arrays are computed with, NumPy's integers, a division by 0, empty weights."""
    assert (mg.relu(-3), mg.sigmoid(0.0), mg.softplus(0)) == (0, 0.5, pytest.approx(np.log(2)))
    assert mg.sigmoid(mg.tensor([0], dtype="uint8")).tolist() == [0.5]
    assert len(mg.split(x, np.int64(1))) == 2
    assert mg.pad(x, np.int64(1)).shape == (4, 5)
    assert mg.zeros_like([1.0, 2.0]).shape == (2,)  # type: ignore[arg-type]
    assert operator.iadd(mg.ones(2), [1, 2]).tolist() == [2, 3]
    empty = mg.zeros(2, 0)
    for name in ("kaiming_uniform_", "xavier_normal_", "lecun_normal_", "plain_uniform_"):
        assert getattr(init, name)(empty) is empty
    y = mg.tensor([1.0, -2.0], requires_grad=True)
    for zero in (0, 0.0):
        with np.errstate(divide="ignore", invalid="ignore"):
            (slope,) = mg.autograd.grad(y / zero, y, mg.ones(2))
        assert slope.tolist() == [np.inf, np.inf]


class Mistaken(nn.Module):
    def __init__(self) -> None:
        self.norm = nn.BatchNorm(3)

    def forward(self, x: mg.Tensor) -> Any:
        return self.activation(self.norm(x))


def test_a_mistake_in_what_the_user_wrote_is_told_as_it_is() -> None:
    with pytest.raises(AttributeError, match="activation"):
        nn.refresh_statistics(Mistaken(), [x])
