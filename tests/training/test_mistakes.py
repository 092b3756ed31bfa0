"""What a classifier gets wrong, against a count by hand."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from minigrad import datasets, nn, training


class Scores(nn.Module):
    """Returns its input: the data are the scores."""

    def forward(self, x):
        return x


def data(n=2500, classes=4, **options):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, classes)).astype(np.float32)
    return datasets.Dataset(x, rng.integers(classes, size=n), **options)


def test_it_counts_what_is_taken_for_what():
    rows = data()
    found = training.mistakes(Scores(), rows)
    matrix = np.zeros((4, 4), int)
    for true, scores in zip(rows.y, rows.x, strict=True):
        matrix[true, scores.argmax()] += 1
    assert found["rows"] == 2500
    assert found["classes"] == ["0", "1", "2", "3"]
    got = np.zeros((4, 4), int)
    for true, predicted, count in found["confusion"]:
        got[true, predicted] = count
    np.testing.assert_array_equal(got, matrix)


def test_the_worst_come_first():
    rows = data()
    found = training.mistakes(Scores(), rows.loader(300))["worst"]
    margins = rows.x.max(1) - rows.x[np.arange(len(rows)), rows.y]
    order = np.argsort(-margins, kind="stable")[:24]
    assert [entry["row"] for entry in found] == order.tolist()
    for entry, row in zip(found, order, strict=True):
        powers = np.exp(rows.x[row].astype(float))
        assert entry["true"] == rows.y[row]
        assert entry["predicted"] == rows.x[row].argmax()
        assert entry["probability"] == pytest.approx(powers.max() / powers.sum(), rel=1e-6)
        assert entry["values"] == pytest.approx(rows.x[row, :6])


def test_names_and_pictures_are_the_dataset_s():
    x = np.zeros((3, 6), np.float32)
    x[0] = [0, 0, 0, 0.5, 1, 2]  # as scores: class 5, as a picture: a row of 0 and one of gray
    x[1, 0] = x[2, 1] = 1
    names = ["<a>", "b", "c", "d", "e", "f"]
    rows = datasets.Dataset(x, [1, 0, 1], classes=names, image_shape=(2, 3))
    found = training.mistakes(Scores(), rows)
    assert found["classes"] == names
    [entry] = found["worst"]
    assert (entry["row"], entry["true"], entry["predicted"]) == (0, 1, 5)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(entry["png"]))))
    assert pixels.tolist() == [[0, 0, 0], [63, 127, 255]]


def test_colors_in_either_order_and_large_pictures():
    class First(nn.Module):
        def forward(self, x):
            return mg.stack([x.reshape(len(x), -1)[:, 0], 0 * x.reshape(len(x), -1)[:, 0]], 1)

    for shape, size in (((3, 8, 9), (9, 8)), ((8, 9, 3), (9, 8)), ((1, 200, 100), (25, 50))):
        x = np.full((1, *shape), 0.5, np.float32)
        x[0, 0, 0, 0] = 1
        [entry] = training.mistakes(First(), datasets.Dataset(x, [1]))["worst"]
        picture = Image.open(io.BytesIO(base64.b64decode(entry["png"])))
        assert picture.size == size
        assert picture.mode == ("L" if shape[0] == 1 else "RGB")


def test_probabilities_are_taken_as_they_are():
    x = np.array([[0.7, 0.2, 0.1]], np.float32)
    [entry] = training.mistakes(Scores(), datasets.Dataset(x, [1]))["worst"]
    assert entry["probability"] == pytest.approx(0.7)


def test_what_is_no_classification_has_none():
    x = np.random.default_rng(0).normal(size=(5, 1)).astype(np.float32)
    assert training.mistakes(Scores(), datasets.Dataset(x, x)) is None
    broken = data()
    broken.x[3, 1] = np.nan
    assert training.mistakes(Scores(), broken) is None


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.Dropout(0.5), Scores())
    first = training.mistakes(model, data(), most=1500)
    assert first["rows"] == 2000  # whole batches
    assert model.training
    assert model[0].training
    assert training.mistakes(model, data(), most=1500) == first  # without dropout
