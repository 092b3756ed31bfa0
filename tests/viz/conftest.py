"""Fixtures of the tests that open pages in a browser."""

import pytest

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
