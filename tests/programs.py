"""Runs a program of the repository as a user would, in a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(path, folder, timeout):
    """Run a Python file with warnings as errors and no display; return what it printed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": str(folder),
    }
    environment.pop("DISPLAY", None)  # so that plt.show() has nothing to wait for
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
