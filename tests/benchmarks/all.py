"""Runs every script that writes into docs/performance.md, one after the other.

    python tests/benchmarks/all.py [--write docs/performance.md] [--quick] [--fashion FOLDER]

That takes a quarter of an hour; with --quick, which makes fewer rounds, half of it. A script that
fails is named at the end, and the others go on. That for a GPU is left out where CuPy is not
installed; FOLDER holds the files of Fashion-MNIST for it.

Needs: pip install ".[parity,benchmark]", and for a GPU what `gpu.py` says.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

SCRIPTS = ("run.py", "chains.py", "updates.py", "gpu.py")


def options(script: str, given: argparse.Namespace) -> list[str]:
    """Return what a script is called with."""
    found = ["--write", str(given.write)] if given.write else []
    if script == "gpu.py":
        return found + (["--fashion", str(given.fashion)] if given.fashion else [])
    return found + (["--quick"] if given.quick else [])


def main() -> None:
    """Run the scripts; end with their names if some failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", type=Path, help="put the tables into this page")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--fashion", type=Path, help="the folder of Fashion-MNIST's files")
    given = parser.parse_args()
    failed = []
    for script in SCRIPTS:
        if script == "gpu.py" and importlib.util.find_spec("cupy") is None:
            print("gpu.py is left out: CuPy is not installed")
            continue
        command = [sys.executable, str(Path(__file__).with_name(script)), *options(script, given)]
        print(f"=== {script}", flush=True)
        if subprocess.run(command).returncode:
            failed.append(script)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}; the tables of the others are written")


if __name__ == "__main__":
    main()
