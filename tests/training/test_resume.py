"""A run that is killed at any moment and resumed ends in the same weights, bit for bit."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad import datasets, nn, optim, training

SCRIPT = Path(__file__).with_name("killable.py")
ROOT = Path(__file__).parents[2]


def start(folder, *kill):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(SCRIPT), str(folder), *kill],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def finish(process):
    out, error = process.communicate(timeout=60)
    assert error == ""
    assert process.returncode in (0, -signal.SIGKILL)
    return out == "done\n"


def untimed(rows):
    return [
        {name: row[name] for name in row if name not in ("seconds", "samples_per_second")}
        for row in rows
    ]


def result(folder):
    """Return the final weights' file, the metrics, the table's length and the gradient flow."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    table = folder.with_name(folder.name + ".csv").read_text().splitlines()
    layers = [json.loads(line) for line in (folder / "layers.jsonl").read_text().splitlines()]
    report = (folder / "report.html").read_text()
    assert f"<th>step</th><td>{lines[-1]['step']}</td>" in report
    assert json.loads((folder / "status.json").read_text())["state"] == "finished"
    flow = json.loads(folder.with_name(folder.name + ".flow.json").read_text())
    kept = (folder / "model.safetensors").read_bytes(), (folder / "mistakes.json").read_text()
    return *kept, untimed(lines), len(table), *flow, layers


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "whole"
    assert finish(start(folder))
    *_, lines, rows, flow, _, layers = found = result(folder)
    epochs = [row["epoch"] for row in lines if "epoch" in row]
    assert epochs == list(range(1, rows))
    assert 3 <= len(epochs) < 9  # it stops early, so that this too is resumed
    assert [row["step"] for row in lines if "epoch" not in row] == [*range(1, 11 * len(epochs) + 1)]
    steps = sorted({row["step"] for row in flow})
    assert steps == list(range(1, 11 * len(epochs) + 1, 4))
    assert [row["step"] for row in layers] == [1, *range(11, 11 * len(epochs) + 1, 11)]
    return found


# Each is the next life of the same run: what kills it, counted from its start.
DEATHS = [
    "open:1",  # before config.json is begun
    "rename:1",  # config.json written, not renamed
    "open:2",  # no log yet
    "rename:3",  # the first checkpoint written, not renamed
    "step:1",
    "step:8",  # between checkpoints
    "rename:2",  # resumed within an epoch, killed at the next checkpoint's rename
    "step:11",  # at the end of an epoch, before its row
    "open:5",  # before a checkpoint's file is begun
    "rename:6",
]


def test_killed_at_every_kind_of_moment(uninterrupted, tmp_path):
    folder = tmp_path / "killed"
    for death in DEATHS:
        assert not finish(start(folder, death)), death
    assert finish(start(folder))
    assert result(folder) == uninterrupted
    assert sorted(os.listdir(folder)) == [
        "checkpoint.safetensors", "config.json", "graph.svg", "layers.jsonl", "metrics.jsonl",
        "mistakes.json", "model.safetensors", "report.html", "status.json",
    ]  # fmt: skip
    assert finish(start(folder))  # a finished run has nothing left to do
    assert result(folder) == uninterrupted


def test_killed_at_random_moments(uninterrupted, tmp_path):
    folder = tmp_path / "killed"
    begin = time.monotonic()
    assert finish(start(folder))
    whole = time.monotonic() - begin
    for life in range(2):
        folder = tmp_path / f"killed{life}"
        for _ in range(2):
            process = start(folder)
            time.sleep(random.uniform(0.3, 1) * whole)
            process.kill()
            finish(process)
        while not finish(start(folder)):
            pass
        assert result(folder) == uninterrupted


# Within this process -----------------------------------------------------------------------------


def fit(folder, resume=False, epochs=2, train=None, batch_size=64, method=optim.Adam, **options):
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 8), nn.Dropout(0.5), nn.Linear(8, 10))
    optimizer = method(model.parameters(), lr=0.01)
    history = training.fit(
        model,
        nn.CrossEntropyLoss(),
        optimizer,
        train or datasets.digits().subset(slice(640)),
        epochs=epochs,
        batch_size=batch_size,
        run=folder,
        resume=resume,
        **options,
    )
    return model, history


def test_a_finished_run_can_be_made_longer(tmp_path):
    whole, first = fit(tmp_path / "whole", epochs=4)
    fit(tmp_path / "parts", epochs=2)
    parts, second = fit(tmp_path / "parts", epochs=4, resume=True)
    for name, value in whole.state_dict().items():
        np.testing.assert_array_equal(parts.state_dict()[name], value)
    assert untimed(first.rows) == untimed(second.rows)
    settings = [training.Run(tmp_path / run).read_config()["fit"] for run in ("whole", "parts")]
    assert settings[0] == settings[1]
    _, again = fit(tmp_path / "parts", epochs=4, resume=True)
    assert again.notes == ["nothing was left to train: the run has 4 epochs, and asked for are 4"]
    with pytest.raises(training.CheckpointError, match="has 4 epochs, and 3 are asked for in all"):
        fit(tmp_path / "parts", epochs=3, resume=True)
    assert training.Run(tmp_path / "parts").read_config()["fit"] == settings[0]


def test_every_optimizer_resumes(tmp_path):
    data = datasets.digits().subset(slice(320))
    for name, method in optim.METHODS.items():

        def run(epochs, resume=False, name=name, method=method):
            mg.manual_seed(0)
            model = nn.Sequential(nn.Linear(64, 8), nn.BatchNorm(8), nn.Dropout(), nn.Linear(8, 10))
            rate = {} if "lr" in method.without else {"lr": 0.01}
            optimizer = method(model.parameters(), **rate)
            training.fit(
                model,
                nn.CrossEntropyLoss(),
                optimizer,
                data,
                epochs=epochs,
                batch_size=64,
                callbacks=[training.Checkpoint(tmp_path / f"{name}{resume}")],
                resume=resume,
            )
            return model.state_dict()

        whole = run(2)
        run(1, resume=True)
        for key, value in run(2, resume=True).items():
            np.testing.assert_array_equal(value, whole[key], err_msg=f"{name}: {key}")


def test_what_cannot_be_resumed(tmp_path):
    fit(tmp_path / "run", callbacks=[training.EarlyStopping(patience=9)])
    with pytest.raises(training.CheckpointError, match="the state of a EarlyStopping, and there"):
        fit(tmp_path / "run", resume=True)
    options = {"callbacks": [training.EarlyStopping(patience=9)], "resume": True}
    with pytest.raises(training.CheckpointError, match="of 10 batches an epoch, and there are 20"):
        fit(tmp_path / "run", batch_size=32, **options)
    with pytest.raises(training.CheckpointError, match="is of Adam, and the optimizer given is SG"):
        fit(tmp_path / "run", method=optim.SGD, **options)
    (tmp_path / "run" / "checkpoint.safetensors").write_bytes(b"broken")
    with pytest.raises(training.CheckpointError, match="cannot be read as a checkpoint"):
        fit(tmp_path / "run", **options)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("")
    with pytest.raises(training.RunError, match="mine is not a run folder"):
        fit(tmp_path / "mine", resume=True)
