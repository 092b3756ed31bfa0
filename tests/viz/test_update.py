"""The graph of an optimizer's update is its formula: followed by hand, it makes the same step."""

from collections import Counter

import numpy as np
import pytest

import minigrad as mg
from minigrad import fuse, nn, optim, viz
from minigrad.viz.graphs import FACTS

FIRST_ORDER = [
    name for name, method in optim.METHODS.items() if not issubclass(method, optim.SecondOrder)
]


def ready(method, **options):
    """Return an optimizer that has made two steps and has gradients for a third."""
    rng = np.random.default_rng(0)
    params = [mg.tensor(rng.normal(size=n), requires_grad=True) for n in (3, 2)]
    optimizer = method(params, **options)
    for step in range(3):
        for p in params:
            p.grad = mg.tensor(rng.normal(size=p.shape))
        if step < 2:
            optimizer.step()
    return optimizer, params


def numbers(text):
    """Return the numbers of a detail such as ``0.9 ×`` or ``(·, 0)``."""
    words = text.strip("()").replace(",", "").split()
    return [float(word) for word in words if word not in "+−×÷^·=≠<≤>≥"]


def followed(graph, values):
    """Return the outputs of an update's graph, each operation done by NumPy, from its inputs."""
    done = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}
    done |= {"neg": np.negative, "square": np.square, "where": np.where, "pow": np.power}
    values = dict(values)
    incoming = {v.key: {} for v in graph.vertices}
    for edge in graph.edges:
        incoming[edge.target][edge.slot] = edge.source
    found, outputs = {}, {}
    for v in graph.vertices:
        sources = incoming[v.key]
        if v.kind == "operation":
            slots = {slot: found[key] for slot, key in sources.items()}
            rest = numbers(v.detail)
            count = len(slots) + len(rest)
            operands = [slots[i] if i in slots else rest.pop(0) for i in range(count)]
            found[v.key] = (done.get(v.name) or getattr(np, v.name))(*operands)
        elif v.role == "output":
            outputs[v.name] = found[sources[0]]
        else:
            found[v.key] = values[v.name]
    return outputs


@pytest.mark.parametrize("name", [n for n in FIRST_ORDER if n != "stochastic-diagonal-lm"])
@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.1, "l1": 0.01, "maximize": True}])
def test_followed_by_hand_it_makes_the_step(name, options):
    optimizer, params = ready(optim.METHODS[name], **options)
    flat = optimizer._flats[0][0]
    before = {"theta": flat.vector.copy(), "g": np.concatenate([p.grad.numpy() for p in params])}
    before |= {state: flat.states[state].copy() for state in optimizer.state_names}
    graph = viz.graph(optimizer)
    assert [v.name for v in graph.vertices if v.kind == "parameter"] == ["theta"]
    assert graph.totals().numbers == 5
    assert graph.totals().flops == 5 * graph.totals().operations
    outputs = followed(graph, before)
    optimizer.step()
    after = {"theta": flat.vector, **{state: flat.states[state] for state in flat.states}}
    assert "new theta" in outputs
    for state, value in after.items():
        new = outputs.get(f"new {state}", before.get(state))
        np.testing.assert_allclose(new, value, rtol=2e-5, err_msg=state)


def test_it_is_what_is_run_in_one_pass():
    optimizer, _ = ready(optim.Adam)
    trace = fuse.trace(
        lambda *v: optim.Adam.update(3, *v), ("theta", "g", "m", "v"), ["theta", "m", "v"]
    )
    graph, plain = viz.graph(optimizer), viz.graph(trace.graph)
    names = [step.operation for step in trace.graph.instructions]
    assert [v.name for v in graph.vertices if v.kind == "operation"] == names
    assert [v.name for v in plain.vertices if v.kind == "operation"] == names
    assert [v.detail for v in viz.graph(trace).vertices] == [v.detail for v in graph.vertices]
    assert "c0 ×" in [v.detail for v in plain.vertices]
    assert "float" not in plain.dot  # vectors of any length and dtype
    assert "0.9 ×" in graph.dot
    assert plain._repr_svg_().startswith("<?xml")


def test_with_values_it_is_computed_by_the_engine(tmp_path):
    optimizer, params = ready(optim.Adam)
    before = [p.numpy().copy() for p in params]
    graph = viz.graph(optimizer, show=[fact for fact in FACTS if fact != "gradients"])
    values = {v.name: v.value for v in graph.vertices}
    assert values["g"].numbers == np.concatenate([p.grad.numpy() for p in params]).tolist()
    assert all((p.numpy() == old).all() for p, old in zip(params, before, strict=True))
    optimizer.step()
    expected = np.concatenate([p.numpy() for p in params])
    np.testing.assert_allclose(values["new theta"].numbers, expected, rtol=1e-5)
    assert [(box.name, box.kind) for box in graph.boxes] == [("group 0", "Adam")]
    assert viz.html(optimizer, tmp_path / "a.html").stat().st_size > 100_000


def test_groups_are_boxes():
    a, b = mg.ones(2, requires_grad=True), mg.ones(3, requires_grad=True)
    optimizer = optim.SGD([{"params": [a], "lr": 0.5}, {"params": [b], "weight_decay": 0.25}])
    graph = viz.graph(optimizer)
    boxes = {box.key: box.name for box in graph.boxes}
    inside = Counter((boxes[v.box], v.name, v.detail) for v in graph.vertices if v.detail)
    assert inside == {
        ("group 0", "mul", "0.5 ×"): 1,
        ("group 1", "mul", "0.25 ×"): 1,
        ("group 1", "mul", "0.001 ×"): 1,
    }


def test_a_formula_that_cannot_be_traced_is_drawn_all_the_same():
    class Normed(optim.Optimizer):
        """θ ← θ − lr g / ‖g‖."""

        @staticmethod
        def update(t, theta, g, *, lr=0.1):
            return (theta - lr * g / mg.sqrt(mg.sum(g * g)),)

    optimizer, _ = ready(optim.SGD)
    optimizer = Normed(optimizer.param_groups[0]["params"])
    names = [v.name for v in viz.graph(optimizer).vertices if v.kind == "operation"]
    assert "sum" in names


@pytest.mark.parametrize("options", [{"order": 1}, {"order": 2}, {"show": "gradients"}])
@pytest.mark.parametrize("method", ["adam", "nadam"])
def test_a_first_step_from_zero_has_a_picture_of_its_gradient(method, options, tmp_path):
    """The derivative of the root is infinite there; a warning would be an error in this test."""
    optimizer = optim.METHODS[method]([mg.ones(3, requires_grad=True)])
    graph = viz.graph(optimizer, **options)
    assert "sqrt" in [v.name for v in graph.vertices]
    assert graph.save(tmp_path / "a.html").exists()
    if "order" in options:
        assert "gradient of v" in [v.name for v in graph.vertices]
    else:
        [v] = [v for v in graph.vertices if v.name == "v"]
        assert not np.isfinite(v.gradient.norm)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize(
    ("given", "extra", "options"),
    [
        ("1 input", [mg.ones(2)], {}),
        ("2 inputs", [1, 2], {}),
        ("params", [], {"params": nn.Linear(2, 2)}),
        ("trace", [], {"trace": viz.trace()}),
        ("1 input and params and trace", [1], {"params": {}, "trace": viz.trace()}),
    ],
)
def test_refuses_what_an_update_has_no_use_for(given, extra, options, order, tmp_path):
    optimizer, _ = ready(optim.Adam)
    message = f"the graph of an update, Adam, takes nothing beside it, but was given {given}; "
    with pytest.raises(TypeError, match=message):
        viz.graph(optimizer, *extra, order=order, **options)
    with pytest.raises(TypeError, match=message):
        viz.html(optimizer, tmp_path / "a.html", *extra, order=order, **options)
    formula = fuse.trace(lambda x: (mg.exp(x),), ("x",), ["x"])
    with pytest.raises(TypeError, match=message.replace("Adam", "Trace")):
        viz.graph(formula, *extra, **options)


def test_refuses_the_gradient_of_a_traced_formula():
    formula = fuse.trace(lambda x: (mg.exp(x),), ("x",), ["x"])
    for what in (formula, formula.graph):
        with pytest.raises(ValueError, match="has no gradient, so order is 0, not 2"):
            viz.graph(what, order=2)


def test_says_that_a_search_has_no_formula():
    with pytest.raises(TypeError, match=r"BFGS goes along a direction .* has no formula to draw"):
        viz.graph(optim.BFGS(nn.Linear(2, 2).parameters()))
