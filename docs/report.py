"""Draws docs/images/report.png: the upper part of the report of ``minigrad train``, in a browser.

    python docs/report.py

Needs: pip install pillow "minigrad[train,browser]", and Chromium with its driver.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from graphs import shoot

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.viz.chromium import Page, start  # noqa: E402

WIDTH, HEIGHT = 1180, 1960


def main() -> None:
    """Train with all defaults, and look at the page that is left."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
        command = [sys.executable, "-m", "minigrad", "train"]
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
        (report,) = Path(folder).glob("runs/*/report.html")
        chromium = start(Path(folder) / "profile")
        try:
            size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
            chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            shoot(Page(chromium, report.resolve()), "report.png")
        finally:
            chromium.quit()


if __name__ == "__main__":
    main()
