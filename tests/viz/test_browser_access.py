"""The graph's page for everyone: by keyboard alone, read aloud, in light and in dark.

Skipped where selenium, Chromium or its driver is not found.
"""

import pytest

import minigrad as mg
from tests.viz.chromium import NAMES
from tests.viz.networks import small

pytestmark = pytest.mark.browser


def test_can_be_used_by_keyboard_alone(shown):
    model, loss = small()
    page = shown(loss, params=model)
    stops = []
    while not stops or stops[-1][0] != "body":
        page.press("TAB")
        stops.append(page.focus())
    assert [name for role, name, _ in stops if role == "button"][:3] == [
        "fold all", "unfold", "zoom out",
    ]  # fmt: skip
    assert [role for role, _, _ in stops].count("treeitem") == 1  # one stop, then arrow keys
    assert len(stops) < 20
    assert all(name for _, name, _ in stops[:-1])

    page.press("/", "5x6 tanh", "ENTER", "ESCAPE")
    assert page.focus()[1] == "tanh, 5 × 6 float32, operation"
    page.press("ARROW_DOWN")
    assert page.text("#facts h2") == "affine"
    page.press("ARROW_UP")
    assert page.text("#facts h2") == "tanh"

    page.press("/", "affine", "ARROW_DOWN", "ARROW_DOWN", "ENTER")
    assert page.text("#facts p") == (
        "Return x Wᵀ + b for x (…, in), W (out, in), b (out,): the linear layer, in one operation."
    )
    assert page.focus()[1] == "affine, 5 × 3 float32, operation"

    while page.focus()[0] != "treeitem":
        page.press("TAB")
    page.press("HOME", "ARROW_DOWN")
    assert page.focus()[1].startswith("Sequential, 3 operations, 51 parameters")
    page.press("ARROW_LEFT")
    assert "tanh" not in page.texts(NAMES)
    page.press("ARROW_RIGHT")
    assert "tanh" in page.texts(NAMES)


def test_a_screen_reader_is_told_what_everything_is(shown):
    model, loss = small()
    page = shown(loss, params=model)
    page.press("b")
    told = page.accessible()
    controls = ("button", "searchbox", "combobox", "slider", "treeitem", "tree", "textbox")
    assert [role for role, name in told if role in controls and not name.strip()] == []
    for expected in (
        ("heading", "Computational graph 5 operations, 4 parameters of 51 numbers"),
        ("searchbox", "search by name, operation, shape or dtype"),
        ("tree", "outline of the graph"),
        ("treeitem", "0.weight, 6 × 4 float32, parameter"),
        ("button", "tanh, 5 × 6 float32, operation"),
        ("button", "1: Tanh, 1 operation, keeps 120 B, unfolded"),
        ("button", "zoom in"),
        ("region", "backward pass, step by step"),
        ("slider", "step of the backward pass"),
        ("complementary", "what is known of it"),
    ):
        assert expected in told
    spoken = [name for role, name in told if role == "StaticText"]
    assert any(name.startswith("Step 1 of 4: cross_entropy. Its gradient has") for name in spoken)


CONTRAST = """
  const channel = x => (x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
  const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const light = color => {
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b] = context.getImageData(0, 0, 1, 1).data;
    return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b); };
  const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  return [...document.querySelectorAll('.node')].flatMap(node =>
    [...node.querySelectorAll('text')].map(text => contrast(
      light(getComputedStyle(text).fill),
      light(getComputedStyle(node.querySelector('.body')).fill))));"""


@pytest.mark.parametrize("color", ["kind", "gradient", "kept"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_contrast_in_light_and_dark(shown, theme, color):
    """At least 4.5 to 1, as the accessibility guidelines have it, on every kind of node."""
    model, loss = small()
    page = shown(loss, params=model, order=2)
    page.prefer(theme)
    script = "const x = document.getElementById('colors'); x.value = arguments[0];"
    page.run(script + "x.dispatchEvent(new Event('change'))", color)
    assert page.run("return getComputedStyle(document.body).backgroundColor") == {
        "light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)",
    }[theme]  # fmt: skip
    assert min(page.run(CONTRAST)) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_other_text_has_contrast_too(shown, theme):
    model, loss = small()
    page = shown(loss, params=model)
    page.prefer(theme)
    page.press("b", "n")
    found = page.contrasts()
    assert len(found) > 60
    assert [text for contrast, text in found if contrast < 4.5] == []


def test_the_button_exchanges_light_and_dark(shown):
    page = shown(mg.exp(mg.ones(1, requires_grad=True)))
    back = "return getComputedStyle(document.body).backgroundColor"
    for system in ("light", "dark"):
        page.prefer(system)
        before = page.run(back)
        page.click("#theme")
        assert page.run(back) != before
        page.click("#theme")
        assert page.run(back) == before
        page.run("delete document.documentElement.dataset.theme")
