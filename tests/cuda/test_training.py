"""Training on a device: the CPU's course, no wait within a step, checkpoints for either."""

import io

import numpy as np
import pytest

import minigrad as mg
from minigrad import backend, datasets, nn, optim, training
from minigrad.cli import main
from tests.fake_cupy import counts


def data(rows=64, where="cpu"):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, 6)).astype(np.float32)
    return datasets.Dataset(x, (x[:, 0] > 0) + (x[:, 1] > 0)).to(where)


def model(where, dropout=0.0):
    mg.manual_seed(1)
    return nn.Sequential(
        nn.Linear(6, 8, bias=False),
        nn.BatchNorm(8),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(8, 3),
    ).to(where)


def fitted(where, train=None, **keywords):
    network = model(where)
    optimizer = keywords.pop("optimizer", optim.Adam)(network.parameters())
    train = data() if train is None else train
    settings = {"epochs": 3, "batch_size": 16, "seed": 0, "progress": False, **keywords}
    history = training.fit(network, nn.CrossEntropyLoss(), optimizer, train, data(20), **settings)
    return network, history


def same(first, second, tolerance=1e-4):
    for name, value in first.state_dict().items():
        np.testing.assert_allclose(second.state_dict()[name], value, rtol=0, atol=tolerance)


def test_fit_takes_the_course_of_the_cpu(device):
    here, history = fitted("cpu", clip=1.0, penalties=())
    there, other = fitted(device, clip=1.0, penalties=())
    assert {p.device for p in there.parameters()} == {device}
    same(here, there)
    for name in ("loss", "accuracy", "test_loss", "test_accuracy"):
        np.testing.assert_allclose(other[name], history[name], atol=1e-4)


def test_digits_are_learnt_to_the_cpus_accuracy(device):
    found = []
    for where in ("cpu", device):
        mg.manual_seed(0)
        network = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)).to(where)
        history = training.fit(
            network, nn.CrossEntropyLoss(), optim.Adam(network.parameters(), lr=0.01),
            *datasets.digits().split(test=0.2, seed=0), epochs=5, seed=0, progress=False,
        )  # fmt: skip
        found.append(history["test_accuracy"][-1])
    assert found[0] > 0.9
    assert found[1] == pytest.approx(found[0], abs=0.01)


class Waits(training.Callback):
    """How often the host waited, and copied to the device, in each step."""

    order = 1

    def __init__(self):
        self.steps = []

    def on_epoch_begin(self, loop):
        self.before = counts["waits"], counts["to device"]

    def on_step_end(self, loop):
        now = counts["waits"], counts["to device"]
        self.steps.append((now[0] - self.before[0], now[1] - self.before[1]))
        self.before = now


@pytest.mark.parametrize("optimizer", [optim.SGD, optim.Adam, optim.NAdam, optim.Adadelta])
@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), nn.CrossEntropyLoss(label_smoothing=0.1)])
def test_a_step_waits_for_nothing(optimizer, loss, fake):
    network = nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm(8, momentum=None), nn.GELU(), nn.LayerNorm(8),
        nn.Dropout(0.2), nn.PReLU(), nn.Linear(8, 3),
    ).to("cuda")  # fmt: skip
    penalties = [kind(network.parameters(), 1e-4) for kind in (nn.L1Penalty, nn.L2Penalty)]
    watch, method = Waits(), optimizer(network.parameters(), lr=1e-3)
    ema = optim.EMA(network.parameters())

    class Averages(training.Callback):
        def on_step_end(self, loop):
            ema.update()

    training.fit(
        network, loss, method, data(), epochs=2, batch_size=16, seed=0, clip=1.0,
        penalties=penalties, callbacks=[watch, Averages()], progress=False,
        schedule=optim.CosineAnnealingLR(method, 2),
    )  # fmt: skip
    assert len(watch.steps) == 8
    assert {waits for waits, _ in watch.steps} == {0}
    assert sum(copies for _, copies in watch.steps) <= 2  # the order of the rows, once an epoch


def test_the_bar_reads_the_loss_once_an_interval(fake, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    clock = iter(range(100))
    monkeypatch.setattr("minigrad.training.progress.time.monotonic", lambda: next(clock) / 4)
    watch = Waits()
    bar = training.Progress(Terminal(), interval=1.0)
    watch.order = 101
    fitted("cuda", batch_size=4, callbacks=[watch, bar])
    waits = [waits for waits, _ in watch.steps]
    assert len(waits) == 48
    assert set(waits) == {0, 2}  # the sums of loss and of right answers
    assert sum(waits) / 2 < 20


def test_gradient_flow_reads_once_a_measurement(fake):
    watch, flow = Waits(), training.GradientFlow(every=4)
    watch.order = 99
    fitted("cuda", callbacks=[watch, flow])
    assert [waits for waits, _ in watch.steps] == [1, 0, 0, 0] * 3
    here = training.GradientFlow(every=4)
    fitted("cpu", callbacks=[here])
    for a, b in zip(flow.rows, here.rows, strict=True):
        assert a.keys() == b.keys()
        assert [a[k] for k in a if k != "layer"] == pytest.approx(
            [b[k] for k in b if k != "layer"], rel=1e-3, abs=1e-5
        )


def test_batches_are_copied_while_others_are_computed_with(device, monkeypatch):
    """Rows that stay on the host come in the same order as those that moved."""
    here = list(data().loader(10, shuffle=True, seed=3))
    loader = data().loader(10, shuffle=True, seed=3, device=device)
    there = list(loader)
    assert len(loader) == len(here) == len(there)
    for (x, y), (u, v) in zip(here, there, strict=True):
        assert (u.device, v.device) == (device, device)
        np.testing.assert_array_equal(u.numpy(), x.numpy())
        np.testing.assert_array_equal(v.numpy(), y.numpy())
    back = data(where=device).loader(10, device="cpu")
    assert all(x.device == "cpu" for x, _ in back)
    full, _ = fitted(device)
    monkeypatch.setattr(backend.get(device), "has_room", lambda nbytes: False)
    watch = Waits()
    streamed, _ = fitted(device, callbacks=[watch])
    same(full, streamed, 1e-6)
    given, _ = fitted(device, train=data().loader(16, shuffle=True, seed=0))
    same(full, given, 1e-6)
    if counts["to device"]:  # on the fake
        assert [step for step in watch.steps if step[0]] == []
        assert max(copies for _, copies in watch.steps) <= 4  # two arrays, at most two batches


def test_who_leaves_a_loop_early_leaves_no_copy_on_its_way(fake, monkeypatch):
    """The pools give the memory that it comes from and goes to to others, who would be copied."""
    import cupy

    streams, kind = [], cupy.cuda.Stream
    monkeypatch.setattr(cupy.cuda, "Stream", lambda **k: streams.append(kind(**k)) or streams[-1])
    for _ in data().loader(10, device="cuda"):
        assert streams[-1].work  # the next batch
        break
    assert [stream.work for stream in streams] == [[]]


@pytest.mark.parametrize("method", [optim.Adam, optim.NewtonCG])
def test_a_checkpoint_of_one_device_goes_on_on_the_other(method, device, tmp_path):
    whole, _ = fitted(device, optimizer=method, epochs=4, batch_size=64)
    for first, second in ((device, "cpu"), ("cpu", device), (device, device)):
        run = tmp_path / f"{first}-{second}"
        half = {"optimizer": method, "batch_size": 64, "run": run}
        fitted(first, epochs=2, **half)
        rest, history = fitted(second, epochs=4, resume=True, **half)
        assert history["epoch"] == [1, 2, 3, 4]
        same(whole, rest, 1e-3)


def test_dropout_goes_on_where_it_was(device, tmp_path):
    """The state of a GPU's generator cannot be read: both runs start it anew from a saved seed."""

    def run(epochs, folder, resume=False):
        network = model(device, dropout=0.5)
        training.fit(
            network, nn.CrossEntropyLoss(), optim.SGD(network.parameters(), lr=0.1), data(),
            epochs=epochs, batch_size=16, seed=0, progress=False, resume=resume,
            run=tmp_path / folder,
        )  # fmt: skip
        return network

    whole = run(4, "whole")
    run(2, "halves")
    same(whole, run(4, "halves", resume=True), 1e-5)


@pytest.mark.parametrize("method", ["adam", "newton-cg"])
def test_the_command_trains_on_a_device(method, device, tmp_path, capsys):
    rows = []
    for where in ("cpu", "cuda"):
        run = tmp_path / where
        options = ["--optimizer", method, "--epochs", "2", "--hidden", "16", "--device", where]
        options += ["--batch-size", "256"] if method == "adam" else []
        assert main(["train", *options, "--dropout", "0", "--run", str(run), "--quiet"]) == 0
        rows.append((run / "metrics.jsonl").read_text().count("\n"))
        assert (run / "model.safetensors").exists()
        assert (run / "graph.svg").exists()
    assert rows[0] == rows[1]
    assert main(["train", "--resume", str(tmp_path / "cuda"), "--epochs", "3", "--quiet"]) == 0
    assert capsys.readouterr().err == ""
