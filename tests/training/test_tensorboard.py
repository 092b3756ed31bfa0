"""Event files, read back by TensorBoard's own reader."""

import json
import subprocess
import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import datasets, nn, optim, training
from minigrad.cli import main

NEEDS = "needs the extra tensorboard: pip install minigrad[tensorboard]"


@pytest.fixture(scope="module")
def reader():
    module = "tensorboard.backend.event_processing.event_accumulator"
    return pytest.importorskip(module, reason=NEEDS).EventAccumulator


def fit(folder, epochs=2, callbacks=(), **options):
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))
    data = datasets.digits().subset(slice(320))
    return training.fit(
        model, nn.CrossEntropyLoss(), optim.Adam(model.parameters()), data, data, epochs=epochs,
        callbacks=list(callbacks), run=folder, seed=0, **options,
    )  # fmt: skip


def test_its_reader_finds_the_numbers_of_the_run(tmp_path, reader):
    history = fit(tmp_path / "run", callbacks=[training.TensorBoard()])
    events = reader(str(tmp_path / "run"), {"histograms": 0})  # all of them
    events.Reload()
    tags = events.Tags()
    for tag, column in {
        "loss/train": "loss", "loss/test": "test_loss", "accuracy/test": "test_accuracy",
        "lr": "lr", "samples_per_second": "samples_per_second",
    }.items():  # fmt: skip
        found = events.Scalars(tag)
        assert [event.step for event in found] == [10, 20]
        assert [event.value for event in found] == pytest.approx(history[column], rel=1e-6)
    lines = (tmp_path / "run" / "layers.jsonl").read_text().splitlines()
    measured = [json.loads(line) for line in lines][1:]
    signals = [row["layers"][1]["signal"] for row in measured]
    assert [e.value for e in events.Scalars("flow/signal/2")] == pytest.approx(signals, rel=1e-6)
    assert set(tags["histograms"]) == {
        "weights/0.weight", "weights/2.weight", "activations/0", "activations/1", "activations/2",
    }  # fmt: skip
    low, high, counts = measured[1]["weights"]["0.weight"]
    histogram = events.Histograms("weights/0.weight")[1].histogram_value
    assert (histogram.min, histogram.max, histogram.num) == (low, high, 512)
    assert list(histogram.bucket) == counts
    np.testing.assert_allclose(histogram.bucket_limit, np.linspace(low, high, 33)[1:])


def test_a_resumed_run_goes_on(tmp_path, reader):
    fit(tmp_path / "run", callbacks=[training.TensorBoard()])
    history = fit(tmp_path / "run", 4, [training.TensorBoard()], resume=True)
    events = reader(str(tmp_path / "run"))
    events.Reload()
    found = events.Scalars("loss/train")
    assert [event.step for event in found] == [10, 20, 30, 40]
    assert [event.value for event in found] == pytest.approx(history["loss"], rel=1e-6)


def test_steps_that_are_taken_anew_replace_the_first(tmp_path, reader):
    class Break(training.Callback):
        order = 87  # after the event, before the checkpoint

        def on_epoch_end(self, loop):
            if loop.epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "run", callbacks=[training.TensorBoard(), Break()])
    history = fit(tmp_path / "run", 3, [training.TensorBoard()], resume=True)
    events = reader(str(tmp_path / "run"))
    events.Reload()
    found = events.Scalars("loss/train")
    assert [event.step for event in found] == [10, 20, 30]
    assert [event.value for event in found] == pytest.approx(history["loss"], rel=1e-6)


def test_a_folder_of_its_own(tmp_path, reader):
    fit(None, callbacks=[training.TensorBoard(tmp_path / "events" / "a")])
    events = reader(str(tmp_path / "events" / "a"))
    events.Reload()
    assert len(events.Scalars("loss/train")) == 2
    assert events.Tags()["histograms"] == []
    with pytest.raises(ValueError, match=r"TensorBoard\(\) without a path needs fit"):
        fit(None, callbacks=[training.TensorBoard()])


def test_the_command_writes_them(tmp_path, monkeypatch, reader):
    monkeypatch.chdir(tmp_path)
    given = ["--dataset", "blobs", "--hidden", "4", "--epochs", "2", "--quiet", "--run", "a"]
    assert main(["train", "--tensorboard", *given]) == 0
    events = reader("a")
    events.Reload()
    assert len(events.Scalars("loss/train")) == 2


def test_without_the_library_it_is_one_line(tmp_path):
    code = f"""
import os, sys
os.chdir({str(tmp_path)!r})
sys.modules["tensorboard"] = None
from minigrad.cli import main
sys.exit(main(["train", "--tensorboard"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "minigrad: event files need the tensorboard library: pip install tensorboard, or "
        "minigrad[tensorboard]\n"
    )
    assert list(tmp_path.iterdir()) == []
