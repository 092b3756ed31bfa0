"""The benchmark of a GPU, tiny and on the stand-in: every line of it runs, and no job takes another
down. What it measures here means nothing."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = "before\n<!-- begin gpu -->\nold\n<!-- end gpu -->\nafter\n"


def tables(tmp_path, **modules):
    """Run it where modules of these texts stand before all others; return what it wrote."""
    pytest.importorskip("scipy", reason="the stand-in for CuPy needs SciPy: the extra test")
    for name, text in modules.items():
        (tmp_path / f"{name}.py").write_text(text)
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/benchmarks/gpu.py"), "--dry", "--write", str(page)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith("before\n<!-- begin gpu -->\n")
    assert text.endswith("<!-- end gpu -->\nafter\n")
    assert "old" not in text
    assert done.stdout.strip() in text
    return text


def row(text, name):
    """Return the cells of the first row of a name."""
    return re.search(rf"^\| {name} \|(.*)\|$", text, re.MULTILINE)[1].split("|")


def test_a_library_that_fails_takes_nothing_else_with_it(tmp_path):
    text = tables(
        tmp_path,
        torch="import os; os._exit(3)",
        jax="raise ImportError('no JAX here')",
    )
    assert "CuPy 14.2.0, CUDA 13.0" in text
    for name in ("large", "medium", "tiny"):
        _, mine, *others = row(text, name)
        assert float(mine.replace(",", "")) > 0
        assert {cell.strip() for cell in others} == {"–"}
    assert row(text, "minigrad")[2].strip().endswith("%")
    assert re.search(r"^\| digits \| cuda \| 1 \| \d+\.\d\d \|", text, re.MULTILINE)
    assert "- torch: ended with status 3" in text
    assert "- kernels: ended with status 3" in text
    assert "- jax: ImportError: no JAX here" in text


@pytest.mark.parity
def test_with_pytorch_beside_it(tmp_path):
    pytest.importorskip("torch", reason="needs the parity extra: pip install minigrad[parity]")
    text = tables(tmp_path, jax="raise ImportError('no JAX here')")
    for name in ("large", "medium", "tiny"):
        assert "–" not in [cell.strip() for cell in row(text, name)[:4]]
        assert float(row(text, name)[5]) > 0
    assert text.partition("Not measured:")[2].count("\n- ") == 1  # JAX
