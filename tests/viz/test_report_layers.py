"""The layers and the mistakes on a run's page: their pictures and cells against the numbers."""

import base64
import html
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from minigrad import viz
from minigrad.viz.reports.heat import Timeline, density_map
from tests.viz.test_report import Page, run

HOSTILE = "<script>alert('1')</script>\"&\n" + "x" * 10_000


def write(folder, layers=(), mistakes=None):
    lines = [json.dumps(row) + "\n" for row in layers]
    (folder / "layers.jsonl").write_text("".join(lines))
    if mistakes is not None:
        (folder / "mistakes.json").write_text(json.dumps(mistakes))
    return folder


def measured(epoch, signals, ratio=1e-3, names=None):
    layers = [
        {"layer": str(i) if names is None else names[i], "signal": s, "ratio": ratio, "gradient": 1}
        for i, s in enumerate(signals)
    ]
    return {
        "epoch": epoch, "step": 1, "layers": layers,
        "gradient_norm": 2.0 + epoch, "update_ratio": 0.5,
        "weights": {name: [-1.0, 1.0, [1, 2, 3, 4]] for name in names or ["0.weight"]},
        "activations": {"0": [0.0, 4.0, [6, 0, 0, 2]]}, "modules": {"0": "Linear"},
    }  # fmt: skip


def pictures(text):
    """Return the pixels of every picture inside an SVG, in order."""
    page = Page(text)
    data = [a["href"].partition(",")[2] for tag, a in page.elements if tag == "image"]
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(d)))).astype(int) for d in data]


def test_gradient_flow_by_layer_and_time(tmp_path):
    rows = [measured(0.1, [1e-6, 1e-3, 1]), measured(1, [1e-4, 1e-2, 1]), measured(2, [1, 1, 1])]
    page = viz.report(write(run(tmp_path / "a"), rows))
    colors, scale, *_ = pictures(page)
    assert colors.shape == (3, 3, 3)  # layers, epochs 0 to 2, RGB
    light = colors.sum(-1)
    assert light[0, 0] < light[0, 1] < light[0, 2]  # grows with time
    assert light[0, 0] < light[1, 0] < light[2, 0]  # and with depth
    assert (light[2] == light[2, 0]).all()
    # 1e-6 is the lowest and 1 the highest: 1e-3 is in the middle of the scale.
    np.testing.assert_allclose(colors[1, 0], (scale[15, 0] + scale[16, 0]) / 2, atol=3)
    text = Page(page).text
    assert "the first layer (0 Linear)" in text
    assert "1e-06 in the first step (vanishing); 1 after epoch 2." in text
    assert "gradient norm, of single steps" in text


def test_a_gradient_that_passed_at_first_is_not_called_vanishing(tmp_path):
    rows = [measured(0.1, [0.5, 1, 1]), measured(2, [1e-6, 1e-3, 1])]
    text = Page(viz.report(write(run(tmp_path / "a"), rows))).text
    assert "0.5 in the first step; 1e-06 after epoch 2 (units died or saturated since)" in text
    assert "vanishing" not in text


def test_what_explodes_or_is_no_number(tmp_path):
    rows = [measured(1, [1e5, 1, 1]), measured(2, [None, 0, 1])]
    page = viz.report(write(run(tmp_path / "a"), rows))
    assert "1e+05 after epoch 1 (exploding)" in Page(page).text
    assert "0 or not finite" in Page(page).text
    colors = pictures(page)[0]
    assert colors[0, 2].tolist() == [214, 39, 110]
    assert (colors[1, 2] == colors.reshape(-1, 3)[colors.sum(-1).argmin()]).all()  # 0: the lowest


def test_without_signals_the_parameters_gradients_are_shown(tmp_path):
    row = measured(1, [1, 1])
    for layer in row["layers"]:
        del layer["signal"]
    text = Page(viz.report(write(run(tmp_path / "a"), [row]))).text
    assert "Gradient of a layer's parameters" in text
    assert "vanishing" not in text


def test_distributions_over_time():
    timeline = Timeline([0.1, 1.0])
    [pixels] = pictures(density_map([[-2.0, 2.0, [1] * 4], [0.0, 1.0, [5]]], timeline, "x"))
    ink = pixels[..., 3]
    assert ink.shape == (40, 2)
    inside = np.flatnonzero(ink[:, 0] > 100)
    assert inside[0] <= 1  # the whole axis: the first spans it
    assert inside[-1] >= 38
    middles = 2.08 - (np.arange(40) + 0.5) * 4.16 / 40  # from the top down
    inside = middles[ink[:, 1] > 200]
    assert inside.min() == pytest.approx(0, abs=0.15)
    assert inside.max() == pytest.approx(1, abs=0.15)


def test_a_column_has_the_latest_measurement_before_it():
    assert Timeline([0.02, 1.0, 2.0, 4.0]).rows == [0, 1, 2, 2, 3]
    assert Timeline([0.5]).rows == [0]
    long = Timeline([float(i) for i in range(1, 1001)])
    assert (long.count, len(long.rows)) == (120, 120)
    assert long.rows[-1] == 999


WORST = {"row": 3, "true": 0, "predicted": 1, "probability": 0.875}


def test_the_confusion_matrix_and_the_worst(tmp_path):
    found = {
        "data": "test", "rows": 60, "classes": ["cat", "dog"],
        "confusion": [[0, 0, 40], [0, 1, 7], [1, 1, 13]],
        "worst": [WORST | {"png": "aGk="}, WORST | {"row": 9, "values": [1.5, 2]}],
    }  # fmt: skip
    page = Page(viz.report(write(run(tmp_path / "a"), [], found)))
    assert page.rows["cat"] == ["40", "7"]
    assert page.rows["dog"] == ["·", "13"]
    assert "7 of 60 rows of the test data" in page.text
    assert "cat → dog88%, row 3" in page.text
    assert "1.5, 2" in page.text
    images = [a for tag, a in page.elements if tag == "img"]
    assert images[0]["src"] == "data:image/png;base64,aGk="
    assert images[0]["alt"] == "row 3, cat taken for dog"


def test_of_many_classes_the_pairs(tmp_path):
    classes = [f"class {i}" for i in range(100)]
    found = {"data": "train", "rows": 9, "classes": classes,
             "confusion": [[1, 2, 3], [4, 4, 5], [7, 5, 4]], "worst": []}  # fmt: skip
    page = Page(viz.report(write(run(tmp_path / "a"), [], found)))
    assert page.rows["class 7"] == ["class 5", "4"]
    assert page.rows["class 1"] == ["class 2", "3"]
    assert list(page.rows).index("class 7") < list(page.rows).index("class 1")
    assert "class 4" not in page.rows


def test_names_do_no_harm(tmp_path):
    names = [HOSTILE, HOSTILE + "2"]
    found = {"data": HOSTILE, "rows": 2, "classes": names, "confusion": [[0, 1, 2]],
             "worst": [WORST | {"png": "\" onerror=\"alert('1')"}]}  # fmt: skip
    rows = [measured(1, [1, 2], names=names) | {"modules": {names[0]: HOSTILE}}]
    folder = write(run(tmp_path / "a"), rows, found)
    (folder / "status.json").write_text(json.dumps({"notes": [HOSTILE], "stopped": HOSTILE,
                                                    "state": HOSTILE, "time": 0}))  # fmt: skip
    page = Page(viz.report(folder))
    assert "script" not in {tag for tag, _ in page.elements}
    assert not {name for _, a in page.elements for name in a if name.startswith("on")}
    assert "<script>alert('1')</script>" in page.text


def test_runs_side_by_side_have_their_own(tmp_path):
    one = write(run(tmp_path / "a"), [measured(1, [1, 1])])
    two = write(run(tmp_path / "b"), [measured(1, [1, 1, 1])])
    old = run(tmp_path / "c")
    page = viz.report(one, two, old)
    assert len(pictures(page)) == 8  # two maps with their scales, of each of two
    assert page.count("<h3>") == 5  # the summaries of three, the flow of two
    assert "<h2>Weights</h2>" not in page
    assert "<h2>Weights</h2>" in viz.report(one)
    assert "Gradient flow" not in viz.report(old)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("mistakes.json", "{}x", "it is no JSON object"),
        ("mistakes.json", '{"data": "test"}', "has a damaged file .KeyError"),
        ("layers.jsonl", "[1]\n", "line 1, it is no JSON object"),
        ("layers.jsonl", '{"epoch": 1, "layers": [{}]}\n', "has a damaged file"),
    ],
)
def test_damaged_files_are_named(tmp_path, file, text, said):
    folder = run(tmp_path / "a")
    (folder / file).write_text(text)
    with pytest.raises(viz.ReportError, match=said):
        viz.report(folder)


def test_a_long_name_is_whole_where_one_points(tmp_path):
    name = "encoder." * 9 + '"weight"'
    row = measured(1, [1.0]) | {"weights": {name: [0.0, 1.0, [1, 2]]}}
    text = viz.report(write(run(tmp_path / "a"), [row]))
    found = re.findall(r'<figcaption title="([^"]*)">(.*?)</figcaption>', text)
    attribute, caption = found[0]
    assert html.unescape(attribute).startswith(name)
    assert "…" in caption
    assert "<" not in caption
