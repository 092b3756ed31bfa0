"""What a graph says of bytes, flops, gradients and derivatives is what the engine has."""

import ast
import gc
import math
import tracemalloc
from collections import Counter

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, ops, optim, viz
from minigrad.backend import owner
from minigrad.primitive import Primitive
from minigrad.viz.graphs import FACTS
from minigrad.viz.graphs.collect import SWEEPS, nodes_of
from minigrad.viz.graphs.facts import statistics
from minigrad.viz.graphs.rules import described
from tests.viz.networks import small, tower


def test_the_bytes_kept_are_those_that_the_engine_holds():
    model, x = tower(3)
    y = model(x)
    held = {id(owner(a)): owner(a).nbytes for node in nodes_of([y]) for a in node.kept()}
    graph = viz.graph(y, model)
    assert graph.totals().kept == sum(held.values())
    leaves = {id(owner(p.data)) for p in [*model.parameters(), x]}
    of_leaves = sum(n for key, n in held.items() if key in leaves)
    named = viz.graph(model, x)
    assert named.totals().kept_by_leaves == of_leaves > 0
    assert named.totals().kept == graph.totals().kept
    counts = Counter((v.name, len(v.saved)) for v in graph.vertices if v.kind == "operation")
    assert counts == Counter((node.op.__name__, len(node.kept())) for node in nodes_of([y]))


def test_a_parameter_in_a_vector_of_all_counts_for_itself():
    """An optimizer moves the parameters into one vector; a batch is a slice of the data."""
    model, _ = tower(2)
    data = mg.randn(100, 5)
    before = viz.graph(model, mg.tensor(data.numpy()[:4].copy())).totals()
    optim.Adam(model.parameters())
    after = viz.graph(model, mg.Tensor.of(data.data[:4]))
    assert after.totals() == before
    kept = [s for v in after.vertices for s in v.saved if s.name == "weight"]
    assert len(kept) == 2 * 3 + 1  # not the first layer's, as no gradient of the data is wanted
    assert all(after.memories[s.memory].bytes == 4 * math.prod(s.shape) for s in kept)


def test_the_bytes_kept_are_those_that_python_has_allocated():
    """What a graph alone keeps alive is what is freed with it, by the count of tracemalloc."""
    model, x = tower(6)
    model(x)  # whatever is made once
    tracemalloc.start()
    try:
        y = model(x)
        totals = viz.graph(y, [*model.named_parameters(), ("x", x)]).totals()
        gc.collect()
        arrays = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)

        def used():
            found = tracemalloc.take_snapshot().filter_traces([arrays])
            return sum(trace.size for trace in found.traces)

        before = used()
        y.node = None
        freed = before - used()
    finally:
        tracemalloc.stop()
    assert freed == totals.kept - totals.kept_by_leaves > 0


def test_shared_memory_is_counted_once():
    x = mg.randn(1000, requires_grad=True)
    y = mg.exp(x)
    graph = viz.graph(y * y + y.reshape(10, 100).sum() * y)
    assert graph.totals().kept == 4000 + 4  # exp's result, and the sum
    assert [m.bytes for m in graph.memories] == [4000, 4]


def test_flops_are_counted_by_hand():
    a = mg.randn(6, 5, requires_grad=True)
    b = mg.randn(5, 7, requires_grad=True)
    w, bias = mg.randn(3, 7, requires_grad=True), mg.zeros(3, requires_grad=True)
    y = mg.tanh(mg.affine(a @ b, w, bias)).T.sum()
    flops = {v.name: v.flops for v in viz.graph(y).vertices if v.kind == "operation"}
    transposed = flops.pop("permute", None) or flops.pop("mT", 0)
    assert transposed == 0
    assert flops == {"matmul": 2 * 6 * 5 * 7, "affine": 2 * 6 * 7 * 3 + 18, "tanh": 18, "sum": 18}
    spec = mg.einsum("bij,bjk->bik", mg.randn(2, 3, 4, requires_grad=True), mg.randn(2, 4, 5))
    (v,) = [v for v in viz.graph(spec).vertices if v.name == "einsum"]
    assert v.flops == 2 * 2 * 3 * 4 * 5


def test_gradients_are_those_of_backward():
    model, loss = small()
    out = loss()
    graph = viz.graph(out, model, show="gradients")
    assert all(p.grad is None for p in model.parameters())
    out.backward()  # the graph was kept
    shown = {v.name: v.gradient for v in graph.vertices if v.kind == "parameter"}
    for name, p in model.named_parameters():
        assert shown[name].numbers == p.grad.tolist()
        assert shown[name].norm == pytest.approx(np.linalg.norm(p.grad.numpy()), rel=1e-6)


def test_steps_are_in_the_order_of_the_sweep_and_add_up():
    x = mg.tensor([0.5, -1.5], requires_grad=True)
    y = (x * x + mg.sin(x)).sum()
    graph = viz.graph(y, show="gradients")
    by_key = {v.key: v for v in graph.vertices}
    assert [by_key[s.vertex].name for s in graph.steps] == ["sum", "add", "sin", "mul"]
    sin, mul = graph.steps[2:]
    cosine = np.cos([0.5, -1.5])
    (first,) = sin.adds
    assert first.before is None
    np.testing.assert_allclose(first.after.numbers, cosine, rtol=1e-6)
    added = [(add.slot, by_key[add.target].name) for add in mul.adds]
    assert added == [(0, "tensor"), (1, "tensor")]
    assert mul.adds[0].before == first.after
    np.testing.assert_allclose(mul.adds[0].after.numbers, cosine + np.array([0.5, -1.5]), rtol=1e-6)
    np.testing.assert_allclose(mul.adds[1].after.numbers, cosine + np.array([1.0, -3.0]), rtol=1e-6)


def test_values_are_those_that_were_computed():
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    graph = viz.graph(lambda: mg.exp(x) + 1, show="values")
    values = {v.name: v.value for v in graph.vertices}
    np.testing.assert_allclose(values["exp"].numbers, np.exp(x.numpy()), rtol=1e-6)
    assert values["x"].numbers == [[1.0, 2.0], [3.0, 4.0]]
    assert all(v.value is None for v in viz.graph(mg.exp(x)).vertices)


def test_statistics_leave_out_what_is_not_finite():
    array = np.array([3.0, -4.0, 0.0, np.nan, np.inf], "float32")
    found = statistics(array)
    assert (found.min, found.max, found.zeros, found.bad) == (-4.0, 3.0, 1, 2)
    assert found.norm == pytest.approx(5.0)
    huge = statistics(np.full(100, 3e38, "float32"))
    assert huge.norm == pytest.approx(3e39, rel=1e-6)
    assert huge.numbers is None
    assert statistics(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("order", [1, 2])
def test_the_graph_of_the_gradient_is_tied_to_what_it_differentiates(order):
    model, loss = small()
    graph = viz.graph(loss, params=model, order=order)
    by_key = {v.key: v for v in graph.vertices}
    boxes = {box.key: box for box in graph.boxes}
    forward = {v.key for v in graph.vertices if v.kind == "operation" and v.sweep == 0}
    gradient = [v for v in graph.vertices if v.kind == "operation" and v.sweep == 1 and v.of]
    assert {v.of for v in gradient} == forward - {
        v.key for v in graph.vertices if v.name == "log_softmax" and v.sweep == 0
    }  # the rule of cross_entropy is the derivative along both
    for v in gradient:
        made, tied = boxes[v.box], boxes[by_key[v.of].box]
        assert (made.name, made.kind) == (tied.name, tied.kind)
    tanh = next(v.key for v in graph.vertices if v.name == "tanh" and v.sweep == 0)
    assert Counter(v.name for v in gradient if v.of == tanh) == {"square": 1, "sub": 1, "mul": 1}
    sweeps = [box.name for box in graph.boxes if box.kind == "sweep"]
    assert sweeps == list(SWEEPS[: 2 if order == 1 else 4])
    names = {v.name for v in graph.vertices if v.role == "output"}
    prefix = "gradient of" if order == 1 else "H v of"
    assert {f"{prefix} {name}" for name, _ in model.named_parameters()} <= names


def test_the_graph_of_a_product_with_the_hessian_has_its_value():
    x = mg.tensor([0.3, 0.7], requires_grad=True)
    x.name = "x"
    graph = viz.graph((mg.exp(x) * x).sum(), order=2, show="values")
    product = next(v for v in graph.vertices if v.name == "H v of x")
    expected = mg.hvp(lambda x: (mg.exp(x) * x).sum(), x, mg.ones(2))
    np.testing.assert_allclose(product.value.numbers, expected.tolist(), rtol=1e-5)


def primitives():
    """Return every operation of the library."""
    found = {}
    for module in ("elementwise", "indexing", "linalg", "neural", "reduce", "shape"):
        for value in vars(getattr(ops, module)).values():
            if isinstance(value, Primitive):
                found[id(value)] = value
    return list(found.values())


@pytest.mark.parametrize("op", primitives(), ids=lambda op: op.__name__)
def test_every_rule_is_cut_out_of_its_file_whole(op):
    for rule, told in zip([r for r in op.rules if r], described(op)["rules"], strict=True):
        assert told["formula"].startswith(f"∂L/∂{told['input']} = ")
        assert len(told["formula"]) > len(f"∂L/∂{told['input']} = ")
        if rule.function is None:
            assert told["source"] == repr(rule.scale)
            continue
        (node,) = ast.parse(told["source"]).body
        node = node.value if isinstance(node, ast.Expr) else node
        names = list(rule.function.__code__.co_varnames[: rule.function.__code__.co_argcount])
        assert [a.arg for a in node.args.args] == names
        if isinstance(node, ast.Lambda):
            again, code = eval(told["source"], rule.function.__globals__), rule.function.__code__
            assert again.__code__.co_names == code.co_names
            assert [x for x in again.__code__.co_consts if x] == [x for x in code.co_consts if x]


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("tanh", "∂L/∂x = g · (1 − out²)"),
        ("div", "∂L/∂b = g · (−out / b)"),
        ("matmul", "∂L/∂a = g bᵀ"),
        ("add", "∂L/∂a = g"),
        ("relu", "∂L/∂x = g · (out > 0)"),
        ("exp", "∂L/∂x = g · out"),
        ("inv", "∂L/∂x = −(outᵀ g outᵀ)"),
        ("softmax", "∂L/∂x = p (g - Σ g p): the Jacobian is symmetric"),
    ],
)
def test_formulas_read_as_in_a_book(name, formula):
    op = next(op for op in primitives() if op.__name__ == name)
    assert formula in [rule["formula"] for rule in described(op)["rules"]]


def test_all_facts_can_be_written_into_a_picture():
    model, loss = small()
    dot = viz.graph(loss, params=model, show=FACTS, title="<one>").dot
    for text in (
        "‖gradient‖",
        "keeps",
        "flops",
        "networks.py",
        "float32 cpu",
        "&lt;one&gt;",
        "24 numbers",
    ):
        assert text in dot


def test_a_frozen_model_has_a_graph_of_what_is_left():
    model = nn.Linear(3, 2)
    model.requires_grad_(False)
    assert [v.kind for v in viz.graph(model, mg.randn(2, 3)).vertices] == ["tensor"]
