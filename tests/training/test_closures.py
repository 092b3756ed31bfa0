"""fit and the command line with methods that take a closure: batches, statistics, metrics."""

import json

import numpy as np
import pytest

import minigrad as mg
from minigrad import datasets, nn, optim, training
from minigrad.cli import main

CLOSED = [name for name, method in optim.METHODS.items() if issubclass(method, optim.SecondOrder)]


def network(*extra):
    mg.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 12), *extra, nn.Tanh(), nn.Linear(12, 10))


@pytest.fixture(scope="module")
def digits():
    return datasets.digits().subset(slice(300))


def fitted(model, digits, name="lbfgs", **options):
    optimizer = optim.METHODS[name](model.parameters())
    options = {"epochs": 3, "seed": 0, "progress": False, **options}
    return optimizer, training.fit(model, nn.CrossEntropyLoss(), optimizer, digits, **options)


@pytest.mark.parametrize("name", ["lbfgs", "cg", "bfgs", "derivative-free-cg"])
def test_fit_takes_all_rows_and_goes_down(name, digits):
    optimizer, history = fitted(network(), digits, name, epochs=12)
    assert [row["step"] for row in history.rows] == list(range(1, 13))
    assert history["loss"][-1] < 0.85 * history["loss"][0]
    last, report = history.rows[-1], optimizer.report
    for column in ("nfev", "njev", "nhev", "inner", "gradient_norm", "step_length"):
        assert last[column] == getattr(report, column)
    assert history["loss"][-1] == pytest.approx(report.loss)


def test_a_method_for_mini_batches_gets_them(digits):
    _, history = fitted(network(), digits, "stochastic-diagonal-lm", epochs=1)
    assert history.rows[-1]["step"] == 10  # of 32 of the 300 rows


def test_counts_are_summed_over_the_steps_of_an_epoch(digits):
    _, history = fitted(network(), digits, batch_size=100, epochs=2)
    assert history.rows[-1]["step"] == 6
    assert all(row["njev"] >= 6 for row in history.rows)


def test_running_statistics_are_those_of_the_weights_after_the_epoch(digits):
    model = network(nn.BatchNorm(12))
    _, history = fitted(model, digits, epochs=2)
    assert sum(history["nfev"]) > 4
    hidden = model[0](mg.tensor(digits.x)).numpy().astype("float64")
    np.testing.assert_allclose(model[1].running_mean.numpy(), hidden.mean(0), atol=1e-5)
    np.testing.assert_allclose(model[1].running_var.numpy(), hidden.var(0, ddof=1), rtol=1e-4)
    assert model[1].momentum == 0.1


def test_few_large_steps_do_as_well_in_evaluation_as_in_training(digits):
    model = network(nn.BatchNorm(12))
    fitted(model, digits, "gauss-newton", epochs=6)
    scores = training.evaluate(model, nn.CrossEntropyLoss(), digits)
    assert scores["accuracy"] > 0.9


def test_dropout_does_not_stop_the_search(digits):
    _, history = fitted(network(nn.Dropout(0.3)), digits, epochs=10)
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert min(history["step_length"]) > 0


def test_penalties_are_part_of_the_function(digits):
    model = network()
    penalty = nn.L2Penalty(model.parameters(), 0.1)
    optimizer, history = fitted(model, digits, penalties=[penalty])
    total = history["loss"][-1] + history["penalty"][-1]
    assert optimizer.report.loss == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("name", CLOSED)
def test_the_command_line_trains(name, tmp_path, capsys):
    small = ["--hidden", "8", "--epochs", "4", "--run", str(tmp_path / "a")]
    assert main(["train", "--dataset", "blobs", "--optimizer", name, *small]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert f"{name}, full batch, epochs 4" in out or not optim.METHODS[name].full_batch
    lines = (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == 4
    assert all(row["nfev"] >= 1 for row in rows)
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_the_command_line_refuses_to_clip(tmp_path, capsys):
    assert main(["train", "--optimizer", "lbfgs", "--clip", "1", "--run", str(tmp_path / "a")]) == 2
    assert "--clip: lbfgs takes its gradients itself" in capsys.readouterr().err
