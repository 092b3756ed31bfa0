"""Norms and softmax, run a few rows at a time, are what they are on whole arrays."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import backend, fuse
from minigrad.fuse import blocks, chain, rows, symbol, threads
from minigrad.nn import functional
from minigrad.ops import elementwise, neural, reduce

N = 80  # elements of a row
AXIS = {"axis": (1,)}
EPS = AXIS | {"eps": 1e-3}

# Each statement: the rows, the formula on arrays, its keywords, and the kinds of its inputs: a
# whole matrix, one number a row ("row"), one a column, a stack of two numbers a row, a number.
STATEMENTS = {
    "moments": (
        neural._moments.forward.rows, neural._moments.forward, AXIS, ["whole"],
    ),
    "normalize rule": (
        neural._normalize.rules[0].chain.rows, None, EPS, ["whole", "whole", "stack"],
    ),
    "softmax": (reduce._softmax.forward.rows, reduce._softmax.forward, AXIS, ["whole"]),
    "softmax rule": (reduce._softmax.rules[0].chain.rows, None, AXIS, ["whole", "whole"]),
    "softmax tangent": (reduce._softmax.tangent.chain.rows, None, AXIS, ["whole", "whole"]),
    "log_softmax": (reduce._log_softmax.forward.rows, reduce._log_softmax.forward, AXIS, ["whole"]),
    "log_softmax rule": (reduce._log_softmax.rules[0].chain.rows, None, AXIS, ["whole", "whole"]),
    "log_softmax tangent": (reduce._log_softmax.tangent.chain.rows, None, AXIS, ["whole", "whole"]),
    "scale_shift": (
        neural.scale_shift.forward.chain.rows, neural.scale_shift.forward, {},
        ["whole", "column", "column"],
    ),
    "scaled": (
        neural._scaled.chain.rows, neural._scaled, {}, ["whole", "row", "row"],
    ),
    "project": (
        neural._project.forward.chain.rows, neural._project.forward, {},
        ["whole", "row", "whole", "row", "row"],
    ),
    "project columns": (
        neural._project.forward.chain.rows, neural._project.forward, {},
        ["whole", "column", "whole", "column", "column"],
    ),
    "sub": (elementwise.sub.forward.chain.rows, elementwise.sub.forward, {}, ["row", "whole"]),
    "array of no axes": (
        elementwise.sub.forward.chain.rows, elementwise.sub.forward, {}, ["0-d", "whole"],
    ),
    "number": (
        elementwise.sub.forward.chain.rows, elementwise.sub.forward, {}, ["number", "whole"],
    ),
}  # fmt: skip
every = pytest.mark.parametrize("name", STATEMENTS)
both = pytest.mark.parametrize("dtype", ["float32", "float64"])
NOT_FINITE = [np.nan, np.inf, -np.inf, 3e38, "-inf but one", "all -inf"]  # in one of the rows
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    """Blocks of a few rows, the last of one."""
    monkeypatch.setattr(blocks, "ROWS", 8 * N * 3)
    monkeypatch.setattr(rows, "WORTH", 1)
    monkeypatch.setattr(chain, "WORTH", 0)


@pytest.fixture
def runs(monkeypatch):
    found = []
    run = blocks.rows
    monkeypatch.setattr(blocks, "rows", lambda *a: (found.append(a[-1]), run(*a)))
    return found


def arrays(kinds, dtype, before=(13,), after=(N,)):
    """Return positive numbers, as a variance is, of each kind."""
    rng = np.random.default_rng(0)
    ones = (1,) * len(after)
    shapes = {
        "whole": (*before, *after),
        "row": (*before, *ones),
        "column": after,
        "stack": (2, *before, *ones),
        "stack of rows": (2, *(1,) * len(before), *after),
        "0-d": (),
    }
    return [
        0.5 if kind == "number" else np.asarray(rng.random(shapes[kind]) + 0.1, dtype)
        for kind in kinds
    ]


def not_finite(inputs, value):
    """Return the inputs with one of NOT_FINITE in the fifth row of the first."""
    if isinstance(value, str):
        inputs[0][4] = -np.inf
        inputs[0][4, :1] = 1.0 if value == "-inf but one" else -np.inf
    else:
        inputs[0][4, 7] = value
    return inputs


def plain(name, inputs, params):
    """Return the formula's result on whole arrays."""
    statement, forward, _, _ = STATEMENTS[name]
    if forward is None:
        return statement.formula(*inputs, **params)
    found = forward.__wrapped__(backend.cpu, *inputs, **params)
    return np.stack(found) if isinstance(found, tuple) else found


@both
@every
def test_a_few_rows_at_a_time(name, dtype, runs):
    statement, _, params, kinds = STATEMENTS[name]
    inputs = arrays(kinds, dtype)
    kept = [np.copy(x) for x in inputs]
    found = statement.run(inputs, params)
    assert runs == [(13, N)]
    for x, y in zip(inputs, kept, strict=True):
        np.testing.assert_array_equal(x, y)
    assert found.dtype == dtype
    expected = plain(name, inputs, params)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] / 10)


@every
@pytest.mark.parametrize(
    ("before", "after"), [((3, 5), (N,)), ((7,), (5, 16)), ((2, 3), (4, 20)), ((1,), (N,))], ids=str
)
def test_of_more_axes(name, before, after, runs):
    statement, _, params, kinds = STATEMENTS[name]
    inputs = arrays(kinds, "float64", before, after)
    if "axis" in params:
        last = tuple(range(len(before), len(before) + len(after)))
        params = params | {"axis": last}
    found = statement.run(inputs, params)
    assert len(runs) == 1
    np.testing.assert_allclose(found, plain(name, inputs, params), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("value", NOT_FINITE)
@pytest.mark.parametrize("name", [name for name in STATEMENTS if STATEMENTS[name][3][0] == "whole"])
def test_a_row_does_not_see_the_others(name, value):
    """What is not finite stays in its row, and is what it is on whole arrays."""
    statement, _, params, kinds = STATEMENTS[name]
    inputs = not_finite(arrays(kinds, "float32"), value)
    with np.errstate(all="ignore"):
        found = statement.run(inputs, params)
        expected = plain(name, inputs, params)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)
    others = np.delete(found, 4, axis=-2 if found.shape[-1] == 1 else 0)
    assert np.isfinite(others).all() or "columns" in name


@pytest.mark.parametrize(
    ("x", "axis"),
    [
        (np.ones((N, 4 * N), "f").T, (1,)),
        (np.ones((N, N), "f"), (0,)),
        (np.ones((3, N, N), "f"), (1,)),
        (np.ones((9, N), "e"), (1,)),
        (np.ones((90, 8), "f"), (1,)),
        (np.ones((0, N), "f"), (1,)),
        (np.ones((2, (1 << 17) + 1), "f"), (1,)),
        (np.ones((9, N), "f"), 1),
        (np.ones((9, N), "f"), None),
    ],
    ids=["layout", "columns", "middle", "half", "short", "empty", "long", "integer", "all"],
)
def test_what_is_left_to_the_formula_itself(x, axis, runs):
    assert reduce._softmax.forward.rows.run([x], {"axis": axis}) is None
    assert runs == []


@pytest.mark.parametrize(
    "others",
    [[np.ones((13, N))], [np.ones((12, N), "f")], [np.ones((2, 13, N), "f")], [mg.ones(13, N)]],
    ids=["dtypes", "shapes", "stack", "tensor"],
)
def test_inputs_that_do_not_fit(others, runs):
    rule = reduce._softmax.rules[0].chain.rows
    assert rule.run([np.ones((13, N), "f"), *others], AXIS) is None
    assert runs == []


@pytest.mark.parametrize(
    "formula",
    [
        lambda x, axis: x.sum(axis),
        lambda x, axis: reduce._sum(x, axis=axis, keepdims=False) * x,
        lambda x, axis: x * reduce._sum(x, axis=(0,), keepdims=True),
        lambda x, axis: x.reshape((N, -1)) * 2,
        lambda x, axis: x[:, 1:] * 2,
        lambda x, axis: x if x.max(1, keepdims=True) > 0 else -x,
        lambda x, axis: elementwise.mul(neural._einsum(x, x, spec="ab,ab->b"), x),
        lambda x, axis: reduce._cumsum(x, axis=1) * x,
        lambda x, axis: 1.0,
    ],
    ids=["method", "dropped", "columns", "reshape", "part", "branch", "einsum", "cumsum", "number"],
)
def test_a_formula_of_something_else_has_no_trace(formula, runs):
    x = np.ones((5, N), "f")
    assert rows.Rows(formula).run([x], AXIS) is None
    assert runs == []


def test_a_formula_of_vectors_has_no_rows():
    for formula in (lambda x: x.shape, lambda x: x.ndim, lambda x: reduce._sum(x, axis=(1,))):
        with pytest.raises((AttributeError, TypeError)):
            fuse.trace(formula, ("x",), ("x",), np.dtype("f"))


def test_what_is_computed_a_row_is_computed_once(runs):
    """Not for each element: it has no buffer."""
    rule = neural._normalize.rules[0].chain.rows
    rule.run(arrays(["whole", "whole", "stack"], "float32"), EPS)
    (trace,) = [t for t in rule.traces.values() if t.shapes == [(-1, N)]][:1]
    small = {step.operation for step in trace.graph.instructions if step.small}
    assert {"row_sum", "row_dot", "pow"} <= small
    text = fuse.block_source(trace.graph)
    assert text.startswith("def block(a0, a1, a2, a3, out0, c0, c1, c2, c3, b0):")


def test_threads_share_many_rows(monkeypatch, runs):
    monkeypatch.setattr(threads, "SHARED", 1)
    monkeypatch.setattr(threads, "count", lambda: 2)
    before = np.getbufsize()
    for name, (statement, _, params, kinds) in STATEMENTS.items():
        runs.clear()
        inputs = arrays(kinds, "float64")
        found = statement.run(inputs, params)
        assert sorted(runs) == [(1, N), (4, N), (4, N), (4, N)]
        np.testing.assert_allclose(found, plain(name, inputs, params), rtol=1e-12, atol=1e-13)
    assert np.getbufsize() == before


def test_traces_of_many_lengths_do_not_fill_the_memory():
    softmax = reduce._softmax.forward.rows
    for n in range(N, N + 100):
        softmax.run([np.ones((2, n), "f")], AXIS)
    assert len(softmax.traces) <= symbol._MOST
    graphs = {id(trace.graph) for trace in softmax.traces.values()}
    assert len(graphs) == 1


FUNCTIONS = {
    "softmax": lambda x: mg.softmax(x, -1),
    "log_softmax": lambda x: mg.log_softmax(x, -1),
    "layer_norm": lambda x: functional.layer_norm(x, N, mg.arange(N) * 0.1, mg.ones(N)),
    "batch_norm": lambda x: functional.batch_norm(
        x, None, None, mg.arange(N) * 0.1, mg.ones(N), True
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_order(name, order, dtype, monkeypatch, runs):
    """Beside the same with no rows at all, in float64."""
    rng = np.random.default_rng(1)
    data, seed = rng.standard_normal((2, 1 + rows.LARGE // N, N))

    def derivative(dtype):
        x = mg.tensor(data, dtype=dtype, requires_grad=True)
        y = FUNCTIONS[name](x)
        for k in range(order):
            g = mg.tensor(seed, dtype=y.dtype)
            (y,) = mg.autograd.grad(y, x, g, create_graph=k + 1 < order)
        assert y.dtype == x.dtype or order == 0
        return y.numpy()

    found = derivative(dtype)
    assert runs or dtype == "float16"
    with monkeypatch.context() as whole:
        whole.setattr(rows.Rows, "run", lambda *a: None)
        expected = derivative("float64")
    tolerance = {"float64": 1e-11, "float32": 1e-3, "float16": 0.1}[dtype]
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found / scale, expected / scale, atol=tolerance)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "layer_norm"])
def test_products_and_batches(name, monkeypatch):
    """Duals in forward mode, and many values at once, give what arrays give."""
    rng = np.random.default_rng(2)
    x, v = (mg.tensor(rng.standard_normal((5, N)), dtype="float64") for _ in range(2))

    def f(x):
        return (mg.square(FUNCTIONS[name](x)) * mg.arange(N)).sum()

    def results():
        tangent = mg.jvp(FUNCTIONS[name], (x,), (v,))[1]
        return tangent.numpy(), mg.hvp(f, x, v).numpy(), mg.jacobian(FUNCTIONS[name])(x).numpy()

    found = results()
    monkeypatch.setattr(rows.Rows, "run", lambda *a: None)
    for y, z in zip(found, results(), strict=True):
        np.testing.assert_allclose(y, z, rtol=1e-9, atol=1e-9 * np.abs(z).max())


def test_huge_values_are_shrunk():
    x = np.random.default_rng(3).standard_normal((6, N)).astype("float32") * np.float32(1e30)
    found, mean, variance = neural.normalize(x, (1,), 1e-5)
    wide = x.astype("float64")
    expected = (wide - wide.mean(1, keepdims=True)) / wide.std(1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(mean, wide.mean(1, keepdims=True), rtol=1e-4)
    assert np.isfinite(variance).all()


def test_small_arrays_are_not_run_in_rows(monkeypatch, runs):
    monkeypatch.setattr(rows, "WORTH", 1 << 20)
    for count, expected in ((1 << 10, 0), (1 << 12, 2)):
        x = mg.ones(count, N, requires_grad=True)
        mg.softmax(x, -1).backward(mg.ones(count, N))
        assert len(runs) == expected
