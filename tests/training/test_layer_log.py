"""LayerLog: its lines against NumPy's numbers, when it measures, that it disturbs nothing."""

import json

import numpy as np
import pytest

import minigrad as mg
from minigrad import datasets, nn, optim, training
from minigrad.training.layer_log import _is_measured, _sample, _spread


class Witness(training.Callback):
    """Copies all weights and what the activation returned, before and after each step."""

    order = 1

    def __init__(self, model):
        self.model, self.after, self.outputs = model, [], []
        self.before = [self.copies()]
        model[1].register_forward_hook(lambda *a: self.outputs.append(a[2].data.copy()))

    def copies(self):
        return {name: p.numpy().copy() for name, p in self.model.named_parameters()}

    def on_step_end(self, loop):
        grads = {name: p.grad.numpy().copy() for name, p in self.model.named_parameters()}
        self.after.append((self.copies(), grads, self.outputs[0]))
        self.before.append(self.copies())
        self.outputs.clear()


def lines(folder):
    return [json.loads(line) for line in (folder / "layers.jsonl").read_text().splitlines()]


def norm(arrays):
    return np.sqrt(sum((a.astype(float) ** 2).sum() for a in arrays))


def test_its_lines_are_what_numpy_finds(tmp_path):
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 6), nn.Tanh(), nn.Linear(6, 10))
    data = datasets.digits().subset(slice(96))
    witness, flow = Witness(model), training.GradientFlow(every=1)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    training.fit(
        model, nn.CrossEntropyLoss(), optimizer, data, epochs=2, batch_size=32, clip=0.5,
        callbacks=[witness, flow], run=tmp_path / "run",
    )  # fmt: skip
    found = lines(tmp_path / "run")
    assert [row["step"] for row in found] == [1, 3, 6]
    assert [row["epoch"] for row in found] == pytest.approx([1 / 3, 1, 2])
    for row in found:
        before, (after, grads, output) = (
            witness.before[row["step"] - 1],
            witness.after[row["step"] - 1],
        )
        assert row["gradient_norm"] == pytest.approx(norm(grads.values()), rel=1e-6)
        assert row["gradient_norm"] <= 0.5 * (1 + 1e-5)  # as clipped
        change = norm([after[name] - before[name] for name in after])
        assert row["update_ratio"] == pytest.approx(change / norm(before.values()), rel=1e-4)
        same = [r for r in flow.rows if r["step"] == row["step"]]
        assert [{"step": row["step"], **layer} for layer in row["layers"]] == same
        assert row["modules"] == {"0": "Linear", "1": "Tanh", "2": "Linear"}
        assert list(row["weights"]) == ["0.weight", "2.weight"]
        assert list(row["activations"]) == ["0", "1", "2"]
        for (low, high, counts), values in (
            (row["weights"]["0.weight"], after["0.weight"]),
            (row["activations"]["1"], output),
        ):
            expected, edges = np.histogram(values.astype(float), 32)
            assert counts == expected.tolist()
            assert (low, high) == (edges[0], edges[-1])


def fitted(folder, method=optim.Adam, epochs=2, **options):
    mg.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(64, 16), nn.BatchNorm(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 10)
    )
    optimizer = method(model.parameters(), **options)
    data = datasets.digits().subset(slice(320))
    training.fit(
        model, nn.CrossEntropyLoss(), optimizer, data, data, epochs=epochs, run=folder, seed=0
    )
    return model.state_dict()


@pytest.mark.parametrize("method", [optim.Adam, optim.LBFGS, optim.NewtonCG])
def test_a_run_folder_changes_nothing(tmp_path, method):
    with_folder, without = fitted(tmp_path / "run", method), fitted(None, method)
    for name, value in without.items():
        np.testing.assert_array_equal(with_folder[name], value)


def test_a_method_with_second_derivatives_is_measured_at_each_step(tmp_path):
    fitted(tmp_path / "run", optim.NewtonCG, epochs=3)
    found = lines(tmp_path / "run")
    assert [row["epoch"] for row in found] == [1, 2, 3]  # a step an epoch
    kinds = {"layer", "activation", "signal", "gradient", "update", "ratio"}
    assert all(set(layer) == kinds for row in found for layer in row["layers"])


SECOND = [method for method in optim.METHODS.values() if issubclass(method, optim.SecondOrder)]


@pytest.mark.parametrize("method", SECOND)
def test_of_many_losses_and_products_in_a_step_the_first_gradient_counts(method):
    """Line searches and curvature ask again and again; measured is one pass over the data."""
    found = []
    for which, options in ((method, {}), (optim.SGD, {"lr": 0.1})):
        mg.manual_seed(0)
        model = nn.Sequential(nn.Linear(64, 4), nn.Tanh(), nn.Linear(4, 10))
        flow = training.GradientFlow(every=1)
        training.fit(
            model, nn.CrossEntropyLoss(), which(model.parameters(), **options),
            datasets.digits().subset(slice(100)), epochs=1, batch_size=100, callbacks=[flow],
            seed=0,
        )  # fmt: skip
        found.append(flow.rows)
    for mine, other in zip(*found, strict=True):
        for kind in ("activation", "signal", "gradient"):
            assert mine[kind] == pytest.approx(other[kind], rel=1e-5)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_what_is_not_finite_is_null(tmp_path):
    fitted(tmp_path / "run", optim.SGD, lr=1e30)
    text = (tmp_path / "run" / "layers.jsonl").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert any(row["gradient_norm"] is None for row in lines(tmp_path / "run"))


def test_later_epochs_are_measured_more_rarely():
    measured = [epoch for epoch in range(1, 200) if _is_measured(epoch)]
    assert measured == [
        *range(1, 41), *range(42, 81, 2), *range(84, 161, 4), *range(168, 200, 8),
    ]  # fmt: skip
    assert sum(map(_is_measured, range(1, 100_001))) < 300


def test_large_arrays_and_deep_models_are_sampled():
    sample = _sample(np.arange(1000 * 1024).reshape(1000, 1024))
    assert 8000 < len(sample) < 8400
    assert len(set((sample % 1024).tolist())) == 1024  # every column
    assert _sample(np.arange(5.0)).tolist() == [0, 1, 2, 3, 4]
    spread = _spread(list(range(1000)))
    assert len(spread) == 32
    assert (spread[0], spread[-1]) == (0, 999)


def test_it_needs_a_folder():
    model, data = nn.Linear(64, 10), datasets.digits()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for callback in (training.LayerLog, training.DrawGraph, training.Report, training.Status):
        with pytest.raises(ValueError, match="needs fit"):
            training.fit(model, nn.CrossEntropyLoss(), optimizer, data, callbacks=[callback()])


def test_a_loss_that_uses_second_derivatives_is_legal_and_measured(tmp_path):
    """The hooks that listen at gradients stand in the graph of which the product is taken."""

    def trained(folder, curved=True):
        mg.manual_seed(0)
        model = nn.Sequential(nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 10))
        parameters = list(model.parameters())

        def loss_function(output, target):
            loss = nn.functional.cross_entropy(output, target)
            if not curved:
                return loss
            hessian = mg.curvature.HessianOperator(loss, parameters)
            square = mg.curvature.GaussNewtonOperator(loss, parameters, output)
            ones = np.ones(hessian.shape[0], "float32")
            found.append(((hessian @ ones).copy(), (square @ ones).copy()))
            return loss

        found = []
        training.fit(
            model, loss_function, optim.SGD(parameters, lr=0.1),
            datasets.digits().subset(slice(64)), epochs=2, batch_size=32, seed=0, run=folder,
        )  # fmt: skip
        return found, model.state_dict()

    (with_folder, there), (without, here) = trained(tmp_path / "run"), trained(None)
    assert len(with_folder) == len(without) == 4
    np.testing.assert_array_equal(with_folder, without)
    for name, value in here.items():
        np.testing.assert_array_equal(there[name], value)
    trained(tmp_path / "plain", curved=False)
    heard = [[row["layers"] for row in lines(tmp_path / run)] for run in ("run", "plain")]
    assert heard[0] == heard[1]
    assert heard[0][0][0]["signal"] > 0
