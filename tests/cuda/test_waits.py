"""What makes the host wait: nothing in a step of a first-order method, and how often in the others.

A step runs where CuPy itself forbids to wait (`cupyx.allow_synchronize`), on the stand-in and on a
GPU. The counts of the second-order methods are those of the table in docs/backends-and-devices.md.
"""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim, training
from tests.cuda.test_training import data, fitted
from tests.fake_cupy import counts
from tests.optim.table import NAMES, ROWS

# CuPy says so of its own means, of which there is no other.
pytestmark = pytest.mark.filterwarnings("ignore:cupyx.allow_synchronize will be removed")
DOCS = Path(__file__).parents[2] / "docs"
F = nn.functional
CLIPS = {
    "none": lambda ps: None,
    "norm": lambda ps: optim.clip_grad_norm_(ps, 0.1),
    "infinity norm": lambda ps: optim.clip_grad_norm_(ps, 0.1, norm_type=np.inf),
    "each": lambda ps: optim.clip_grad_norm_per_parameter_(ps, 0.1),
    "value": lambda ps: optim.clip_grad_value_(ps, 0.1),
}
LOSSES = {
    "cross-entropy": lambda y, t: F.cross_entropy(y, t),
    "smoothed": lambda y, t: F.cross_entropy(y, t, label_smoothing=0.1, reduction="sum"),
    "probabilities": lambda y, t: F.cross_entropy(y, mg.softmax(y.detach())),
    "nll": lambda y, t: F.nll_loss(F.log_softmax(y), t),
    "bits": lambda y, t: F.binary_cross_entropy_with_logits(y, y.detach() > 0),
    "mse": lambda y, t: F.mse_loss(y, y.detach() + 1),
    "l1": lambda y, t: F.l1_loss(y, y.detach() + 1),
    "huber": lambda y, t: F.huber_loss(y, y.detach() + 1),
    "divergence": lambda y, t: F.kl_div(F.log_softmax(y), mg.softmax(y.detach())),
}


def network(where):
    mg.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm(8), nn.GELU(), nn.LayerNorm(8), nn.Dropout(0.2), nn.PReLU(),
        nn.Linear(8, 8, bias=False), nn.BatchNorm(8, momentum=None), nn.ELU(), nn.Softplus(),
        nn.SiLU(), nn.Tanh(), nn.Linear(8, 3),
    ).to(where)  # fmt: skip


def run_steps(device, optimizer_of, clip="norm", loss="cross-entropy", each=None):
    """Make three steps, of which CuPy forbids the last two to wait; return the model."""
    import cupyx

    model = network(device)
    optimizer = optimizer_of(model.parameters())
    schedule, ema = optim.CosineAnnealingLR(optimizer, 9), optim.EMA(model.parameters())
    penalties = [kind(model.parameters(), 1e-4) for kind in (nn.L1Penalty, nn.L2Penalty)]
    rng = np.random.default_rng(0)
    x = mg.tensor(rng.standard_normal((16, 6)).astype("float32"), device=device)
    target = mg.tensor(rng.integers(0, 3, 16), device=device)
    parameters = list(model.parameters())

    def step():
        optimizer.zero_grad()
        total = LOSSES[loss](model(x), target)
        for penalty in penalties:
            total = total + penalty()
        total.backward()
        CLIPS[clip](parameters)
        optimizer.step()
        ema.update()
        schedule.step()

    step()
    before = counts["waits"], counts["to host"], counts["to device"]
    with cupyx.allow_synchronize(False):
        step()
        step()
    assert (counts["waits"], counts["to host"], counts["to device"]) == before
    return model


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_first_order_methods(row, device):
    keywords = {"lr": row.rate, **row.keywords}
    model = run_steps(device, lambda ps: optim.METHODS[row.method](ps, **keywords))
    assert all(np.isfinite(p.detach().numpy()).all() for p in model.parameters())


@pytest.mark.parametrize("clip", CLIPS)
def test_clipping(clip, device):
    run_steps(device, optim.Adam, clip=clip)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses(loss, device):
    run_steps(device, optim.Adam, loss=loss)


LARGE = (2049, 2048)
SHAPES = {
    "one": ([(1000,)], 1),
    "many": ([(30, 20), (20,), (20, 10), ()] * 100, 2),  # their gradients are joined by one more
    "large": ([LARGE, (3,), LARGE], 3),  # which are not copied, and are kernels of their own
}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", SHAPES)
def test_an_update_is_one_kernel(name, dtype, fake):
    shapes, launches = SHAPES[name]
    found = []
    for where in ("cpu", "cuda"):
        kind = {"dtype": dtype, "device": where}
        params = [mg.ones(*shape, **kind, requires_grad=True) for shape in shapes]
        optimizer = optim.Adam(params, eps=1e-4)
        for i, p in enumerate(params):
            p.grad = mg.full(p.shape, 0.1 * i - 0.05, **kind)
        optimizer.step()  # the first gives the state memory
        before = counts["launches"]
        optimizer.step()
        assert where == "cpu" or counts["launches"] - before == launches
        found.append([p.numpy() for p in params])
    for here, there in zip(*found, strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-3 if dtype == "float16" else 1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_chain_of_operations_is_one_kernel(dtype, fake):
    """And its derivative another; in float16 it computes in float32."""
    x = mg.tensor(np.linspace(-9, 9, 101), dtype=dtype, device="cuda", requires_grad=True)
    ones = mg.ones(101, dtype=dtype, device="cuda")
    before = counts["launches"]
    y = F.gelu(x, approximate="tanh")
    assert counts["launches"] - before == 1
    y.backward(ones)
    assert counts["launches"] - before == 2
    assert y.dtype == x.grad.dtype == dtype
    exact = mg.tensor(x.numpy().astype("float64"), requires_grad=True)
    expected = F.gelu(exact, approximate="tanh")
    expected.sum().backward()
    rtol, atol = {"float16": (2**-11, 2e-6), "float32": (1e-6, 2e-6), "float64": (1e-14, 1e-14)}[
        dtype
    ]
    for found, wanted in ((y.detach(), expected.detach()), (x.grad, exact.grad)):
        np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=rtol, atol=atol)


def test_a_step_launches_as_many_as_the_page_says(fake):
    """The networks are those of tests/benchmarks/steps.py."""
    text = (DOCS / "performance.md").read_text("utf-8")
    said = re.search(r"(\d+) calls of CuPy for the tiny network and (\d+) for the medium", text)
    for sizes, exact in (((64, 32, 10), said[1]), ((784, 512, 256, 10), said[2])):
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
        model = nn.Sequential(*layers[:-1]).to("cuda")
        optimizer = optim.Adam(model.parameters())
        x = mg.randn(32, sizes[0], device="cuda")
        y = mg.tensor(np.arange(32) % sizes[-1], device="cuda")
        for _ in range(2):
            before = counts["launches"]
            model.zero_grad()
            nn.CrossEntropyLoss()(model(x), y).backward()
            optimizer.step()
        assert counts["launches"] - before == int(exact)


def test_what_fit_reads_does_not_grow_with_the_steps(fake):
    """Once an epoch the sums of loss and accuracy, of both data sets; once the first loss."""

    def waits(batch_size, **keywords):
        before = counts["waits"]
        fitted("cuda", epochs=2, batch_size=batch_size, **keywords)
        return counts["waits"] - before

    assert waits(64) == waits(4) == 9
    stopping = [waits(size, callbacks=[training.EarlyStopping(patience=5)]) for size in (64, 4)]
    assert stopping == [9, 9]  # the best weights stay where they are
    measured = [
        waits(4, callbacks=[training.GradientFlow(every=every)], train=data(32, "cuda"))
        for every in (1, 8)
    ]
    assert measured == [10 + 16, 10 + 2]  # data there already: once, whether they are finite


def test_second_order_methods_wait_as_the_page_says(fake):
    text = (
        (DOCS / "backends-and-devices.md").read_text("utf-8").partition("waits of an iteration")[2]
    )
    rows = re.findall(r"^\| `([\w-]+)` \|.* (\d+) \|$", text, re.MULTILINE)
    said = {name: int(most) for name, most in rows}
    methods = {n for n, m in optim.METHODS.items() if issubclass(m, optim.SecondOrder)}
    assert said.keys() == methods
    found = {}
    for name in sorted(methods):
        mg.manual_seed(0)
        model = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 3)).to("cuda")
        rng = np.random.default_rng(0)
        x = mg.tensor(rng.standard_normal((200, 10)).astype("float32"), device="cuda")
        y = mg.tensor(rng.integers(0, 3, 200), device="cuda")

        def closure(model=model, x=x, y=y):
            output = model(x)
            return F.cross_entropy(output, y), output

        optimizer = optim.METHODS[name](model.parameters())
        each = []
        for _ in range(8):
            before = counts["waits"]
            optimizer.step(closure)
            each.append(counts["waits"] - before)
        found[name] = max(each)
    assert all(said[name] / 2 < found[name] <= said[name] for name in said), found
