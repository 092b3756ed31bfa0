"""Norms as loops that Numba compiles are what they are on whole arrays in NumPy."""

import os
import subprocess
import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import backend, fuse
from minigrad.fuse import loop, row_loop, rows, symbol, threads
from minigrad.nn import functional
from minigrad.ops import elementwise, neural, reduce
from minigrad.primitive import Primitive
from tests.fuse.test_rows import (
    AXIS,
    FUNCTIONS,
    NOT_FINITE,
    STATEMENTS,
    N,
    arrays,
    not_finite,
    plain,
)

# Those of NumPy alone: they take exponentials of each element, or are no more than one pass.
NUMPY = {"softmax", "sub", "array of no axes", "number"} | {
    name for name in STATEMENTS if name.startswith("log_softmax")
}
COMPILED = [name for name in STATEMENTS if name not in NUMPY]
ELEMENTWISE = ["scale_shift", "scaled", "project", "project columns"]
TOLERANCE = {"float32": 1e-6, "float64": 1e-14}  # of the largest number
both = pytest.mark.parametrize("dtype", TOLERANCE)


@pytest.fixture(autouse=True)
def runs(monkeypatch, tmp_path_factory):
    """Every matrix is one for a loop, and none for NumPy's blocks: what loops were run on."""
    pytest.importorskip("numba", reason="needs the extra fast: pip install minigrad[fast]")
    monkeypatch.setenv("MINIGRAD_FAST", "1")
    monkeypatch.setenv("MINIGRAD_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "loops"))
    monkeypatch.setattr(loop, "SMALLEST", 1)
    monkeypatch.setattr(rows, "WORTH", 1 << 40)
    found = []
    run = loop.rows
    monkeypatch.setattr(loop, "rows", lambda *a: (found.append(a[3]), run(*a)))
    yield found
    for graph in symbol._graphs.values():  # the other tests are of NumPy
        for kind in [kind for kind in graph.state if str(kind)[:1] in "fd"]:
            graph.state.pop(kind, None)


def same(found, expected, dtype):
    """Say whether arrays are equal to the tolerance, NaN and infinities in the same places."""
    assert found.dtype == dtype
    assert found.shape == expected.shape
    largest = np.abs(expected[np.isfinite(expected)]).max(initial=1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE[dtype] * largest)


@both
@pytest.mark.parametrize("name", COMPILED)
def test_compiled(name, dtype, runs):
    """Beside the same in the next wider precision; elementwise to the bit beside NumPy."""
    statement, _, params, kinds = STATEMENTS[name]
    wide = {"float32": "float64", "float64": "longdouble"}[dtype]
    for before, after in (((13,), (N,)), ((1,), (1001,)), ((3, 5), (67,)), ((2,), (7, 11))):
        inputs = arrays(kinds, dtype, before, after)
        kept = [np.copy(x) for x in inputs]
        if "axis" in params:
            last = tuple(range(len(before), len(before) + len(after)))
            params = params | {"axis": last}
        found = statement.run(inputs, params)
        assert len(runs) == 1
        assert runs.pop() == (np.prod(before), np.prod(after))
        for x, y in zip(inputs, kept, strict=True):
            np.testing.assert_array_equal(x, y)
        same(found, plain(name, [x.astype(wide) for x in inputs], params), dtype)
        if name in ELEMENTWISE:
            np.testing.assert_array_equal(found, plain(name, inputs, params))


@both
@pytest.mark.parametrize("name", ["moments", "normalize rule", "softmax rule"])
def test_columns(name, dtype, runs):
    """What is done to rows is done to columns by loops of the other order."""
    statement, _, params, kinds = STATEMENTS[name]
    wide = {"float32": "float64", "float64": "longdouble"}[dtype]
    statement.run(arrays(kinds, dtype), params)  # the same graph
    for before, after in (((13,), (N,)), ((101,), (67,)), ((2, 7), (7, 11))):
        first = {"axis": tuple(range(len(before)))} | ({"eps": 1e-3} if "norm" in name else {})
        stacked = ["stack of rows" if kind == "stack" else kind for kind in kinds]
        inputs = arrays(stacked, dtype, before, after)
        found = statement.run(inputs, first)
        assert runs.pop() == (np.prod(before), np.prod(after))
        same(found, plain(name, [x.astype(wide) for x in inputs], first), dtype)
        inputs[0][-1, ..., 7] = np.nan
        found = statement.run(inputs, first)
        assert np.isnan(found[..., 7]).all()
        assert np.isfinite(np.delete(found, 7, -1)).all()
        runs.clear()


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((1, N), (0,)), ((N, 9), (0,)), ((4, 5, N), (1,)), ((9, N), (0, 1))],
    ids=["one row", "short", "middle", "all"],
)
def test_what_has_no_columns(shape, axis, runs):
    assert STATEMENTS["moments"][0].run([np.ones(shape, "f")], {"axis": axis}) is None
    assert runs == []


@pytest.mark.parametrize("name", STATEMENTS)
def test_which_are_compiled(name):
    statement, _, params, kinds = STATEMENTS[name]
    statement = rows.Rows(statement.formula, statement.results)
    found = statement.run(arrays(kinds, "float32"), params)
    assert (found is None) == (name in NUMPY)
    (trace,) = statement.traces.values()
    assert row_loop.fits(trace.graph) == (name not in NUMPY)


def test_the_table_has_all_that_reduce_rows():
    found = set()
    for module in (elementwise, neural, reduce):
        for op in vars(module).values():
            if isinstance(op, Primitive):
                found.add(getattr(op.forward, "rows", None))
                rules = [rule for rule in (*op.rules, op.tangent) if rule and rule.chain]
                found.update(rule.chain.rows for rule in rules if "axis" in rule.keys)
    found -= {None, neural._normalize.tangent.chain.rows}  # the same text as the rule
    assert found <= {statement for statement, *_ in STATEMENTS.values()}


@pytest.mark.parametrize("value", NOT_FINITE)
@pytest.mark.parametrize("name", COMPILED)
def test_what_is_not_finite(name, value):
    """It goes through as in NumPy, and without a warning."""
    statement, _, params, kinds = STATEMENTS[name]
    inputs = not_finite(arrays(kinds, "float32"), value)
    found = statement.run(inputs, params)
    with np.errstate(all="ignore"):
        expected = plain(name, inputs, params)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


@both
@pytest.mark.parametrize("axis", [0, 1])
def test_a_large_mean_drowns_no_small_spread(dtype, axis):
    rng = np.random.default_rng(0)
    x = (1e4 + rng.standard_normal([(3000, 99), (99, 3000)][axis])).astype(dtype)
    found = STATEMENTS["moments"][0].run([x], {"axis": (axis,)})
    wide = x.astype("longdouble")
    tolerance = [50, 5][axis] * np.finfo(dtype).eps  # columns are added up one after the other
    np.testing.assert_allclose(found[0], wide.mean(axis, keepdims=True), rtol=tolerance)
    np.testing.assert_allclose(found[1], wide.var(axis, keepdims=True), rtol=tolerance)
    constant = STATEMENTS["moments"][0].run([np.full((N, N), 1 / 3, dtype)], {"axis": (axis,)})
    np.testing.assert_array_equal(constant[0], np.asarray(1 / 3, dtype))
    np.testing.assert_array_equal(constant[1], 0)


def test_the_first_run_is_as_the_others(runs):
    """A training that is resumed computes what one that is not does."""
    x = arrays(["whole"], "float32", (64,))
    first, second = (neural._moments.forward(backend.cpu, *x, **AXIS) for _ in range(2))
    assert len(runs) == 2
    np.testing.assert_array_equal(first, second)


def test_threads_change_no_bit(monkeypatch, runs):
    for name in COMPILED:
        statement, _, params, kinds = STATEMENTS[name]
        inputs = arrays(kinds, "float32")
        expected = statement.run(inputs, params)
        with monkeypatch.context() as shared:
            shared.setattr(threads, "SHARED", 1)
            shared.setattr(threads, "count", lambda: 2)
            runs.clear()
            np.testing.assert_array_equal(statement.run(inputs, params), expected)
        assert sorted(runs) == [(1, N), (4, N), (4, N), (4, N)]


def test_memory_of_every_kind(runs):
    """Read-only and not aligned it is compiled for; bytes in the other order are NumPy's."""
    (x,) = arrays(["whole"], "float32")
    moments = STATEMENTS["moments"][0]
    expected = moments.run([x], AXIS)
    fixed, odd = x.copy(), np.zeros(x.nbytes + 1, np.uint8)[1:].view("float32").reshape(x.shape)
    fixed.flags.writeable = False
    odd[...] = x
    for y in (fixed, odd):
        np.testing.assert_array_equal(moments.run([y], AXIS), expected)
    swapped = x.astype(x.dtype.newbyteorder())
    assert moments.run([swapped], AXIS) is None
    found = neural._moments.forward(backend.cpu, swapped, **AXIS)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("number", [0.5, np.asarray(0.5, "f")], ids=["number", "0-d"])
def test_numbers_beside_matrices(number, runs):
    def formula(x, y, a):
        return elementwise.sub(x * y, a) * a

    inputs = [*arrays(["whole", "row"], "float32"), number]
    found = rows.Rows(formula).run(inputs, {})
    assert runs == [(13, N)]
    np.testing.assert_array_equal(found, (inputs[0] * inputs[1] - np.float32(0.5)) * 0.5)


@pytest.mark.parametrize(
    "formula",
    [
        lambda x, axis: reduce._sum(x > 0, axis=axis, keepdims=True) * x,
        lambda x, axis: (x * 2)[:, 0:1] * x,
        lambda x, axis: x.max(1, keepdims=True) * x,
        lambda x, axis: mg.tanh(x) * x,
        lambda x, axis: x**1.3 * x,
        lambda x, axis: (
            reduce._sum(reduce._sum(x, axis=axis, keepdims=True), axis=axis, keepdims=True) * x * x
        ),
    ],
    ids=["booleans", "part of a result", "largest", "tangent", "power", "sum of sums"],
)
def test_what_no_loop_is_made_of(formula, runs):
    assert rows.Rows(formula).run([np.ones((5, N), "f")], AXIS) is None
    assert runs == []


def test_sums_of_sums(runs):
    """One after the other, with booleans and powers of a row between them."""

    def formula(x, y, axis):
        total = reduce._sum(x, axis=axis, keepdims=True)
        deviation = mg.where(x > total * (1 / N), x, total)
        other = reduce._sum(deviation * (x > y), axis=axis, keepdims=True)
        return mg.exp(-other) * deviation + other * y

    inputs = arrays(["whole", "column"], "float64")
    found = rows.Rows(formula).run(inputs, AXIS)
    assert runs == [(13, N)]
    np.testing.assert_allclose(found, formula(*inputs, **AXIS), rtol=1e-13)


def test_the_text():
    """A sum has functions of its own, in which alone the order of additions is free."""
    rule = STATEMENTS["softmax rule"][0]
    rule.run(arrays(["whole", "whole"], "float32"), AXIS)
    (trace,) = [t for t in rule.traces.values() if t is not None][:1]
    text = fuse.loop_source(trace.graph, "float32")
    assert text.split("def plus")[1] == (
        "(a, b):\n    return a + b\n\n\n"
        "def loop(a0_, a1_, out0_, m, n):\n"
        "    for i in range(m):\n"
        "        x4 = F(0)\n"
        "        for j in range(n):\n"
        "            a0 = a0_[i, j]\n"
        "            a1 = a1_[i, j]\n"
        "            x3 = a0 * a1\n"
        "            x4 = plus(x4, x3)\n"
        "        for j in range(n):\n"
        "            a0 = a0_[i, j]\n"
        "            a1 = a1_[i, j]\n"
        "            x5 = a0 - x4\n"
        "            x6 = a1 * x5\n"
        "            out0_[i, j] = x6\n"
    )
    text = fuse.loop_source(trace.graph, "float32", columns=True)
    assert text.split("def plus")[1] == (
        "(a, b):\n    return a + b\n\n\n"
        "def loop(a0_, a1_, out0_, m, n):\n"
        "    x4_ = empty(m, F)\n"
        "    for i in range(m):\n"
        "        x4_[i] = F(0)\n"
        "    for j in range(n):\n"
        "        for i in range(m):\n"
        "            a0 = a0_[j, i]\n"
        "            a1 = a1_[j, i]\n"
        "            x3 = a0 * a1\n"
        "            x4_[i] = plus(x4_[i], x3)\n"
        "    for j in range(n):\n"
        "        for i in range(m):\n"
        "            a0 = a0_[j, i]\n"
        "            a1 = a1_[j, i]\n"
        "            x5 = a0 - x4_[i]\n"
        "            x6 = a1 * x5\n"
        "            out0_[j, i] = x6\n"
    )


@both
@pytest.mark.parametrize("name", ["layer_norm", "batch_norm", "softmax"])
def test_every_order(name, dtype, monkeypatch, runs):
    """Value and derivatives beside those of NumPy, of row-major arrays and others."""
    rng = np.random.default_rng(1)
    shape = (1 + rows.LARGE // N, N)
    data, seed = rng.standard_normal((2, *shape))

    def derivatives(dtype, order):
        x = mg.tensor(np.asarray(data, dtype, order=order), requires_grad=True)
        y = FUNCTIONS[name](x)
        (g,) = mg.autograd.grad(y, x, mg.tensor(seed, dtype=dtype), create_graph=True)
        (h,) = mg.autograd.grad(g, x, mg.tensor(seed, dtype=dtype))
        return [value.numpy() for value in (y, g, h)]

    found = derivatives(dtype, "C"), derivatives(dtype, "F")
    assert runs
    monkeypatch.setenv("MINIGRAD_FAST", "0")
    monkeypatch.setattr(rows.Rows, "run", lambda *a: None)
    expected = derivatives("float64", "C")
    for values in found:
        for value, other in zip(values, expected, strict=True):
            atol = {"float32": 2e-5, "float64": 1e-13}[dtype] * np.abs(other).max()
            np.testing.assert_allclose(value, other, rtol=0, atol=atol)


@both
@pytest.mark.parametrize("name", ["layer_norm", "batch_norm", "softmax"])
def test_beside_pytorch(name, dtype, runs):
    torch = pytest.importorskip(
        "torch", reason="needs the extra parity: pip install minigrad[parity]"
    )
    rng = np.random.default_rng(2)
    shape = (1 + rows.LARGE // 321, 321)
    x, g = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    w, b = (rng.standard_normal(shape[1]).astype(dtype) for _ in range(2))
    ours = [mg.tensor(value, requires_grad=True) for value in (x, w, b)]
    theirs = [torch.tensor(value, requires_grad=True) for value in (x, w, b)]
    if name == "layer_norm":
        y = functional.layer_norm(ours[0], 321, *ours[1:])
        z = torch.nn.functional.layer_norm(theirs[0], shape[1:], *theirs[1:])
    elif name == "batch_norm":
        y = functional.batch_norm(ours[0], None, None, *ours[1:], training=True)
        z = torch.nn.functional.batch_norm(theirs[0], None, None, *theirs[1:], training=True)
    else:
        y, z = mg.softmax(ours[0], 1), torch.softmax(theirs[0], 1)
    y.backward(mg.tensor(g))
    z.backward(torch.tensor(g))
    assert runs
    pairs = [(y, z), *((p.grad, q.grad) for p, q in zip(ours, theirs, strict=True))]
    for p, q in pairs[: 2 if name == "softmax" else 4]:
        expected = q.detach().numpy()
        atol = {"float32": 2e-6, "float64": 1e-14}[dtype] * np.abs(expected).max()
        np.testing.assert_allclose(p.numpy(), expected, rtol=0, atol=atol)


SCRIPT = """
import sys, warnings
warnings.simplefilter("error")
{before}
import minigrad as mg
from minigrad.nn import functional
for rows in (32, 128):
    assert not sys.modules.get("numba"), "imported before a large matrix asks for it"
    x = mg.arange(rows * 512, dtype="float32").reshape(rows, 512).sin().detach()
    y = functional.layer_norm(x.requires_grad_(), 512, mg.ones(512), mg.zeros(512))
    y.backward(x.detach())
print(round(float(x.grad.sum()), 3), bool(sys.modules.get("numba")))
"""


@pytest.mark.parametrize(
    ("before", "fast", "compiled"),
    [("", "1", True), ("", "0", False), ("sys.modules['numba'] = None", "1", False)],
    ids=["with Numba", "not wanted", "without Numba"],
)
def test_small_networks_do_not_import_numba(before, fast, compiled):
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(before=before)],
        env={**os.environ, "MINIGRAD_FAST": fast},
        capture_output=True,
        text=True,
    )
    assert result.stdout.endswith(f"{compiled}\n"), result.stderr
