"""Modules nest, blocks that repeat fold, and nothing is lost by it."""

import time
from collections import Counter

import pytest

import minigrad as mg
from minigrad import nn, viz
from minigrad.viz.graphs.fold import View, members
from tests.viz.networks import Residual, small, tower


def test_operations_are_in_the_modules_that_made_them():
    model, x = tower(2)
    graph = viz.graph(model, x)
    boxes = {box.key: box for box in graph.boxes}

    def path(key):
        found = []
        while key:
            if boxes[key].kind not in ("repeat", "block"):
                found.insert(0, boxes[key].name)
            key = boxes[key].parent
        return "/".join(found)

    where = Counter((path(v.box), v.name) for v in graph.vertices if v.kind == "operation")
    assert where["/0", "affine"] == 1
    assert where["/1/0/up", "affine"] == where["/1/1/down", "affine"] == 1
    assert where["/1/0", "tanh"] == where["/1/1", "add"] == 1
    assert {path(v.box): v.name for v in graph.vertices if v.kind == "parameter"}["/2"] == "2.bias"
    kinds = {box.name: (box.kind, box.detail) for box in graph.boxes}
    assert kinds["up"] == ("Linear", "8, 16")


def test_a_module_called_twice_is_two_boxes():
    layer = nn.Linear(3, 3)
    x = mg.randn(2, 3)
    graph = viz.graph(lambda: layer(mg.tanh(layer(x))), params=layer, repeats=False)
    assert [box.kind for box in graph.boxes] == ["Linear", "Linear"]
    weight = next(v for v in graph.vertices if v.name == "weight")
    assert weight.box == ""  # it belongs to both
    assert sum(edge.source == weight.key for edge in graph.edges) == 2


@pytest.mark.parametrize("blocks", [3, 12])
def test_blocks_of_the_same_structure_fold_into_one(blocks):
    model, x = tower(blocks)
    graph = viz.graph(model, x)
    repeats = [box for box in graph.boxes if box.kind == "repeat"]
    assert [(box.name, box.count) for box in repeats] == [("Residual", blocks)]
    view = View(graph, None, repeats=True)
    shown = {key for key in view.shown.values() if key in members(graph) or key.startswith("n")}
    operations = [v.key for v in graph.vertices if v.kind == "operation" and v.key in shown]
    one = viz.graph(tower(1)[0], x)
    assert len(operations) == sum(v.kind == "operation" for v in one.vertices)
    assert f"Residual × {blocks}" in graph.dot
    assert graph.totals().numbers == model.count()
    inside = members(graph)[repeats[0].key]
    assert graph.totals(inside).numbers == blocks * Residual(8).count()


def test_blocks_that_differ_do_not_fold():
    model, x = tower(4)
    model[1][2] = nn.Linear(8, 8)
    graph = viz.graph(model, x)
    assert [box.count for box in graph.boxes if box.kind == "repeat"] == [2]


def test_other_wiring_is_another_structure():
    """Each step reads the one before and the first, except for one that reads the leaf."""
    x = mg.randn(3, requires_grad=True)
    first = y = mg.sin(x)
    for i in range(40):
        y = mg.sin(y) + (first if i != 20 else x)
    counts = [box.count for box in viz.graph(y).boxes if box.kind == "repeat"]
    assert counts == [20, 19]


def test_loops_without_modules_fold():
    x = y = mg.randn(3, requires_grad=True)
    for _ in range(1000):
        y = mg.sin(y * 1.01) + x
    graph = viz.graph(y)
    repeats = [(box.name, box.count) for box in graph.boxes if box.kind == "repeat"]
    assert repeats == [("mul, sin, add", 1000)]
    assert graph.dot.count("->") < 10
    assert len(graph.edges) == 4001


def test_depth_folds_modules():
    model, x = tower(2)
    shallow = viz.graph(model, x, depth=1)
    assert "box3d" in shallow.dot
    assert "tanh" not in shallow.dot
    assert "1: Sequential" in shallow.dot
    assert viz.graph(model, x, depth=0).dot.count("box3d") == 1
    assert "tanh" in viz.graph(model, x, depth=9).dot


def test_a_large_graph_is_drawn_in_time(tmp_path):
    """3,000 operations in no order take less than a second here; a minute would be a fault."""
    numbers = mg.rand(3000).tolist()
    y = mg.randn(3, requires_grad=True)
    for number in numbers:
        y = [mg.sin, mg.cos, mg.tanh, mg.sigmoid, mg.arctan][int(number * 5)](y)
    begin = time.perf_counter()
    graph = viz.graph(y)
    graph.save(tmp_path / "a.svg")
    assert time.perf_counter() - begin < 60
    assert any(box.kind == "part" for box in graph.boxes)
    assert graph.dot.count("\n") < 400


def test_a_trace_knows_what_is_made_inside_it_only():
    model, _ = small()
    x = mg.randn(5, 4)
    before = mg.tanh(mg.tensor([1.0], requires_grad=True))
    with viz.trace(model) as watched:
        y = model(x).sum() + before.sum()
    after = y * 2
    graph = viz.graph(after, trace=watched)
    lines = {v.name: v.line for v in graph.vertices if v.kind == "operation"}
    assert "test_nesting.py" in lines["affine"]
    assert "y = model(x).sum() + before.sum()" in lines["add"]
    assert lines["mul"] == ""
    assert [v.box for v in graph.vertices if v.name == "mul"] == [""]
    assert model._hooks == model[0]._hooks == model[0]._pre_hooks == ()
    assert mg.tanh(before).node.line == ""


def test_an_error_leaves_no_trace():
    model, _ = small()
    with pytest.raises(mg.ShapeError):
        viz.graph(model, mg.randn(5, 3))
    assert model[0]._hooks == ()
    assert (mg.ones(1, requires_grad=True) + 1).node.line == ""


def test_a_model_that_is_run_for_its_picture_stays_as_it_was():
    mg.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm(4), nn.Dropout(0.5))
    before = model.state_dict()
    x = mg.randn(8, 4)
    expected = mg.random.get_state()
    viz.graph(model, x)
    assert mg.random.get_state() == expected
    for name, value in model.state_dict().items():
        assert (value == before[name]).all(), name


def test_names_come_from_parameters_arguments_and_variables():
    model, loss = small()
    x = mg.randn(5, 4)
    assert "input" not in {v.name for v in viz.graph(model, x).vertices}
    inputs = [(v.name, v.role) for v in viz.graph(model, x).vertices if v.role == "input"]
    assert inputs == [("x", "input")]
    named = [v.name for v in viz.graph(loss, params=model).vertices if v.kind != "operation"]
    assert named == ["x", "0.weight", "0.bias", "2.weight", "2.bias", "loss"]


def test_explains_what_it_cannot_show():
    x = mg.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match="'colour' is none of shape, dtype"):
        viz.graph(x * 2, show="colour")
    with pytest.raises(ValueError, match="order is 0"):
        viz.graph(x * 2, order=3)
    with pytest.raises(TypeError, match=r"watches modules, not function; try viz.trace\(model\)"):
        viz.trace(lambda: None)
