"""Numbers that are no legal arguments: one line says which; NumPy's numbers are Python's then."""

import numpy as np
import pytest

from minigrad import datasets, optim, training
from minigrad.legal import count, finite, inner, integer, not_negative, number

NAN, INF = float("nan"), float("inf")
NUMBERS = [1, 0, -1, 0.5, 2.0, np.int64(3), np.float32(0.5), NAN, INF, True, "1", None, 1j, [1]]


@pytest.mark.parametrize(
    ("holds", "legal"),
    [
        (number, [1, 0, -1, 0.5, 2.0, 3, 0.5, NAN, INF]),
        (not_negative, [1, 0, 0.5, 2.0, 3, 0.5]),
        (count, [1, 3]),
        (inner, [0.5, 0.5]),
    ],
)
def test_what_is_a_number(holds, legal):
    np.testing.assert_equal([x for x in NUMBERS if holds(x)], legal)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: training.EarlyStopping(True), "patience=True; legal is an integer from 1"),
        (lambda: training.EarlyStopping(min_delta="a"), "min_delta='a'; legal is a finite number"),
        (lambda: training.StopOnCostChange(absolute=INF), "absolute=inf; legal is a finite number"),
        (lambda: training.StopOnCostChange(0.1, window=1.0), "window=1.0; legal is an integer"),
        (lambda: training.Checkpoint(every=None), "every=None; legal is an integer from 1"),
        (lambda: training.JSONLLog(every_steps=0), "every_steps=0; legal is an integer from 1"),
        (lambda: training.GradientFlow("a"), "every='a'; legal is an integer from 1"),
        (lambda: datasets.moons("a"), "moons: n='a'; legal is an integer from 2, a point a class"),
        (lambda: datasets.moons(noise=NAN), "moons: noise=nan; legal is a finite number from 0"),
        (lambda: datasets.checkerboard(squares=1), "checkerboard: squares=1; legal is an integer"),
        (lambda: optim.Armijo(c1=True), "Armijo: c1=True is not a number in"),
    ],
)
def test_which_argument_is_not_legal(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_numbers_of_numpy_become_those_of_python():
    found = [integer("n", np.int64(3)), finite("x", np.float32(0.5)), finite("x", 2)]
    assert [(x, type(x)) for x in found] == [(3, int), (0.5, float), (2.0, float)]
    stopping = training.EarlyStopping(np.int64(3), np.float64(0.5))
    assert (type(stopping.patience), type(stopping.min_delta)) == (int, float)
