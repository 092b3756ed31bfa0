"""The moving average of weights."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from tests.optim.table import NO_TORCH


def parameters():
    rng = np.random.default_rng(0)
    return [mg.tensor(rng.standard_normal(s), requires_grad=True) for s in [(2, 3), (), (4,)]]


@pytest.mark.parametrize("warmup", [False, True])
def test_the_average_is_the_weighted_sum(warmup):
    """After n updates the average is Σ wᵢθᵢ, its weights the products of the decays after i."""
    params = parameters()
    ema = optim.EMA(params, 0.9, warmup)
    history = [[p.numpy().copy() for p in params]]
    decays = []
    for n in range(1, 21):
        for p in params:
            p.data += n
            p.modified()
        ema.update()
        history.append([p.numpy().copy() for p in params])
        decays.append(min(0.9, (1 + n) / (10 + n)) if warmup else 0.9)
    weights = [np.prod(decays)]
    weights += [(1 - decays[i]) * np.prod(decays[i + 1 :]) for i in range(20)]
    assert sum(weights) == pytest.approx(1)
    for i, average in enumerate(ema.averages):
        expected = sum(w * values[i] for w, values in zip(weights, history, strict=True))
        np.testing.assert_allclose(average, expected, rtol=1e-12)


@pytest.mark.parity
def test_like_pytorch():
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    layer = torch.nn.Linear(3, 2, dtype=torch.float64)
    average = torch.optim.swa_utils.AveragedModel(
        layer, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.8)
    )
    params = [mg.tensor(p.detach().numpy().copy(), requires_grad=True) for p in layer.parameters()]
    ema = optim.EMA(params, 0.8)
    average.update_parameters(layer)  # its first update copies
    for step in range(5):
        for p, q in zip(params, layer.parameters(), strict=True):
            with torch.no_grad():
                q.add_(step)
            p.data += step
        ema.update()
        average.update_parameters(layer)
    for ours, q in zip(ema.averages, average.module.parameters(), strict=True):
        np.testing.assert_allclose(ours, q.detach().numpy(), rtol=1e-14)


def test_applied_and_restored():
    params = parameters()
    ema = optim.EMA(params, 0.5)
    memory = [p.data for p in params]
    loss = sum((p * p).sum() for p in params)
    for p in params:
        p.data += 1
    now = [p.numpy().copy() for p in params]
    ema.update()

    @ema.applied()
    def fail():
        for p, value in zip(params, now, strict=True):
            np.testing.assert_allclose(p.data, value - 0.5)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    for p, value, array in zip(params, now, memory, strict=True):
        np.testing.assert_array_equal(p.data, value)
        assert p.data is array  # the memory is the optimizer's, only its values change
    with pytest.raises(mg.GraphError):
        loss.backward()
    ema.store()
    ema.copy_to()
    ema.restore()
    for p, value in zip(params, now, strict=True):
        np.testing.assert_array_equal(p.data, value)
    with pytest.raises(RuntimeError, match="store"):
        ema.restore()


def test_state_round_trip():
    params = parameters()
    ema, other = optim.EMA(params, 0.9, True), optim.EMA(params, 0.9, True)
    for p in params:
        p.data *= 3
    ema.update()
    other.load_state_dict(ema.state_dict())
    for one in (ema, other):
        one.update()
    for a, b in zip(ema.averages, other.averages, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(mg.ShapeError, match="the same model"):
        optim.EMA(params[:2]).load_state_dict(ema.state_dict())


def test_a_parameter_of_another_dtype_is_followed():
    p = mg.tensor([1.0, 2.0], requires_grad=True)
    ema = optim.EMA([p], 0.5)
    p.data = p.data.astype(np.float64) + 2
    ema.update()
    assert ema.averages[0].dtype == np.float64
    np.testing.assert_allclose(ema.averages[0], [2.0, 3.0])


@pytest.mark.parametrize("decay", [1.0, -0.1, "0.9", None])
def test_bad_decay(decay):
    with pytest.raises(optim.HyperparameterError, match="decay"):
        optim.EMA(parameters(), decay)
    with pytest.raises(ValueError, match="no parameters"):
        optim.EMA([])
