"""The page is one file that asks for nothing, and what a user calls things does no harm in it."""

import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import minigrad as mg
from minigrad import viz
from minigrad.viz.graphs.page import asset, embedded, page
from tests.viz.networks import small, tower

ROOT = Path(__file__).parents[2]


class Outline(HTMLParser):
    """The elements of a page, and the text of its scripts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.scripts = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.cdata_elem == "script":
            self.scripts.append(data)


def read(text):
    """Return the data of a page."""
    return json.loads(Outline(text).scripts[0])


def test_the_page_is_one_file_that_asks_for_nothing(tmp_path):
    model, loss = small()
    path = viz.html(loss, tmp_path / "a.html", params=model, title="A network")
    outline = Outline(path.read_text("utf-8"))
    for tag, attributes in outline.elements:
        assert tag not in ("img", "iframe", "object", "embed", "base")
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    policy = next(a["content"] for t, a in outline.elements if "http-equiv" in a)
    assert policy.startswith("default-src 'none'")
    assert path.stat().st_size < 400_000


def test_the_page_has_all_that_the_graph_has(tmp_path):
    model, x = tower(3)
    graph = viz.graph(model, x, show=("values", "gradients"))
    found = read(page(graph))
    assert [v["key"] for v in found["vertices"]] == [v.key for v in graph.vertices]
    assert len(found["edges"]) == len(graph.edges)
    assert found["totals"]["kept"] == graph.totals().kept
    assert [s["vertex"] for s in found["steps"]] == [s.vertex for s in graph.steps]
    box = next(b for b in found["boxes"] if b["kind"] == "repeat")
    assert box["totals"]["numbers"] == sum(p.size for p in model[1].parameters())
    assert found["rules"]["tanh"]["rules"][0]["source"] == "lambda out: 1 - square(out)"


HARMFUL = [
    "</script><script>alert(1)</script>", "<!--", "]]>",
    "a \"quote\" and 'another'", "\u2028\u2029",
    "two\nlines\r\0", "\ud800", "${alert(1)}", "{data}{script}", "&lt;", "x" * 10_000,
    "constructor", "__proto__",
]  # fmt: skip


@pytest.mark.parametrize("name", HARMFUL, ids=range(len(HARMFUL)))
def test_names_come_through_and_end_no_element(name):
    w = mg.ones(2, requires_grad=True)
    w.name = name
    text = page(viz.graph(mg.exp(w), {name: w}, title=name))
    text.encode()  # surrogates would not be text
    outline, plain = Outline(text), Outline(page(viz.graph(mg.exp(w), {"w": w}, title="w")))
    assert [t for t, _ in outline.elements] == [t for t, _ in plain.elements]
    assert len(outline.scripts) == 2
    found = read(text)
    assert (found["title"], found["vertices"][0]["name"]) == (name, name)


def test_nothing_in_the_data_looks_like_markup():
    assert embedded({"<&>": "\u2028"}) == '{"\\u003c\\u0026\\u003e":"\\u2028"}'


def test_numbers_that_json_has_not_are_named():
    x = mg.tensor([1.0, float("nan"), float("-inf")], requires_grad=True)
    found = read(page(viz.graph(x * 1, show="values")))
    assert found["vertices"][0]["value"]["numbers"] == [1.0, "NaN", "-Infinity"]
    assert found["vertices"][0]["value"]["bad"] == 2


def test_a_large_graph_makes_a_page_of_moderate_size():
    y = mg.randn(64, requires_grad=True)
    for _ in range(1000):
        y = mg.sin(y) * 1.01 + y
    text = page(viz.graph(y, show=("values", "gradients")))
    assert len(text) < 8_000_000
    known = [v["value"] for v in read(text)["vertices"] if v["value"]]
    assert len(known) > 1000
    assert all(value["numbers"] is None for value in known)


def test_saves_pages_only_as_pages(tmp_path):
    graph = viz.graph(mg.exp(mg.ones(1, requires_grad=True)))
    assert graph.save(tmp_path / "a.html").read_text().startswith("<!doctype html>")
    with pytest.raises(ValueError, match=r"a page is saved as \.html, not as 'a\.svg'"):
        viz.html(graph, tmp_path / "a.svg")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        viz.html(graph, tmp_path / "nowhere" / "a.html")


def test_the_script_is_built_from_the_sources_that_are_here():
    """If not: ``cd minigrad/viz/frontend && npm ci && npm run build``."""
    folder = ROOT / "minigrad" / "viz" / "frontend"
    files = ["package-lock.json", *sorted(f"src/{x.name}" for x in (folder / "src").iterdir())]
    digest = hashlib.sha256(b"".join((folder / name).read_bytes() for name in files)).hexdigest()
    assert re.search(r"built from (\w+);", asset("graph.js"))[1] == digest


def test_every_package_in_the_script_has_its_licence():
    licences = (ROOT / "minigrad" / "viz" / "assets" / "LICENSES.txt").read_text("utf-8")
    package = ROOT / "minigrad" / "viz" / "frontend" / "package.json"
    for name in json.loads(package.read_text())["dependencies"]:
        assert re.search(rf"^{name} [\d.]+ \((MIT|ISC|BSD-3-Clause)\)$", licences, re.MULTILINE)
    assert licences.count("opyright") >= 5


def test_the_files_are_part_of_the_package():
    text = (ROOT / "pyproject.toml").read_text()
    assert '"viz/assets/*"' in text


def test_a_graph_takes_what_can_still_be_asked_of_it(tmp_path):
    model, x = tower(3)
    graph = viz.graph(model, x)
    path = tmp_path / "a.html"
    found = read(viz.html(graph, path, title="Two", depth=2, repeats=False).read_text("utf-8"))
    assert (found["title"], found["depth"], found["repeats"]) == ("Two", 2, False)
    assert (graph.title, graph.depth, graph.repeats) == ("", None, True)
    message = r"settled when it was made, so inputs, order, show cannot be given here: give"
    with pytest.raises(TypeError, match=message):
        viz.html(graph, path, x, order=1, show="values")
