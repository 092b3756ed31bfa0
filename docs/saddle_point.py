"""Draws docs/images/saddle-point.png: the paths of examples/12_saddle_point.py on its levels.

    python docs/saddle_point.py

Needs: pip install "minigrad[train]"
"""

import runpy
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).parent
STYLES = {
    "gradient descent": ("tab:orange", "s", 4),
    "Newton": ("tab:blue", "^", 11),
    "saddle-free Newton": ("tab:red", "o", 5),
}


def main() -> None:
    """Draw the levels, the paths, and the loss over the steps."""
    example = runpy.run_path(str(HERE.parent / "examples" / "12_saddle_point.py"))
    f, methods = example["f"], example["METHODS"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    x, y = np.meshgrid(np.linspace(-1.2, 1.2, 200), np.linspace(-2.1, 2.1, 200))
    left.contour(x, y, f((x, y)), levels=np.arange(-1, 1.6, 0.15), colors="0.75", linewidths=0.7)
    for name, (color, marker, size) in STYLES.items():
        points = np.array(example["path"](methods[name], 60))
        left.plot(*points.T, color=color, marker=marker, ms=size, mfc="none", lw=1.2, label=name)
        right.plot(f(points.T), color=color, marker=marker, ms=3, lw=1.2, label=name)
    left.plot([0, 0], [-(2**0.5), 2**0.5], "k*", ms=12, ls="", label="minima")
    left.set(xlabel="x", ylabel="y", title="f = x² − y² + y⁴/4 from (1, 10⁻⁹)")
    right.set(xlabel="step", ylabel="f", title="The loss")
    left.legend(loc="lower right", fontsize=8)
    right.legend(fontsize=8)
    figure.savefig(HERE / "images" / "saddle-point.png", dpi=100)


if __name__ == "__main__":
    main()
