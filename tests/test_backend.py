"""The backend module: what passes through to NumPy, and what must not get in its own way."""

import numpy as np

import minigrad as mg
from minigrad.backend import numpy as xp


def test_names_pass_through_and_leave_pythons_builtins_alone():
    x = mg.zeros((3, 2), dtype=mg.float64, requires_grad=True)
    for name in ("all", "any", "max", "min", "abs", "round", "pow"):
        assert getattr(xp, name) is getattr(np, name)
        assert name not in vars(xp)
    x[[0, 2, 0]].sum().backward()  # scatter_add must still tell repeated indices
    assert x.grad.tolist() == [[2, 2], [0, 0], [1, 1]]
