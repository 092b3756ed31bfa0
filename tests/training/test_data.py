"""The numbers that `fit` is given: their dtype, and those that are not finite."""

import numpy as np
import pytest

from minigrad import datasets, nn, optim, training
from minigrad.datasets import Dataset


def plane(x_dtype, y_dtype):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 3)).astype(x_dtype), rng.standard_normal((40, 1))
    return Dataset(x, y.astype(y_dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("given", [("float64", "float64"), ("float32", "float64")])
@pytest.mark.parametrize("loaded", [False, True])
def test_a_model_computes_in_its_own_dtype(dtype, given, loaded):
    """NumPy's data are in float64, and a user of NumPy does not think of it."""
    data = plane(*given)
    model = nn.Linear(3, 1).to(dtype)
    seen = []

    def loss_fn(output, y):
        seen.append((output.dtype, nn.MSELoss()(output, y).dtype))
        return nn.MSELoss()(output, y)

    source = data.loader(8) if loaded else data
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    training.fit(model, loss_fn, optimizer, source, source, epochs=1, batch_size=8)
    training.evaluate(model, loss_fn, source)
    assert set(seen) == {(np.dtype(dtype), np.dtype(dtype))}
    assert model.weight.grad.dtype == dtype
    assert [str(data.x.dtype), str(data.y.dtype)] == list(given)  # the user's are as they were


@pytest.mark.parametrize("part", ["x", "y"])
@pytest.mark.parametrize("where", ["train", "test", "loader"])
def test_numbers_that_are_not_finite_are_named_before_training(part, where):
    good, bad = plane("float32", "float32"), plane("float32", "float32")
    values = getattr(bad, part)
    values[5, 0], values[9, -1], values[30] = np.nan, np.inf, -np.inf
    column = values.shape[1] - 1
    model = nn.Linear(3, 1)
    before = model.state_dict()
    train, test = {"train": (bad, good), "test": (good, bad), "loader": (bad.loader(8), good)}[
        where
    ]
    name = "test" if where == "test" else "train"
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(datasets.DatasetError) as caught:
        training.fit(model, nn.MSELoss(), optimizer, train, test, epochs=1)
    said = f"{name}: 3 of 40 rows have no finite {part}: {part}[5, 0] is nan, "
    assert str(caught.value).startswith(f"{said}{part}[9, {column}] is inf, {part}[30, 0] is -inf")
    assert f"{name}.subset(numpy.isfinite({name}.{part}).all(1))" in str(caught.value)
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_large_numbers_are_finite():
    data = plane("float32", "float32")
    data.x[:] = 3e38  # their sum is none
    model = nn.Linear(3, 1)
    model.weight.data[...] = 0
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    assert training.fit(model, lambda y, t: (y * 0).sum(), optimizer, data, epochs=1)
