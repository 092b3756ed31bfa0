"""What repeats is drawn once: in loops of every kind, within each other, and on the way back."""

import re

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, viz
from tests.viz.networks import tower

mg.manual_seed(0)
W, U = mg.randn(3, 3, requires_grad=True), mg.randn(3, 3, requires_grad=True)
STEPS = mg.randn(12, 2, 3)


def powers():
    """The leaf of the loop is outside of it, and one weight is used in every round."""
    x = W
    for _ in range(12):
        x = x * U
    return x


class Recurrent(nn.Module):
    """It begins with zeros, and every round reads another constant."""

    def __init__(self):
        self.state, self.input = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, steps):
        h = mg.zeros(2, 3)
        for t in range(12):
            h = mg.tanh(self.state(h) + self.input(steps[t]))
        return h


def losses():
    """What is added up begins with a number."""
    h, loss = mg.zeros(2, 3), 0
    for t in range(12):
        h = mg.tanh(h @ W + STEPS[t])
        loss = loss + (h * h).sum()
    return loss


def states():
    """Every round has an output."""
    h, found = mg.zeros(2, 3), []
    for t in range(12):
        h = mg.tanh(h @ W + STEPS[t])
        found.append(h)
    return found


def gated():
    """A round of many operations."""
    h = mg.zeros(2, 3)
    for t in range(12):
        z, r = mg.sigmoid(STEPS[t] @ W + h @ U), mg.sigmoid(STEPS[t] @ U + h @ W)
        c = mg.tanh(STEPS[t] @ W + (r * h) @ U)
        h = (1 - z) * h + z * c
    return h.sum()


def nested():
    """A loop in a loop."""
    x = STEPS[0]
    for _ in range(5):
        for _ in range(12):
            x = mg.tanh(x @ W)
        x = mg.sin(x) + 1
    return x


def repeats(graph):
    return [(box.count, box.parent) for box in graph.boxes if box.kind == "repeat"]


def drawn(graph):
    """Return the operations in the picture, by name."""
    return sorted(re.findall(r"label=<<B>(\w+)", "\n".join(re.findall(r"n\d+ \[.*", graph.dot))))


@pytest.mark.parametrize(
    ("function", "inputs", "round_"),
    [
        (powers, (), ["mul"]),
        (Recurrent(), (STEPS,), ["add", "affine", "affine", "tanh"]),
        (losses, (), ["add", "add", "matmul", "mul", "sum", "tanh"]),
        (states, (), ["add", "matmul", "tanh"]),
    ],
    ids=["powers", "recurrent", "losses", "states"],
)
def test_a_loop_is_one_round(function, inputs, round_):
    graph = viz.graph(function, *inputs)
    assert [count for count, _ in repeats(graph)] == [12]
    assert drawn(graph) == round_
    assert "1 of 12" in graph.dot
    assert "2 of 12" not in graph.dot
    assert graph.dot.count("label=<output<BR/>") == 1
    assert graph.totals().operations == 12 * len(round_)


def test_a_round_of_many_operations_is_found():
    graph = viz.graph(gated)
    assert [count for count, _ in repeats(graph)] == [12]
    assert len(drawn(graph)) == graph.totals().operations / 12 + 11 / 12  # and the sum


def test_what_a_loop_begins_with_is_outside_of_it():
    graph = viz.graph(Recurrent(), STEPS)
    boxes = {box.key: box for box in graph.boxes}
    constants = [v for v in graph.vertices if v.role == "constant"]
    assert sorted(boxes[v.box].kind for v in constants) == ["Linear"] * 12 + ["Recurrent"]


def test_loops_nest():
    graph = viz.graph(nested)
    (outer, inner, *others) = repeats(graph)
    assert (outer[0], inner[0], len(others)) == (5, 12, 4)
    assert drawn(graph) == ["add", "matmul", "sin", "tanh"]


def test_the_way_back_through_a_loop_folds_too():
    """The first round adds to no gradient yet, and the last reads the start: ten are the same."""

    def loop():
        x = STEPS[0]
        for _ in range(12):
            x = mg.tanh(x @ W)
        return x

    found = {order: viz.graph(loop, order=order) for order in (1, 2)}
    assert [count for count, _ in repeats(found[1])] == [12, 10]
    assert [count for count, _ in repeats(found[2])] == [12, 10, 9, 9]
    assert len(drawn(found[1])) < 30
    assert len(drawn(found[2])) < 120 < found[2].totals().operations


def test_the_way_back_through_modules_folds_too():
    model, x = tower(12)
    assert [count for count, _ in repeats(viz.graph(model, x, order=1))] == [12, 12]
    dot = viz.graph(model, x, order=1).dot
    assert dot.count("gradient of") == 4 + 6  # of two linear layers, and of one block


def test_a_round_that_reads_another_place_is_another_structure():
    """Of the rounds of the second loop one reads its partner's neighbor in the first."""

    def crossed(odd):
        x, kept = STEPS[0], []
        for _ in range(12):
            x = mg.tanh(x @ W)
            kept.append(x)
        for t in range(12):
            x = mg.sin(x * kept[11 - t if t != odd else 11 - t - 1])
        return x

    assert [count for count, _ in repeats(viz.graph(crossed, -1))] == [12, 12]
    counts = [count for count, _ in repeats(viz.graph(crossed, 6))]
    assert counts[0] == 12
    assert max(counts[1:]) < 7


def test_many_lines_between_sweeps_are_notes_with_numbers():
    model, x = tower(1)
    dot = viz.graph(model, x, order=1).dot
    assert "constraint=false" not in dot
    (number,) = re.findall(r"<B>tanh \((\d+)\)</B>", dot)
    assert dot.count(f"for tanh ({number})") == 3  # 1 - tanh², times g
    notes = re.findall(r"(n\d+)_\d+ \[[^\n]*dashed[^\n]*>tanh \((\d+)\)<", dot)
    assert {n for _, n in notes} == {number}
    assert all(f"  {reader} -> {reader}_" in dot for reader, _ in notes)
    few = viz.graph(lambda: mg.tanh(STEPS[0] @ W).sum(), order=1).dot
    assert "constraint=false dir=none" in few
    assert "(1)" not in few


def test_the_product_with_the_hessian_goes_back_through_both():
    x = mg.tensor([0.3, 0.7], requires_grad=True)
    graph = viz.graph(lambda: (mg.exp(x) * x).sum(), order=2, show="values")
    sweep = {v.key: v.sweep for v in graph.vertices}
    seconds = [v for v in graph.vertices if v.kind == "operation" and v.sweep > 1 and v.of]
    assert {(v.sweep, sweep[v.of]) for v in seconds} == {(2, 1), (3, 0)}
    (v,) = [v for v in graph.vertices if v.name == "v of x"]
    assert v.value.numbers == [1.0, 1.0]
    (product,) = [v for v in graph.vertices if v.name == "H v of x"]
    expected = np.exp(x.numpy()) * (x.numpy() + 2)
    np.testing.assert_allclose(product.value.numbers, expected, rtol=1e-6)
