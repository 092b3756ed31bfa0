"""The loop, on the handwritten digits: what it learns, repeats, records and refuses.

Not here: losses that grow (`test_divergence.py`) and what data may be (`test_data.py`).
"""

import csv
import json
import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import datasets, nn, optim, training
from minigrad.datasets import Dataset


def network(seed=0):
    mg.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(64, 32), nn.BatchNorm(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10)
    )


def trained(digits, seed=0, fit_seed=None, **options):
    model = network(seed)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    options = {"epochs": 2, "batch_size": 64, "seed": fit_seed} | options
    history = training.fit(model, nn.CrossEntropyLoss(), optimizer, *digits, **options)
    return model, history


def same(a, b):
    left, right = a.state_dict(), b.state_dict()
    return all(np.array_equal(left[name], right[name]) for name in left)


def test_the_ten_lines_of_the_readme():
    mg.manual_seed(0)
    train, test = datasets.digits().split(test=0.2, seed=0)
    model = nn.Sequential(
        nn.Linear(64, 128), nn.BatchNorm(128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10)
    )
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    l2 = nn.L2Penalty(model.parameters(), 1e-4)
    history = training.fit(
        model,
        nn.CrossEntropyLoss(),
        optimizer,
        train,
        test,
        epochs=30,
        penalties=[l2],
        callbacks=[training.EarlyStopping(patience=5)],
    )
    assert max(history["test_accuracy"]) >= 0.97
    best = min(history["test_loss"])
    assert training.evaluate(model, nn.CrossEntropyLoss(), test)["loss"] == best


def test_the_same_seed_gives_the_same_weights(digits):
    one, first = trained(digits, fit_seed=3)
    mg.rand(5)  # what was drawn before does not matter when fit has a seed
    two, second = trained(digits, fit_seed=3)
    assert same(one, two)
    assert first["test_loss"] == second["test_loss"]
    assert not same(one, trained(digits, fit_seed=4)[0])
    assert not same(one, trained(digits, seed=1, fit_seed=3)[0])
    assert same(trained(digits, seed=5)[0], trained(digits, seed=5)[0])  # manual_seed decides


def test_fit_is_the_plain_loop(digits):
    train, test = digits
    model, history = trained(digits, epochs=1, clip=1.0, penalties=[])
    other = network()
    optimizer = optim.Adam(other.parameters(), lr=0.01)
    loss_fn = nn.CrossEntropyLoss()
    losses = []
    for x, y in train.loader(64, shuffle=True):
        optimizer.zero_grad()
        loss = loss_fn(other(x), y)
        loss.backward()
        optim.clip_grad_norm_(other.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item() * len(x))
    assert same(model, other)
    row = history.rows[0]
    assert row["loss"] == pytest.approx(sum(losses) / len(train), rel=1e-6)
    other.eval()
    with mg.no_grad():
        output = other(mg.tensor(test.x))
    assert row["test_accuracy"] == np.mean(output.numpy().argmax(1) == test.y)
    assert row["test_loss"] == pytest.approx(loss_fn(output, mg.tensor(test.y)).item(), rel=1e-6)
    assert (row["epoch"], row["step"], row["lr"]) == (1, math.ceil(len(train) / 64), 0.01)


def test_penalties_act_and_are_reported_apart(digits):
    model = network()
    l2 = nn.L2Penalty(model.parameters(), 0.1)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    history = training.fit(
        model, nn.CrossEntropyLoss(), optimizer, *digits, epochs=2, batch_size=64, penalties=[l2]
    )
    plain, without = trained(digits)
    size = {m: sum((p.numpy() ** 2).sum() for p in m.parameters()) for m in (model, plain)}
    assert size[model] < 0.5 * size[plain]
    assert history["penalty"][0] > history["penalty"][1] > 0
    assert "penalty" not in without.rows[0]


@pytest.mark.parametrize("kind", ["mean", "sum"])
def test_evaluate(digits, kind):
    model = network()
    model[1].eval()  # somebody froze the batch norm
    test = digits[1]
    loss_fn = nn.CrossEntropyLoss(reduction=kind)
    scores = training.evaluate(model, loss_fn, test, batch_size=100)
    assert [module.training for module in model] == [True, False, True, True, True]
    assert scores == pytest.approx(training.evaluate(model, loss_fn, test.loader(7)), rel=1e-6)
    model.eval()
    output = model(mg.tensor(test.x)).numpy().astype(float)
    output -= np.log(np.exp(output).sum(1, keepdims=True))
    assert scores["loss"] == pytest.approx(-output[range(len(test)), test.y].mean(), rel=1e-5)
    assert scores["accuracy"] == np.mean(output.argmax(1) == test.y)


def test_regression_has_no_accuracy_and_keeps_its_dtype():
    x = np.linspace(-1, 1, 200)[:, None]
    data = Dataset(x, 3 * x + 1)
    mg.manual_seed(0)
    model = nn.Linear(1, 1).to("float64")
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    history = training.fit(model, nn.MSELoss(), optimizer, data, data, epochs=20)
    assert history.rows[-1].keys().isdisjoint({"accuracy", "test_accuracy"})
    assert history["test_loss"][-1] < 1e-6
    assert model.weight.dtype == np.float64


def test_schedules_per_epoch_and_per_step(digits):
    def rates(epochs, make, every):
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        options = {"schedule": make(optimizer)}
        if every:
            options = {"callbacks": [training.LearningRate(make(optimizer), every)]}
        loss_fn = nn.CrossEntropyLoss()
        history = training.fit(
            model, loss_fn, optimizer, *digits, epochs=epochs, batch_size=500, **options
        )
        return history["lr"], optimizer.param_groups[0]["lr"]

    def halves(optimizer):
        return optim.ExponentialLR(optimizer, 0.5)

    seen, last = rates(3, halves, None)
    assert seen == pytest.approx([0.1, 0.05, 0.025])
    assert last == pytest.approx(0.0125)
    seen, last = rates(2, halves, "step")  # 3 steps an epoch
    assert last == pytest.approx(0.1 / 2**6)

    def plateau(optimizer):
        return optim.ReduceLROnPlateau(optimizer, patience=0, threshold=1e9)  # never better

    seen, last = rates(3, plateau, None)
    assert seen == pytest.approx([0.1, 0.1, 0.01])
    with pytest.raises(ValueError, match="needs the metric of an epoch"):
        rates(1, plateau, "step")
    with pytest.raises(ValueError, match='legal are "epoch" and "step"'):
        rates(1, halves, "batch")


def test_an_optimizer_that_takes_the_closure(digits):
    class Asks(optim.SGD):
        needs_closure = True

        def step(self, closure=None):
            assert closure is not None
            self.values = [closure().item(), super().step(closure).item()]

    model = network()
    optimizer = Asks(model.parameters(), lr=0.1)
    loss_fn = nn.CrossEntropyLoss()
    data = digits[0].subset(slice(64))
    history = training.fit(model, loss_fn, optimizer, data, epochs=1, batch_size=64, seed=0)
    assert history["loss"] == [pytest.approx(optimizer.values[0])]  # the first call's
    with pytest.raises(ValueError, match="clip= has no meaning for Asks"):
        training.fit(model, loss_fn, optimizer, data, clip=1.0)


def test_a_folder_that_is_taken_is_said_to_be(digits, tmp_path, capsys):
    small = digits[0].subset(slice(64)), None
    _, first = trained(small, epochs=1, run=tmp_path / "a")
    assert capsys.readouterr() == ("", "")
    _, second = trained(small, epochs=1, run=str(tmp_path / "a"))
    said = f"{tmp_path}/a is taken: the run is {tmp_path}/a-2\n"
    assert capsys.readouterr() == ("", said)
    assert [first.run.name, second.run.name] == ["a", "a-2"]
    trained(small, epochs=1, run=tmp_path / "a", progress=False)
    trained(small, epochs=1, run=tmp_path / "a", resume=True)
    assert capsys.readouterr() == ("", "")


def test_all_callbacks_are_closed_whatever_one_of_them_raises(digits):
    closed = []

    class Closes(training.Callback):
        def __init__(self, name):
            self.name = name

        def close(self):
            closed.append(self.name)
            if self.name == "b":
                raise OSError("full")

    callbacks = [Closes(name) for name in "abc"]
    with pytest.raises(OSError, match="full"):
        trained(digits, epochs=0, callbacks=callbacks)
    assert closed == ["a", "b", "c"]


def test_a_stop_within_an_epoch_still_measures_it(digits):
    stop = training.StopOnCostChange(absolute=1e9, every="step", window=2)
    _, history = trained(digits, callbacks=[stop], epochs=5)
    assert [row["step"] for row in history.rows] == [4]
    assert "test_accuracy" in history.rows[0]
    assert "the cost changed by" in history.stopped


def test_callbacks_are_told_in_order(digits):
    heard = []

    class Listener(training.Callback):
        def __getattribute__(self, name):
            if name.startswith("on_") or name == "close":
                return lambda *loops: heard.append((name, *(x.step for x in loops)))
            return super().__getattribute__(name)

    trained((digits[0].subset(slice(128)), digits[1]), callbacks=[Listener()], epochs=2)
    epoch = [("on_step_end", 1), ("on_step_end", 2), ("on_epoch_end", 2)]
    again = [("on_step_end", 3), ("on_step_end", 4), ("on_epoch_end", 4)]
    assert heard == [
        ("on_train_begin", 0), ("on_epoch_begin", 0), *epoch, ("on_epoch_begin", 2), *again,
        ("on_train_end", 4), ("close",),
    ]  # fmt: skip


BAD = [
    ({"epochs": -1}, "epochs=-1; legal is an integer from 0"),
    ({"epochs": 1.5}, "epochs=1.5; legal is"),
    ({"batch_size": 0}, "batch_size=0; legal is"),
    ({"fit_seed": -1}, "seed=-1; legal is"),
    ({"clip": 0}, "clip=0; legal is a norm above 0"),
    ({"clip": float("nan")}, "clip=nan; legal is"),
    ({"resume": True}, "resume=True needs run= or a Checkpoint"),
    ({"callbacks": [training.Checkpoint()]}, r"Checkpoint\(\) without a path needs fit\(..., run"),
    ({"callbacks": [training.JSONLLog()]}, r"JSONLLog\(\) without a path needs fit\(..., run"),
]


@pytest.mark.parametrize(("options", "match"), BAD)
def test_bad_arguments(digits, options, match):
    with pytest.raises(ValueError, match=match):
        trained(digits, **options)


def test_data_that_are_no_dataset(digits):
    with pytest.raises(TypeError, match=r"not tuple; wrap arrays in datasets.Dataset\(x, y\)"):
        trained(((np.zeros((2, 64)), np.zeros(2)), None))
    model, _ = trained((digits[0].loader(64, shuffle=True, seed=1), None), epochs=1)
    other, _ = trained((digits[0], None), epochs=1)
    assert not same(model, other)


# What a run leaves behind ------------------------------------------------------------------------


def test_a_run_folder(digits, tmp_path):
    callbacks = [training.JSONLLog(every_steps=10), training.CSVLog(tmp_path / "table.csv")]
    model, history = trained(
        digits,
        run=tmp_path / "run",
        callbacks=callbacks,
        config={"command": "here"},
        clip=2.0,
        fit_seed=1,
    )
    run = training.Run.open(tmp_path / "run")
    assert history.run == run.path
    lines = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    assert [row for row in lines if "epoch" in row] == history.rows
    assert [row["step"] for row in lines] == [10, 20, 23, 30, 40, 46]
    with (tmp_path / "table.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [float(row["test_loss"]) for row in table] == history["test_loss"]
    config = run.read_config()
    assert config["command"] == "here"
    assert config["fit"]["batch_size"] == 64
    assert (config["fit"]["seed"], config["fit"]["clip"]) == (1, 2.0)
    assert config["optimizer"]["name"] == "Adam"
    assert config["optimizer"]["groups"][0]["lr"] == 0.01
    assert config["environment"]["numpy"] == np.__version__
    other = network(seed=9)
    training.resume(run.checkpoint, model=other)
    assert same(model, other)
    names = {path.name for path in run.path.iterdir()}
    assert names == {
        "checkpoint.safetensors", "config.json", "graph.svg", "layers.jsonl", "metrics.jsonl",
        "mistakes.json", "model.safetensors", "report.html", "status.json",
    }  # fmt: skip
    _, again = trained(digits, run=tmp_path / "run")
    assert again.run.name == "run-2"
    assert [json.loads(line) for line in run.metrics.read_text().splitlines()] == lines


def test_numbers_that_are_not_finite_are_null(tmp_path):
    class Infinite(training.Callback):
        order = 70

        def on_epoch_end(self, loop):
            loop.history.rows[-1]["ratio"] = math.inf

    data = datasets.blobs(30)
    model = nn.Linear(2, 3)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    path = tmp_path / "log"
    callbacks = [training.JSONLLog(path), Infinite()]
    training.fit(model, nn.CrossEntropyLoss(), optimizer, data, epochs=1, callbacks=callbacks)
    assert json.loads(path.read_text())["ratio"] is None


def test_history(digits):
    _, history = trained(digits)
    assert len(history["test_accuracy"]) == len(history) == 2
    assert repr(history).startswith("<History of 2 epochs: loss ")
    with pytest.raises(KeyError, match=r"no column 'f1'; there are accuracy, epoch, "):
        history["f1"]


def test_an_interrupt_within_no_grad_leaves_it_unset(digits):
    class Interrupt(training.Callback):
        def on_step_end(self, loop):
            mg.no_grad().__enter__()  # what an interrupt in the midst of leaving it amounts to
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(digits, callbacks=[Interrupt()])
    assert mg.is_grad_enabled()


def test_trains_within_no_grad(digits):
    with mg.no_grad():
        model, _ = trained(digits, epochs=1)
        assert not mg.is_grad_enabled()
    assert same(model, trained(digits, epochs=1)[0])


def test_an_optimizer_of_another_model_is_refused():
    model, other = nn.Linear(2, 3), nn.Linear(2, 3)
    optimizer = optim.SGD(other.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"none of the model's parameters.*SGD\(model"):
        training.fit(model, nn.CrossEntropyLoss(), optimizer, datasets.blobs(30), epochs=1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"optimizer": "adam"}, "optimizer is 'adam'; give one with parameters: optim.Adam"),
        ({"optimizer": optim.Adam}, "optimizer is the class Adam; give one with parameters"),
        ({"optimizer": nn.CrossEntropyLoss()}, r"optimizer is CrossEntropyLoss\(.*; give one with"),
        ({"loss_fn": "cross_entropy"}, "loss_fn is 'cross_entropy'; give a function of outputs"),
        ({"loss_fn": nn.CrossEntropyLoss}, "loss_fn is the class CrossEntropyLoss; give"),
        ({"model": nn.Linear}, "model is the class Linear; give a module"),
        ({"model": print}, "model is <built-in function print>; give a module"),
        ({"schedule": optim.StepLR}, r"schedule is the class StepLR; give .*StepLR\(optimizer, 10"),
        ({"schedule": 0.5}, "schedule is 0.5; give one of the optimizer"),
        ({"callbacks": training.EarlyStopping()}, "callbacks is .*; give a list: callbacks="),
        ({"callbacks": [print]}, "a callback is <built-in function print>; give an instance"),
        ({"penalties": nn.L2Penalty([mg.ones(2)], 0.1)}, "penalties is L2Penalty.*; give a list"),
    ],
)
def test_arguments_of_another_kind_are_told(given, message, digits):
    model = network()
    arguments = {
        "model": model, "loss_fn": nn.CrossEntropyLoss(),
        "optimizer": optim.Adam(model.parameters()), "train": digits[0],
    }  # fmt: skip
    with pytest.raises(TypeError, match=message):
        training.fit(**(arguments | given))
