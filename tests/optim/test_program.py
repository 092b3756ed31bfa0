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
    assert told[0].filename == __file__  # the line that steps
    assert "Shapes: the formula runs as plain array code" in str(told[0].message)
    assert results[0] == results[1]


SIZES = [3, 1000, 200_000]  # plain, and beyond what is traced


@pytest.mark.parametrize("size", SIZES)
def test_a_formula_without_state_may_return_theta_alone(size):
    class Own(Optimizer):
        @staticmethod
        def update(t, theta, g, *, lr=0.1):
            return theta - lr * g

    start = np.arange(size, dtype="float64")
    p = mg.tensor(start, requires_grad=True)
    p.grad = np.ones(size)
    Own([p]).step()
    np.testing.assert_allclose(p.numpy(), start - 0.1, rtol=1e-15)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("results", "found"),
    [
        (lambda theta, m: theta, "returned"),
        (lambda theta, m: (theta,), "returned 1 of them"),
        (lambda theta, m: (theta, m, m), "returned 3 of them"),
        (lambda theta, m: None, "returned NoneType"),
    ],
)
@pytest.mark.filterwarnings("ignore:Own. the formula runs as plain array code:UserWarning")
def test_a_formula_that_does_not_return_all_is_told(results, found, size):
    class Own(Optimizer):
        @staticmethod
        def update(t, theta, g, m, *, lr=0.1):
            return results(theta - lr * g, m)

    p = mg.tensor(np.arange(size, dtype="float64"), requires_grad=True)
    p.grad = np.ones(size)
    with pytest.raises(TypeError, match=rf"Own.update {found}.*returns the new theta, m, in this"):
        Own([p]).step()
    np.testing.assert_array_equal(p.numpy(), np.arange(size))


@pytest.mark.filterwarnings("ignore:Own. the formula runs as plain array code:UserWarning")
def test_a_formula_that_is_not_elementwise_or_changes_the_gradient_is_told():
    class Own(Optimizer):
        @staticmethod
        def update(t, theta, g, *, lr=0.1, what="sum"):
            if what == "sum":
                return (theta - lr * g).sum()
            g += 1
            return theta - lr * g

    for what, error in (("sum", "its formula is elementwise"), ("in place", "read-only")):
        p = mg.tensor(np.arange(5.0), requires_grad=True)
        p.grad = np.ones(5)
        with pytest.raises(ValueError, match=error):
            Own([p], what=what).step()
        np.testing.assert_array_equal(p.numpy(), np.arange(5))
        np.testing.assert_array_equal(p.grad.numpy(), np.ones(5))
