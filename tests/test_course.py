"""Every chapter of the course is short, runs as a program, and ends in results and exercises."""

import ast
import re
import sys

import pytest

from tests.programs import ROOT, run

COURSE = ROOT / "docs" / "course"
CHAPTERS = sorted(COURSE.glob("*.py"))
CELL = re.compile(r"^# %%(.*)\n", re.MULTILINE)


def cells(path):
    """Return the cells of a chapter: whether it is prose, and its text."""
    parts = CELL.split(path.read_text("utf-8"))
    assert parts[0] == "", "a chapter begins with a cell"
    return [
        (kind.strip() == "[markdown]", text)
        for kind, text in zip(parts[1::2], parts[2::2], strict=True)
    ]


@pytest.mark.programs
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_it_runs_as_a_program(path, tmp_path):
    printed = run(path, tmp_path, timeout=120).splitlines()
    wrote = [line.removeprefix("wrote ") for line in printed if line.startswith("wrote ")]
    assert len(wrote) < len(printed), "a chapter shows what it found"
    number = path.name[:2]
    shown = path.read_text("utf-8").count("viz.show(")
    assert wrote == [line for line in wrote if line.startswith(f"runs/course/{number}-")]
    assert len(set(wrote)) == shown > 0
    assert all((tmp_path / name).stat().st_size > 1000 for name in wrote)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_it_is_short_and_ends_in_results_and_exercises(path):
    assert len(path.read_text("utf-8").splitlines()) < 150
    *_, code, (prose, exercises) = cells(path)
    assert prose
    assert exercises.startswith("# ## Exercises\n")
    assert 1 <= len(re.findall(r"^# \d\. ", exercises, re.MULTILINE)) <= 2
    is_prose, asserted = code
    assert not is_prose
    assert isinstance(ast.parse(asserted).body[-1], ast.Assert)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_it_uses_what_users_import(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [node.module] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            assert name.split(".")[0] in {
                "minigrad",
                "matplotlib",
                "numpy",
                *sys.stdlib_module_names,
            }
        if isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_") or node.attr.endswith("__"), node.attr


def test_the_contents_list_every_chapter_by_its_title():
    contents = (COURSE / "README.md").read_text("utf-8")
    assert 8 <= len(CHAPTERS) <= 10
    for path in CHAPTERS:
        title = re.match(r"# %% \[markdown\]\n# # (.*)\n", path.read_text("utf-8"))[1]
        assert f"[{title}]({path.name})" in contents
