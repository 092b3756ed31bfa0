"""Every elementwise statement of the library, run as one pass, is what it is array by array."""

import inspect
import itertools

import numpy as np
import pytest

import minigrad as mg
from minigrad import backend, fuse
from minigrad.fuse import blocks, chain, symbol
from minigrad.ops import elementwise, neural, reduce
from minigrad.primitive import Primitive
from minigrad.primitive import elementwise as elementwise_operation
from tests.fake_cupy.arrays import ndarray
from tests.fake_cupy.kernels import RawKernel
from tests.fuse import host, nvrtc

PARAMS = {
    "power": [{"exponent": 3}, {"exponent": -0.5}],
    "clip": [{"low": -0.5, "high": None}, {"low": -1.0, "high": 1}],
    "leaky_relu": [{"slope": 0.1}, {"slope": 2.0}],
    "elu": [{"alpha": 1.5, "scale": 1.1}],
    "huber": [{"delta": 0.5}],
}
DTYPES = ("float32", "float64")


def operations():
    found = {id(op): op for module in (elementwise, reduce, neural) for op in vars(module).values()}
    return [op for op in found.values() if isinstance(op, Primitive) and op.kind == "elementwise"]


def statements():
    """Yield of every operation its forward function and its rules, with each of its keywords."""
    for op in operations():
        if op.__name__ == "residual":  # its keyword is an array
            continue
        for params in PARAMS.get(op.__name__, [{}]):
            name = f"{op.__name__} {params or ''}"
            if hasattr(op.forward, "chain"):
                count = len(op.inputs)
                plain = op.forward.__wrapped__
                yield name, op.forward.chain, count, params, plain, (backend.cpu,)
            for i, rule in enumerate(op.rules):
                if rule is not None and rule.chain is not None:
                    own = {key: params[key] for key in rule.keys}
                    plain = rule.chain.formula
                    yield f"{name} {i}", rule.chain, 1 + len(rule.slots), own, plain, ()
    gelu = neural._gelu.rules[0]
    yield "gelu rule", gelu.chain, 3, {}, gelu.function, ()


STATEMENTS = {name: rest for name, *rest in statements()}
every = pytest.mark.parametrize("name", STATEMENTS)
both = pytest.mark.parametrize("dtype", DTYPES)


def arrays(count, dtype, size=101):  # the last block has one element
    rng = np.random.default_rng(0)
    inputs = [(rng.standard_normal(size) * 2).astype(dtype) for _ in range(count)]
    inputs[-1][:6] = 0.0, -0.0, 1.0, -1.0, 30.0, -30.0
    inputs[-1][6] = inputs[0][6]
    return inputs


def traced(name, dtype):
    formula, count, params, *_ = STATEMENTS[name]
    return formula._trace(fuse.computed(np.dtype(dtype)), count, params)


def long(name, dtype="float32"):
    """Say whether a statement is long enough to be one pass."""
    trace = traced(name, dtype)
    return trace is not None and len(trace.graph.instructions) > 2


def test_statements_of_more_than_two_operations_are_chains():
    chains = {name for name in STATEMENTS if long(name)}
    assert {"silu ", "silu  0", "sigmoid ", "gelu_tanh  0", "gelu rule"} <= chains
    assert {"add", "sub", "mul", "exp"}.isdisjoint(name.split()[0] for name in chains)


@both
@every
def test_in_blocks(name, dtype, monkeypatch):
    monkeypatch.setattr(chain, "WORTH", -(10**9))
    monkeypatch.setattr(blocks, "BLOCK", 200)
    formula, count, params, plain, first = STATEMENTS[name]
    inputs = arrays(count, dtype)
    kept = [x.copy() for x in inputs]
    with np.errstate(all="ignore"):
        found = formula.run(inputs, params)
        expected = plain(*first, *inputs, **params)
    for x, y in zip(inputs, kept, strict=True):
        np.testing.assert_array_equal(x, y)
    if found is None:  # it has no trace, or nothing to do
        assert traced(name, dtype) is None or not traced(name, dtype).graph.instructions
        return
    assert found.dtype == expected.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol={"float32": 1e-6, "float64": 1e-14}[dtype])


KERNELS = pytest.mark.parametrize("dtype", ["float16", *DTYPES])
ATOL = {"float16": 2**-24, "float32": 0, "float64": 0}
TOLERANCE = {"float16": 2**-10, "float32": 2e-6, "float64": 1e-13}


@KERNELS
@every
def test_as_a_kernel(name, dtype):
    """That of float16 computes in float32, and rounds once."""
    trace = traced(name, dtype)
    _, count, params, plain, first = STATEMENTS[name]
    if trace is None or trace.graph.unspelled:
        return
    inputs = arrays(count, dtype)
    source = fuse.kernel_source(trace.graph, dtype)
    out = np.empty_like(inputs[0])
    vectors = [ndarray._of(x, 0, None) for x in (*inputs, out)]
    numbers = [fuse.computed(out.dtype).type(x) for x in trace.numbers]
    with np.errstate(all="ignore"):
        RawKernel(source, "update", ("--fmad=false",))(
            (1,), (64,), (*[vectors[k] for k in trace.graph.used], *numbers, np.int64(101))
        )
        expected = plain(*first, *[x.astype(fuse.computed(x.dtype)) for x in inputs], **params)
        expected = expected.astype(dtype)
    np.testing.assert_allclose(out, expected, rtol=TOLERANCE[dtype], atol=ATOL[dtype])


@KERNELS
def test_the_kernels_run_as_cpp(dtype, tmp_path):
    """On the CPU, with fewer threads than elements."""
    traces = {name: traced(name, dtype) for name in STATEMENTS}
    traces = {name: t for name, t in traces.items() if t is not None and not t.graph.unspelled}
    sources = [fuse.kernel_source(trace.graph, dtype) for trace in traces.values()]
    functions = host.compiled(sources, "update", tmp_path)
    for (name, trace), launch in zip(traces.items(), functions, strict=True):
        _, count, params, plain, first = STATEMENTS[name]
        inputs = arrays(count, dtype)
        out = np.full_like(inputs[0], np.nan)
        vectors, wide = [*inputs, out], fuse.computed(out.dtype)
        numbers = [wide.type(x) for x in trace.numbers]
        launch(2, 7, [*[vectors[k] for k in trace.graph.used], *numbers, np.int64(101)])
        with np.errstate(all="ignore"):
            expected = plain(*first, *[x.astype(wide) for x in inputs], **params).astype(dtype)
        tolerance = TOLERANCE[dtype]  # C's erf near -1, plus 1, is not ours
        np.testing.assert_allclose(out, expected, rtol=tolerance, atol=tolerance, err_msg=name)


@KERNELS
@every
def test_the_kernel_compiles(name, dtype):
    trace = traced(name, dtype)
    if trace is not None and not trace.graph.unspelled:
        for architecture in ("sm_80", "sm_90"):
            code = nvrtc.compiled(fuse.kernel_source(trace.graph, dtype), architecture)
            assert code.startswith(b"\x7fELF")


def test_large_arrays_are_one_pass_and_small_ones_are_not(monkeypatch):
    runs = []
    run = blocks.run
    monkeypatch.setattr(blocks, "run", lambda *a: (runs.append(a[0]), run(*a)))
    for size, expected in ((100, 0), (1 << 19, 2)):
        x = mg.tensor(np.linspace(-9, 9, size), dtype="float32", requires_grad=True)
        y = neural.silu(x)
        y.backward(mg.ones(size))
        assert len(runs) == expected
        scaled = 1 / (1 + np.exp(-x.numpy().astype("float64")))
        np.testing.assert_allclose(y.numpy(), x.numpy() * scaled, atol=3e-6)
        slope = scaled * (1 + x.numpy() * (1 - scaled))
        np.testing.assert_allclose(x.grad.numpy(), slope, atol=3e-6)


def test_few_operations_need_more_elements(monkeypatch):
    """Below that they are run array by array."""
    slope = elementwise.tanh.rules[0].chain
    runs = []
    run = blocks.run
    monkeypatch.setattr(blocks, "run", lambda *a: (runs.append(a[0]), run(*a)))
    for size, expected in ((1 << 16, 0), (1 << 19, 1)):
        x = np.full(size, 0.5, "float32")
        np.testing.assert_array_equal(slope.run([x, x], {}), np.full(size, 0.375, "float32"))
        assert len(runs) == expected


@both
@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "maximum", "prelu"])
@pytest.mark.parametrize(
    "shapes",
    [((6, 5), (5,)), ((5,), (6, 5)), ((2, 3, 4), (3, 4)), ((6, 5), (6, 5)), ((4, 3), (4, 1))],
    ids=str,
)
def test_array_by_array_in_memory_of_the_pool(name, shapes, dtype, monkeypatch):
    monkeypatch.setattr(backend.cpu, "LARGE", 1)
    formula, _, params, plain, first = STATEMENTS[f"{name} "]
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    mg.empty_cache()
    found = formula.run(inputs, params)
    expected = plain(*first, *inputs, **params)
    assert any(found is x for known in backend.cpu.pool.arrays.values() for x in known)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_the_length_of_numpys_buffers_is_the_users():
    before = np.getbufsize()
    x, column = np.ones((300, 300), "float32"), np.ones((300, 1), "float32")
    assert elementwise.sub.forward.chain.run([x, column], {}) is not None
    assert np.getbufsize() == before
    with backend.cpu.Broadcasting((300, 300)):
        assert np.getbufsize() == 256
    assert np.getbufsize() == before


@pytest.mark.parametrize("numbers", [(2.0, None), (None, 3), (None, 0.5)], ids=str)
def test_numbers_beside_arrays(numbers):
    x = np.linspace(1, 2, 40, dtype="float32")
    inputs = [x if number is None else number for number in numbers]
    chain = elementwise.div.forward.chain
    found = chain.run(inputs, {})
    np.testing.assert_array_equal(found, inputs[0] / inputs[1], strict=True)


@pytest.mark.parametrize(
    ("g", "x"),
    [
        (np.ones((600, 600), "f"), np.ones((500, 1), "f")),
        (np.ones((600, 600), "f"), np.ones((600, 600))),
        (np.ones((600, 600), "f"), np.ones((600, 600), "f").T),
        (np.ones((600, 600), "i"), np.ones((600, 600), "i")),
    ],
    ids=["shapes", "dtypes", "layouts", "integers"],
)
def test_what_is_left_to_the_formula_itself(g, x, monkeypatch):
    monkeypatch.setattr(chain, "WORTH", -(10**9))
    slope = elementwise.tanh.rules[0].chain
    assert slope.run([g, x], {}) is None
    assert slope.run([g, np.ones_like(g)], {}) is not None or g.dtype == "i"


def test_a_rule_that_looks_at_values_is_not_traced(monkeypatch):
    monkeypatch.setattr(chain, "WORTH", -(10**9))
    seen = []

    def partial(x):
        seen.append(type(x).__name__)
        return x * 2 + 1 if x.max() > 0 else x

    f = chain.Chain(lambda g, x: g * partial(x))
    assert f.run([np.ones(5), np.ones(5)], {}) is None
    assert f.run([np.ones(5), np.ones(5)], {}) is None
    assert seen == ["Symbol"]  # it is tried once


def test_an_operation_of_the_same_name_is_not_taken_for_the_librarys():
    @elementwise_operation(1)
    def tanh(xp, x):
        return x + 3

    @elementwise_operation(1)
    def exp(xp, x):
        return x if x.max() > 0 else -x

    x = np.linspace(-1, 1, 50)
    trace = fuse.trace(lambda x, out: (tanh(x) * 2 - 1,), ("x", "out"), ("out",))
    out = np.empty(50)
    blocks.run(trace.graph, trace.numbers, [[x, out]])
    np.testing.assert_allclose(out, 2 * x + 5)
    with pytest.raises(TypeError, match="another operation is called exp"):
        fuse.trace(lambda x, out: (exp(x),), ("x", "out"), ("out",))


def test_traces_of_many_numbers_do_not_fill_the_memory():
    rule = elementwise.power.rules[0].chain
    for k in range(300):
        rule._trace(np.dtype("float32"), 2, {"exponent": 2.5 + k})
    assert len(rule.traces) <= symbol._MOST


@both
@pytest.mark.parametrize("order", [1, 2, 3])
def test_every_order_of_a_large_chain(order, dtype, monkeypatch):
    """The sum over a large array of equal parts has each part's derivatives."""
    monkeypatch.setattr(chain, "WORTH", 0)
    part = np.linspace(-3, 3, 64)
    functions = (
        mg.sigmoid,
        mg.softplus,
        mg.tanh,
        mg.erf,
        neural.gelu,
        neural.gelu_tanh,
        neural.silu,
    )
    for f, repeat in itertools.product(functions, (1, 1024)):
        x = mg.tensor(np.tile(part, repeat), dtype=dtype, requires_grad=True)
        y = f(x)
        for _ in range(order - 1):
            (y,) = mg.autograd.grad(y, x, mg.ones(*x.shape, dtype=dtype), create_graph=True)
        (found,) = mg.autograd.grad(y, x, mg.ones(*x.shape, dtype=dtype))
        if repeat == 1:
            expected = found.numpy()
        tolerance = 1e-5 if dtype == "float32" else 1e-13
        np.testing.assert_allclose(
            found.numpy().reshape(repeat, -1), np.tile(expected, (repeat, 1)), atol=tolerance
        )


def test_the_signature_stays():
    assert list(inspect.signature(neural.elu.forward).parameters) == ["xp", "x", "alpha", "scale"]
