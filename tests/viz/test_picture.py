"""What all pictures share: the formats, the names of users, and what is said without Matplotlib."""

import subprocess
import sys

import numpy as np
import pytest

from minigrad import viz
from minigrad.curvature import spectral_density
from minigrad.viz.figure import plain, style

DENSITY = spectral_density(np.diag(np.linspace(0, 1, 9)), steps=5, probes=2)
ROWS = [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}]
SAVES = {
    "curves": lambda path: viz.curves(ROWS, path),
    "spectrum": lambda path: viz.spectrum(DENSITY, path),
    "decision": lambda path: viz.decision(lambda x: x, np.eye(2), [0, 1], size=5).save(path),
}
MAGIC = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF", "PNG": b"\x89PNG"}


@pytest.mark.parametrize("name", list(SAVES))
@pytest.mark.parametrize("suffix", list(MAGIC))
def test_the_suffix_says_the_format(name, suffix, tmp_path):
    path = tmp_path / f"{name}.{suffix}"
    assert SAVES[name](path) == path
    assert path.read_bytes().startswith(MAGIC[suffix])


@pytest.mark.parametrize("name", list(SAVES))
@pytest.mark.parametrize("file", ["a.jpeg", "a", "a.txt"])
def test_another_suffix_is_an_error_and_no_file(name, file, tmp_path):
    with pytest.raises(ValueError, match=r"one of \.svg, \.png, \.pdf; try \.svg"):
        SAVES[name](tmp_path / file)
    assert not list(tmp_path.iterdir())


def test_names_are_shown_as_they_are():
    """A dollar starts a formula in Matplotlib, and an underscore hides a line from the legend."""
    methods = {"$a^b$": "sgd", "_hidden": "adam", "<b>&\n": "momentum"}
    race = viz.race("ravine", methods, rates=[0.01], budget=3)
    paper = race.figure()
    paper.draw_without_rendering()
    texts = [text.get_text() for text in paper.legends[0].get_texts()]
    assert texts == [r"\$a^b\$, lr 0.01", " _hidden, lr 0.01", "<b>&\n, lr 0.01"]
    assert plain("plain") == "plain"


def test_the_first_styles_differ_in_color_marker_and_dash():
    colors, markers = ({style(i)[key] for i in range(7)} for key in ("color", "marker"))
    assert len(colors) == len(markers) == 7
    assert len({str(style(i)["ls"]) for i in range(4)}) == 4
    assert len({str(style(i)) for i in range(22)}) == 22  # as many as there are methods


def test_without_matplotlib_there_is_the_data_and_one_clear_line():
    code = """if True:
        import sys
        sys.modules["matplotlib"] = None
        from minigrad import viz
        race = viz.race("ravine", ["newton"], budget=9)
        print(race.runs["newton"].arrived, race._repr_png_())
        for draw in (race.figure, lambda: race.animate("race.gif")):
            try:
                draw()
            except viz.RenderError as error:
                print(error)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    line = "races need matplotlib: pip install matplotlib, or minigrad[train]"
    assert done.stdout.splitlines() == ["True None", line, line]


def test_a_picture_is_one_line_at_the_prompt():
    race = viz.race("rosenbrock", ["sgd", "adam"], budget=50)
    assert "\n" not in repr(race)
    assert 20 < len(repr(race)) < 500
    assert repr(race).startswith("Race(surface=")
