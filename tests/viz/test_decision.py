"""Decision regions: the classes of the grid are the model's, and the picture shows them."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import datasets, nn, viz

RNG = np.random.default_rng(0)
W, B = RNG.standard_normal((3, 2)), RNG.standard_normal(3)
POINTS = RNG.uniform(-2, 3, (40, 2))


def linear(x):
    """A classifier of three classes whose regions are known."""
    return x @ mg.tensor(W.T) + mg.tensor(B)


LABELS = (POINTS @ W.T + B).argmax(axis=1)
LABELS[:4] = (LABELS[:4] + 1) % 3  # four are wrong


def test_classes_and_probabilities_are_the_models_everywhere():
    found = viz.decision(linear, POINTS, LABELS, size=21)
    lows, highs = POINTS.min(axis=0), POINTS.max(axis=0)
    spare = 0.1 * (highs - lows)
    assert np.allclose(found.x, np.linspace(lows[0] - spare[0], highs[0] + spare[0], 21))
    assert np.allclose(found.y, np.linspace(lows[1] - spare[1], highs[1] + spare[1], 21))
    for j, b in enumerate(found.y):
        for i, a in enumerate(found.x):
            z = W @ [a, b] + B
            assert found.classes[j, i] == z.argmax()
            assert np.allclose(found.probabilities[j, i], np.exp(z) / np.exp(z).sum())
    assert found.accuracy == pytest.approx(36 / 40)
    assert np.array_equal(found.points, POINTS)
    assert np.array_equal(found.labels, LABELS)


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_one_logit_is_that_of_class_1(shape):
    found = viz.decision(
        lambda x: (x[:, 0] - 0.5).reshape(shape), POINTS, (POINTS[:, 0] > 0.5).astype(int), size=11
    )
    assert found.accuracy == 1
    assert np.array_equal(found.classes[0], (found.x > 0.5).astype(int))
    assert np.allclose(found.probabilities[0, :, 1], 1 / (1 + np.exp(0.5 - found.x)))


def test_between_integer_points_the_grid_is_not_of_integers():
    seen = []

    def halves(x):
        seen.append(x.dtype)
        return x[:, 0] - 0.5

    corners = [[0, 0], [0, 1], [1, 0], [1, 1]]
    found = viz.decision(halves, corners, [0, 0, 1, 1], size=12)
    assert np.array_equal(found.classes[0], (found.x > 0.5).astype(int))
    assert seen == [np.float32, np.float32]
    assert np.array_equal(found.points, corners)


@pytest.mark.parametrize("dtype", [bool, "float32", "int8"])
def test_labels_may_be_of_any_dtype_whose_values_are_integers(dtype):
    found = viz.decision(lambda x: x[:, 0], POINTS, (POINTS[:, 0] > 0).astype(dtype), size=3)
    assert found.labels.dtype == np.int64
    assert found.accuracy == 1


def test_a_module_without_parameters_is_a_model_too():
    found = viz.decision(nn.Sequential(nn.Tanh()).eval(), POINTS, LABELS % 2, size=3)
    assert np.array_equal(found.predicted, POINTS.argmax(axis=1))


def test_a_module_is_evaluated_as_it_is_used_and_comes_back():
    data = datasets.blobs(60, classes=3)
    model = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm(8), nn.Dropout(0.5), nn.Linear(8, 3))
    model[3].eval()
    before = [p.numpy().tobytes() for p in [*model.parameters(), *model.buffers()]]
    modes, random = [m.training for m in model.modules()], mg.random.get_state()
    found = viz.decision(model, data.x, data.y, size=15)
    assert [p.numpy().tobytes() for p in [*model.parameters(), *model.buffers()]] == before
    assert [m.training for m in model.modules()] == modes
    assert mg.random.get_state() == random
    a, b = np.meshgrid(found.x, found.y)
    logits = model.eval()(mg.tensor(np.stack([a.ravel(), b.ravel()], 1).astype("float32")))
    assert np.array_equal(found.classes.ravel(), logits.numpy().argmax(axis=1))


def test_the_picture_shows_every_point_once_and_rings_the_wrong_ones():
    found = viz.decision(linear, POINTS, LABELS, size=31, names=["<a>", "$b^$", "c"])
    paper = found.figure()
    axes = paper.axes[0]
    *classes, wrong = axes.lines
    for i, line in enumerate(classes):
        assert np.array_equal(np.transpose(line.get_data()), POINTS[i == LABELS])
    assert np.array_equal(np.transpose(wrong.get_data()), POINTS[found.predicted != LABELS])
    assert len(wrong.get_xdata()) == 4
    assert len({line.get_marker() for line in classes}) == 3
    legend = [text.get_text() for text in paper.legends[0].get_texts()]
    assert legend == ["class <a>", r"class \$b^\$", "class c", "wrong"]
    assert axes.get_title(loc="left") == "accuracy 90.0%"
    assert found.figure("a title").axes[0].get_title(loc="left") == "a title"


def test_a_region_has_its_classs_color_the_fainter_the_less_sure():
    sure = viz.decision(lambda x: 50 * linear(x), POINTS, LABELS, size=11)
    even = viz.decision(lambda x: 0 * linear(x), POINTS, LABELS, size=11)
    image = sure.figure().axes[0].images[0].get_array()
    colors = {tuple(np.round(image[j, i], 2)) for j, i in np.argwhere(sure.classes == 0)[:1]}
    assert all(max(color) - min(color) > 0.1 for color in colors)
    assert np.allclose(even.figure().axes[0].images[0].get_array(), 1)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"x": np.zeros((5, 3))}, r"x has shape \(5, 3\); legal is \(N, 2\)"),
        ({"y": np.zeros(3, int)}, r"y has shape \(3,\); legal is \(40,\)"),
        ({"y": np.full(40, 3)}, "y has the classes 3 to 3, and the model 3 outputs"),
        ({"names": ["a"]}, "1 names for 3 classes"),
        ({"size": 1}, "size=1; legal is an integer from 2"),
        ({"margin": -1.0}, "legal is a finite number from 0"),
        ({"margin": float("inf")}, "margin=inf; legal is a finite number from 0"),
        ({"margin": "wide"}, "margin='wide'; legal is a finite number from 0"),
        ({"x": np.where(np.arange(40)[:, None] == 7, np.nan, POINTS)}, "x is not finite in row 7"),
        ({"x": np.where(np.arange(40)[:, None] == 0, np.inf, POINTS)}, "x is not finite in row 0"),
        ({"y": np.where(np.arange(40) == 3, 0.7, LABELS)}, r"y\[3\] is 0.7; legal are integers"),
        ({"y": np.full(40, np.nan)}, r"y\[0\] is nan; legal are integers"),
        ({"y": np.full(40, np.inf)}, r"y\[0\] is inf; legal are integers"),
        ({"model": lambda x: x.sum()}, r"returned shape \(\) for"),
    ],
)
def test_what_is_not_legal_says_what_is(keywords, message):
    arguments = {"model": linear, "x": POINTS, "y": LABELS, "size": 5, **keywords}
    with pytest.raises(ValueError, match=message):
        viz.decision(**arguments)
