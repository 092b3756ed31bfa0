"""A formula written out as a program gives the bits that the formula gives called with arrays."""

import sys
import warnings

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.optim import Optimizer
from tests.optim.table import FIRST_ORDER

OPTIONS = [
    {},
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "decoupled": True, "l1": 0.05, "maximize": True},
]


def parameters(dtype):
    rng = np.random.default_rng(0)
    shapes = [(300, 200), (7,), (), (150, 400), (5,)]
    return [
        mg.tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True) for shape in shapes
    ]


def plain(optimizer):
    """Make the optimizer call its formula with arrays, whole."""
    for flats in optimizer._flats:
        for flat in flats:
            flat.block = sys.maxsize
    return optimizer


def run(optimizer, params, steps=4):
    rng = np.random.default_rng(1)
    for _ in range(steps):
        for i, p in enumerate(params):
            g = rng.standard_normal(p.shape).astype(p.dtype)
            p.grad = None if i == 4 else mg.tensor(g)
        optimizer.step()
    return [p.tolist() for p in params], optimizer.state_dict()


@pytest.mark.parametrize("options", OPTIONS, ids=["bare", "coupled", "everything"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(FIRST_ORDER))
def test_program_equals_formula(name, dtype, options):
    ours, theirs = parameters(dtype), parameters(dtype)
    got, state = run(optim.METHODS[name](ours, **options), ours)
    expected, expected_state = run(plain(optim.METHODS[name](theirs, **options)), theirs)
    assert got == expected
    for index, entry in expected_state["state"].items():
        for key, value in entry.items():
            np.testing.assert_array_equal(state["state"][index][key], value)


class Swap(Optimizer):
    """A formula whose results are its inputs in another order, and one twice."""

    @staticmethod
    def update(t, theta, g, a, b, c, *, lr=0.1):
        new = theta - lr * g
        return new, b + 1, a + theta, theta


class Shapes(Optimizer):
    """A formula that asks for what a symbol does not have."""

    @staticmethod
    def update(t, theta, g, *, lr=0.1):
        return (theta - lr * g / g.shape[0],)


class Chooses(Optimizer):
    """A formula with an operation that is no ufunc."""

    @staticmethod
    def update(t, theta, g, m, *, lr=0.1):
        m = mg.where(g > 0, m + 1, m)
        return theta - lr * m**3, m


@pytest.mark.parametrize("method", [Swap, Chooses])
def test_results_that_are_inputs_and_operations_that_are_no_ufuncs(method):
    ours, theirs = parameters("float32"), parameters("float32")
    got, state = run(method(ours), ours)
    expected, expected_state = run(plain(method(theirs)), theirs)
    assert got == expected
    np.testing.assert_equal(state["state"], expected_state["state"])


def test_what_cannot_be_written_out_runs_and_says_so_once():
    both = [parameters("float32"), parameters("float32")]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        results = [run(Shapes(params), params, steps=3)[0] for params in both]
    assert len(told) == 1
    assert "Shapes: the formula runs as plain array code" in str(told[0].message)
    assert results[0] == results[1]
