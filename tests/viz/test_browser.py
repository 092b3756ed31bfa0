"""The graph's page in a real browser: opened from disk, driven by mouse and keyboard.

Skipped where selenium, Chromium or its driver is not found.
"""

import pytest

import minigrad as mg
from minigrad import fuse, nn, viz
from minigrad.backend import owner
from minigrad.primitive import elementwise
from minigrad.viz.graphs import FACTS
from minigrad.viz.graphs.collect import SWEEPS, nodes_of
from tests.viz.chromium import NAMES, STEP
from tests.viz.networks import small, tower

pytestmark = pytest.mark.browser


def flat(numbers):
    """Return nested lists of numbers as one list."""
    return mg.tensor(numbers).reshape(-1).tolist()


def test_opens_from_disk_and_draws_every_operation_and_edge(shown):
    model, loss = small()
    graph = viz.graph(loss, params=model)
    page = shown(graph)
    assert page.texts(NAMES) == [v.name for v in graph.vertices]
    assert len(page.all(".edge")) == len(graph.edges)
    assert sorted(page.texts(".heading"))[0] == "0: Linear(4, 6)"
    assert page.text("h1 small") == "5 operations, 4 parameters of 51 numbers"
    assert page.chromium.title == "Computational graph"


def test_these_tests_see_a_request_and_a_complaint(opened, tmp_path):
    path = tmp_path / "bad.html"
    path.write_text("<img src='http://127.0.0.1:9/a.png'><script>console.error('oh')</script>")
    page = opened(path)
    said, asked = page.noted()
    assert asked == ["http://127.0.0.1:9/a.png"]
    assert any("oh" in line for line in said)


def test_pans_by_drag_and_zooms_by_wheel(shown):
    page = shown(*tower(2))
    where = "return document.getElementById('view').getAttribute('transform')"
    start = page.run(where)
    page.actions().move_to_element_with_offset(page.all("#picture")[0], 300, -300).click_and_hold(
    ).move_by_offset(40, 30).release().perform()  # fmt: skip
    moved = page.run(where)
    assert moved.partition(" scale")[2] == start.partition(" scale")[2]
    assert moved != start
    page.run(
        "document.getElementById('picture').dispatchEvent(new WheelEvent('wheel',"
        " {deltaY: -300, clientX: 700, clientY: 400, bubbles: true, cancelable: true}))"
    )
    assert page.run(where).partition(" scale")[2] != moved.partition(" scale")[2]
    page.click("#fit")
    assert page.run(where) == start


def test_boxes_fold_and_unfold_by_click_and_key(shown):
    model, x = tower(12)
    page = shown(model, x)
    assert "Residual × 12" in page.texts(NAMES)
    page.click(".node[aria-label^='Residual × 12'] .fold circle")
    assert sum(name.endswith(": Residual") for name in page.texts(NAMES)) == 12
    assert "Residual × 12" not in page.texts(NAMES)
    page.click("#fold-all")
    assert page.texts(NAMES) == ["x", "Sequential", "output"]
    page.actions().double_click(page.all(".node.module .body")[0]).perform()
    assert page.texts(NAMES) == [
        "x",
        "0: Linear(5, 8)",
        "1: Sequential",
        "2: Linear(8, 3)",
        "output",
    ]
    page.press("/", "1: Sequential", "ENTER", "ESCAPE", "ENTER")
    assert "Residual × 12" in page.texts(NAMES)
    assert page.text("#said") == "1: Sequential unfolded"
    assert page.focus()[1].startswith("1: Sequential, 84 operations, ")
    page.press("ENTER")
    assert page.text("#said") == "1: Sequential folded"
    page.press("ENTER")
    assert "Residual × 12" in page.texts(NAMES)


def test_finds_by_name_operation_and_shape(shown):
    model, x = tower(5)
    page = shown(model, x)
    hits = {}
    for words in ("tanh", "1.3.up.weight", "8x5", "16 float32 parameter", "nothing here"):
        page.press("/", words)
        hits[words] = page.text("#hits")
        page.press("ESCAPE")
    graph = viz.graph(model, x)
    sizes = [v.shape for v in graph.vertices if v.kind == "parameter"]
    assert hits == {
        "tanh": "5 matches",
        "1.3.up.weight": "1 match",
        "8x5": "1 match",
        "16 float32 parameter": f"{sum(16 in size for size in sizes)} matches",
        "nothing here": "0 matches",
    }
    page.press("/", "1.3.up.weight", "ENTER")
    assert page.text("#facts h2") == "1.3.up.weight"
    assert "1.3.up.weight" in page.texts(NAMES)  # unfolded to show it
    assert page.texts(".node.selected .name") == ["1.3.up.weight"]


def test_a_hit_has_its_size_if_it_is_known(shown):
    loss = mg.exp(mg.tensor(2.0, requires_grad=True))
    formula = fuse.trace(lambda x: (mg.exp(x),), ("x",), ["x"])
    for what, quiet in ((loss, "scalar float32"), (formula, "")):
        page = shown(what)
        page.press("/", "exp")
        assert [text.strip() for text in page.texts("#found .quiet")] == [quiet]


def test_a_click_shows_all_that_is_known(shown):
    model, loss = small()
    graph = viz.graph(loss, params=model, show=FACTS)
    page = shown(graph)
    tanh = next(v for v in graph.vertices if v.name == "tanh")
    page.click(f".node[data-key={tanh.key}] .body")
    text = page.text("#facts")
    for part in ("∂L/∂x = g · (1 − out²)", "lambda out: 1 - square(out)", "networks.py", "120 B"):
        assert part in text
    assert "out = loss_fn(model(x), y)" in text  # the user's line
    assert page.numbers("#facts") == pytest.approx(
        [*flat(tanh.value.numbers), *flat(tanh.gradient.numbers)], rel=1e-6
    )


def test_the_bytes_shown_are_those_that_the_engine_holds(shown):
    model, loss = small()
    out = loss()
    held = {id(owner(a)): owner(a).nbytes for node in nodes_of([out]) for a in node.kept()}
    page = shown(out, params=model)
    assert page.texts("#facts dd")[1] == f"{sum(held.values())} B"
    for node, element in zip(nodes_of([out]), page.all(".node.operation"), strict=True):
        element.click()
        sizes = [a.nbytes for a in node.kept()]
        assert page.texts("table.saved td:nth-child(3)") == [f"{size} B" for size in sizes]


def test_steps_through_the_backward_pass_with_the_engines_numbers(shown):
    mg.manual_seed(0)
    w, b = mg.randn(4, 3, requires_grad=True), mg.zeros(4, requires_grad=True)
    made = [mg.affine(mg.randn(5, 3), w, b)]
    made += [mg.tanh(made[0])]
    made += [made[0] * made[1]]  # the first is read twice, so its gradient comes in two parts
    made += [made[2].sum()]
    gradients = mg.autograd.grad(made[-1], [*made, w, b], retain_graph=True)
    expected = dict(zip(["affine", "tanh", "mul", "sum", "w", "b"], gradients, strict=True))

    page = shown(made[-1], params={"w": w, "b": b})
    page.press("b")
    order = ["sum", "mul", "tanh", "affine"]
    for i, name in enumerate(order):
        assert page.text(STEP) == f"Step {i + 1} of 4: {name}"
        assert page.numbers("#step-gradient") == pytest.approx(flat(expected[name]), rel=1e-6)
        assert page.texts(".node.current .name") == [name]
        assert page.texts(".node.done .name") == [x for x in expected if x in order[:i]]
        assert len(page.all(".edge.lit")) == len(page.all(".node.target"))
        assert f"Step {i + 1} of 4: {name}. Its gradient has norm" in page.text("#said")
        if name == "mul":  # it adds to both of its inputs; the first is not complete yet
            partial = flat(gradients[2] * made[1])
            assert page.numbers(".add:nth-of-type(2) .after") == pytest.approx(partial, rel=1e-6)
            assert not page.all(".before")
        if name == "tanh":
            assert page.numbers(".before") == pytest.approx(partial, rel=1e-6)
            assert page.numbers(".after") == pytest.approx(flat(expected["affine"]), rel=1e-6)
        page.press("ARROW_RIGHT")
    added = [*flat(expected["w"]), *flat(expected["b"])]
    assert page.numbers(".after") == pytest.approx(added, rel=1e-6)
    assert page.text(STEP).startswith("Step 4 of 4")  # there is no fifth
    for key, step in (("HOME", 1), ("PAGE_DOWN", 2), ("n", 3), ("p", 2), ("END", 4)):
        page.press(key)
        assert page.text(STEP).startswith(f"Step {step} of 4"), key
    page.press("ESCAPE")
    assert not page.all(".stepping")


HARMFUL = [
    "</script><script>hit=1</script>", "<img src=x onerror=hit=1>", "a\nb\u2028", "'\"`",
    "x" * 10_000, "__proto__", "constructor", "\ud800", "", "javascript:hit=1", "{data}",
]  # fmt: skip


def test_names_do_no_harm(shown):
    """Those of tensors, of a module and its class, of an operation; and a title."""
    evil = HARMFUL[1]

    class Layer(nn.Module):
        def __init__(self):
            for name in HARMFUL:
                setattr(self, name, nn.Parameter(mg.ones(2)))

        def forward(self, x):
            for i, parameter in enumerate(self.parameters()):
                x = mg.sin(x) * parameter if i % 2 else mg.cos(x) + parameter  # <b>"'
            return operation(x)

    def operation(xp, x):
        return 2 * x

    Layer.__name__ = operation.__name__ = evil
    operation = elementwise(2)(operation)
    x = mg.ones(2, requires_grad=True)
    x.name = evil
    page = shown(nn.Sequential(Layer()), x, title=HARMFUL[0])
    for _ in range(4):
        page.click("#unfold")
    items = page.all("#outline [role=treeitem]")
    assert len(items) > len(HARMFUL) * 2
    for i in range(len(items)):
        page.run("document.querySelectorAll('#outline [role=treeitem]')[arguments[0]].click()", i)
        assert page.run("return document.querySelector('#facts').scrollWidth <= 340")
    for _ in range(30):
        page.press("n")
    page.press("ESCAPE", "/", "onerror")
    assert page.text("#hits") == "4 matches"  # tensor, parameter, class and operation
    assert page.run("return typeof hit") == "undefined"
    assert page.run("return document.images.length + document.scripts.length") == 2
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")


def test_three_sweeps_stand_side_by_side_and_are_tied(shown):
    model, loss = small()
    graph = viz.graph(loss, params=model, order=2)
    page = shown(graph)
    assert set(SWEEPS) <= set(page.texts(".heading"))
    gradient = next(v for v in graph.vertices if v.sweep == 1 and v.name == "square")
    page.press("/", "square", "ENTER", "ESCAPE")
    assert page.text("#facts h2") == "square"
    page.click(f"#facts [data-go={gradient.of}]")
    assert page.text("#facts h2") == "tanh"
    assert "Its derivative is computed by" in page.text("#facts")


def test_depth_and_repeats_are_those_that_were_asked_for(opened, tmp_path):
    model, x = tower(3)
    graph = viz.graph(model, x)

    def names(**options):
        page = opened(viz.html(graph, tmp_path / "a.html", **options))
        return page.texts(NAMES)

    assert names(depth=0) == ["x", "Sequential", "output"]
    assert "Residual × 3" in names()
    assert "1: Sequential" in names(depth=1)
    all_of_them = names(repeats=False)
    assert all_of_them.count("tanh") == 3
    assert names(depth=3, repeats=False).count("norm: LayerNorm(8)") == 3


def test_a_thousand_rounds_of_a_loop_unfold_in_parts(shown):
    """All at once they would keep the browser busy for minutes."""
    x = y = mg.randn(3, requires_grad=True)
    for _ in range(1000):
        y = mg.sin(y * 1.01) + x
    page = shown(viz.graph(y, show="gradients"))
    assert page.texts(NAMES) == ["tensor", "mul, sin, add × 1000", "output"]
    page.press("b")
    assert page.text(STEP).startswith("Step 1 of 3000")
    names = page.texts(NAMES)
    assert "1 to 32" in names  # folded, with all the others but the last
    assert len(names) < 80


def test_stays_usable_with_3000_operations(shown):
    numbers = mg.rand(3000).tolist()
    y = mg.randn(3, requires_grad=True)
    for number in numbers:
        y = [mg.sin, mg.cos, mg.tanh, mg.sigmoid, mg.arctan][int(number * 5)](y)
    page = shown(y)
    assert len(page.texts(NAMES)) < 150
    page.press("b")
    assert page.text(STEP).startswith("Step 1 of 3000")
    page.press("END")
    assert page.text(STEP).startswith("Step 3000 of 3000")
    assert len(page.texts(NAMES)) < 400
    page.press("ESCAPE", "/", "sigmoid", "ENTER")
    assert page.text("#facts h2") == "sigmoid"
