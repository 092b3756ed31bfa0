"""Names of PyTorch's that are others here: each is told of, and what is advised is there."""

import importlib
import re
import subprocess
import sys

import pytest

import minigrad as mg
from minigrad.elsewhere import HERE

NAMES = [(module, name) for module, table in HERE.items() for name in table]


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_a_name_that_is_another_here_is_told_of(module, name):
    advice = HERE[module][name]
    with pytest.raises(AttributeError, match=re.escape(f"{module} has no {name}; use {advice}")):
        getattr(importlib.import_module(module), name)
    for path in re.findall(r"\b(mg|nn|optim|datasets|training)((?:\.\w+)+)", advice):
        found = mg if path[0] == "mg" else importlib.import_module(f"minigrad.{path[0]}")
        for part in path[1][1:].split("."):
            found = getattr(found, part)


def test_any_other_name_is_an_error_as_everywhere():
    with pytest.raises(AttributeError, match=r"^module 'minigrad' has no attribute 'nope'$"):
        _ = mg.nope
    assert not hasattr(mg, "__wrapped__")
    with pytest.raises(ImportError, match="cannot import name 'cat' from 'minigrad'"):
        from minigrad import cat  # noqa: F401


def test_the_parts_are_imported_when_they_are_asked_for():
    code = (
        "import sys, minigrad as mg; print('minigrad.nn' in sys.modules);"
        "print(mg.nn.Linear(2, 3)); print(mg.optim.Adam.__name__, mg.training.fit.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0] == "False"
    assert lines[-1] == "Adam fit"
