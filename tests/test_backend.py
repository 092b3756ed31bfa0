"""The backend module: what passes through to NumPy, and what must not get in its own way."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.backend import numpy as xp


def test_names_pass_through_and_leave_pythons_builtins_alone():
    x = mg.zeros((3, 2), dtype=mg.float64, requires_grad=True)
    for name in ("all", "any", "max", "min", "abs", "round", "pow"):
        assert getattr(xp, name) is getattr(np, name)
        assert name not in vars(xp)
    x[[0, 2, 0]].sum().backward()  # scatter_add must still tell repeated indices
    assert x.grad.tolist() == [[2, 2], [0, 0], [1, 1]]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_aligned_memory_starts_at_a_line_of_the_cache(dtype):
    kept = [xp.aligned(size, dtype) for size in (0, 1, 7, 1000, 40_000)]
    assert [x.ctypes.data % 64 for x in kept if x.size] == [0] * 4
    assert [(x.size, x.dtype.name) for x in kept] == [(n, dtype) for n in (0, 1, 7, 1000, 40_000)]
    p = mg.tensor(np.ones(77, dtype), requires_grad=True)
    optimizer = optim.Adam([p], eps=1e-4)
    p.grad = p.detach()
    optimizer.step()
    flat = optimizer._flats[0][0]
    assert [x.ctypes.data % 64 for x in (flat.vector, *flat.states.values())] == [0] * 3
