"""Datasets, their splits and their batches."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import datasets
from minigrad.datasets import Dataset, DatasetError


def numbers(n=10):
    return Dataset(np.arange(n, dtype=np.float32)[:, None], np.arange(n) % 3, name="numbers")


def test_digits_are_the_published_set():
    digits = datasets.digits()
    assert digits.x.shape == (1797, 64)
    assert digits.x.dtype == np.float32
    assert digits.y.dtype == np.int64
    assert (digits.x.min(), digits.x.max()) == (0, 1)
    # The class counts in optdigits.names, and the first image of optdigits.tes.
    assert np.bincount(digits.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (digits.images[0, 0] * 16).tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert digits.y[:10].tolist() == list(range(10))
    assert digits.image_shape == (8, 8)


def test_split_is_a_partition_decided_by_the_seed():
    data = numbers(100)
    train, test = data.split(test=0.2, seed=0)
    assert (len(train), len(test)) == (80, 20)
    assert sorted([*train.x[:, 0], *test.x[:, 0]]) == list(range(100))
    np.testing.assert_array_equal(train.x[:, 0].astype(int) % 3, train.y)
    mg.manual_seed(7)
    again, _ = data.split(test=0.2, seed=0)
    other, _ = data.split(test=0.2, seed=1)
    np.testing.assert_array_equal(train.x, again.x)
    assert not np.array_equal(train.x, other.x)
    assert len(data.split(test=3)[1]) == 3


@pytest.mark.parametrize("test", [0.0, 1.0, -0.1, 1.5, 0, 10, 0.01])
def test_split_that_leaves_a_side_empty_is_an_error(test):
    with pytest.raises(DatasetError, match="legal is"):
        numbers(10).split(test=test)


def test_split_and_loader_refuse_bad_numbers():
    for seed in (-1, 1.5, "a"):
        with pytest.raises(DatasetError, match="legal is an integer from 0"):
            numbers().split(seed=seed)
    for size in (0, -1, 2.5):
        with pytest.raises(DatasetError, match="legal is an integer from 1"):
            numbers().loader(size)
    with pytest.raises(DatasetError, match="no batch"):
        numbers(10).loader(11, drop_last=True)


@pytest.mark.parametrize(
    ("x", "y", "classes", "match"),
    [
        (np.zeros((3, 2)), np.zeros(2), (), "same number of rows"),
        (np.zeros((0, 2)), np.zeros(0), (), "at least 1"),
        (np.zeros((2, 2)), [0, 2], ("a", "b"), "legal are 0 to 1"),
        (np.zeros((2, 2)), [-1, 0], ("a", "b"), "legal are 0 to 1"),
    ],
)
def test_dataset_refuses_what_does_not_fit(x, y, classes, match):
    with pytest.raises(DatasetError, match=match):
        Dataset(x, y, classes)


def test_dtypes():
    data = Dataset([[1, 2]], [0])
    assert (data.x.dtype, data.y.dtype) == (np.float32, np.int64)
    data = Dataset(np.ones((1, 2)), np.ones(1))
    assert (data.x.dtype, data.y.dtype) == (np.float64, np.float64)
    data = Dataset(mg.tensor([[1.0]]), mg.tensor([1]))
    assert (data.x.dtype, data.y.dtype) == (np.float32, np.int64)


@pytest.mark.parametrize("n", [7, 8, 9])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("drop_last", [False, True])
def test_loader_covers_every_row_once(n, shuffle, drop_last):
    loader = numbers(n).loader(4, shuffle=shuffle, seed=0, drop_last=drop_last)
    batches = list(loader)
    assert len(batches) == len(loader) == (n // 4 if drop_last else -(-n // 4))
    seen = np.concatenate([x.numpy()[:, 0] for x, _ in batches])
    labels = np.concatenate([y.numpy() for _, y in batches])
    assert len(set(seen)) == len(seen) == (n // 4 * 4 if drop_last else n)
    np.testing.assert_array_equal(seen % 3, labels)
    assert (sorted(seen) == list(seen)) is not shuffle
    assert all(isinstance(t, mg.Tensor) for batch in batches for t in batch)


def test_shuffling_differs_by_epoch_and_repeats_by_seed():
    def epochs(seed):
        loader = numbers(50).loader(50, shuffle=True, seed=seed)
        return [next(iter(loader))[0].tolist() for _ in range(3)]

    assert epochs(0) == epochs(0)
    assert epochs(0) != epochs(1)
    assert len({str(epoch) for epoch in epochs(0)}) == 3
    mg.manual_seed(3)
    first = epochs(None)
    assert first != epochs(None)
    mg.manual_seed(3)
    assert first == epochs(None)


def test_a_loader_goes_on_from_any_batch():
    loader = numbers(50).loader(8, shuffle=True, seed=5)
    whole = [x.tolist() for x, _ in loader.batches(2)]
    assert [x.tolist() for x, _ in loader.batches(2, start=3)] == whole[3:]
    next(iter(loader))
    other = numbers(50).loader(8, shuffle=True, seed=0)
    other.load_state_dict(loader.state_dict())
    assert [x.tolist() for x, _ in other] == [x.tolist() for x, _ in loader]


SYNTHETIC = {
    datasets.blobs: {"classes": 5},
    datasets.spirals: {"classes": 3},
    datasets.moons: {},
    datasets.circles: {},
    datasets.xor: {},
    datasets.checkerboard: {"squares": 5},
}


@pytest.mark.parametrize("make", SYNTHETIC, ids=lambda make: make.__name__)
def test_synthetic(make):
    data = make(n=301, seed=1, **SYNTHETIC[make])
    assert data.x.shape == (301, 2)
    assert data.x.dtype == np.float32
    assert np.abs(data.x).max() < (2.2 if make is datasets.blobs else 1.5)
    counts = np.bincount(data.y, minlength=len(data.classes))
    assert counts.max() - counts.min() <= 1
    np.testing.assert_array_equal(make(n=301, seed=1, **SYNTHETIC[make]).x, data.x)
    assert not np.array_equal(make(n=301, seed=2, **SYNTHETIC[make]).x, data.x)
    for bad in ({"n": 1}, {"noise": -1}, {"noise": float("nan")}, {"seed": -1}):
        with pytest.raises(DatasetError, match="legal is"):
            make(**bad)


def test_synthetic_classes_lie_where_they_are_said_to():
    clean = datasets.circles(n=200, noise=0, factor=0.25)
    np.testing.assert_allclose(np.hypot(*clean.x.T), np.where(clean.y == 0, 1, 0.25), rtol=1e-6)
    signs = datasets.xor(n=200).x > 0
    np.testing.assert_array_equal(signs[:, 0] != signs[:, 1], datasets.xor(n=200).y == 1)
    board = datasets.checkerboard(n=400, squares=5)
    field = ((board.x + 1) * 2.5).astype(int)
    np.testing.assert_array_equal(field.sum(1) % 2, board.y)
    assert len({tuple(f) for f in field}) == 25
    arms = datasets.spirals(n=300, classes=3, noise=0, turns=1.0)
    angle = np.arctan2(*arms.x.T[::-1]) / (2 * np.pi)
    turn = angle - np.hypot(*arms.x.T) - arms.y / 3
    np.testing.assert_allclose(turn, np.round(turn), atol=1e-5)


def test_load_by_name():
    for name in datasets.NAMES[:-2]:
        train, test = datasets.load(name, test=0.5, seed=1)
        assert train.name == test.name == name
    with pytest.raises(DatasetError, match="there are digits, blobs"):
        datasets.load("digit")
    with pytest.raises(DatasetError, match="not read from files"):
        datasets.load("digits", data_dir="/")


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        ([["a"]], [0], r"x has the dtype <U1, .*"),
        ([[1.0, 2.0]], ["cat"], r"y has the dtype <U3, .*numpy\.unique\(y, return_inverse=True\)"),
        ([[1.0, "b", None]], [0], r"x has the dtype object, not one of real numbers"),
        ([[1j]], [0], r"x has the dtype complex128, not one of real numbers"),
        ([[1.0, 2.0], [1.0]], [0, 1], r"x is ragged .*; its rows must be of one shape"),
    ],
)
def test_what_is_no_number_is_refused(x, y, said):
    with pytest.raises(DatasetError, match=f"^data: {said}"):
        Dataset(x, y)


def test_numbers_among_objects_are_numbers():
    data = Dataset(np.array([[1, 2.5]], dtype=object), np.array([3], dtype=object))
    assert data.x.tolist() == [[1.0, 2.5]]
    assert data.y.dtype == np.int64
