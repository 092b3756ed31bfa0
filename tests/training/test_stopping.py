"""When training ends: Prechelt's criteria, patience, and the cost that has stopped changing."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import datasets, nn, optim
from minigrad.training import Callback, EarlyStopping, Loop, StopOnCostChange, fit


def loop_of():
    model = nn.Linear(2, 2)
    return Loop(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1), 1000, [], None)


def stopped_at(callback, values, column="test_loss"):
    """Return the epoch after which a callback stops training, or None."""
    loop = loop_of()
    for epoch, value in enumerate(values, 1):
        loop.history.rows.append({"epoch": epoch, "loss": 0.0, column: value})
        callback.on_epoch_end(loop)
        if loop.history.stopped:
            return epoch
    return None


CASES = [
    # patience: epochs without a new best, the best being beaten by more than min_delta
    ({"patience": 2}, [5, 4, 4.5, 4.2, 3], 4),
    ({"patience": 3}, [5, 4, 4.5, 4.2, 3, 3, 3, 3], 8),
    ({"patience": 1}, [5, 4, 4], 3),
    ({"patience": 2, "min_delta": 0.5}, [5, 4.75, 4.5], 3),
    ({"patience": 2, "min_delta": 0.5}, [5, 4.75, 4.25, 4, 3.5], None),
    ({"patience": 2}, [math.nan, 3, math.nan, 4], 4),
    ({"patience": 2}, [5, 4, 3, 2], None),
    # GL(t) = 100 (E(t) / E_opt(t) − 1): here 0, 0, 3.125, 6.25, 0, 12.5
    ({"criterion": "GL", "alpha": 3}, [2, 1, 1.03125, 1.0625, 0.5, 0.5625], 3),
    ({"criterion": "GL", "alpha": 3.125}, [2, 1, 1.03125, 1.0625, 0.5, 0.5625], 4),
    ({"criterion": "GL", "alpha": 6.25}, [2, 1, 1.03125, 1.0625, 0.5, 0.5625], 6),
    ({"criterion": "GL", "alpha": 12.5}, [2, 1, 1.03125, 1.0625, 0.5, 0.5625], None),
    ({"criterion": "GL", "alpha": 5}, [1, 0, 0, 0.001], 4),
    ({"criterion": "GL", "alpha": 5}, [1, math.nan], 2),
    # UP_1 looks at E(5), E(10), E(15): what happens in between does not matter
    ({"criterion": "UP", "successive": 1}, [9, 9, 9, 9, 5, 9, 9, 9, 9, 4, 1, 1, 1, 1, 4.5], 15),
    ({"criterion": "UP", "successive": 1}, [9, 9, 9, 9, 5, 9, 9, 9, 9, 5, 1, 1, 1, 1, 5], None),
    ({"criterion": "UP", "successive": 2, "strip": 2}, [9, 5, 9, 6, 9, 7], 6),
    ({"criterion": "UP", "successive": 2, "strip": 2}, [9, 5, 9, 6, 9, 5, 9, 6, 9, 7], 10),
    ({"criterion": "UP", "successive": 3, "strip": 2}, [9, 5, 9, 6, 9, 7, 9, 8], 8),
    # "when the validation error starts to increase"
    ({"criterion": "UP", "successive": 1, "strip": 1}, [5, 4, 4, 4.1], 4),
]


@pytest.mark.parametrize(("arguments", "errors", "expected"), CASES)
def test_early_stopping(arguments, errors, expected):
    assert stopped_at(EarlyStopping(restore_best=False, **arguments), errors) == expected


def up(errors, t, s, k):
    """UP_s after epoch t, as Prechelt defines it by recursion (section 2.3)."""
    if t % k or t - k < 1 or not errors[t - 1] > errors[t - k - 1]:
        return False
    return s == 1 or up(errors, t - k, s - 1, k)


@given(st.lists(st.integers(1, 9), max_size=30), st.integers(1, 3), st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_up_follows_the_recursive_definition(errors, successive, strip):
    stopping = EarlyStopping(restore_best=False, criterion="UP", successive=successive, strip=strip)
    first = next((t for t in range(1, len(errors) + 1) if up(errors, t, successive, strip)), None)
    assert stopped_at(stopping, errors) == first


@given(st.lists(st.integers(1, 64), max_size=30), st.sampled_from([1.5625, 5.0, 25.0]))
@settings(deadline=None, max_examples=60)
def test_gl_follows_the_definition(errors, alpha):
    stopping = EarlyStopping(restore_best=False, criterion="GL", alpha=alpha)
    first = None
    for t in range(1, len(errors) + 1):
        if first is None and 100 * (errors[t - 1] / min(errors[:t]) - 1) > alpha + 1e-9:
            first = t
    assert stopped_at(stopping, errors) == first


def test_an_accuracy_should_rise():
    stopping = EarlyStopping(patience=2, monitor="test_accuracy")
    assert stopped_at(stopping, [0.5, 0.6, 0.55, 0.6], "test_accuracy") == 4
    assert stopping.best_epoch == 2
    stopping = EarlyStopping(criterion="GL", alpha=20, monitor="test_accuracy")  # of the error
    assert stopped_at(stopping, [0.5, 0.9, 0.89, 0.85], "test_accuracy") == 4


def test_the_best_weights_come_back():
    loop = loop_of()
    stopping = EarlyStopping(patience=2)
    for epoch, error in enumerate([3, 1, 2, 2], 1):
        loop.model.weight.data[...] = epoch
        loop.history.rows.append({"epoch": epoch, "loss": error, "test_loss": error})
        stopping.on_epoch_end(loop)
    memory = stopping.state_dict()
    stopping.on_train_end(loop)
    np.testing.assert_array_equal(loop.model.weight.numpy(), 2)
    assert loop.history.stopped == "test_loss has not improved for 2 epochs (best: epoch 2)"
    assert loop.history.notes == ["the weights of epoch 2, the best, were restored"]
    loop.model.weight.data[...] = 0
    other = EarlyStopping(patience=2)
    other.load_state_dict(memory)
    other.on_train_end(loop)
    np.testing.assert_array_equal(loop.model.weight.numpy(), 2)


class Tied(nn.Module):
    """A shared matrix, averages, what is frozen, and what the optimizer does not know."""

    def __init__(self):
        self.first = nn.Linear(64, 64)
        self.norm = nn.BatchNorm(64)
        self.second = nn.Linear(64, 64)
        self.second.weight = self.first.weight
        self.last = nn.Linear(64, 10)
        self.last.bias.requires_grad_(False)

    def forward(self, x):
        return self.last(self.second(self.norm(self.first(x))))


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("method", [optim.SGD, optim.LBFGS])
def test_all_of_the_model_comes_back(resumed, method, tmp_path):
    states = {}

    class Witness(Callback):
        order = 1

        def on_epoch_end(self, loop):
            loop.history.rows[-1]["test_loss"] = [3.0, 2.0, 1.0, 4.0, 4.0][loop.epoch - 1]
            if loop.epoch == 3:  # elsewhere than in the optimizer's vector
                loop.model.last.weight.data = loop.model.last.weight.data * 2
            states[loop.epoch] = loop.model.state_dict()

    def train(epochs, resume):
        mg.manual_seed(0)
        model = Tied()
        of_norm = {id(p) for p in model.norm.parameters()}
        known = [p for p in model.parameters() if id(p) not in of_norm]
        optimizer = method(known, lr=1e-3)
        data = datasets.digits().subset(slice(256))
        loss_fn = nn.CrossEntropyLoss()
        options = {"epochs": epochs, "seed": 0, "run": tmp_path / "a", "resume": resume}
        callbacks = [Witness(), EarlyStopping(patience=5)]
        fit(model, loss_fn, optimizer, data, callbacks=callbacks, **options)
        return model

    if resumed:
        train(3, False)
    model = train(5, resumed)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, states[3][name])
    for name in ("first.weight", "last.weight", "norm.running_mean"):
        assert not np.array_equal(states[5][name], states[3][name])


def test_a_column_that_is_not_there():
    with pytest.raises(ValueError, match="monitor='f1'; this run measures epoch, loss, test_loss"):
        stopped_at(EarlyStopping(monitor="f1"), [1])


COSTS = [
    ({"absolute": 0.25}, [4, 3, 2.75, 2.625], 4),  # changes 1, 0.25, 0.125
    ({"absolute": 0.25}, [4, 3, 4, 3], None),
    ({"relative": 0.25}, [8, 4, 3, 2.5], 4),  # 4/8, 1/4, 0.5/3
    ({"absolute": 0.1, "relative": 0.25}, [8, 4, 3, 2.5], 4),
    # windows of two: |mean(last two) − mean(two before)| = 0 at the fourth already
    ({"absolute": 0.25, "window": 2}, [4, 3, 4, 3], 4),
    ({"absolute": 0.25, "window": 2}, [8, 7, 4, 3, 2, 1, 1, 1, 1], 9),  # see below
    ({"absolute": 0.25}, [math.nan, math.nan], None),
]


@pytest.mark.parametrize(("arguments", "costs", "expected"), COSTS)
@pytest.mark.parametrize("every", ["epoch", "step"])
def test_cost_change(arguments, costs, expected, every):
    callback = StopOnCostChange(every=every, **arguments)
    if every == "epoch":
        assert stopped_at(callback, costs, "loss") == expected
        return
    loop = loop_of()
    for step, cost in enumerate(costs, 1):
        loop.loss = cost
        callback.on_epoch_end(loop)
        callback.on_step_end(loop)
        assert (loop.history.stopped is not None) == (step == expected)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (EarlyStopping, {"patience": 0}),
        (EarlyStopping, {"patience": 1.5}),
        (EarlyStopping, {"min_delta": -1}),
        (EarlyStopping, {"alpha": math.nan}),
        (EarlyStopping, {"criterion": "PQ"}),
        (EarlyStopping, {"strip": 0}),
        (StopOnCostChange, {}),
        (StopOnCostChange, {"absolute": -1}),
        (StopOnCostChange, {"relative": 0.1, "window": 0}),
        (StopOnCostChange, {"relative": 0.1, "every": "batch"}),
    ],
)
def test_bad_arguments(kind, arguments):
    with pytest.raises(ValueError, match=r"legal (is|are)|give a threshold"):
        kind(**arguments)
