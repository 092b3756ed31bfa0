"""The table of modules on a device: outputs, gradients, curvature and states are the CPU's."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.curvature import Curvature
from tests.cuda.compare import equal, host
from tests.nn.table import CASES


def computed(row, shape, training, where, dtype="float64"):
    """Return what a module gives on a device: output, gradients, products, and its state after."""
    rng = np.random.default_rng(len(row.name))
    mg.manual_seed(0)
    module = row.ours().to(dtype, where).train(training)
    module.load_state_dict(
        {
            name: np.asarray(rng.random(value.shape) + 0.5).astype(value.dtype)
            for name, value in module.state_dict().items()
        }
    )
    x = mg.tensor(rng.standard_normal(shape), dtype=dtype, device=where, requires_grad=True)
    target = None if row.target is None else mg.tensor(row.target(rng, shape), device=where)
    if target is not None and target.dtype == "float64":
        target = target.astype(dtype)
    inner = row.prepare(x) if row.prepare else x
    out = module(inner) if target is None else module(inner, target)
    total = (out * out + out).sum()
    inputs = [x, *module.parameters()]
    curvature = Curvature(total, inputs, out)
    first = mg.autograd.grad(total, inputs, create_graph=True)
    vectors = [mg.tensor(rng.standard_normal(z.shape), dtype=dtype, device=where) for z in inputs]
    slope = sum((g * v).sum() for g, v in zip(first, vectors, strict=True))
    second = (
        mg.autograd.grad(slope, inputs, retain_graph=True, allow_unused=True)
        if slope.requires_grad
        else []
    )
    found = [out, *first, *second, *curvature.hvp(vectors), *curvature.ggn_vp(vectors)]
    found = [host(z, where, dtype) for z in found]
    assert all(b.device == where for b in module.buffers())
    return found + list(module.state_dict().values())


@pytest.mark.parametrize(("row", "shape", "training"), CASES)
def test_modules_and_losses(row, shape, training, device):
    equal(*(computed(row, shape, training, where) for where in ("cpu", device)))


def test_float32_stays_float32(device):
    for row, shape, training in (case.values for case in CASES):
        pairs = (computed(row, shape, training, where, "float32") for where in ("cpu", device))
        equal(*pairs, tolerance=1e-3)


def test_targets_on_the_host_are_refused_and_not_moved_unasked(device):
    x, classes = mg.randn(5, 4, device=device), np.array([0, 1, 2, 3, 0])
    for loss, target in (
        (nn.CrossEntropyLoss(), classes), (nn.CrossEntropyLoss(), np.ones((5, 4))),
        (nn.NLLLoss(), classes), (nn.MSELoss(), np.ones((5, 4))),
    ):  # fmt: skip
        with pytest.raises(mg.DeviceError, match=r"(cpu|cuda:0) and .*move one with .to"):
            loss(x, target)
    with pytest.raises(mg.DeviceError, match=r"on cpu and .*cuda:0"):
        nn.CrossEntropyLoss()(x.to("cpu"), mg.tensor(classes, device=device))


def test_dropout(device):
    mg.manual_seed(0)
    x = mg.ones(1000, device=device, requires_grad=True)
    y = nn.Dropout(0.4)(x)
    y.sum().backward()
    kept = host(y, device, "float32")
    assert 0.5 < (kept > 0).mean() < 0.7
    np.testing.assert_array_equal(host(x.grad, device, "float32"), kept)


@pytest.mark.parametrize("name", sorted(nn.init.SCHEMES))
def test_initial_values(name, device):
    mg.manual_seed(0)
    layer = nn.Linear(40, 30, init=nn.init.SCHEMES[name], device=device)
    assert layer.weight.device == device
    spread = {where: host(layer.weight, device).std() for where in (device,)}
    there = nn.Linear(40, 30, init=nn.init.SCHEMES[name]).weight.numpy().std()
    assert spread[device] == pytest.approx(there, rel=0.15, abs=1e-6)


def test_a_class_that_is_none_makes_the_loss_nan(device):
    """To raise would be to wait; the CPU raises."""
    x = mg.randn(3, 4, device=device)
    for loss in (nn.CrossEntropyLoss(), nn.NLLLoss()):
        for wrong in (4, -1):
            target = mg.tensor([0, wrong, 1], device=device)
            assert np.isnan(host(loss(x, target), device))
        assert np.isfinite(host(loss(x, mg.tensor([0, -100, 1], device=device)), device))


def test_a_class_that_is_none_is_an_error_where_anomalies_are_looked_for(device):
    x = mg.randn(3, 4, 2, device=device)
    for loss in (nn.CrossEntropyLoss(), nn.CrossEntropyLoss(label_smoothing=0.1), nn.NLLLoss()):
        with mg.detect_anomaly():
            with pytest.raises(ValueError, match=r"a class 7 in the target; with 4 classes"):
                loss(x, mg.tensor([[0, 1], [2, 7], [1, 0]], device=device))
            fine = loss(x, mg.tensor([[0, 1], [2, -100], [1, 0]], device=device))
        assert np.isfinite(host(fine, device))


def test_a_model_moves_and_its_state_loads_anywhere(device):
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm(3), nn.PReLU())
    state = model.state_dict()
    model.to(device)
    assert {t.device for t in (*model.parameters(), *model.buffers())} == {device}
    assert model[0].weight.data.flags.f_contiguous  # the layout in memory goes with it
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, state[name])
    other = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm(3), nn.PReLU())
    other.load_state_dict(dict(model.named_parameters()), strict=False)
    np.testing.assert_array_equal(other[0].weight.numpy(), state["0.weight"])
