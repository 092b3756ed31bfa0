"""One line shows a picture: in a program as a file, of which a line tells, and which is there."""

import subprocess
import sys

import matplotlib.pyplot as plt
import pytest

import minigrad as mg
from minigrad import viz
from minigrad.viz import render

X = mg.ones(2, requires_grad=True)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: viz.graph(X * 2), "a/graph.svg"),
        (lambda: viz.race("saddle", ["sgd"], budget=3), "race.png"),
        (lambda: plt.figure(figsize=(1, 1)), "a/b/figure.pdf"),
    ],
    ids=["graph", "race", "figure"],
)
def test_a_program_writes_it_and_says_where(make, name, tmp_path, capsys):
    viz.show(make(), tmp_path / name)
    assert capsys.readouterr().out == f"wrote {tmp_path / name}\n"
    assert (tmp_path / name).stat().st_size > 500
    assert not plt.get_fignums()


def test_what_cannot_be_drawn_is_one_line(tmp_path, capsys, monkeypatch):
    def no_program(format):
        raise viz.RenderError("pip install graphviz-pure")

    monkeypatch.setattr(render, "_program", no_program)
    viz.show(viz.graph(X * 2), tmp_path / "a.svg")
    assert capsys.readouterr().out == f"no {tmp_path / 'a.svg'}: pip install graphviz-pure\n"
    with pytest.raises(TypeError, match=r"Tensor is no picture; .* try viz.show\(viz.graph\(y\)"):
        viz.show(X, tmp_path / "a.svg")
    with pytest.raises(ValueError, match="a graph is saved as"):
        viz.show(viz.graph(X * 2), tmp_path / "a.bmp")


def test_it_needs_no_library_that_the_picture_does_not(tmp_path):
    code = (
        "import sys, minigrad as mg; from minigrad import viz\n"
        "viz.show(viz.graph(mg.ones(2, requires_grad=True) * 2), 'a.dot')\n"
        "print([name for name in ('matplotlib', 'IPython') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == "wrote a.dot\n[]\n"
