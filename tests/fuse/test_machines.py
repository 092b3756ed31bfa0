"""One formula on every machine: NumPy whole, NumPy in blocks, Numba's loop, the CUDA text.

The text is read by the stand-in for CuPy, compiled by NVIDIA's compiler, and run as C++ on the CPU.
"""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import minigrad as mg
from minigrad import fuse, optim
from minigrad.fuse import blocks, half, loop, threads
from tests.fake_cupy.arrays import ndarray
from tests.fake_cupy.kernels import RawKernel
from tests.fuse import host, nvrtc
from tests.optim.table import NAMES, ROWS

WIDE = {"float16": "float32", "float32": "float32", "float64": "float64"}  # what is computed in
NEEDS_NUMBA = "needs the extra fast: pip install minigrad[fast]"
OPTIONS = [{}, {"weight_decay": 0.1, "decoupled": True, "l1": 0.05, "maximize": True}]
every_case = [
    pytest.mark.parametrize("row", ROWS, ids=NAMES),
    pytest.mark.parametrize("dtype", ["float16", "float32", "float64"]),
    pytest.mark.parametrize("options", OPTIONS, ids=["bare", "everything"]),
]


def cases(function):
    for mark in every_case:
        function = mark(function)
    return function


@pytest.fixture
def numba(monkeypatch, tmp_path_factory):
    """Numba runs every vector, from its second step on, and shares it among threads."""
    pytest.importorskip("numba", reason=NEEDS_NUMBA)
    monkeypatch.setenv("MINIGRAD_FAST", "1")
    monkeypatch.setenv("MINIGRAD_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "loops"))
    monkeypatch.setattr(loop, "SHORTEST", 1)
    shared(monkeypatch)


def shared(monkeypatch):
    """Share every vector of 30 elements or more among three threads."""
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(threads, "SMALLEST", 7)
    monkeypatch.setattr(threads, "_LINE", 1)
    monkeypatch.setattr(threads, "SHARED", 30)


def traced(row, dtype, options, t=3):
    """Return the trace of a step, its inputs and what the formula makes of them, whole.

    Of float16 it makes it in float32, and each result is rounded once.
    """
    rng = np.random.default_rng(0)
    start = rng.standard_normal(40).astype(dtype)
    p = mg.tensor(start, dtype=WIDE[dtype], requires_grad=True)
    method = optim.METHODS[row.method]
    if dtype == "float16" and "eps" in method.class_defaults:
        options = {**options, "eps": 1e-3}  # with less, a step may be too large to be stored
    optimizer = method([p], lr=0.1, **{**row.keywords, **options})
    formula, numbers = optimizer.formula(optimizer.param_groups[0]), optimizer.clock_start[1:]
    names = optimizer.state_names
    states = [abs(rng.standard_normal(40).astype(dtype)) for _ in names]
    inputs = [start, rng.standard_normal(40).astype(dtype), *states]
    inputs[1][:3] = 0
    for state in states:
        state[:2] = 0

    def step(*arrays):
        return formula(t, *arrays, *numbers)

    trace = fuse.trace(step, ("theta", "g", *names), ("theta", *names))
    new = step(*[x.astype(WIDE[dtype]) for x in inputs])
    expected = [new[0], inputs[1], *new[1 : 1 + len(names)]]
    return trace, inputs, [x.astype(dtype) for x in expected]


def same(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        largest = np.abs(b).max()
        tolerance = {"float16": 2**-11, "float32": 1e-6, "float64": 1e-14}[a.dtype.name]
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(largest, 1))


def run(machine, trace, pieces):
    """Let a machine run a step, of float16 in buffers of float32."""
    if pieces[0][0].dtype == "float16":
        half.run(machine, trace.graph, trace.numbers, pieces)
    else:
        machine.run(trace.graph, trace.numbers, pieces)


@cases
def test_blocks(row, dtype, options):
    trace, inputs, expected = traced(row, dtype, options)
    run(blocks, trace, [[x[a:b] for x in inputs] for a, b in ((0, 33), (33, 40))])
    same(inputs, expected)


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_threads_change_no_bit(row, monkeypatch):
    trace, inputs, _ = traced(row, "float32", OPTIONS[1])
    whole = [x.copy() for x in inputs]
    blocks.run(trace.graph, trace.numbers, [whole])
    shared(monkeypatch)
    monkeypatch.setenv("MINIGRAD_FAST", "0")
    fuse.run(trace.graph, trace.numbers, [[x[:9] for x in inputs], [x[9:] for x in inputs]])
    for a, b in zip(inputs, whole, strict=True):
        np.testing.assert_array_equal(a, b)


@cases
def test_compiled_loop(row, dtype, options, numba):
    trace, inputs, expected = traced(row, dtype, options)
    loop.ready(trace.graph, 40, np.dtype(WIDE[dtype]))
    assert loop.ready(trace.graph, 40, np.dtype(WIDE[dtype]))
    run(loop, trace, [inputs])
    same(inputs, expected)


@cases
def test_cuda_text(row, dtype, options):
    trace, inputs, expected = traced(row, dtype, options)
    source = fuse.kernel_source(trace.graph, dtype)
    kernel = RawKernel(source, "update", ("--fmad=false",))
    arrays = [ndarray._of(x, 0, None) for x in inputs]
    scalars = [np.dtype(WIDE[dtype]).type(x) for x in trace.numbers]
    kernel((1,), (256,), (*[arrays[k] for k in trace.graph.used], *scalars, np.int64(40)))
    same(inputs, expected)


@cases
def test_cuda_text_compiles(row, dtype, options):
    graph = traced(row, dtype, options)[0].graph
    for architecture in ("sm_80", "sm_90"):
        code = nvrtc.compiled(fuse.kernel_source(graph, dtype), architecture)
        assert code.startswith(b"\x7fELF")


@every_case[1]
@every_case[2]
def test_cuda_text_runs_as_cpp(dtype, options, tmp_path):
    """With fewer threads than elements, so that the loop over them goes round."""
    traces = [traced(row, dtype, options) for row in ROWS]
    sources = [fuse.kernel_source(trace.graph, dtype) for trace, _, _ in traces]
    functions = host.compiled(sources, "update", tmp_path)
    for row, (trace, inputs, expected), launch in zip(ROWS, traces, functions, strict=True):
        scalars = [np.dtype(WIDE[dtype]).type(x) for x in trace.numbers]
        launch(2, 7, [*[inputs[k] for k in trace.graph.used], *scalars, np.int64(40)])
        try:
            same(inputs, expected)
        except AssertionError as error:
            raise AssertionError(row.name) from error


def test_nvrtc_refuses_what_is_wrong():
    with pytest.raises(ValueError, match="undefined"):
        nvrtc.compiled('extern "C" __global__ void f(float* x) { x[0] = y; }', "sm_90")


class Every(optim.Optimizer):
    """A formula of all operations that have a spelling."""

    @staticmethod
    def update(t, theta, g, m, *, lr=0.1):
        a = (
            mg.exp(-abs(g))
            + mg.expm1(m) * mg.log(1 + m * m)
            - mg.log1p(m * m)
            + mg.tanh(g) * mg.erf(m)
        )
        b = mg.where(g > 0.1, mg.floor(g * 3), mg.minimum(m, 0.2)) + abs(mg.erf(g)) ** 1.3
        c = (g >= m) + (g <= m) * 2.0 + (g != m) * 4.0 + mg.where(mg.isnan(g), 0.0, mg.sign(g))
        return theta - lr * (a + b) / (1 + c * c), mg.maximum(m, g) ** 2


@pytest.mark.parametrize("machine", ["blocks", "loop", "kernel", "cpp"])
def test_every_operation(machine, numba, tmp_path):
    rng = np.random.default_rng(0)
    theta, g, m = arrays = [rng.standard_normal(50) for _ in range(3)]
    g[:4] = np.nan, 0.0, -0.0, 1e3
    expected = Every.update(1, *[x.copy() for x in arrays])
    trace = fuse.trace(
        lambda *arrays: Every.update(1, *arrays), ("theta", "g", "m"), ("theta", "m")
    )
    assert not trace.graph.unspelled
    if machine == "blocks":
        blocks.run(trace.graph, trace.numbers, [arrays])
    elif machine == "loop":
        loop.ready(trace.graph, 50, theta.dtype)
        assert loop.ready(trace.graph, 50, theta.dtype)
        loop.run(trace.graph, trace.numbers, [arrays])
    elif machine == "cpp":
        text = fuse.kernel_source(trace.graph, "float64")
        (launch,) = host.compiled([text], "update", tmp_path)
        launch(1, 64, [*arrays, *map(np.float64, trace.numbers), np.int64(50)])
    else:
        kernel = RawKernel(fuse.kernel_source(trace.graph, "float64"), "update", ("--fmad=false",))
        inputs = [ndarray._of(x, 0, None) for x in arrays]
        kernel((1,), (256,), (*inputs, *map(np.float64, trace.numbers), np.int64(50)))
    for a, b in zip((theta, m), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


def test_new_numbers_are_no_new_graph():
    p = mg.zeros(3, requires_grad=True)
    optimizer = optim.NAdam([p])
    names = optimizer.state_names
    graphs = set()
    for t in (1, 2, 50):
        optimizer.param_groups[0]["lr"] = 0.1 / t
        formula = optimizer.formula(optimizer.param_groups[0])
        trace = fuse.trace(
            lambda *x, t=t, f=formula: f(t, *x, 0.9), ("theta", "g", *names), ("theta", *names)
        )
        graphs.add(id(trace.graph))
    assert len(graphs) == 1


def stepped(seed, steps=4):
    p = mg.tensor(np.random.default_rng(seed).standard_normal(20_000), requires_grad=True)
    optimizer = optim.Adam([p])
    for _ in range(steps):
        p.grad = p.detach() * 2
        optimizer.step()
    return p.tolist()


def test_two_threads_step_at_once(numba):
    expected = [stepped(seed) for seed in (0, 1)]
    found = {}
    threads = [
        threading.Thread(target=lambda seed=seed: found.update({seed: stepped(seed, 4)}))
        for seed in (0, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[0], found[1]] == expected


SCRIPT = """
import sys, warnings
warnings.simplefilter("error")
import numpy as np
{before}
import minigrad as mg
from minigrad import optim
for length in (1_000, 140_000):
    assert not sys.modules.get("numba"), "imported before a long vector asks for it"
    p = mg.tensor(np.ones(length, "float32"), requires_grad=True)
    optimizer = optim.Adam([p])
    for _ in range(3):
        p.grad = p.detach()
        optimizer.step()
print(float(p.detach().sum()), "numba" in sys.modules and bool(sys.modules["numba"]))
"""


def script(folder, before="", **environment):
    return subprocess.run(
        [sys.executable, "-c", SCRIPT.format(before=before)],
        env={**os.environ, "MINIGRAD_FAST": "1", "MINIGRAD_CACHE_DIR": str(folder), **environment},
        capture_output=True,
        text=True,
    )


def test_the_loop_is_kept_on_disk(numba, tmp_path):
    first = script(tmp_path)
    assert first.stdout.endswith("True\n"), first.stderr
    kept = {f: f.stat().st_mtime_ns for f in (tmp_path / "loops").rglob("*") if f.is_file()}
    assert {f.suffix for f in kept} == {".py", ".nbi", ".nbc"}
    assert script(tmp_path).stdout == first.stdout
    assert {
        f: f.stat().st_mtime_ns for f in (tmp_path / "loops").rglob("*.nb?")
    }.items() <= kept.items()
    off = script(tmp_path, MINIGRAD_FAST="0")
    assert off.stdout == first.stdout.replace("True", "False")


FAULTS = ["no folder can be made", "truncated", "no room for the compiled loop", "no room at all"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_folder_that_cannot_be_used_costs_only_the_time_to_compile(fault, numba, tmp_path):
    expected, before = script(tmp_path / "good").stdout, ""
    folder = tmp_path / "good"
    if fault == "truncated":
        for file in (folder / "loops").rglob("*.nb?"):
            file.write_bytes(file.read_bytes()[:100])
    elif fault == "no folder can be made":
        folder = tmp_path / "file"
        folder.write_text("where the folder should be")
    else:
        folder = tmp_path / "full"
        before = f"""
import os
replace = os.replace
def full(source, target):
    if str(target).endswith((".nbi", ".nbc")) or {fault == "no room at all"}:
        raise OSError(28, "No space left on device")
    replace(source, target)
os.replace = full
"""
    result = script(folder, before)
    assert result.stdout == expected, result.stderr
    if fault == "no room at all":
        assert not list((folder / "loops").glob("*"))
    assert expected.endswith("True\n")


def test_a_schedule_compiles_nothing(numba):
    p = mg.tensor(np.ones(20_000), requires_grad=True)
    optimizer = optim.NAdam([p], lr=0.3)
    schedule = optim.ExponentialLR(optimizer, 0.9)
    loops = set()
    for _ in range(6):
        p.grad = p.detach()
        optimizer.step()
        schedule.step()
        formula = optimizer.formula(optimizer.param_groups[0])
        names = optimizer.state_names
        graph = fuse.trace(
            lambda *x, f=formula: f(9, *x, 0.9), ("theta", "g", *names), ("theta", *names)
        ).graph
        loops.add(graph.state.get("d"))
    loops.discard(None)  # the first step
    assert len(loops) == 1
    assert len(loops.pop().signatures) == 1


def test_bytes_in_the_other_order_are_left_to_numpy(numba):
    """A tensor has the machine's; but its memory may be given it."""
    p = mg.zeros(50, requires_grad=True)
    p.data = np.ones(50, np.dtype("float32").newbyteorder())
    optimizer = optim.SGD([p], lr=0.5)
    for _ in range(3):
        p.grad = mg.ones(50)
        optimizer.step()
    assert p.tolist() == [-0.5] * 50


def test_no_loop_is_run_by_python(numba, tmp_path):
    result = script(tmp_path, NUMBA_DISABLE_JIT="1")
    assert result.stdout.endswith("True\n"), result.stderr
    assert not (tmp_path / "loops").exists()


def test_without_numba_nothing_is_said(tmp_path):
    result = script(tmp_path, "sys.modules['numba'] = None")
    assert result.stdout.endswith("False\n"), result.stderr


def test_a_broken_numba_is_named_once(tmp_path):
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs NumPy 2.1 or less')")
    before = "warnings.simplefilter('always')\nsys.path.insert(0, " + repr(str(tmp_path)) + ")"
    result = script(tmp_path, before)
    assert result.stdout.endswith("False\n")
    assert result.stderr.count("Numba needs NumPy 2.1 or less") == 1
