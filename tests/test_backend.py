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


@pytest.mark.parametrize("size", [10, 4096, 16_384, 16_385, 40_000])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32"])
def test_where_is_numpys_to_the_bit(size, dtype):
    rng = np.random.default_rng(0)
    condition = rng.random(size) > 0.5
    x, y = ((rng.standard_normal(size) * 9).astype(dtype) for _ in range(2))
    if dtype != "int32":
        x[:6] = np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-7
    whole = x.reshape(2, -1) if size % 2 == 0 else x
    others = [
        (y, 0), (0, y), (1.5, y), (x, -0.0), (x, np.array(3, dtype)), (x, np.float64(2)),
        (x, y[:1]), (x, y.astype("float64")), (x[::-1], y), (y, np.inf),
    ]  # fmt: skip
    for a, b in [(x, y), *others]:
        for chosen in (condition, condition[::-1], condition.astype(dtype)):
            found, expected = xp.where(chosen, a, b), np.where(chosen, a, b)
            assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
            assert found.tobytes() == expected.tobytes()
    found = xp.where(condition.reshape(whole.shape), whole, 0.5)
    assert found.tobytes() == np.where(condition.reshape(whole.shape), whole, 0.5).tobytes()


@pytest.mark.parametrize("exponent", [-4, -3, -2, -1, 0, 0.5, 1, 2, 3, 3.0, 4, 5, 6, 7, 2.5])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_powers(exponent, dtype):
    x = np.array([-3, -2.5, -1, 0, 1, 2, 7]).astype(dtype)
    if dtype == "int64" and exponent < 0:
        with pytest.raises(ValueError, match="negative integer powers"):
            xp.powered(x, exponent)
        return
    with np.errstate(all="ignore"):
        found, expected = xp.powered(x, exponent), x**exponent
    assert found.dtype == expected.dtype
    unit = np.finfo(found.dtype).eps if found.dtype.kind == "f" else 0
    np.testing.assert_allclose(found, expected, rtol=5 * unit)
