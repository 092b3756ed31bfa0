"""Schedules: PyTorch's step for step, closed forms for those that PyTorch has not."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.optim import HyperparameterError
from tests.optim.table import NO_TORCH

# A row is a class of both libraries, and what comes after the optimizer.
PARITY = [
    ("LambdaLR", (lambda t: 1 / (1 + t),), {}),
    ("ConstantLR", (), {}),
    ("ConstantLR", (0.25, 7), {}),
    ("LinearLR", (), {}),
    ("LinearLR", (0.1, 0.8, 11), {}),
    ("StepLR", (7,), {"gamma": 0.5}),
    ("MultiStepLR", ([3, 11, 11, 20], 0.3), {}),
    ("ExponentialLR", (0.93,), {}),
    ("PolynomialLR", (30, 2.0), {}),
    ("CosineAnnealingLR", (13,), {"eta_min": 0.01}),
    ("OneCycleLR", (0.7, 40), {}),
    ("OneCycleLR", ([0.7, 0.2], 40), {"anneal_strategy": "linear", "pct_start": 0.4}),
    ("OneCycleLR", (0.7, 40), {"three_phase": True, "div_factor": 5.0, "final_div_factor": 10.0}),
    ("OneCycleLR", (0.7, 40), {"cycle_momentum": False}),
]


def optimizer(cls=optim.SGD, **keywords):
    groups = [{"params": [mg.tensor([1.0], requires_grad=True)], "lr": lr} for lr in (0.5, 0.1)]
    return cls(groups, **keywords)


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason=NO_TORCH)


def reference(torch, name="SGD", **keywords):
    groups = [{"params": [torch.ones(1, requires_grad=True)], "lr": lr} for lr in (0.5, 0.1)]
    return getattr(torch.optim, name)(groups, **keywords)


def same(ours, theirs, first, second, steps=40):
    """Hold two schedules and the groups of their optimizers together."""
    for _ in range(steps):
        for mine, other in zip(ours.param_groups, theirs.param_groups, strict=True):
            for name in ("lr", "momentum", "betas"):
                if name in mine:
                    assert mine[name] == pytest.approx(other[name], rel=1e-12, abs=1e-16)
        ours.step()
        theirs.step()
        first.step()
        second.step()


@pytest.mark.parity
@pytest.mark.parametrize(("name", "arguments", "keywords"), PARITY)
def test_like_pytorch(name, arguments, keywords, torch):
    ours, theirs = optimizer(momentum=0.9), reference(torch, momentum=0.9)
    first = getattr(optim, name)(ours, *arguments, **keywords)
    second = getattr(torch.optim.lr_scheduler, name)(theirs, *arguments, **keywords)
    same(ours, theirs, first, second, 39)


@pytest.mark.parity
def test_one_cycle_turns_beta1(torch):
    ours, theirs = optimizer(optim.Adam), reference(torch, "Adam")
    first = optim.OneCycleLR(ours, 0.1, 30)
    second = torch.optim.lr_scheduler.OneCycleLR(theirs, 0.1, 30)
    same(ours, theirs, first, second, 29)


@pytest.mark.parity
def test_sequential_like_pytorch(torch):
    ours, theirs = optimizer(), reference(torch)
    L = torch.optim.lr_scheduler
    first = optim.SequentialLR(
        ours,
        [optim.LinearLR(ours, 0.1, 1.0, 5), optim.CosineAnnealingLR(ours, 20, 0.01),
         optim.PolynomialLR(ours, 12)],
        [5, 20],
    )  # fmt: skip
    second = L.SequentialLR(
        theirs,
        [L.LinearLR(theirs, 0.1, 1.0, 5), L.CosineAnnealingLR(theirs, 20, 0.01),
         L.PolynomialLR(theirs, 12)],
        [5, 20],
    )  # fmt: skip
    same(ours, theirs, first, second)


@pytest.mark.parity
def test_chained_like_pytorch(torch):
    ours, theirs = optimizer(), reference(torch)
    L = torch.optim.lr_scheduler
    first = optim.ChainedScheduler([optim.ConstantLR(ours, 0.1, 9), optim.ExponentialLR(ours, 0.9)])
    second = L.ChainedScheduler([L.ConstantLR(theirs, 0.1, 9), L.ExponentialLR(theirs, 0.9)])
    same(ours, theirs, first, second)


@pytest.mark.parity
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize("cooldown", [0, 3])
def test_plateau_like_pytorch(mode, threshold_mode, cooldown, torch):
    rng = np.random.default_rng(0)
    ours, theirs = optimizer(), reference(torch)
    keywords = {
        "mode": mode, "threshold_mode": threshold_mode, "cooldown": cooldown, "factor": 0.5,
        "patience": 2, "threshold": 0.02, "min_lr": 0.01,
    }  # fmt: skip
    first = optim.ReduceLROnPlateau(ours, **keywords)
    second = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **keywords)
    for step in range(80):
        metric = 1 / (1 + step) + 0.1 * rng.standard_normal() if step != 30 else math.nan
        first.step(metric)
        second.step(metric)
        assert first.get_last_lr() == [group["lr"] for group in theirs.param_groups]
    assert first.get_last_lr()[0] < 0.5


def test_warm_up_and_inverse_square_root():
    one = optimizer()
    schedule = optim.LinearWarmup(one, 4)
    rates = []
    for _ in range(6):
        rates.append(one.param_groups[0]["lr"])
        schedule.step()
    assert rates == pytest.approx([0.125, 0.25, 0.375, 0.5, 0.5, 0.5])
    inverse = optim.InverseSqrtLR(one, 4)
    # Vaswani et al., eq. 3, is this with base = 1/√(d·warmup).
    step = np.arange(1, 101)
    expected = 0.5 * 2 * np.minimum(step**-0.5, step * 4**-1.5)
    assert [inverse.value(t, 0.5) for t in range(100)] == pytest.approx(expected.tolist())


def test_composition_is_composition_of_functions():
    one = optimizer()
    cosine, warmup = optim.CosineAnnealingLR(one, 100), optim.LinearWarmup(one, 10)
    both = optim.ChainedScheduler([cosine, warmup])
    nested = optim.SequentialLR(one, [both, optim.ExponentialLR(one, 0.9)], [50])
    for t in range(50):
        assert nested.value(t, 0.3) == warmup.value(t, cosine.value(t, 0.3))
    assert nested.value(53, 0.3) == pytest.approx(0.3 * 0.9**3)


@pytest.mark.parametrize("make", [
    lambda o: optim.CosineAnnealingLR(o, 9),
    lambda o: optim.OneCycleLR(o, 0.7, 20),
    lambda o: optim.SequentialLR(o, [optim.LinearWarmup(o, 3), optim.StepLR(o, 2)], [3]),
])  # fmt: skip
def test_state_round_trip(make):
    """A run that stops at step 8 and goes on from the saved states has the same rates."""
    whole = optimizer()
    schedule = make(whole)
    for _ in range(8):
        schedule.step()
    saved = json.loads(json.dumps([whole.state_dict(), schedule.state_dict()]))
    for order in (0, 1):
        again = optimizer()
        other = make(again)
        for part in (order, 1 - order):
            (again, other)[part].load_state_dict(saved[part])
        assert other.get_last_lr() == schedule.get_last_lr()
        other.step()
        expected = [schedule.value(9, group["initial_lr"]) for group in whole.param_groups]
        assert other.get_last_lr() == expected


def test_plateau_state_round_trip():
    schedule = optim.ReduceLROnPlateau(optimizer(), patience=1)
    for metric in (1.0, 2.0):
        schedule.step(metric)
    one = optimizer()
    other = optim.ReduceLROnPlateau(one, patience=1)
    other.load_state_dict(json.loads(json.dumps(schedule.state_dict())))
    other.step(mg.tensor(2.0))
    assert one.param_groups[0]["lr"] == pytest.approx(0.05)


def test_a_group_that_comes_later_is_scheduled_too():
    one = optimizer()
    schedule = optim.ExponentialLR(one, 0.5)
    schedule.step()
    one.add_param_group({"params": [mg.tensor([1.0], requires_grad=True)], "lr": 0.8})
    schedule.step()
    assert schedule.get_last_lr() == pytest.approx([0.125, 0.025, 0.2])


@pytest.mark.parametrize(("make", "message"), [
    (lambda o: optim.StepLR(o, 0), "step_size=0 is not an int ≥ 1"),
    (lambda o: optim.ExponentialLR(o, -0.1), "gamma=-0.1"),
    (lambda o: optim.CosineAnnealingLR(o, 1.5), "T_max=1.5"),
    (lambda o: optim.CosineAnnealingLR(o, 5, -1.0), "eta_min"),
    (lambda o: optim.OneCycleLR(o, 0.1, 10, pct_start=2.0), "pct_start"),
    (lambda o: optim.OneCycleLR(o, 0.1, 10, anneal_strategy="sine"), "anneal_strategy"),
    (lambda o: optim.OneCycleLR(o, [0.1], 10), "max_lr"),
    (lambda o: optim.SequentialLR(o, [optim.LinearLR(o)], [3]), "milestones"),
    (lambda o: optim.ReduceLROnPlateau(o, factor=1.0), "factor"),
    (lambda o: optim.ReduceLROnPlateau(o, mode="least"), "mode"),
])  # fmt: skip
def test_bad_arguments(make, message):
    with pytest.raises(HyperparameterError, match=message):
        make(optimizer())


def test_what_is_no_function_of_the_step_does_not_compose():
    one = optimizer()
    with pytest.raises(TypeError, match="ReduceLROnPlateau is not one"):
        optim.ChainedScheduler([optim.ReduceLROnPlateau(one)])
    with pytest.raises(TypeError, match="not a list"):
        optim.StepLR([], 3)
