"""The graph's picture holds what the engine recorded, and any name in it is harmless."""

import logging
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter

import pytest

import minigrad as mg
from minigrad import nn, viz
from minigrad.node import Node
from minigrad.tensor import Tensor
from minigrad.viz import render


def network():
    """Return a two-layer network's loss and its parameters by name."""
    x = mg.randn(8, 5)
    params = {
        "0.weight": mg.randn(4, 5, requires_grad=True),
        "0.bias": mg.zeros(4, requires_grad=True),
        "1.weight": mg.randn(3, 4, requires_grad=True),
    }
    hidden = mg.tanh(mg.affine(x, params["0.weight"], params["0.bias"]))
    y = mg.log_softmax(mg.matmul(hidden, params["1.weight"].T), -1)
    return -(y * y).mean(), params


def recorded(root):
    """Return the engine's own nodes, leaves and edges below a tensor, found by plain recursion."""
    nodes, leaves, edges = {}, {}, Counter()

    def visit(node):
        if id(node) in nodes:
            return
        nodes[id(node)] = node
        for parent in node.parents:
            if isinstance(parent, Node):
                edges[id(parent), id(node)] += 1
                visit(parent)
            elif isinstance(parent, Tensor):
                leaves[id(parent)] = parent
                edges[id(parent), id(node)] += 1

    visit(root.node)
    return nodes, leaves, edges


def test_vertices_and_edges_are_the_engines():
    loss, params = network()
    graph = viz.graph(loss, params)
    nodes, leaves, edges = recorded(loss)
    operations = [v for v in graph.vertices if v.kind == "operation"]
    assert Counter((v.name, v.shape, v.dtype) for v in operations) == Counter(
        (n.op.__name__, n.shape, str(n.dtype)) for n in nodes.values()
    )
    parameters = {v.name: v.shape for v in graph.vertices if v.kind == "parameter"}
    assert parameters == {name: p.shape for name, p in params.items()}
    assert len(leaves) == len(parameters)
    others = [v for v in graph.vertices if v.kind == "tensor"]
    assert [(v.name, v.shape) for v in others] == [("constant", (8, 5)), ("output", ())]
    assert len(graph.edges) == edges.total() + len(others)


def test_a_gradient_made_with_create_graph_has_a_graph_of_its_own():
    loss, params = network()
    weight = params["0.weight"]
    (gradient,) = mg.autograd.grad(loss, weight, create_graph=True)
    graph = viz.graph(gradient, params)
    nodes, _, edges = recorded(gradient)
    operations = Counter(v.name for v in graph.vertices if v.kind == "operation")
    assert operations == Counter(node.op.__name__ for node in nodes.values())
    assert operations.total() > len(recorded(loss)[0])
    assert {v.name for v in graph.vertices if v.kind == "parameter"} == set(params)
    others = [v for v in graph.vertices if v.kind == "tensor"]
    between = [e for e in graph.edges if e.source not in {v.key for v in others}]
    assert len(between) == edges.total() + 1  # and the output's


def test_edges_join_the_right_vertices():
    a = mg.tensor([1.0, 2.0], requires_grad=True)
    a.name = "a"
    graph = viz.graph(mg.exp(a) * a * a)
    names = {v.key: v.name for v in graph.vertices}
    assert sorted((names[e.source], names[e.target], e.slot) for e in graph.edges) == [
        ("a", "exp", 0), ("a", "mul", 1), ("a", "mul", 1), ("exp", "mul", 0), ("mul", "mul", 0),
        ("mul", "output", 0),
    ]  # fmt: skip
    keys = [v.key for v in graph.vertices]
    assert all(keys.index(e.source) < keys.index(e.target) for e in graph.edges)


def test_a_shared_tensor_is_one_vertex():
    w = mg.tensor([3.0], requires_grad=True)
    graph = viz.graph([w * w, w + 1], [("w", w)])
    assert [v.name for v in graph.vertices if v.kind == "parameter"] == ["w"]
    assert sum(v.name == "output" for v in graph.vertices) == 2


def test_keywords_shapes_and_dtypes_are_shown():
    x = mg.randn(3, 4, dtype="float64", requires_grad=True)
    dot = viz.graph(mg.sum(x, 1)).dot
    assert "axis=" in dot
    assert "3 × 4 float64" in dot
    assert "3 float64" in dot


def test_a_leaf_is_a_graph_of_one_vertex():
    graph = viz.graph(mg.zeros((2, 2)))
    assert [(v.kind, v.shape) for v in graph.vertices] == [("tensor", (2, 2))]
    assert graph.edges == ()


def test_a_graph_keeps_no_array_alive():
    import weakref

    x = mg.randn(3, requires_grad=True)
    gone = weakref.ref(x)
    graph = viz.graph(mg.exp(x))
    del x
    assert gone() is None
    assert "exp" in graph.dot


def test_a_deep_graph_is_walked_by_a_loop():
    x = mg.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(20_000):
        y = y + 1
    assert len(viz.graph(y).edges) == 20_001


NAMES = [
    'a "quoted" name', "<b>bold</b>", "&amp; & co", "two\nlines", "back\\slash \\N",
    "tab\tnul\0",
    "]; n0 -> n0 [", "-->", "<script>alert(1)</script>", "é 漢字 🙂", "\ud800", "",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_harmless(name):
    w = mg.ones(2, requires_grad=True)
    y = mg.exp(w)
    y.name = name
    graph = viz.graph(y, {name: w})
    svg = ET.fromstring(graph._repr_svg_())
    space = "{http://www.w3.org/2000/svg}"
    tags = {element.tag.removeprefix(space) for element in svg.iter()}
    assert tags <= {"svg", "g", "title", "text", "path", "ellipse", "polygon", "polyline"}
    titles = [t.text for t in svg.iter(f"{space}title")]
    assert [t for t in titles if t and t.startswith("n")] == ["n0", "n1", "n0->n1", "n2", "n1->n2"]
    shown = {text.text for text in svg.iter(f"{space}text")}
    visible = "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)
    assert visible in shown or visible == "" or visible.isspace()


def test_saves_every_format(tmp_path):
    graph = viz.graph(network()[0])
    assert graph.save(tmp_path / "a.dot").read_text() == graph.dot
    assert ET.parse(graph.save(tmp_path / "a.svg")).getroot().tag.endswith("svg")
    assert graph.save(str(tmp_path / "a.PNG")).read_bytes().startswith(b"\x89PNG")
    with pytest.raises(
        ValueError, match=r"saved as \.html, \.dot, \.svg, \.png, \.pdf, not as 'a\.gif'"
    ):
        graph.save(tmp_path / "a.gif")


def test_says_what_to_install_where_nothing_draws(tmp_path, monkeypatch):
    monkeypatch.setattr(render.shutil, "which", lambda *args, **keys: None)
    graph = viz.graph(network()[0])
    with pytest.raises(viz.RenderError, match="pip install graphviz-pure"):
        graph.save(tmp_path / "a.svg")
    with pytest.raises(viz.RenderError, match=r"pip install (graphviz-pure|'minigrad\[pdf\]')"):
        graph.save(tmp_path / "a.pdf")
    assert not (tmp_path / "a.svg").exists()
    graph.save(tmp_path / "a.dot")


def test_a_notebook_shows_it_or_says_what_to_install(monkeypatch):
    """IPython asks for the bundle, then for each type that is not in it; no error may come out."""
    graph = viz.graph(network()[0])
    shown = graph._repr_mimebundle_()
    assert shown["image/svg+xml"] == graph._repr_svg_()
    assert shown["text/plain"] == "<graph: 9 operations>"
    monkeypatch.setattr(render.shutil, "which", lambda *args, **keys: None)
    shown = graph._repr_mimebundle_()
    assert list(shown) == ["text/plain"]
    assert "pip install graphviz-pure" in shown["text/plain"]
    assert graph._repr_svg_() is None


def without_dot(monkeypatch):
    """Hide Graphviz's program, not the wheel's."""
    which = shutil.which
    monkeypatch.setattr(
        render.shutil, "which", lambda name, **keys: None if name == "dot" else which(name, **keys)
    )


def test_draws_a_pdf_without_graphviz(tmp_path, monkeypatch):
    pytest.importorskip("svglib", reason="needs svglib: pip install 'minigrad[pdf]'")
    monkeypatch.setattr("reportlab.rl_config.pageCompression", 0)
    without_dot(monkeypatch)
    loss, params = network()
    graph = viz.graph(loss, params, title="θ → ∂")
    logger = logging.getLogger("svglib")
    monkeypatch.setattr(logger, "level", logging.DEBUG)
    content = graph.save(tmp_path / "a.pdf").read_bytes()
    texts = re.findall(rb"\((.*?)\) Tj", content)
    words = {word for text in texts for word in text.decode("latin-1").split()}
    assert {v.name for v in graph.vertices} <= words
    assert logger.level == logging.DEBUG
    assert b"DejaVuSans" in content  # for the letters of the title
    (size,) = re.findall(
        r"<svg width=.(\d+)pt. height=.(\d+)pt", graph._repr_svg_().replace("\n", "")
    )
    box = re.search(rb"/MediaBox \[ 0 0 (\d+) (\d+) \]", content)
    assert tuple(map(int, box.groups())) == tuple(map(int, size))


def test_says_what_a_pdf_needs(tmp_path, monkeypatch):
    without_dot(monkeypatch)
    monkeypatch.setitem(sys.modules, "svglib", None)
    with pytest.raises(viz.RenderError, match=r"pip install 'minigrad\[pdf\]' \(or Graphviz's dot"):
        viz.graph(network()[0]).save(tmp_path / "a.pdf")


def test_a_program_that_fails_is_an_error(tmp_path, monkeypatch):
    broken = tmp_path / "dot"
    broken.write_text("#!/bin/sh\necho no fonts >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + os.environ["PATH"])
    with pytest.raises(viz.RenderError, match="no fonts"):
        viz.graph(network()[0]).save(tmp_path / "a.svg")


def test_explains_what_is_no_graph():
    loss, params = network()
    loss.backward()
    with pytest.raises(mg.GraphError, match="freed by backward"):
        viz.graph(loss, params)
    with pytest.raises(TypeError, match="ends in tensors, not in float"):
        viz.graph([1.0])
    with pytest.raises(TypeError, match=r"not in Linear; .*viz.graph\(model\(x\), model\)"):
        viz.graph(nn.Linear(2, 3))
    with pytest.raises(FileNotFoundError, match=r"g\.svg: there is no folder '/nope'; make it"):
        viz.graph(mg.ones(2)).save("/nope/g.svg")


def test_no_drawing_library_is_imported_before_it_is_needed():
    code = "import sys, minigrad, minigrad.viz; print([m for m in %r if m in sys.modules])"
    heavy = [
        "matplotlib",
        "graphviz",
        "svglib",
        "reportlab",
        "tqdm",
        "safetensors",
        "cupy",
        "torch",
        "scipy",
    ]
    done = subprocess.run(
        [sys.executable, "-c", code % heavy], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_lines_are_set_from_the_middle_of_their_node():
    """A browser without Helvetica has wider letters: they must not stick out on one side."""
    graph = viz.graph(network()[0], show=("shape", "dtype", "bytes"))
    space = "{http://www.w3.org/2000/svg}"
    nodes = [
        g for g in ET.fromstring(graph._repr_svg_()).iter(f"{space}g") if g.get("class") == "node"
    ]
    assert len(nodes) == len(graph.vertices)
    for node in nodes:
        texts = list(node.iter(f"{space}text"))
        assert len({text.get("y") for text in texts}) == len(texts) > 0
        assert {text.get("text-anchor") for text in texts} == {"middle"}
        (middle,) = {float(text.get("x")) for text in texts}
        outline = next(node.iter(f"{space}ellipse"), None)
        if outline is not None:
            assert middle == pytest.approx(float(outline.get("cx")))
        else:
            points = next(
                e.get("d") or e.get("points") for e in node if e.get("d") or e.get("points")
            )
            across = [float(pair.split(",")[0]) for pair in re.sub("[MCL]", " ", points).split()]
            assert middle == pytest.approx((min(across) + max(across)) / 2, abs=0.01)
