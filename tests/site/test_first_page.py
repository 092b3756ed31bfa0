"""The first page keeps its word: its lines, on a machine with pip alone, make its picture."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.site
ROOT = Path(__file__).parents[2]


def test_its_lines_make_its_picture_in_a_fresh_environment(tmp_path):
    pytest.importorskip("sphinx", reason="installs with pip; run where the extra docs is")
    text = (ROOT / "docs" / "index.md").read_text("utf-8")
    command = re.search(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)[1]
    program = re.search(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)[1]
    folder = tmp_path / "minigrad"  # a copy of the repository, as a newcomer has it
    listed = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
    )
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        input=program,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    drawn, shown = folder / "first-graph.svg", ROOT / "docs" / "images" / "first-graph.svg"
    assert labels(drawn) == labels(shown)
    assert {"x", "sin", "mul", "sum", "y"} <= set(labels(drawn))


def labels(picture):
    """Return the texts of an SVG."""
    return sorted(re.findall(r"<text[^>]*>([^<]*)</text>", picture.read_text("utf-8")))
