"""Every example is short, needs NumPy only, and ends in the result that it asserts."""

import ast
import sys

import pytest

from tests.programs import ROOT, run

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.programs
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs_and_its_assertions_hold(path, tmp_path):
    assert run(path, tmp_path, timeout=60), "an example shows what it found"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_is_short_and_ends_in_an_assertion(path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) < 60
    tree = ast.parse(text)
    assert isinstance(tree.body[-1], ast.Assert)
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }
    assert imported <= {"minigrad", "numpy", *sys.stdlib_module_names}


def test_there_are_examples():
    assert len(EXAMPLES) >= 8
