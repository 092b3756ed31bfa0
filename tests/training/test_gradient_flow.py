"""GradientFlow: which layers' gradients vanish or explode, and the norms themselves."""

import contextlib
import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import datasets, nn, optim, training


def deep(activation, depth=12, gain=1.0):
    layers = []
    for i in range(depth):
        layer = nn.Linear(64 if i == 0 else 32, 32)
        layer.weight.data *= gain
        layers += [layer, activation()]
    return nn.Sequential(*layers, nn.Linear(32, 10))


def flow_of(model, **options):
    data = datasets.digits().subset(slice(32))
    flow = training.GradientFlow(**options)
    optimizer = optim.SGD(model.parameters(), lr=1e-3)
    history = training.fit(
        model, nn.CrossEntropyLoss(), optimizer, data, epochs=1, batch_size=32, callbacks=[flow]
    )
    return flow, history


def test_a_deep_sigmoid_network_vanishes():
    mg.manual_seed(0)
    flow, history = flow_of(deep(nn.Sigmoid))
    assert flow.verdicts["0"] == "vanishing"
    assert set(flow.verdicts.values()) == {"vanishing"}
    assert "22" not in flow.verdicts  # the last hidden layer
    assert "24" not in flow.verdicts
    assert history.notes[0].startswith("step 1: vanishing gradients in 0, 2, 4")
    assert "vanishing" in flow.table().splitlines()[1]


def test_a_large_initialization_explodes():
    mg.manual_seed(0)
    flow, history = flow_of(deep(nn.ReLU, gain=8.0))
    assert flow.verdicts["0"] == "exploding"
    assert history.notes[0].startswith("step 1: exploding gradients in 0, 2")


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_overflow_counts_as_exploding():
    mg.manual_seed(0)
    model = deep(nn.ReLU, depth=4)
    model[2].weight.data *= 1e38
    flow, _ = flow_of(model)
    assert "exploding" in flow.verdicts.values()


@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU])
def test_units_that_large_steps_killed_are_not_called_vanishing(activation):
    """The network is well at first; a rate a hundred times too large saturates it at once."""
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), activation(), nn.Linear(32, 32), activation())
    model.append(nn.Linear(32, 10))
    flow = training.GradientFlow(every=1)
    rate = 100.0 if activation is nn.Tanh else 20.0
    data = datasets.digits().loader(32)
    optimizer = optim.SGD(model.parameters(), lr=rate)
    loss_fn = nn.CrossEntropyLoss()
    history = training.fit(model, loss_fn, optimizer, data, epochs=2, callbacks=[flow])
    assert flow.verdicts == {"0": "saturated", "2": "saturated"}
    said = "\n".join(history.notes)
    assert "units died or saturated" in said
    assert "a smaller learning rate or clipping" in said
    assert "vanishing" not in said
    again = training.GradientFlow(every=1)  # a run that goes on has not forgotten the first step
    again.load_state_dict(flow.state_dict())
    optimizer.param_groups[0]["lr"] = 0.0
    training.fit(model, loss_fn, optimizer, data, epochs=1, callbacks=[again])
    assert again.verdicts == flow.verdicts


def test_a_shallow_network_is_well():
    mg.manual_seed(0)
    flow, history = flow_of(deep(nn.ReLU, depth=1))
    assert flow.verdicts == {}
    assert history.notes == []


def test_the_norms_are_right():
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 5), nn.Tanh(), nn.Linear(5, 10))
    w1, b1, w2, b2 = (p.numpy().astype(float).copy() for p in model.parameters())
    data = datasets.digits().subset(slice(16))
    flow = training.GradientFlow(every=2)
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    loader = data.loader(16)
    training.fit(model, nn.CrossEntropyLoss(), optimizer, loader, epochs=4, callbacks=[flow])
    assert [row["step"] for row in flow.rows] == [1, 1, 3, 3]
    x = data.x.astype(float)
    h = x @ w1.T + b1
    a = np.tanh(h)
    z = a @ w2.T + b2
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    dz = (p - np.eye(10)[data.y]) / 16
    dh = dz @ w2 * (1 - a * a)
    expected = {
        "0": (h, dh, dh.T @ x, dh.sum(0), w1, b1),
        "2": (z, dz, dz.T @ a, dz.sum(0), w2, b2),
    }
    for row in flow.rows[:2]:
        out, signal, dw, db, w, b = expected[row["layer"]]
        gradient = math.hypot(np.linalg.norm(dw), np.linalg.norm(db))
        assert row["activation"] == pytest.approx(np.linalg.norm(out), rel=1e-5)
        assert row["signal"] == pytest.approx(np.linalg.norm(signal), rel=1e-5)
        assert row["gradient"] == pytest.approx(gradient, rel=1e-5)
        assert row["update"] == pytest.approx(0.5 * gradient, rel=1e-3)
        size = math.hypot(np.linalg.norm(w), np.linalg.norm(b))
        assert row["ratio"] == pytest.approx(0.5 * gradient / size, rel=1e-3)
    assert model[0]._hooks == ()


def test_an_evaluation_between_two_steps_is_not_measured():
    data = datasets.digits().subset(slice(64))
    flows = []
    for test in (None, data):
        mg.manual_seed(0)
        model = deep(nn.Tanh, depth=1)
        flow = training.GradientFlow(every=1)
        training.fit(
            model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1), data, test,
            epochs=3, batch_size=32, callbacks=[flow], seed=0,
        )  # fmt: skip
        flows.append(flow.rows)
    assert flows[0] == flows[1]
    assert all("signal" in row for row in flows[0])


def test_watching_changes_nothing():
    def weights(callbacks):
        mg.manual_seed(0)
        model = nn.Sequential(nn.Linear(64, 16), nn.BatchNorm(16), nn.ReLU(), nn.Linear(16, 10))
        optimizer = optim.Adam(model.parameters())
        data = datasets.digits()
        training.fit(
            model, nn.CrossEntropyLoss(), optimizer, data, epochs=1, callbacks=callbacks, seed=0
        )
        return model.state_dict()

    watched, alone = weights([training.GradientFlow(every=1)]), weights([])
    for name, value in alone.items():
        np.testing.assert_array_equal(watched[name], value)


def test_bad_arguments():
    for bad in ({"every": 0}, {"vanishing": 2}, {"exploding": 0.5}, {"vanishing": 0}):
        with pytest.raises(ValueError, match="legal is"):
            training.GradientFlow(**bad)
    assert training.GradientFlow().table() == "nothing measured yet"


class Bias(nn.Module):
    """It returns its parameter itself: a leaf, which lives on when the step's graph is gone."""

    def __init__(self):
        self.weight = nn.Parameter(mg.zeros(10))

    def forward(self, x):
        return self.weight


class Shifted(nn.Module):
    def __init__(self, fails=False):
        self.layer, self.bias, self.fails = nn.Linear(64, 10), Bias(), fails

    def forward(self, x):
        out = self.layer(x) + self.bias(x)
        if self.fails:
            raise ArithmeticError("as it happens")
        return out


class Count(training.Callback):
    """Count who listens at a leaf, step by step."""

    def __init__(self, leaf):
        self.leaf, self.counts = leaf, []

    def on_step_end(self, loop):
        self.counts.append(len(self.leaf.hooks or ()))


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_listens_at_a_leaf_afterwards(fails):
    model = Shifted(fails)
    count = Count(model.bias.weight)
    flow = training.GradientFlow(every=1)
    data = datasets.digits().subset(slice(64))
    arguments = nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=1e-3), data
    caught = pytest.raises(ArithmeticError) if fails else contextlib.nullcontext()
    with caught:
        training.fit(model, *arguments, epochs=3, batch_size=32, callbacks=[flow, count])
    assert not model.bias.weight.hooks
    assert max(count.counts, default=0) <= 1
    assert not any(module._hooks or module._pre_hooks for module in model.modules())
    if not fails:  # the bias is added to every row's output, so its signal is the norm of the sum
        rows = [row for row in flow.rows if row["layer"] == "bias"]
        assert [row["signal"] for row in rows] == pytest.approx([row["gradient"] for row in rows])
