"""A first look: every method makes a quadratic smaller."""

import pytest

import minigrad as mg
from minigrad import optim


@pytest.mark.parametrize("name", optim.METHODS)
def test_every_method_descends(name):
    x = mg.tensor([1.0, -2.0], requires_grad=True)
    optimizer = optim.METHODS[name]([x], lr=0.01)
    for _ in range(10):
        loss = optimizer.step(lambda: (x * x).sum())
    assert 0 < loss.item() < 5
