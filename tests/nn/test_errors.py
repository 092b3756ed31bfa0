"""Errors of modules and losses: what was given, what is legal, what to try."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

X = mg.zeros((4, 3))
W = nn.Parameter(mg.ones(2))


def entropy(target: Any, **keywords: Any) -> Callable[[], Any]:
    return lambda: nn.CrossEntropyLoss(**keywords)(X, target)


TABLE: list[tuple[Callable[[], Any], type[Exception], str]] = [
    # wrong features
    (lambda: nn.Linear(2, 5)(X), mg.ShapeError, r"Linear\(2, 5\) got .* \(4, 3\); .* must be 2"),
    (lambda: nn.Linear(0, 5), ValueError, "at least 1"),
    (lambda: nn.Linear(2.5, 5), TypeError, r"Linear\(2.5, 5\): .* an integer, not 2.5"),
    (lambda: nn.Linear("2", 5), TypeError, "an integer, not '2'"),
    (lambda: nn.BatchNorm(2.5), TypeError, "an integer, not 2.5"),
    (lambda: nn.LayerNorm(2.5), TypeError, "an integer, not 2.5"),
    (lambda: nn.Linear(2, 5, dtype="flot32"), TypeError, "'flot32' is no dtype"),
    (lambda: nn.BatchNorm(2, dtype="flot32"), TypeError, "'flot32' is no dtype"),
    (lambda: nn.LayerNorm(2, dtype="flot32"), TypeError, "'flot32' is no dtype"),
    (lambda: nn.PReLU(dtype="flot32"), TypeError, "'flot32' is no dtype"),
    (lambda: nn.Linear(2, 5).to("gpu"), TypeError, r"'gpu' is no dtype .* \(and no device\)"),
    (lambda: nn.Sequential(nn.Linear(2, 5))([[0.0] * 2]), TypeError, "not a list; use mg.tensor"),
    (lambda: nn.BatchNorm(2)([[0.0] * 2]), TypeError, "BatchNorm takes tensors, not a list"),
    (lambda: nn.Linear(2, 5)(None), TypeError, "Linear takes tensors, not a NoneType"),
    (lambda: nn.BatchNorm(2)(X), mg.ShapeError, r"BatchNorm\(2\) got an input of shape \(4, 3\)"),
    (lambda: nn.BatchNorm(3)(mg.zeros(3)), mg.ShapeError, r"must be \(N, 3\)"),
    (lambda: nn.BatchNorm(3)(mg.zeros((1, 3))), ValueError, r"more than one value .*\.eval\(\)"),
    (lambda: nn.BatchNorm(0), ValueError, r"BatchNorm\(0\): every size must be at least 1"),
    (lambda: nn.BatchNorm(3, eps=0), ValueError, "eps must be positive"),
    (lambda: nn.BatchNorm(3, momentum=1.5), ValueError, "from 0 to 1, or None, not 1.5"),
    (lambda: nn.LayerNorm(4)(X), mg.ShapeError, r"does not end in its normalized_shape \(4,\)"),
    (lambda: nn.LayerNorm((2, 4, 3))(X), mg.ShapeError, "does not end in"),
    (lambda: nn.LayerNorm(()), ValueError, "at least one size"),
    (lambda: nn.LayerNorm(3, eps=-1e-5), ValueError, "eps must be positive"),
    (lambda: nn.PReLU(2)(X), mg.ShapeError, r"shape \(4, 3\) for 2 channels"),
    # options
    (lambda: nn.Dropout(1.5), ValueError, "from 0 to 1, not 1.5"),
    (lambda: nn.Dropout(-0.1), ValueError, "from 0 to 1, not -0.1"),
    (lambda: nn.functional.dropout(X, 2), ValueError, "from 0 to 1, not 2"),
    (lambda: nn.GELU("erf"), ValueError, '"none" or "tanh", not \'erf\''),
    (lambda: nn.Softplus(0), ValueError, "beta must be positive"),
    (lambda: nn.HuberLoss(delta=0), ValueError, "delta must be positive"),
    (lambda: nn.MSELoss("avg"), ValueError, '"mean", "sum", "none", not \'avg\''),
    (lambda: nn.CrossEntropyLoss(reduction="batchmean"), ValueError, "not 'batchmean'"),
    (lambda: nn.KLDivLoss("average"), ValueError, '"batchmean", not'),
    (lambda: nn.CrossEntropyLoss(label_smoothing=2), ValueError, "from 0 to 1, not 2"),
    (lambda: nn.functional.mse_loss(X, X, "avg"), ValueError, "reduction is one of"),
    (
        lambda: nn.functional.cross_entropy(X, mg.tensor([0] * 4), reduction="avg"),
        ValueError,
        "avg",
    ),
    (lambda: nn.functional.cross_entropy(X, X, label_smoothing=-1), ValueError, "not -1"),
    (lambda: nn.L2Penalty([], 0.1), ValueError, "no parameters .* is empty once"),
    (lambda: nn.L2Penalty([W], -1), ValueError, "≥ 0, not -1"),
    (lambda: nn.L1Penalty([W], float("nan")), ValueError, "not nan"),
    (lambda: nn.L1Penalty(["weight"], 1), TypeError, "takes tensors, .* not str"),
    (lambda: nn.Parameter(mg.tensor([1, 2])), TypeError, "only floating tensors"),
    (lambda: nn.Module().register_buffer("x", 3), TypeError, "'x' is a Tensor or None, not int"),
    # targets
    (lambda: nn.MSELoss()(X, mg.zeros(3)), mg.ShapeError, r"\(4, 3\) and a target of shape \(3,\)"),
    (lambda: nn.L1Loss()(mg.zeros((4, 1)), mg.zeros(4)), mg.ShapeError, "compare every element"),
    (lambda: nn.BCEWithLogitsLoss()(X, mg.zeros(())), mg.ShapeError, "must be equal"),
    (lambda: nn.KLDivLoss()(X, mg.zeros((4, 2))), mg.ShapeError, "must be equal"),
    (entropy(mg.tensor([0, 1, 2, 3])), ValueError, "class 3 .* 3 classes it must be from 0 to 2"),
    (entropy(mg.tensor([0, 1, -1, 2])), ValueError, r"class -1 .* or ignore_index \(-100\)"),
    (entropy(mg.tensor([0, 1])), mg.ShapeError, r"needs classes of shape \(4,\)"),
    (entropy(mg.tensor([[0, 1, 2]])), mg.ShapeError, r"the target's is \(1, 3\)"),
    (entropy(np.zeros(4)), TypeError, r"classes of float64, of shape \(4,\); .*integers: \.astype"),
    (entropy(np.array([True] * 4)), TypeError, r"integers \(int64\), not bool; use \.astype"),
    (entropy(np.array([0, 1, 2, 9], "uint8")), ValueError, "class 9"),
    (lambda: nn.NLLLoss()(X, mg.tensor([0, 1, 2, 7])), ValueError, "nll_loss: a class 7"),
    (lambda: nn.NLLLoss()(X, X), TypeError, "classes are integers"),
    (lambda: nn.CrossEntropyLoss()(mg.zeros(()), mg.tensor(0)), mg.ShapeError, "not a scalar"),
]


@pytest.mark.parametrize(("call", "error", "message"), TABLE)
def test_errors(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


TARGETS = [
    [0, 1, 2, 1],
    np.array([0, 1, 2, 1], "int32"),
    np.array([0, 1, 2, 1], "uint8"),
    np.array([0, 1, 2, 1], "int8"),
    np.array([0, 9, 1, 9, 2, 9, 1, 9])[::2],
    mg.tensor([0, 1, 2, 1]),
]


@pytest.mark.parametrize("target", TARGETS)
def test_class_indices_of_every_integer_kind(target: Any) -> None:
    logits = np.random.default_rng(0).standard_normal((4, 3))
    rows = np.exp(logits)
    expected = -np.log(rows[range(4), [0, 1, 2, 1]] / rows.sum(1)).mean()
    assert nn.CrossEntropyLoss()(mg.tensor(logits), target).item() == pytest.approx(expected)
    assert nn.CrossEntropyLoss()(logits, target) == pytest.approx(expected)  # arrays in, array out


def test_losses_of_an_empty_batch_are_zero() -> None:
    x = mg.zeros((0, 3), requires_grad=True)
    for loss in (
        nn.CrossEntropyLoss()(x, np.zeros(0, "int64")),
        nn.CrossEntropyLoss()(x, mg.zeros((0, 3))),
        nn.NLLLoss()(x, np.zeros(0, "int64")),
        nn.MSELoss()(x, x.detach()),
    ):
        assert loss.item() == 0
        (gradient,) = mg.autograd.grad(loss, [x])
        assert gradient.shape == (0, 3)
