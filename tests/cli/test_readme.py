"""What the README prints runs as it is printed, and what it names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text("utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def test_its_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in PYTHON:
        exec(compile(block, "README.md", "exec"), names)
    assert names["history"].rows[-1]["test_accuracy"] >= 0.95
    assert names["hessian"].shape == (3, 3)
    assert list(tmp_path.iterdir()) == []


def test_its_two_commands_are_complete():
    commands = re.findall(r"^python3 -m venv .*$", TEXT, re.MULTILINE)
    start = 'python3 -m venv .venv && .venv/bin/pip install --quiet "'
    assert commands == [
        start + '.[train]" && .venv/bin/minigrad train',
        start + '.[test]" && .venv/bin/python -m pytest',
    ]


@pytest.mark.parametrize("link", re.findall(r"\]\(((?!http)[^)]*)\)", TEXT))
def test_its_links_lead_somewhere(link):
    assert (ROOT / link).exists()
