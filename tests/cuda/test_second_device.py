"""What lives on the second device is computed there, whatever the program did elsewhere since.

CuPy computes on the device that is the current one. With memory that both devices reach it does so
with arrays of the other one, too, and leaves its results on the wrong device; here it refuses.
"""

import numpy as np
import pytest

import minigrad as mg
from minigrad import datasets, nn, optim, viz
from minigrad.testing import gradcheck
from tests.cuda.compare import host
from tests.fake_cupy import counts

DEVICES = ("cuda:1", "cuda:0", "cpu")


@pytest.fixture
def elsewhere(fake):
    """A function that makes the first device the current one."""
    mg.ones(1, device="cuda:1")
    return lambda: mg.ones(2, device="cuda:0") + 1


def leaves(where, *shapes):
    rng = np.random.default_rng(0)
    return [mg.tensor(rng.standard_normal(s), device=where, requires_grad=True) for s in shapes]


@pytest.mark.parametrize("method", ["sgd", "adam", "rmsprop"])
def test_one_optimizer_of_parameters_on_several_devices(method, elsewhere):
    """With all that may be between two steps; each device's parameters go the CPU's way."""
    groups = [leaves(where, (3, 2), (4,)) for where in DEVICES]
    params = [p for group in groups for p in group]
    optimizer = optim.METHODS[method](params, lr=0.1, weight_decay=0.01)
    average = optim.EMA(params, 0.5)
    for step in range(4):
        for group in groups:
            for k, p in enumerate(group):
                p.grad = mg.tensor(np.cos(np.arange(p.size) + step + k).reshape(p.shape)).to(
                    p.device
                )
        elsewhere()
        optim.clip_grad_norm_(params, 0.9, [1, 2, np.inf, 3][step])
        elsewhere()
        optim.clip_grad_norm_per_parameter_(groups[0], 0.2)
        optim.clip_grad_norm_per_parameter_(groups[1] + groups[2], 0.2)
        optim.clip_grad_value_(params, 0.1)
        elsewhere()
        optimizer.step()
        elsewhere()
        average.update()
        again = optim.METHODS[method](params, lr=0.1, weight_decay=0.01)
        again.load_state_dict(optimizer.state_dict())
        optimizer = again
        elsewhere()
        copies = optimizer.copies()
        elsewhere()
        optimizer.zero_grad(set_to_none=False)
    for group, where in zip(groups, DEVICES, strict=True):
        for p, other in zip(group, groups[-1], strict=True):
            np.testing.assert_allclose(host(p.detach(), where), other.numpy(), rtol=1e-12)
            np.testing.assert_array_equal(host(copies[id(p)], where), host(p.detach(), where))
    values = [p.detach().numpy().copy() for p in params]
    elsewhere()
    with average.applied():
        averages = [host(p.detach(), p.device) for p in params]
        elsewhere()
    for k, p in enumerate(params):
        np.testing.assert_array_equal(p.numpy(), values[k])
        np.testing.assert_allclose(averages[k], averages[4 + k % 2], rtol=1e-12)


def test_derivatives_after_work_on_another_device(elsewhere):
    """A sweep begins, and goes on, where the gradient is: also in a network on two devices."""

    def network(x, y, second, third):
        left, right = x.to(second), y.to(third)
        for _ in range(2):  # so that a sweep goes to and fro
            left, right = -mg.tanh(left * 2), -mg.sigmoid(right) - right**2
            left, right = mg.softmax(left, -1), mg.exp(-right * right)
        return (left * right.to(second)).sum()

    found = {}
    for devices in (("cpu", "cpu"), ("cuda:1", "cuda:0"), ("cuda:1", "cuda:1")):
        x, y = leaves(devices[0], (3, 4), (3, 4))
        v = mg.ones_like(x)
        loss = network(x, y, *devices)
        elsewhere()
        loss.backward()
        elsewhere()
        f = lambda x: network(x, x, *devices)  # noqa: B023, E731
        results = [x.grad, y.grad, mg.hvp(f, x.detach(), v), mg.jvp(f, x.detach(), v)[1]]
        elsewhere()
        results += [mg.jacobian(f)(x.detach()), mg.hessian(f)(x.detach())]
        found[devices] = [host(g.detach(), devices[0]) for g in results]
    expected = found.pop(("cpu", "cpu"))
    for results in found.values():
        for a, b in zip(results, expected, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-13)
    square = lambda p: (p * p).sum() + mg.ones(1, device="cuda:0").sum().to("cuda:1")  # noqa: E731
    assert gradcheck(square, mg.ones(3, dtype="float64", device="cuda:1", requires_grad=True))


def test_changes_in_place(elsewhere):
    x = mg.zeros(3, device="cuda:1")
    for value in (mg.ones(3, device="cuda:0"), mg.ones(3), np.ones(3)):
        with pytest.raises(mg.DeviceError, match=r"a value on .* for a tensor on cuda:1; move one"):
            x += value
        with pytest.raises(mg.DeviceError, match=r"a value on .* for a tensor on cuda:1; move one"):
            x[:] = value
    elsewhere()
    x += [1, 2, 3]
    elsewhere()
    x *= 2
    x[1:] = [7.0, 8.0]  # as on the CPU
    x[0] = mg.tensor(5.0, device="cuda:1")
    elsewhere()
    nn.init.constant_(y := mg.zeros(2, device="cuda:1"), 3)
    assert (x.tolist(), y.tolist(), x.device) == ([5, 7, 8], [3, 3], "cuda:1")


def test_anothers_memory_stays_on_its_device(elsewhere):
    class Foreign:
        def __init__(self, array):
            self.__cuda_array_interface__ = array.__cuda_array_interface__

    x = mg.arange(3.0, device="cuda:1")
    elsewhere()
    before = counts["between devices"]
    assert mg.tensor(Foreign(x)).device == mg.from_dlpack(x).device == "cuda:1"
    assert counts["between devices"] == before
    assert mg.tensor(Foreign(mg.zeros(0, 3, device="cuda:1"))).shape == (0, 3)
    assert mg.tensor(Foreign(x), device="cuda:0").tolist() == [0, 1, 2]


def test_batches_of_a_loader(elsewhere):
    x = np.arange(12, dtype="float32").reshape(6, 2)
    data = datasets.Dataset(x, np.arange(6))
    elsewhere()
    for loader in (
        data.loader(2, device="cuda:1"),
        data.to("cuda:1").loader(2),
        data.to("cuda:1").loader(2, shuffle=True),
        data.loader(2, device="cuda:1", shuffle=True),
    ):
        seen = []
        for batch, y in loader:
            elsewhere()
            assert batch.device == y.device == "cuda:1"
            seen += [(*row, k) for row, k in zip(batch.tolist(), y.tolist(), strict=True)]
        assert sorted(seen) == [(2.0 * k, 2 * k + 1, k) for k in range(6)]
    with pytest.raises(mg.DeviceError, match="x is on cuda:1 and y on cpu; give both"):
        datasets.Dataset(mg.tensor(x, device="cuda:1"), np.arange(6))


def test_curvature_and_pictures_of_a_closure_that_computes_on_both(elsewhere):
    def closure(p):
        loss = ((p.to("cuda:0") - 2) ** 2).sum().to("cuda:1") + ((p - 1) ** 4).sum()
        elsewhere()
        return loss

    for method in ("bfgs", "lbfgs", "cg", "newton-cg", "trust-exact"):
        start = mg.zeros(3, dtype="float64", device="cuda:1")
        found = optim.minimize(closure, start, method=method)
        assert found.x.device == "cuda:1"
        np.testing.assert_allclose(found.x.numpy(), 1.5897545, atol=1e-4)
    p = mg.zeros(3, device="cuda:1", requires_grad=True)
    seen = viz.landscape(lambda: closure(p), [p], size=3, normalize="none")
    assert np.isfinite(seen.losses).all()


def test_batch_norms_cumulative_average(elsewhere):
    norm = nn.BatchNorm(2, momentum=None).to("cuda:1")
    for k in range(3):
        x = mg.tensor([[0.0, 2.0], [2.0 * k, 4.0]], device="cuda:1")
        elsewhere()
        norm(x)
    assert norm.running_mean.tolist() == [1, 3]
