"""Depth, memory, cycles: what must hold however long a program runs."""

import copy
import gc
import subprocess
import sys
import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim


def test_a_graph_100_000_nodes_deep():
    x = mg.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + 1.0
    (g,) = mg.autograd.grad(y, x, create_graph=True)
    assert g.item() == 1
    y.backward()
    assert x.grad.item() == 1
    del y, g  # freeing a deep graph must not recurse either


@pytest.fixture
def without_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("create_graph", [False, True])
def test_no_reference_cycles(create_graph):
    w = mg.ones((4, 4), requires_grad=True)
    x = mg.ones((3, 4))
    h = mg.tanh(x @ w)
    loss = (h * h).mean()
    alive = [weakref.ref(t) for t in (h, loss)] + [weakref.ref(loss.data)]
    grads = mg.autograd.grad(loss, w, create_graph=create_graph)
    alive += [weakref.ref(g) for g in grads]
    del h, loss, grads
    assert [ref() for ref in alive] == [None] * len(alive)


@pytest.mark.usefixtures("without_collector")
def test_values_no_rule_reads_are_freed_at_once():
    x = mg.ones((100, 100), requires_grad=True)
    before = mg.exp(x)  # read by the rule of exp itself
    after = before + 1  # read by nobody
    y = after.sum()
    exp_value, sum_value = weakref.ref(before.data), weakref.ref(after.data)
    del before, after
    assert exp_value() is not None
    assert sum_value() is None
    y.backward()
    assert exp_value() is None  # the sweep frees as it goes


@pytest.mark.usefixtures("without_collector")
def test_a_thousand_steps_leave_nothing_behind():
    w = mg.tensor(np.ones((8, 8)), requires_grad=True)

    def step():
        w.grad = None
        loss = mg.logsumexp(mg.tanh(w @ w))
        (g,) = mg.autograd.grad(loss, w, create_graph=True)
        (g * g).sum().backward()

    for _ in range(2500):  # the interpreter's own free lists fill up first
        step()
    tracemalloc.start()
    for _ in range(50):
        step()
    first = tracemalloc.get_traced_memory()[0]
    for _ in range(500):
        step()
    grown = tracemalloc.get_traced_memory()[0] - first
    tracemalloc.stop()
    assert grown < 10_000


def test_100_000_training_steps_do_not_grow():
    resource = pytest.importorskip("resource", reason="needs Unix: it reads the peak of memory")
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer, loss_fn = optim.Adam(model.parameters()), nn.MSELoss()
    x, y = mg.randn(8, 2), mg.randn(8, 1)

    def train(steps):
        for _ in range(steps):
            optimizer.zero_grad()
            loss_fn(model(x), y).backward()
            optimizer.step()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    first = train(5_000)
    assert train(95_000) - first < 1024  # KiB: a leak of 11 bytes a step would show


def test_models_can_be_copied_deeply():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm(3))
    optim.SGD(model.parameters(), lr=0.1)
    twin = copy.deepcopy(model)
    with mg.no_grad():
        model[0].weight += 1.0
    assert not np.allclose(twin[0].weight.numpy(), model[0].weight.numpy())


def test_import_needs_numpy_only():
    code = (
        "import sys, minigrad; from minigrad import nn, optim, datasets, training;"
        "optional = 'cupy matplotlib graphviz torch scipy safetensors tqdm'.split();"
        "print([name for name in optional if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


VIEWS = {
    "itself": lambda x: x,
    "reshape": lambda x: x.reshape(3, 2),
    "transpose": lambda x: x.T,
    "part": lambda x: x[1],
    "pair": lambda x: (x, x.T),
}


@pytest.mark.parametrize("view", VIEWS)
def test_a_tangent_of_a_view_is_not_the_memory_that_was_given(view):
    v = np.arange(6.0).reshape(2, 3)
    _, pushed = mg.jvp(VIEWS[view], (mg.ones(2, 3, dtype=mg.float64),), (mg.Tensor.of(v),))
    for part in pushed if isinstance(pushed, tuple) else (pushed,):
        assert not np.shares_memory(part.data, v)
    expected = VIEWS[view](v)
    np.testing.assert_array_equal(np.asarray(pushed[0].data), expected[0])


def test_the_core_is_read_in_one_sitting():
    files = [Path(mg.__file__).with_name(name) for name in ("tensor.py", "autograd.py")]
    assert sum(len(file.read_text("utf-8").splitlines()) for file in files) < 700
