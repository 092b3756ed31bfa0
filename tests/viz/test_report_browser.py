"""The page of a run in a real browser: opened from disk, nothing asked for, nothing wrong.

Skipped where selenium, Chromium or its driver is not found.
"""

import json

import pytest

import minigrad as mg
from minigrad import datasets, nn, optim, training
from tests.viz.test_report_layers import HOSTILE

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a run, with a name that would do harm if it could."""
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 10))
    train, test = datasets.digits().split(seed=0)
    test.classes = (HOSTILE, *test.classes[1:])
    path = tmp_path_factory.mktemp("runs") / "<img src=x onerror=alert(1)>"
    return training.fit(
        model, nn.CrossEntropyLoss(), optim.Adam(model.parameters()), train, test, epochs=3,
        seed=0, run=path, config={HOSTILE: HOSTILE},
    ).run  # fmt: skip


def test_opens_from_disk_without_a_request_or_a_complaint(opened, folder):
    page = opened(folder / "report.html")
    said, asked = page.noted()
    assert said == []
    assert asked == []
    assert page.text("h1") == folder.name
    sizes = page.run(
        "return [...document.images].map(i => i.complete && i.naturalWidth * i.naturalHeight)"
    )
    worst = json.loads((folder / "mistakes.json").read_text())["worst"]
    drawn = (folder / "graph.svg").exists()  # where a program draws graphs
    assert len(sizes) == len(worst) + drawn
    assert all(size >= 64 for size in sizes)


@pytest.mark.parametrize("width", [360, 800, 1400])
def test_nothing_is_wider_than_the_window(opened, folder, width):
    page = opened(folder / "report.html")
    page.chromium.set_window_size(width, 900)
    inner, full = page.run("return [window.innerWidth, document.documentElement.scrollWidth]")
    assert full <= inner


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_has_contrast_in_light_and_dark(opened, folder, theme):
    """At least 4.5 to 1, the counts of the most frequent mistakes included."""
    page = opened(folder / "report.html")
    page.prefer(theme)
    found = page.contrasts()
    assert len(found) > 100
    assert [text for contrast, text in found if contrast < 4.5] == []
