"""One command writes every table of docs/performance.md. What the scripts measure is not tested."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "benchmarks"


def test_every_table_is_written_by_a_script_that_the_command_runs():
    command = (FOLDER / "all.py").read_text("utf-8")
    scripts = re.findall(r'"(\w+\.py)"', command.partition("SCRIPTS = ")[2].partition("\n")[0])
    written = "".join((FOLDER / script).read_text("utf-8") for script in scripts)
    page = (ROOT / "docs" / "performance.md").read_text("utf-8")
    sections = re.findall(r"<!-- begin (.*?) -->", page)
    assert len(sections) > 10
    for section in sections:
        assert page.count(f"<!-- end {section} -->") == 1
        assert f'"{section}"' in written, f"no script writes {section}"
    assert "python tests/benchmarks/all.py --write docs/performance.md" in page


def test_the_command_goes_on_where_a_script_fails(tmp_path):
    """Copied to where the scripts are others, which say what they were called with."""
    text = "import sys; print(sys.argv[1:]); sys.exit({status})"
    (tmp_path / "all.py").write_text((FOLDER / "all.py").read_text("utf-8"), "utf-8")
    for script, status in (("run.py", 0), ("chains.py", 3), ("updates.py", 0), ("gpu.py", 1)):
        (tmp_path / script).write_text(text.format(status=status))
    (tmp_path / "cupy.py").write_text("")
    command = ["all.py", "--quick", "--write", "page.md", "--fashion", "data"]
    done = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True)
    quick, gpu = "['--write', 'page.md', '--quick']", "['--write', 'page.md', '--fashion', 'data']"
    assert done.stdout.splitlines() == [
        "=== run.py", quick, "=== chains.py", quick, "=== updates.py", quick, "=== gpu.py", gpu,
    ]  # fmt: skip
    assert done.stderr == "failed: chains.py, gpu.py; the tables of the others are written\n"
    assert done.returncode == 1
