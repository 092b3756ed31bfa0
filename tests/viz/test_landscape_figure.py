"""The picture of a landscape: levels, surface, paths and caption."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import viz
from minigrad.viz.landscape_figure import _levels, caption
from tests.viz.landscapes import closure, trained


def test_a_loss_that_overflows_is_kept_and_left_out_of_the_picture(tmp_path):
    p = mg.tensor([0.0, 0.0], dtype="float64", requires_grad=True)
    found = viz.landscape(
        lambda: mg.where(p[0] > 0.5, float("nan"), p[0] ** 2 + p[1] ** 2),
        [p], ([1.0, 0.0], [0.0, 1.0]), size=5,
    )  # fmt: skip
    assert np.isnan(found.losses).sum() == 5
    for kind in ("contour", "surface"):
        assert found.save(tmp_path / f"{kind}.png", kind=kind).exists()
    found.losses[:] = np.inf
    with pytest.raises(ValueError, match="finite nowhere"):
        found.figure()


def test_the_picture_shows_the_paths_the_shares_and_what_plane_it_is():
    model, path, _ = trained()
    found = viz.landscape(closure(model), model, paths={"sgd": path}, size=7)
    paper = found.figure(title="a title")
    axes = paper.axes[0]
    assert np.array_equal(np.transpose(axes.lines[0].get_data()), found.paths["sgd"].points)
    assert f"{found.explained[0]:.1%}" in axes.get_xlabel()
    assert [text.get_text() for text in paper.legends[0].get_texts()] == ["sgd"]
    assert axes.get_title(loc="left") == "a title"
    assert paper.axes[1].get_ylabel() == "loss"
    assert paper._supxlabel.get_text() == caption(found)
    assert "evaluation mode" in caption(found)
    assert "7 × 7" in caption(found)
    with pytest.raises(ValueError, match="kind='3d'; legal is 'contour' or 'surface'"):
        found.figure("3d")


def test_the_surface_is_as_high_as_the_loss_and_its_logarithm_where_it_ranges_widely():
    p = mg.tensor([1.0, 1.0], dtype="float64", requires_grad=True)
    unit = ([1.0, 0.0], [0.0, 1.0])
    narrow = viz.landscape(lambda: 5 + p[0] + p[1], [p], unit, size=3).figure("surface")
    assert narrow.axes[0].get_zlabel() == "loss"
    path = viz.Trajectory([p])
    path.record()
    wide = viz.landscape(
        lambda: mg.exp(4 * p[0]), [p], unit, size=3, span=1.0, paths=path
    ).figure("surface")  # fmt: skip
    assert wide.axes[0].get_zlabel().startswith("log₁₀")
    assert wide.axes[0].lines[0].get_data_3d()[2] == pytest.approx([4 / np.log(10)] * 2)


def test_levels_are_even_or_logarithmic_and_hold_all_losses():
    even, logarithmic = _levels(np.array([[-1.0, 2.0], [np.nan, 3.0]]))
    assert not logarithmic
    assert np.allclose(np.diff(even), 4 / 16)
    ratio, logarithmic = _levels(np.array([[1e-3, 2.0], [np.inf, 1e3]]))
    assert logarithmic
    assert np.allclose(np.diff(np.log10(ratio)), 6 / 16)
    for levels, low, high in ((even, -1, 3), (ratio, 1e-3, 1e3)):
        assert levels[0] < low
        assert levels[-1] > high
    assert _levels(np.array([0.0, 1e-30, 5.0]))[0][0] == pytest.approx(5e-8)
    assert _levels(np.array([0.0, 0.5, 1.0]))[1] is False
    assert _levels(np.zeros(3))[0][0] < 0 < _levels(np.zeros(3))[0][-1]


def test_a_label_may_be_a_number():
    model, path, _ = trained(3)
    paper = viz.landscape(closure(model), model, paths={1: path}, size=3).figure()
    assert [text.get_text() for text in paper.legends[0].get_texts()] == ["1"]
