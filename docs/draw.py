"""Draws every picture in docs/images anew: ``python docs/draw.py``, or only some: ``… report.png``.

Needs: pip install pillow "minigrad[train,browser]", and Chromium with its driver.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

# A script with its arguments → the pictures that it draws: its own, or those of a page's code.
MAKERS = {
    ("floors.py",): ("floors.svg",),
    ("printed.py", "index.md"): ("first-graph.svg",),
    ("printed.py", "quickstart.md"): ("graph.svg",),
    ("printed.py", "one-formula-three-machines.md"): ("one-formula.svg",),
    ("graphs.py", "graphs.md"): (
        "graph-three-lines.svg", "graph-values.svg", "graph-blocks.svg", "graph-depth.svg",
        "graph-gradient.svg", "graph-hessian.png", "graph-adam.svg", "graph-page.png",
        "graph-steps.png",
    ),
    ("pictures.py", "pictures.md"): (
        "race.png", "race.gif", "landscape.png", "landscape-surface.png", "activations.png",
        "decision.png",
    ),
    ("pictures.py", "curvature.md"): ("spectrum.png",),
    ("saddle_point.py",): ("saddle-point.png",),
    ("report.py",): ("report.png",),
}  # fmt: skip


def main() -> None:
    """Run the scripts whose pictures are asked for, all if none is."""
    asked = set(sys.argv[1:])
    known = {name for names in MAKERS.values() for name in names}
    if asked - known:
        sys.exit(f"no {', '.join(asked - known)}; there are {', '.join(sorted(known))}")
    for (script, *pages), names in MAKERS.items():
        if not asked or asked & set(names):
            print(script, *pages, "→", *names, flush=True)  # noqa: T201
            command = [sys.executable, HERE / script, *(HERE / page for page in pages)]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
