"""The site: built by the command that docs/README.md prints, with warnings as errors.

Its links lead somewhere, nothing is loaded from elsewhere, every public name has its place.
"""

import importlib
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytestmark = pytest.mark.site
ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
CHAPTERS = sorted((ROOT / "docs" / "course").glob("*.py"))
MODULES = [
    "minigrad", "minigrad.curvature", "minigrad.datasets", "minigrad.fuse",
    "minigrad.nn", "minigrad.nn.functional", "minigrad.optim", "minigrad.testing",
    "minigrad.training", "minigrad.viz",
]  # fmt: skip


class Page(HTMLParser):
    """A page's anchors, what it links to, and what a browser loads with it."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loads = set(), [], []
        self.text = path.read_text("utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes.get("id"), attributes.get("name")} - {None}
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        if "src" in attributes or tag == "link":
            self.loads.append(attributes.get("src") or attributes.get("href"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return the folder that the documented command builds, and its pages by path."""
    pytest.importorskip("sphinx", reason="needs the extra docs")
    text = (ROOT / "docs" / "README.md").read_text("utf-8")
    command = shlex.split(re.search(r"sphinx-build (.*)$", text, re.MULTILINE)[1])
    assert command == ["-W", "docs", "site"]
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-j2", *command[:-1], str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, {path: Page(path) for path in folder.rglob("*.html")}


def test_every_page_and_chapter_is_there(site):
    folder, pages = site
    expected = [folder / f"{page.stem}.html" for page in PAGES if page.name != "README.md"]
    expected += [folder / "course" / f"{chapter.stem}.html" for chapter in CHAPTERS]
    assert not [path for path in expected if path not in pages]


def test_its_links_lead_somewhere(site):
    _, pages = site
    broken = []
    count = 0
    for path, page in pages.items():
        for link in (*page.links, *page.loads):
            parts = urlsplit(link)
            if parts.scheme:
                continue
            count += 1
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[target].anchors if target in pages else {unquote(parts.fragment)}
            if not target.exists() or (parts.fragment and unquote(parts.fragment) not in anchors):
                broken.append(f"{path.name}: {link}")
    assert not broken
    assert count > 1000


def test_nothing_is_loaded_from_elsewhere(site):
    folder, pages = site
    loads = [load for page in pages.values() for load in page.loads]
    assert loads
    assert not [load for load in loads if urlsplit(load).scheme or load.startswith("//")]
    for style in folder.rglob("*.css"):
        assert not re.findall(r"url\(['\"]?(?:https?:)?//", style.read_text("utf-8")), style


def test_every_public_name_is_documented_once(site):
    _, pages = site
    ids = [
        anchor
        for path, page in pages.items()
        if path.parent.name == "api"
        for anchor in page.anchors
    ]
    for module in MODULES:
        found = importlib.import_module(module)
        names = [name for name in found.__all__ if not inspected(getattr(found, name))]
        assert [name for name in names if ids.count(f"{module}.{name}") != 1] == [], module


def inspected(value):
    """Say whether a value is a module, which has a section of its own."""
    return type(value).__name__ == "module"


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_shows_pictures_and_formulas_that_its_run_made(site, chapter):
    folder, pages = site
    page = pages[folder / "course" / f"{chapter.stem}.html"]
    assert [load for load in page.loads if "_images/" in load]
    assert "<math" in page.text
    assert "$" not in re.sub(r"(?s)<(pre|script|style)\b.*?</\1>", "", page.text)
