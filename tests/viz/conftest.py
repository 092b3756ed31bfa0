"""Fixtures of the tests that open pages in a browser."""

import pytest

from minigrad import viz
from tests.viz.chromium import Page, start


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """Return a browser."""
    browser = start(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.quit()


@pytest.fixture
def opened(chromium):
    """Return what opens a page from disk; no page may complain, or ask the network."""
    pages = []

    def quiet():
        for page in pages[-1:]:
            assert page.noted() == ([], [])

    def make(path):
        quiet()
        pages.append(Page(chromium, path))
        return pages[-1]

    yield make
    quiet()


@pytest.fixture
def shown(opened, tmp_path):
    """Return what writes a graph to disk and opens it."""

    def make(what, *inputs, **options):
        path = viz.html(what, tmp_path / "graph.html", *inputs, **options)
        page = opened(path)
        assert page.run("return document.body.dataset.ready") == "true"
        return page

    return make
