"""Every row of the table of optimizers, held to PyTorch, to scalars, and to published figures."""

from __future__ import annotations

import ast
import inspect
import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.optim.hyper import _LEGAL
from tests.optim.table import FIRST_ORDER, NAMES, NO_TORCH, ROWS

SHAPES = [(3, 4), (4,), (), (5, 2, 2), (0, 3), (6, 1)]

every_row = pytest.mark.parametrize("row", ROWS, ids=NAMES)
PARITY = [row for row in ROWS if row.torch is not None]


def make(row, params, **keywords):
    return optim.METHODS[row.method](params, **{**row.keywords, **keywords})


def leaf(array):
    tensor = mg.tensor(array, requires_grad=True)
    if array.ndim == 2:
        tensor.data = np.asfortranarray(tensor.data)
    return tensor


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # NAdam keeps its product of momenta in it
    yield torch
    torch.set_default_dtype(before)


@pytest.mark.parity
@pytest.mark.parametrize("row", PARITY, ids=[row.name for row in PARITY])
@pytest.mark.parametrize("extras", ["plain", "groups, decay, schedule, maximize"])
def test_two_hundred_steps_like_pytorch(row, extras, torch):
    rng = np.random.default_rng(0)
    start = [rng.standard_normal(shape) for shape in SHAPES]
    ours = [leaf(array) for array in start]
    theirs = [torch.tensor(array, requires_grad=True) for array in start]
    name, keywords = row.torch
    if extras == "plain":
        optimizer = make(row, ours, lr=row.rate)
        reference = getattr(torch.optim, name)(theirs, lr=row.rate, **keywords)
        schedules = []
    else:
        groups = [{}, {"lr": row.rate / 2, "weight_decay": 0.3}, {"maximize": True}]
        parts = [slice(0, 2), slice(2, 4), slice(4, 6)]
        optimizer = make(
            row,
            [{"params": ours[part], **group} for part, group in zip(parts, groups, strict=True)],
            lr=row.rate,
            weight_decay=0.1,
        )
        reference = getattr(torch.optim, name)(
            [{"params": theirs[part], **group} for part, group in zip(parts, groups, strict=True)],
            lr=row.rate,
            weight_decay=0.1,
            **keywords,
        )
        schedules = [
            optim.ExponentialLR(optimizer, 0.99),
            torch.optim.lr_scheduler.ExponentialLR(reference, 0.99),
        ]
    targets = [rng.standard_normal(shape) for shape in SHAPES]
    for step in range(200):
        for i, (p, q) in enumerate(zip(ours, theirs, strict=True)):
            if (step + i) % 7 == 3:
                p.grad = q.grad = None
                continue
            noise = rng.standard_normal(SHAPES[i])
            p.grad = p.data - targets[i] + noise
            q.grad = q.detach() - torch.tensor(targets[i] + 0.0) + torch.tensor(noise)
        optimizer.step()
        reference.step()
        for schedule in schedules:
            schedule.step()
        mine = np.concatenate([p.data.ravel() for p in ours])
        other = np.concatenate([q.detach().numpy().ravel() for q in theirs])
        np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-14)
    assert all(p.data.flags.f_contiguous for p in ours if p.ndim == 2)


@pytest.mark.parity
@pytest.mark.parametrize("name", ["SGD", "Adam", "NAdam", "RMSprop"])
def test_decoupled_decay_like_pytorch(name, torch):
    """PyTorch's AdamW and NAdam have it; SGD's and RMSprop's are their steps after θ(1 − αλ)."""
    rng = np.random.default_rng(1)
    start = rng.standard_normal(5)
    p, q = leaf(start), torch.tensor(start, requires_grad=True)
    row = next(row for row in PARITY if row.torch == (name, {}))
    optimizer = make(row, [p], lr=0.01, weight_decay=0.1, decoupled=True)
    special = {
        "Adam": lambda: torch.optim.AdamW([q], lr=0.01, weight_decay=0.1),
        "NAdam": lambda: torch.optim.NAdam(
            [q], lr=0.01, weight_decay=0.1, decoupled_weight_decay=True
        ),
    }
    reference = special.get(name, lambda: getattr(torch.optim, name)([q], lr=0.01))()
    for _ in range(50):
        g = rng.standard_normal(5)
        p.grad, q.grad = g, torch.tensor(g)
        if name not in special:
            with torch.no_grad():
                q.mul_(1 - 0.01 * 0.1)
        optimizer.step()
        reference.step()
    np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-12)


@every_row
def test_scalar_transcription(row):
    rng = np.random.default_rng(2)
    start = rng.standard_normal(3)
    p = leaf(start)
    optimizer = make(row, [p], lr=row.rate)
    scalars = [row.scalar(x, row.rate) for x in start.tolist()]
    for scalar in scalars:
        next(scalar)
    for _ in range(40):
        g = rng.standard_normal(3)
        g[2] = 0.0  # a coordinate without a gradient stays (but for AdamW's decay)
        p.grad = g
        optimizer.step()
        expected = [scalar.send(x) for scalar, x in zip(scalars, g.tolist(), strict=True)]
        np.testing.assert_allclose(p.data, expected, rtol=1e-12)


@pytest.mark.parametrize("row", [row for row in ROWS if row.golden], ids=lambda row: row.name)
def test_golden_iterates(row):
    p = leaf(np.array([1.0]))
    optimizer = make(row, [p], **row.golden_keywords)
    for g, expected in zip([1.0, -0.5, 0.25], row.golden, strict=True):
        p.grad = [g]
        optimizer.step()
        assert p.item() == pytest.approx(expected, abs=1.5e-12)


@every_row
def test_finds_the_minimum_of_a_quadratic(row):
    scales = np.array([1.0, 3.0, 10.0])
    target = np.array([0.5, -0.3, 0.2])
    p = leaf(np.array([1.0, 0.7, -0.6]))
    optimizer = make(row, [p], lr=min(5 * row.rate, 1.0))
    schedule = optim.PolynomialLR(optimizer, 1000)
    start = (scales * (p.data - target) ** 2).sum()
    for _ in range(1000):
        p.grad = scales * (p.data - target)
        optimizer.step()
        schedule.step()
    assert (scales * (p.data - target) ** 2).sum() < 1e-2 * start


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_goes_down_rosenbrock(name):
    row = next(row for row in ROWS if row.name == name)
    p = mg.tensor(np.array([-1.2, 1.0]), requires_grad=True)
    optimizer = make(row, [p], lr=row.rate if name == "adadelta" else min(row.rate, 0.5))

    def rosenbrock():
        return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2

    assert rosenbrock().item() == pytest.approx(24.2)
    x = p.data
    for _ in range(3000):
        slope = 200 * (x[1] - x[0] ** 2)
        p.grad = np.array([-2 * (1 - x[0]) - 2 * x[0] * slope, slope])
        optimizer.step()
        x = p.data
    assert rosenbrock().item() < 0.5


@every_row
def test_float32_stays_float32(row):
    """The formula makes nothing wider on the way, and follows float64 as far as float32 can."""
    rng = np.random.default_rng(3)
    start = rng.standard_normal((4, 3))
    narrow, wide = leaf(start.astype(np.float32)), leaf(start)
    optimizers = [make(row, [p], lr=row.rate) for p in (narrow, wide)]
    method = optim.METHODS[row.method]
    keywords = {name: optimizers[0].param_groups[0][name] for name in method.hyper_names}
    blocks = [np.ones(5, np.float32) for _ in ("theta", "g", *method.state_names)]
    results = method.update(2, *blocks, *method.clock_start[1:], **keywords)
    assert {x.dtype for x in results[: len(blocks) - 1]} == {np.dtype(np.float32)}
    for _ in range(20):
        g = rng.standard_normal((4, 3))
        narrow.grad, wide.grad = g.astype(np.float32), g
        for optimizer in optimizers:
            optimizer.step()
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow.data, wide.data, rtol=1e-4, atol=1e-5)


def test_centered_rmsprop_survives_rounding():
    """A constant gradient has the variance 0, which float32 may round to less."""
    p = leaf(np.zeros((8, 8), np.float32))
    optimizer = optim.RMSprop([p], centered=True)
    for _ in range(300):
        p.grad = np.linspace(1, 1e3, 64, dtype=np.float32).reshape(8, 8)
        optimizer.step()
    assert np.isfinite(p.data).all()


@every_row
def test_a_formula_works_on_tensors_too(row):
    """What one vocabulary is for: the same line can be recorded, drawn and differentiated."""
    method = optim.METHODS[row.method]
    group = make(row, [leaf(np.ones(1))]).param_groups[0]
    keywords = {name: group[name] for name in method.hyper_names}
    rng = np.random.default_rng(4)
    arrays = [rng.uniform(0.5, 1.5, 5) for _ in ("theta", "g", *method.state_names)]
    tensors = [mg.tensor(array, requires_grad=True) for array in arrays]
    of_arrays = method.update(3, *arrays, *method.clock_start[1:], **keywords)
    of_tensors = method.update(3, *tensors, *method.clock_start[1:], **keywords)
    assert isinstance(of_tensors[0], mg.Tensor)
    np.testing.assert_array_equal(of_arrays[0], of_tensors[0].data)


@every_row
def test_state_round_trip_is_exact(row):
    """A run that is saved, loaded into a new optimizer and continued is the run itself."""
    rng = np.random.default_rng(5)
    gradients = rng.standard_normal((12, len(SHAPES), 60))

    def run(params, optimizer, steps):
        for step in steps:
            for i, p in enumerate(params):
                missing = (step + i) % 5 == 0 or i == 3
                p.grad = None if missing else gradients[step, i, : p.size].reshape(p.shape)
            optimizer.step()

    start = [rng.standard_normal(shape) for shape in SHAPES]
    whole = [leaf(array) for array in start]
    optimizer = make(row, [{"params": whole[:2]}, {"params": whole[2:], "lr": 0.02}], l1=0.01)
    run(whole, optimizer, range(6))
    state = optimizer.state_dict()
    saved = [p.numpy().copy() for p in whole]
    again = [leaf(array) for array in saved]
    other = make(row, [{"params": again[:2]}, {"params": again[2:]}], lr=0.5)
    other.load_state_dict(state)
    run(whole, optimizer, range(6, 12))
    run(again, other, range(6, 12))
    for p, q in zip(whole, again, strict=True):
        np.testing.assert_array_equal(p.data, q.data)
    assert 3 not in state["state"]
    assert all(entry[k].flags.c_contiguous for entry in state["state"].values()
               for k in entry if isinstance(entry[k], np.ndarray))  # fmt: skip
    assert [group["params"] for group in state["param_groups"]] == [[0, 1], [2, 3, 4, 5]]


ERRORS = [
    (row.method, keywords)
    for row in ROWS
    for keywords in (*row.errors, {"lr": -1.0}, {"lr": "fast"}, {"lr": math.nan}, {"lr": True})
]


@pytest.mark.parametrize(("method", "keywords"), ERRORS, ids=str)
def test_bad_hyperparameters(method, keywords):
    name = next(iter(keywords))
    with pytest.raises(optim.HyperparameterError, match=name) as error:
        optim.METHODS[method]([leaf(np.ones(2))], **keywords)
    assert optim.METHODS[method].__name__ in str(error.value)
    assert "; " in str(error.value)  # what to try
    with pytest.raises(optim.HyperparameterError, match=name):
        optim.METHODS[method]([{"params": [leaf(np.ones(2))], **keywords}])


@pytest.mark.parametrize("method", FIRST_ORDER.values(), ids=lambda method: method.__name__)
def test_a_class_is_its_formula_and_short(method):
    source = inspect.getsource(method)
    nodes = [
        x for x in ast.walk(ast.parse(source)) if isinstance(x, (ast.ClassDef, ast.FunctionDef))
    ]
    texts = [ast.get_docstring(node, clean=False) or "" for node in nodes]
    code = [line for line in source.splitlines() if line.strip()]
    written = [line for text in texts for line in text.splitlines() if line.strip()]
    assert len(code) - len(written) <= 40
    assert "update" in vars(method) or issubclass(method, optim.Adam)
    assert "Raises" in method.__doc__ or "errors" in method.__doc__


# Published figures -------------------------------------------------------------------------------


def test_nesterov_1983_keeps_its_bound():
    """f(x_k) − f* ≤ 4L‖y₀ − x*‖²/(k + 2)² on a convex quadratic, and descent is far behind."""
    scales = np.geomspace(1e-4, 1.0, 30)
    start = np.ones(30)
    gaps = {}
    for name, keywords in [("nag", {"variant": "1983"}), ("sgd", {})]:
        y = leaf(start)
        optimizer = optim.METHODS[name]([y], lr=1.0, **keywords)
        for k in range(500):
            y.grad = scales * y.data
            optimizer.step()
            x = optimizer.state_dict()["state"][0].get("x", y.data)
            gaps[name] = 0.5 * (scales * x**2).sum()
            if name == "nag":
                assert gaps[name] <= 4 * (start**2).sum() / (k + 2) ** 2
    assert gaps["nag"] < 0.1 * gaps["sgd"]


def test_amsgrad_solves_the_problem_that_adam_does_not():
    """Reddi et al. 2018: f_t(x) = 1010x once in 101 steps, else −10x, on [−1, 1]: best is −1."""
    printed = {"bias_correction": "none", "eps": 0.0}
    found = {}
    for method, keywords in [(optim.Adam, {}), (optim.AMSGrad, printed)]:
        x, state, regret = 0.0, [0.0] * len(method.state_names), 0.0
        for t in range(1, 200_001):
            g = 1010.0 if t % 101 == 1 else -10.0
            regret += g * (x + 1) / 200_000
            results = method.update(
                t, x, g, *state, lr=0.5 / math.sqrt(t), betas=(0.9, 0.99), **keywords
            )
            x, *state = map(float, results)
            x = min(max(x, -1.0), 1.0)
        found[method] = (x, regret)
    assert found[optim.Adam] == (pytest.approx(0.993, abs=1e-3), pytest.approx(0.273, abs=1e-3))
    assert found[optim.AMSGrad] == (-1.0, pytest.approx(0.083, abs=1e-3))


def test_rules_of_hyperparameters_are_of_the_library_s_own_methods():
    """Each default is legal; what a user's method means by a name is not another method's rule."""
    for name, method in optim.METHODS.items():
        for key, value in method.class_defaults.items():
            assert key not in _LEGAL or _LEGAL[key][0](value), (name, key)

    class Signs(optim.Optimizer):
        @staticmethod
        def update(t, theta, g, m, *, lr=0.1, beta=0.9, alpha=2.0):
            m = beta * m + g
            return theta - alpha * lr * m, m

    p = mg.tensor([1.0], requires_grad=True)
    p.grad = [1.0]
    Signs([p], beta=0.95, alpha=3.0).step()
    assert p.tolist() == pytest.approx([0.7])
