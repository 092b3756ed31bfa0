"""The source of randomness on two GPUs and the CPU: what is wound back, and what is saved."""

import json

import numpy as np
import pytest

import minigrad as mg


def draw():
    names = ("cuda:0", "cpu", "cuda:1")
    return [float(mg.random.generator(name).random()) for name in names]


@pytest.mark.parametrize("seed", [3, None])
@pytest.mark.parametrize("born", ["before", "after"])
def test_a_snapshot_winds_the_generators_of_all_devices_back(born, seed, fake, monkeypatch):
    monkeypatch.setattr(mg.random, "_seed", None)
    mg.manual_seed(seed)
    if born == "before":
        draw()
    rewind = mg.random.snapshot()
    draws = []
    for _ in range(3):
        rewind()
        draws.append(draw())
    np.testing.assert_array_equal(draws[0], draws[1])
    np.testing.assert_array_equal(draws[0], draws[2])


def test_a_snapshot_where_the_cpu_has_drawn_nothing_yet(fake):
    mg.manual_seed(0)
    mg.random.generator("cuda")
    rewind = mg.random.snapshot()
    draws = []
    for _ in range(2):
        rewind()
        draws.append(draw())
    assert draws[0] == draws[1]


def test_who_saves_and_who_loads_go_on_alike(fake):
    mg.manual_seed(0)
    draw()
    state = json.loads(json.dumps(mg.random.save()))
    expected = draw()
    mg.manual_seed(1)
    draw()
    mg.random.load(state)
    assert draw() == expected
    mg.random.load(state | {"devices": {"cuda:7": 3}})
    assert mg.random.generator("cpu").random() == expected[1]
