"""Groups of parameters, the state of an optimizer and its way through files, and errors."""

from __future__ import annotations

import json

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from tests.optim.leaves import leaf

# Groups and state --------------------------------------------------------------------------------


def test_groups_have_their_own_hyperparameters():
    p, q, r = leaf([1.0]), leaf([1.0]), leaf([1.0])
    optimizer = optim.SGD([{"params": p}, {"params": iter([q]), "lr": 0.5}], lr=0.1)
    optimizer.add_param_group({"params": [r], "lr": 0.2})
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.5, 0.2]
    for x in (p, q, r):
        x.grad = [1.0]
    optimizer.step()
    assert [x.item() for x in (p, q, r)] == pytest.approx([0.9, 0.5, 0.8])
    assert "group 2: 1 parameters, lr=0.2" in repr(optimizer)


def test_state_survives_json():
    """All but the arrays goes through JSON, where indices become strings and pairs lists."""
    p, q = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    optimizer, other = optim.NAdam([p], betas=(0.8, 0.99)), optim.NAdam([q])
    p.grad = [1.0, -1.0]
    optimizer.step()
    text = json.dumps(optimizer.state_dict(), default=lambda array: array.tolist())
    state = json.loads(text)
    for entry in state["state"].values():
        entry.update({name: np.asarray(entry[name], np.float32) for name in ("m", "v")})
    other.load_state_dict(state)
    assert other.param_groups[0]["betas"] == (0.8, 0.99)
    q.data[...] = p.data
    for x, o in ((p, optimizer), (q, other)):
        x.grad = [0.5, 0.5]
        o.step()
    assert p.tolist() == q.tolist()


def test_a_saved_state_is_a_copy():
    p = leaf([1.0])
    optimizer = optim.Adam([p])
    p.grad = [1.0]
    optimizer.step()
    state = optimizer.state_dict()
    before = state["state"][0]["m"].copy()
    optimizer.step()
    assert state["state"][0]["m"] == before


def test_a_state_of_another_model_is_refused():
    p = leaf([1.0, 2.0])
    optimizer = optim.Adam([p])
    p.grad = [1.0, 1.0]
    optimizer.step()
    state = optimizer.state_dict()
    with pytest.raises(ValueError, match=r"groups with \[1\] parameters.*\[2\]"):
        optim.Adam([leaf([1.0]), leaf([2.0])]).load_state_dict(state)
    with pytest.raises(mg.ShapeError, match=r"'m' of parameter 0 has shape \(2,\).*\(3,\)"):
        optim.Adam([leaf([1.0, 2.0, 3.0])]).load_state_dict(state)
    with pytest.raises(optim.HyperparameterError, match="SGD has no keyword 'betas'"):
        optim.SGD([leaf([1.0, 2.0])]).load_state_dict(state)
    state["param_groups"] = optim.Adamax([leaf([1.0, 2.0])]).state_dict()["param_groups"]
    with pytest.raises(ValueError, match=r"saved 'v'.*t, m, u"):
        optim.Adamax([leaf([1.0, 2.0])]).load_state_dict(state)
    nadam = optim.NAdam([leaf([1.0, 2.0])])
    (clock,) = nadam.clock_names
    state["param_groups"] = nadam.state_dict()["param_groups"]
    with pytest.raises(ValueError, match=f"no saved {clock!r}.*load the state of the same method"):
        nadam.load_state_dict(state)


# Errors ------------------------------------------------------------------------------------------


def test_bad_parameters():
    p = leaf([1.0])
    cases = [
        ([], ValueError, "no parameters.*model.parameters"),
        ([{"params": []}], ValueError, "group 0 has no parameters"),
        ([p, p], ValueError, "parameter 1 of group 0 .* occurs twice"),
        ([{"params": [p]}, {"params": [p]}], ValueError, "parameter 0 of group 1"),
        (p, TypeError, "not one Tensor; try a list of it"),
        (nn.Linear(2, 3), TypeError, "not one Linear; try model.parameters()"),
        ([p * 2], ValueError, "not a leaf: mul computed it"),
        ([np.ones(2)], TypeError, "is a ndarray; parameters are Tensors"),
        ([mg.tensor([1, 2])], TypeError, "int64"),
        ([mg.tensor([1.0])], ValueError, "none of the parameters requires a gradient"),
        ([{"lr": 0.1}], TypeError, 'a dict with "params"'),
        ([p, {"params": [p]}], TypeError, "parameter 1 of group 0 is a dict"),
    ]
    for params, error, message in cases:
        with pytest.raises(error, match=message):
            optim.Adam(params)


def test_unknown_keywords_name_what_is_legal():
    p = leaf([1.0])
    with pytest.raises(optim.HyperparameterError, match=r"no keyword 'forech'; it has lr, betas"):
        optim.Adam([p], forech=True)
    with pytest.raises(optim.HyperparameterError, match=r"no keyword 'foreach'; .* leave it out"):
        optim.Adam([p], foreach=True)
    with pytest.raises(optim.HyperparameterError, match="try weight_decay"):
        optim.Adam([{"params": [p], "weight_deca": 0.1}])
    with pytest.raises(optim.HyperparameterError, match=r"-1e-05 is not a finite number ≥ 0"):
        optim.SGD([p], weight_decay=-1e-5)


def test_a_group_that_is_refused_changes_nothing():
    p, q = leaf([1.0]), leaf([1.0])
    optimizer = optim.SGD([p])
    with pytest.raises(ValueError, match="occurs twice"):
        optimizer.add_param_group({"params": [q, p]})
    optimizer.add_param_group({"params": [q]})
    assert len(optimizer.param_groups) == 2


def test_an_optimizer_of_ones_own():
    """A method is its formula: nothing else has to be written."""

    class SignDescent(optim.Optimizer, weight_decay=0.5):
        @staticmethod
        def update(t, theta, g, last, decay=1.0, *, lr=0.1, power=1.0):
            return theta - lr * decay**power * mg.sign(g), g, decay / 2

    p = leaf([1.0, 1.0])
    optimizer = SignDescent([p], weight_decay=0.0, power=2.0)
    for _ in range(2):
        p.grad = [3.0, -0.01]
        optimizer.step()
    np.testing.assert_allclose(p.data, [1 - 0.1 - 0.025, 1 + 0.1 + 0.025], rtol=1e-6)
    assert SignDescent.class_defaults["weight_decay"] == 0.5
    assert optimizer.state_dict()["state"][0]["decay"] == 0.25


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_an_eps_that_is_0_in_float16_is_refused(name):
    """A step computes in float32, but v, which is kept in float16, may be 0 where m is not."""
    method = getattr(optim, name)

    def parameter(dtype="float16"):
        p = mg.ones(4, dtype=dtype, requires_grad=True)
        p.grad = mg.zeros(4, dtype=dtype)
        return p

    for eps in (2.0**-25, 1e-8):
        with pytest.raises(optim.HyperparameterError, match=r"is 0 in float16.*eps=1e-4"):
            method([parameter()], eps=eps)
    for eps in (1e-7, 1e-4):
        p = parameter()
        method([p], eps=eps, weight_decay=0.0).step()
        np.testing.assert_array_equal(p.numpy(), np.ones(4))
    p = parameter()
    optimizer = method([p], eps=1e-4, weight_decay=0.0)
    with pytest.raises(optim.HyperparameterError, match="is 0 in float16"):
        optimizer.load_state_dict(method([parameter("float32")]).state_dict())
    assert optimizer.param_groups[0]["eps"] == 1e-4
    optimizer.step()
    np.testing.assert_array_equal(p.numpy(), np.ones(4))
    late = parameter("float32")
    optimizer = method([late])
    late.data, late.grad = late.data.astype("float16"), mg.zeros(4, dtype="float16")
    with pytest.raises(optim.HyperparameterError, match="is 0 in float16"):
        optimizer.step()
