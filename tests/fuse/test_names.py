"""What a formula calls its states: also what a machine's text has another meaning for."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import fuse
from minigrad.fuse import blocks, loop
from tests.fuse import host, nvrtc

# Words of C++ that are none of Python's, and what the texts call their own.
WORDS = """
    alignas alignof and_eq asm auto bitand bitor bool case catch char char16_t char32_t compl const
    constexpr const_cast decltype default delete do double dynamic_cast enum explicit export extern
    false float friend goto inline int long mutable namespace new noexcept not_eq nullptr operator
    or_eq private protected public register reinterpret_cast short signed sizeof static
    static_assert static_cast struct switch template this thread_local throw true typedef typeid
    typename union unsigned using virtual void volatile wchar_t xor xor_eq
    F H i n c0 x4 b0 step select half wide update loop block range size njit numba exp sqrt floor
    blockIdx gridDim NULL min out theta_ multiply Größe
"""


@pytest.mark.parametrize("machine", ["blocks", "loop", "cpp", "nvrtc"])
def test_a_state_may_have_any_name(machine, tmp_path, monkeypatch, tmp_path_factory):
    names = WORDS.split()

    def update(theta, g, *states):
        for state in states:
            theta = theta + mg.sqrt(state * g)
        return theta, *[2 * state for state in states]

    trace = fuse.trace(update, ("theta", "g", *names), ("theta", *names))
    arrays = [np.full(9, 1.0 + k) for k in range(len(names) + 2)]
    expected = update(*[x.copy() for x in arrays])
    if machine == "nvrtc":
        assert nvrtc.compiled(fuse.kernel_source(trace.graph, "float32"), "sm_90")
        return
    if machine == "blocks":
        blocks.run(trace.graph, trace.numbers, [arrays])
    elif machine == "loop":
        pytest.importorskip("numba", reason="needs the extra fast: pip install minigrad[fast]")
        monkeypatch.setenv("MINIGRAD_FAST", "1")
        monkeypatch.setenv("MINIGRAD_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "loops"))
        monkeypatch.setattr(loop, "SHORTEST", 1)
        loop.ready(trace.graph, 9, arrays[0].dtype)
        assert loop.ready(trace.graph, 9, arrays[0].dtype)
        loop.run(trace.graph, trace.numbers, [arrays])
    else:
        (launch,) = host.compiled([fuse.kernel_source(trace.graph, "float64")], "update", tmp_path)
        launch(1, 64, [*arrays, *map(np.float64, trace.numbers), np.int64(9)])
    for a, b in zip([arrays[0], *arrays[2:]], expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)
