"""A device whose memory ends, wherever that is: one line that says what to do."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import datasets, nn, optim, training
from tests.fake_cupy.account import OutOfMemoryError
from tests.fake_cupy.arrays import ndarray


def fitted():
    """Make a network on the device and train it, with what may go on in a step."""
    mg.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm(8), nn.GELU(), nn.LayerNorm(8), nn.Dropout(0.2),
        nn.Linear(8, 3),
    ).to("cuda")  # fmt: skip
    x = np.random.default_rng(0).standard_normal((8, 6)).astype("float32")
    data = datasets.Dataset(x, x[:, 0] > 0)
    training.fit(
        model, nn.CrossEntropyLoss(), optim.Adam(model.parameters()), data, data, epochs=1,
        clip=1.0, penalties=[nn.L2Penalty(model.parameters(), 1e-4)], progress=False,
    )  # fmt: skip


def stepped():
    """Do what the loop does by hand, average, and descend by curvature."""
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.LayerNorm(8), nn.Linear(8, 3)).to("cuda")
    loss, x, y = nn.CrossEntropyLoss(), mg.randn(8, 6, device="cuda"), mg.arange(8, device="cuda")
    loss(model(x), y % 3).backward()
    optim.clip_grad_norm_(model.parameters(), 0.1)
    optim.clip_grad_norm_per_parameter_(model.parameters(), 0.1)
    optimizer, average = optim.SGD(model.parameters(), momentum=0.9), optim.EMA(model.parameters())
    optimizer.step()
    average.update()
    optim.NewtonCG(model.parameters()).step(lambda: loss(model(x), y % 3))
    for batch, _ in datasets.Dataset(np.ones((8, 6)), np.ones(8)).loader(4, device="cuda"):
        mg.linspace(0, 1, 3, device="cuda") + mg.rand(3, device="cuda") + batch.sum()


@pytest.mark.parametrize("work", [fitted, stepped])
def test_every_array_that_finds_no_memory_is_told_of(work, fake, monkeypatch):
    count, last = 0, 0
    made, begun = ndarray._of.__func__, ndarray.__init__

    def counted():
        nonlocal count
        count += 1
        if count == last:
            raise OutOfMemoryError(1 << 40, 0)

    def result(cls, array, device, base):
        if base is None:  # no view
            counted()
        return made(cls, array, device, base)

    def empty(self, *arguments, **keywords):
        counted()
        begun(self, *arguments, **keywords)

    monkeypatch.setattr(ndarray, "_of", classmethod(result))
    monkeypatch.setattr(ndarray, "__init__", empty)
    work()
    for last in range(1, count, 7):  # noqa: B007  (`counted` reads it)
        count = 0
        with pytest.raises(mg.DeviceError, match=r"no memory left: .* try a smaller"):
            work()
