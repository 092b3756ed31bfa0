"""Kinds are told apart by shape, by color-blind readers too by color, and sweeps in grey.

Color-blindness is simulated as by Machado, Oliveira and Fernandes, "A Physiologically-based Model
for Simulation of Color Vision Deficiency", 2009, at full severity; distances are in CIELAB (1976),
in which 2.3 is what an eye just sees between two patches side by side.
"""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from minigrad.viz.graphs import dot

STYLE = Path(dot.__file__).parents[1] / "frontend" / "src" / "style.css"
KINDS = ["operation", "gradient", "second", "parameter", "tensor", "module"]
EYES = {
    "all three cones": np.eye(3),
    "no red cones": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green cones": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue cones": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}  # fmt: skip
XYZ = np.array(  # of linear sRGB, with white at 1
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
) / [[0.95047], [1.0], [1.08883]]


def linear(color):
    channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(light):
    """Return lightness (0 to 100) and the two opponent colors of linear sRGB."""
    xyz = XYZ @ np.clip(light, 0, 1)
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(a, b):
    """Return the contrast of two colors as the accessibility guidelines have it."""
    dark, light = sorted(float(XYZ[1] @ linear(color)) for color in (a, b))
    return (light + 0.05) / (dark + 0.05)


def fills(theme):
    """Return the color of each kind, in DOT or on the page."""
    if theme == "dot":
        return {k: re.search(r'fillcolor="(#\w+)"', dot._STYLE[k])[1] for k in KINDS}
    found = {
        k: re.search(rf"--{k}: light-dark\((#\w+), (#\w+)\)", STYLE.read_text()) for k in KINDS
    }
    return {k: match[1 if theme == "light" else 2] for k, match in found.items()}


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("theme", ["dot", "light", "dark"])
def test_colors_are_told_apart(theme, eye):
    seen = {kind: lab(EYES[eye] @ linear(color)) for kind, color in fills(theme).items()}
    for a, b in itertools.combinations(KINDS, 2):
        assert np.linalg.norm(seen[a] - seen[b]) > 8, (a, b)


@pytest.mark.parametrize("theme", ["dot", "light", "dark"])
def test_the_sweeps_are_told_apart_in_grey(theme):
    grey = [lab(linear(fills(theme)[kind]))[0] for kind in ("operation", "gradient", "second")]
    steps = np.diff(grey)
    assert (abs(steps) > 6).all()
    assert steps[0] * steps[1] > 0  # each further from the first


def test_kinds_differ_in_shape():
    shapes = {kind: re.search(r"shape=(\w+)", style)[1] for kind, style in dot._STYLE.items()}
    assert shapes == {
        "operation": "box", "gradient": "box", "second": "box", "parameter": "cylinder",
        "tensor": "ellipse", "module": "box3d",
    }  # fmt: skip


def test_text_has_contrast_on_every_color():
    ink = re.findall(r'(?:fontcolor|COLOR)="(#\w+)"', Path(dot.__file__).read_text())
    for color in [*fills("dot").values(), *dot._HEAT]:
        assert contrast("#1a1a1a", color) > 4.5
        assert contrast("#333333", color) > 4.5
    assert {"#1a1a1a", "#333333"} < set(ink)
