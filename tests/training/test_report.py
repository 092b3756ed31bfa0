"""What fit leaves in a run folder beside its numbers: the report, the graph, the status."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

import minigrad as mg
from minigrad import datasets, nn, optim, training


def network(width=8):
    mg.manual_seed(0)
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))


def fit(folder, model=None, epochs=2, callbacks=(), data=None, loss=None, **options):
    model = model or network()
    data = data or datasets.digits().subset(slice(320))
    return training.fit(
        model, loss or nn.CrossEntropyLoss(), optim.Adam(model.parameters()), data,
        epochs=epochs, callbacks=list(callbacks), run=folder, seed=0, **options,
    )  # fmt: skip


def status(folder):
    return json.loads((folder / "status.json").read_text())


def test_a_run_leaves_its_report(tmp_path):
    history = fit(tmp_path / "run")
    run = training.Run(tmp_path / "run")
    page = run.report.read_text()
    assert f"<th>loss</th><td>{history.rows[-1]['loss']:.6g}</td>" in page
    for part in ("Curves", "Gradient flow", "Mistakes", "Weights", "Activations", "Graph",
                 "Configuration", "Environment"):  # fmt: skip
        assert f"<h2>{part}</h2>" in page
    assert "0.weight" in page
    assert ET.parse(run.graph).getroot().tag.endswith("svg")
    found = json.loads(run.mistakes.read_text())
    assert found["data"] == "train"
    right = sum(count for true, predicted, count in found["confusion"] if true == predicted)
    data = datasets.digits().subset(slice(320))
    model = network()
    training.resume(run.checkpoint, model=model)
    accuracy = training.evaluate(model, nn.CrossEntropyLoss(), data)["accuracy"]
    assert right / found["rows"] == pytest.approx(accuracy)
    environment = run.read_config()["environment"]
    assert environment["device"] == "cpu"
    assert environment["threads"] in (None, *range(1, 1000))


def test_the_status_says_where_it_stands(tmp_path):
    seen = []

    class Look(training.Callback):
        order = 130

        def on_step_end(self, loop):
            seen.append(status(loop.run.path))

    fit(tmp_path / "run", callbacks=[training.Status(interval=0), Look()])
    first, last = seen[2], status(tmp_path / "run")
    assert (first["state"], first["epoch"], first["epochs"]) == ("running", 0, 2)
    assert (first["batch"], first["batches"], first["step"]) == (3, 10, 3)
    assert (first["pid"], last["pid"]) == (os.getpid(), os.getpid())
    assert first["seconds"] > 0
    assert (last["state"], last["epoch"], last["batch"]) == ("finished", 2, 0)


@pytest.mark.parametrize(
    ("error", "state"), [(KeyboardInterrupt, "interrupted"), (OSError, "failed")]
)
def test_a_run_that_breaks_off_has_a_report_too(tmp_path, error, state):
    class Break(training.Callback):
        def on_step_end(self, loop):
            if loop.step == 15:
                raise error

    with pytest.raises(error):
        fit(tmp_path / "run", callbacks=[Break()])
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<th>epoch</th><td>1</td>" in page
    assert state in page
    assert "<h2>Mistakes</h2>" not in page
    assert status(tmp_path / "run")["state"] == state
    fit(tmp_path / "run", resume=True)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<th>epoch</th><td>2</td>" in page
    assert "<h2>Mistakes</h2>" in page


def test_the_report_is_written_while_training_goes_on(tmp_path):
    seen = []

    class Look(training.Callback):
        order = 130

        def on_epoch_end(self, loop):
            seen.append(loop.run.report.read_text().count("<h2>Curves</h2>"))

    fit(tmp_path / "run", callbacks=[training.Report(interval=0), Look()])
    assert seen[0] == 1


def test_a_regression_has_no_mistakes(tmp_path):
    x = mg.randn(64, 3).numpy()
    model = nn.Linear(3, 1)
    fit(tmp_path / "run", model, data=datasets.Dataset(x, x[:, :1]), loss=nn.MSELoss())
    assert not (tmp_path / "run" / "mistakes.json").exists()
    assert "<h2>Gradient flow</h2>" in (tmp_path / "run" / "report.html").read_text()


def test_a_model_that_cannot_be_drawn_is_trained_all_the_same(tmp_path):
    class Odd(nn.Module):
        """Refuses what is not float32, and what comes with an odd number of rows."""

        def __init__(self):
            self.layer, self.calls = nn.Linear(64, 10), 0

        def forward(self, x):
            self.calls += 1
            if self.calls == 2:
                raise RuntimeError("once only")
            return self.layer(x)

    history = fit(tmp_path / "run", Odd())
    assert history.notes == ["no graph: once only"]
    assert "no graph: once only" in (tmp_path / "run" / "report.html").read_text()


def test_files_that_others_damage_are_a_note(tmp_path):
    class Vandal(training.Callback):
        order = 130

        def on_train_end(self, loop):
            loop.run.status.write_text("{")
            loop.run.layers.write_text("[]\n")

    history = fit(tmp_path / "run", callbacks=[Vandal()])
    assert history.rows[-1]["epoch"] == 2
    [note] = history.notes
    assert "no report.html" in note
    assert "layers.jsonl is damaged" in note


def test_numpy_alone_trains_and_reports(tmp_path):
    """An interpreter with none of the extras; and training itself loads none of the pictures."""
    code = f"""
import sys
for name in ("matplotlib", "tqdm", "safetensors", "tensorboard", "PIL", "numba", "scipy"):
    sys.modules[name] = None
from minigrad import datasets, nn, optim, training
assert not any(name.startswith("minigrad.viz") for name in sys.modules), "loaded too early"
model = nn.Linear(64, 10)
history = training.fit(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1),
                       datasets.digits(), epochs=2, run={str(tmp_path / "run")!r})
[note] = history.notes
print(note)
"""
    environment = {**os.environ, "PATH": "/nowhere"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    assert "no checkpoint" in done.stdout
    page = (tmp_path / "run" / "report.html").read_text()
    assert page.count("<svg") > 6
    assert "<h2>Mistakes</h2>" in page
