"""docs/ is true: its code runs and prints what it shows, its quotations are in the source.

Its links lead somewhere, the files and the names that its prose speaks of are there, and its SVGs
have the texts that its pages draw today; floors.svg is what its script writes. PNGs and GIFs are
not compared: their pixels are not the same everywhere.

What a page's blocks are, and what they print, is `docs/printed.py`'s, which writes it down, too.
"""

import re
import runpy
import textwrap
import tomllib
from operator import attrgetter
from pathlib import Path

import pytest

import minigrad as mg

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
RUN = runpy.run_path(str(ROOT / "docs" / "printed.py"))
SOURCES = [file for name in ("docs", "minigrad", "tests") for file in ROOT.glob(f"{name}/**/*.py")]
FENCE, QUOTED, IMAGES = RUN["FENCE"], RUN["QUOTED"], RUN["IMAGES"]
blocks, printed = RUN["blocks"], RUN["printed"]


def quotations():
    """Return every quotation as (page, line, file, text)."""
    for page in PAGES:
        for block in blocks(page.read_text("utf-8")):
            match = QUOTED.match(block.text)
            if block.language == "python" and match:
                yield page.name, block.line, match[1], block.text[match.end() :]


def name(value):
    """Return the short name of a parameter: of a page its name, of a quotation nothing."""
    return value.name if isinstance(value, Path) else "" if "\n" in str(value) else str(value)


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # NumPy's, of a NaN
@pytest.mark.parametrize("page", PAGES, ids=name)
def test_its_code_runs_and_prints_what_it_shows(page, tmp_path):
    advice = (
        f"what the code prints today is written down by: python docs/printed.py docs/{page.name}"
    )
    assert printed(page, tmp_path) == page.read_text("utf-8"), advice
    for picture in tmp_path.glob("*.svg"):  # the page shows the picture that it draws
        assert labels(picture) == labels(IMAGES / picture.name)


def labels(picture):
    """Return the texts of an SVG."""
    return sorted(re.findall(r"<text[^>]*>([^<]*)</text>", picture.read_text("utf-8")))


@pytest.mark.parametrize(("page", "line", "file", "text"), list(quotations()), ids=name)
def test_its_quotations_are_in_the_source(page, line, file, text):
    rest = (ROOT / file).read_text("utf-8").splitlines()
    for part in re.split(r"^[ ]*\.\.\.\n", text, flags=re.MULTILINE):
        wanted = textwrap.dedent(part).strip("\n").splitlines()
        rest = after(wanted, rest)
        assert rest is not None, f"{page}, line {line}: not in {file}:\n{part}"


def after(wanted, lines):
    """Return the lines after the first occurrence of `wanted`, at any indentation, or None."""
    for start in range(len(lines) - len(wanted) + 1):
        found = textwrap.dedent("\n".join(lines[start : start + len(wanted)])).splitlines()
        if found == wanted:
            return lines[start + len(wanted) :]
    return None


def links():
    """Return every link and picture that does not leave the repository."""
    for page in [*PAGES, ROOT / "README.md"]:
        prose = FENCE.sub("", page.read_text("utf-8"))
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            if not re.match(r"[a-z]+:", target):
                yield page, target


@pytest.mark.parametrize(("page", "target"), list(links()), ids=name)
def test_its_links_lead_somewhere(page, target):
    file, _, anchor = target.partition("#")
    path = (page.parent / file).resolve() if file else page
    assert path.exists()
    assert path.is_relative_to(ROOT)
    if anchor:
        assert anchor in headings(path)


def test_every_kept_picture_is_in_images_and_on_a_page():
    shown = {(page.parent / target).resolve() for page, target in links()}
    kept = {path for path in (ROOT / "docs").rglob("*") if path.suffix in (".svg", ".png", ".gif")}
    assert {path for path in kept if path.parent != IMAGES} == set()
    assert sorted(kept - shown) == []
    assert kept


def test_every_kept_picture_has_what_draws_it():
    """In `docs/draw.py`, and there is its name in the script that is called or the page it runs."""
    makers = runpy.run_path(str(ROOT / "docs" / "draw.py"))["MAKERS"]
    drawn = [name for names in makers.values() for name in names]
    assert sorted(drawn) == sorted(path.name for path in IMAGES.iterdir())
    for files, names in makers.items():
        text = "".join((ROOT / "docs" / file).read_text("utf-8") for file in files)
        assert [name for name in names if f'"{name}"' not in text] == []


def prose():
    """Return what is in backticks on the pages, outside of blocks, as (page, text)."""
    for page in [*PAGES, ROOT / "README.md"]:
        for code in re.findall(r"`([^`\n]+)`", FENCE.sub("", page.read_text("utf-8"))):
            yield page, code


def test_every_python_file_that_is_named_is_there():
    """In the prose of the pages, and in docstrings and comments."""
    there = "".join(f"/{file.relative_to(ROOT).as_posix()}\n" for file in SOURCES)
    quoted = [(page, f"`{code}`") for page, code in prose()]
    quoted += [(file, file.read_text("utf-8")) for file in SOURCES]
    found = [(file, path) for file, text in quoted for path in re.findall(r"`([\w/]+\.py)`", text)]
    assert [(file.name, path) for file, path in found if f"/{path}\n" not in there] == []
    assert len(found) > 150


def public_names():
    """Return the names in the prose that begin with a part of the library."""
    part = r"(?<![\w./])(?:mg|nn|optim|datasets|training|viz)(?:\.[A-Za-z]\w*)+"
    return sorted({name for _, code in prose() for name in re.findall(part, code)})


@pytest.mark.parametrize("name", public_names())
def test_every_public_name_in_the_prose_is_there(name):
    attrgetter(name.removeprefix("mg."))(mg)


def headings(path):
    """Return the anchors of a page's headings."""
    text = FENCE.sub("", path.read_text("utf-8"))
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


def test_every_page_is_in_the_table_of_contents():
    contents = (ROOT / "docs" / "README.md").read_text("utf-8")
    assert [page.name for page in PAGES if f"({page.name})" not in contents] == ["README.md"]


def test_every_example_is_on_their_page():
    contents = (ROOT / "docs" / "examples.md").read_text("utf-8")
    examples = sorted(path.name for path in (ROOT / "examples").glob("*.py"))
    assert [name for name in examples if f"(../examples/{name})" not in contents] == []
    assert examples


@pytest.fixture(scope="module")
def floors():
    return runpy.run_path(str(ROOT / "docs" / "floors.py"))


def test_the_picture_of_the_floors_is_the_one_that_its_script_draws(floors):
    assert floors["picture"]() == (ROOT / "docs" / "images" / "floors.svg").read_text("utf-8")


def test_the_picture_shows_every_layer_and_what_is_above_it(floors):
    """The picture's order is that of the contract in pyproject.toml, from the top down."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    layers = [
        {module.strip().removeprefix("minigrad.") for module in layer.split("|")}
        for layer in contracts["contracts"][0]["layers"]
    ]
    drawn = []  # from the top down, what is side by side together
    for _, _, items in floors["FLOORS"]:
        drawn.append(set())
        for item in items:
            if item == "→":
                drawn.append(set())
            elif item != "|":
                drawn[-1].add(item[0].split("/")[0].removesuffix(".py"))
    assert drawn == layers
