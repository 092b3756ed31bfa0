"""The spectrum's picture: a PNG of a density, with its marks, and an error where it cannot be."""

import subprocess
import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import viz
from minigrad.curvature import spectral_density

DENSITY = spectral_density(np.diag(np.r_[np.linspace(0, 1, 99), 10]), steps=20, probes=4)


def drawn(path, monkeypatch, **keywords):
    """Return the axes of the picture, as matplotlib was asked to draw it."""
    from matplotlib.figure import Figure

    seen = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *a, **k: (seen.append(self), save(self, *a, **k))
    )
    assert viz.spectrum(DENSITY, path, **keywords) == path
    return seen[0].axes[0]


def test_the_line_is_the_density_and_the_dotted_one_a_single_eigenvalue(tmp_path, monkeypatch):
    axes = drawn(tmp_path / "a.png", monkeypatch, title="a title")
    line, one = axes.lines
    x, y = line.get_data()
    density = DENSITY.density.numpy()
    peak = np.nanmax(np.where(np.asarray(x) > 5, y, np.nan))
    assert np.array_equal(np.asarray(y)[np.isfinite(y)], density[np.isfinite(y)])
    assert one.get_ydata()[0] == pytest.approx(peak, rel=0.01)  # at 10 there is one of the 100
    assert axes.get_yscale() == "log"
    assert axes.get_title(loc="left") == "a title"
    assert len(axes.get_legend().get_texts()) == 1


@pytest.mark.parametrize("eigenvalues", [[10.0, 1.0], mg.tensor([10.0, 1.0])])
def test_eigenvalues_are_marked(eigenvalues, tmp_path, monkeypatch):
    axes = drawn(tmp_path / "a.png", monkeypatch, eigenvalues=eigenvalues)
    assert list(axes.lines[-1].get_xdata()) == [10, 1]
    assert len(axes.get_legend().get_texts()) == 2
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_no_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        viz.spectrum(DENSITY, tmp_path / "nowhere" / "a.png")


def test_without_matplotlib_one_line_says_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['matplotlib.figure'] = None; import minigrad as mg;"
        "from minigrad import viz;"
        "viz.spectrum(mg.curvature.spectral_density(mg.eye(9), 2, 2), sys.argv[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.png")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == (
        "minigrad.viz.render.RenderError: spectra need matplotlib: pip install matplotlib, or "
        "minigrad[train]"
    )
