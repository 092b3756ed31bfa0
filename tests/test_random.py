"""The source of randomness: what is wound back, also on a second device."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import backend


@pytest.mark.parametrize("seed", [3, None])
@pytest.mark.parametrize("born", ["before", "after"])
def test_a_snapshot_winds_the_generators_of_all_devices_back(born, seed, monkeypatch):
    """NumPy stands in for CuPy: here only that there is a second generator matters."""
    monkeypatch.setattr(backend, "_cuda", backend.cpu)
    monkeypatch.setattr(mg.random, "_generators", {})
    monkeypatch.setattr(mg.random, "_seed", None)
    mg.manual_seed(seed)

    def draw():
        return np.r_[[mg.random.generator(name).random() for name in ("cuda:0", "cpu", "cuda:1")]]

    if born == "before":
        draw()
    rewind = mg.random.snapshot()
    draws = []
    for _ in range(3):
        rewind()
        draws.append(draw())
    np.testing.assert_array_equal(draws[0], draws[1])
    np.testing.assert_array_equal(draws[0], draws[2])
