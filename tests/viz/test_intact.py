"""A model that is looked at comes back bit for bit, also when it is stopped in the middle."""

import signal

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim, viz
from minigrad.viz.landscape_figure import caption
from tests.viz.landscapes import closure, network


def state(model):
    """Return everything that must not change, and the arrays that must be the same objects."""
    values = [p.numpy().tobytes() for p in [*model.parameters(), *model.buffers()]]
    modes = [module.training for module in model.modules()]
    versions = [p.changed[0] for p in model.parameters()]
    memory = [p.data for p in [*model.parameters(), *model.buffers()]]
    return (values, modes, versions, mg.random.get_state()), memory


def same(before, after):
    assert before[0] == after[0]
    assert all(a is b for a, b in zip(before[1], after[1], strict=True))


@pytest.mark.parametrize("training", [False, True])
def test_everything_is_as_before_bit_for_bit(training):
    model = network(dropout=0.5)
    model[0].eval()  # modes need not be alike
    optimizer = optim.Momentum(model.parameters(), lr=0.1)
    optimizer.step(closure(model))
    before = state(model)
    viz.landscape(closure(model), model, size=3, training=training)
    same(before, state(model))
    # The optimizer goes on with the same vector.
    optimizer.step(closure(model))
    assert {id(p.data.base) for p in model.parameters()} == {id(model[0].weight.data.base)}


class Stop(Exception):  # noqa: N818
    pass


@pytest.fixture
def ctrl_c():
    """Ctrl-C is Python's, although a shell's background job, as which tests may run, ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("how", [Stop, KeyboardInterrupt, signal.SIGINT])
def test_also_when_it_is_stopped_in_the_middle(how, training, ctrl_c):
    model = network(dropout=0.5)
    before = state(model)
    calls = 0

    def interrupted():
        nonlocal calls
        calls += 1
        loss = closure(model)()
        if calls == 5:
            if how is signal.SIGINT:
                signal.raise_signal(signal.SIGINT)  # what Ctrl-C sends
            else:
                raise how
        return loss

    with pytest.raises(Stop if how is Stop else KeyboardInterrupt):
        viz.landscape(interrupted, model, size=3, training=training)
    assert calls == 5
    same(before, state(model))
    assert mg.is_grad_enabled()


def test_a_graph_from_before_can_still_be_used():
    model = network().eval()
    loss = closure(model)()
    viz.landscape(closure(model), model, size=3)
    loss.backward()
    assert model[0].weight.grad is not None


def test_an_iterable_of_parameters_may_be_read_once_only():
    model = network().eval()
    before = state(model)
    found = viz.landscape(closure(model), model.parameters(), size=3)
    listed = viz.landscape(closure(model), list(model.parameters()), size=3)
    assert len(found.center) == sum(p.size for p in model.parameters())
    assert np.array_equal(found.losses, listed.losses)
    same(before, state(model))


def test_of_parameters_alone_the_mode_is_said_to_be_unknown():
    model = network()
    parameters = [p.numpy().tobytes() for p in model.parameters()]
    found = viz.landscape(closure(model), model.parameters(), size=3)
    assert found.training is None
    assert model.training
    assert [p.numpy().tobytes() for p in model.parameters()] == parameters
    assert "mode and buffers of the model not known" in caption(found)
    assert "evaluation" not in caption(found)
    with pytest.raises(ValueError, match="training=True is for a module"):
        viz.landscape(closure(model), model.parameters(), size=3, training=True)
