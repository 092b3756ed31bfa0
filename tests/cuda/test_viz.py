"""What is drawn of a model on a device is what is drawn of it on the CPU."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import datasets, nn, viz

LOSS = nn.CrossEntropyLoss()
DATA = datasets.blobs(30, classes=3)


def network(where):
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm(8), nn.Tanh(), nn.Linear(8, 3))
    return model.to(mg.float64).to(where)


def points(where):
    return mg.tensor(DATA.x.astype("float64"), device=where), mg.tensor(DATA.y, device=where)


@pytest.mark.parametrize("directions", ["random", "trajectory"])
def test_landscapes(directions, device):
    found = []
    for where in ("cpu", device):
        model, (x, y) = network(where), points(where)
        path = viz.Trajectory(model)
        for _ in range(4):
            with mg.no_grad():
                for p in model.parameters():
                    p *= 1.1
            path.record()
        loss = lambda model=model, x=x, y=y: LOSS(model(x), y)  # noqa: E731
        memory = [p.data for p in model.parameters()]
        found.append(viz.landscape(loss, model, directions, paths=path, size=3))
        assert all(p.data is a for p, a in zip(model.parameters(), memory, strict=True))
        assert model[0].weight.device == ("cpu" if where == "cpu" else device)
    cpu, gpu = found
    assert np.allclose(cpu.losses, gpu.losses, rtol=1e-9)
    assert np.allclose(cpu.directions, gpu.directions)
    assert np.allclose(cpu.paths[""].losses, gpu.paths[""].losses, rtol=1e-9)


def test_activations_and_regions(device):
    rows, regions = [], []
    for where in ("cpu", device):
        model, (x, y) = network(where), points(where)
        rows.append(viz.activations(model, x).measure(0)[0])
        regions.append(viz.decision(model, x, y, size=9))
    assert rows[0].mean == pytest.approx(rows[1].mean)
    assert np.array_equal(rows[0].counts, rows[1].counts)
    assert np.allclose(regions[0].probabilities, regions[1].probabilities)
    assert regions[0].accuracy == regions[1].accuracy
