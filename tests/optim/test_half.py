"""Parameters of float16: a step computes in float32 and rounds each result once, as PyTorch's."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from tests.optim.table import FIRST_ORDER, NO_TORCH

ADAM = {"lr": 0.01, "eps": 1e-4}
MOMENTUM = {"lr": 0.1, "momentum": 0.9}
MOMENTS = {"m": "exp_avg", "v": "exp_avg_sq", "v_max": "max_exp_avg_sq"}
# Ours; PyTorch's, with what it needs beside our keywords; what it calls our state. Its fused Adam
# computes in float32 and keeps its state in float16. Its fused SGD and Adagrad are wrong in float16
# on the CPU (2.13, 16 numbers or more); the others round each operation.
PAIRS = [
    ("SGD", {"lr": 0.1}, "SGD", {}, {}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.01, "maximize": True}, "SGD", {}, {}),
    ("SGD", MOMENTUM, "SGD", {}, {"v": "momentum_buffer"}),
    ("SGD", {**MOMENTUM, "nesterov": True}, "SGD", {}, {"v": "momentum_buffer"}),
    ("Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.1}, "Adagrad", {}, {"G": "sum"}),
    ("Adam", ADAM, "Adam", {"fused": True}, MOMENTS),
    ("Adam", {**ADAM, "weight_decay": 0.1}, "Adam", {"fused": True}, MOMENTS),
    ("AdamW", ADAM, "AdamW", {"fused": True}, MOMENTS),
    ("AMSGrad", ADAM, "Adam", {"amsgrad": True, "fused": True}, MOMENTS),
]
SIZES = [300, 40_000]  # called with arrays, and traced: two blocks


def numbers(size, seed, scale=1.0):
    return (np.random.default_rng(seed).standard_normal(size) * scale).astype("float16")


def unit(x):
    """Return the distance to the next number of float16."""
    return np.spacing(np.abs(x).astype("float16")).astype("float64")


def close(found, expected, before, fused):
    """Compare with what is rounded once: neighbours, and seldom; or with what is rounded often."""
    apart = np.abs(found.astype("float64") - expected)
    if fused:
        assert (apart <= unit(np.maximum(abs(before), abs(expected)))).all()
        assert np.mean(apart > 0) < 0.03
    else:
        assert apart.max() <= 0.01  # of numbers below 8, whose neighbours are 0.004 apart


@pytest.mark.parity
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "keywords", "other", "more", "names"), PAIRS)
def test_steps_like_pytorchs(name, keywords, other, more, names, size):
    """Each from the same numbers: what two libraries compute may round to neighbours."""
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    p = mg.tensor(numbers(size, 0), requires_grad=True)
    q = torch.tensor(p.numpy().copy(), requires_grad=True)
    root = {"eps_inside_sqrt": False, "eps": 1e-4} if name == "Adagrad" else {}
    ours = getattr(optim, name)([p], **keywords, **root)
    theirs = getattr(torch.optim, other)([q], **keywords, **more)
    for step in range(10):
        before, g = p.numpy().copy(), numbers(size, 1 + step, 10.0 ** -(step % 3))
        p.grad, q.grad = mg.tensor(g), torch.tensor(g)
        ours.step()
        theirs.step()
        found, expected = p.numpy(), q.detach().numpy()
        assert found.dtype == expected.dtype == "float16"
        close(found, expected, before, "fused" in more)
        state, others = ours.state_dict()["state"][0], theirs.state[q]
        for key in names.keys() & state.keys():
            kept = others[names[key]].numpy()
            assert state[key].dtype == kept.dtype == "float16"
            close(state[key], kept, kept, "fused" in more)
            kept[...] = state[key]
        expected[...] = found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", sorted(FIRST_ORDER))
def test_every_method_rounds_once(name, size):
    """A step in float32, from the same numbers, and then rounded: those bits."""
    eps = {"eps": 1e-3} if "eps" in optim.METHODS[name].class_defaults else {}
    start, g = numbers(size, 0), numbers(size, 1)
    made = []
    for dtype in ("float16", "float32"):
        p = mg.tensor(start, dtype=dtype, requires_grad=True)
        optimizer = optim.METHODS[name]([p], **eps)
        p.grad = mg.tensor(g, dtype=dtype)
        optimizer.step()
        made.append([p.numpy(), *optimizer.state_dict()["state"][0].values()])
    for narrow, wide in zip(*made, strict=True):
        np.testing.assert_array_equal(narrow, np.asarray(wide, np.asarray(narrow).dtype))
