"""`minigrad train` as its user meets it: the folder it leaves, resumption, the same numbers."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from minigrad import optim
from minigrad.cli import main
from minigrad.cli.architecture import ACTIVATIONS, INITS
from minigrad.cli.options import DEFAULTS, parse, words
from minigrad.cli.schedules import SCHEDULES

ROOT = Path(__file__).parents[2]
SMALL = ["train", "--dataset", "blobs", "--hidden", "8", "--epochs", "2", "--quiet"]


def command(*arguments, **options):
    """Start the real command in a process of its own."""
    # An interrupt between open() and the with that closes the file leaves a ResourceWarning.
    strict = "error,ignore::ResourceWarning"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": strict}
    return subprocess.Popen(
        [sys.executable, "-m", "minigrad", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler), **options,
    )  # fmt: skip


def metrics(folder):
    """Return the rows of a run without what depends on the clock."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    clocks = {"seconds", "samples_per_second", "time"}
    return [{k: v for k, v in row.items() if k not in clocks} for row in rows]


def weights(folder):
    """Return the bytes of every array that a run left: weights, averages, the optimizer's state."""
    return {
        (path.name, name): array.tobytes()
        for path in sorted(folder.glob("*.safetensors"))
        for name, array in load_file(path).items()
    }


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_default_run(tmp_path):
    begin = time.perf_counter()
    process = command("train", cwd=tmp_path)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert time.perf_counter() - begin < 30
    assert err == "", "no bar where there is no terminal"
    run = tmp_path / "runs" / "digits-adam-1"
    assert "runs/digits-adam-1" in out
    last = metrics(run)[-1]
    assert last["test_accuracy"] >= 0.97
    assert f"{last['test_accuracy']:.2%}" in out
    assert f"mean during epoch 30: {last['loss']:.4f}, {last['accuracy']:.2%})" in out
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert ET.parse(run / "graph.svg").getroot().tag.endswith("svg")
    assert json.loads((run / "config.json").read_text())["options"] == DEFAULTS
    assert "digits-adam-1" in (run / "report.html").read_text()
    assert weights(run)


def test_the_same_seed_gives_the_same_numbers(here):
    for folder in ("a", "b"):
        assert main([*SMALL, "--dropout", "0.3", "--seed", "3", "--run", folder]) == 0
    assert main([*SMALL, "--dropout", "0.3", "--seed", "4", "--run", "c"]) == 0
    assert metrics(here / "a") == metrics(here / "b")
    assert weights(here / "a") == weights(here / "b")
    assert metrics(here / "a") != metrics(here / "c")


def under_way(*arguments, run):
    """Return the process of a run that takes long, when two of its epochs are done."""
    process = command(*arguments, "--epochs", "100000", "--run", run.name, cwd=run.parent)
    file = run / "metrics.jsonl"
    while process.poll() is None and not (file.exists() and file.read_text().count("\n") >= 2):
        time.sleep(0.01)
    return process


def test_an_interrupted_run_resumes_to_the_same_weights(tmp_path):
    arguments = ["train", "--dataset", "blobs", "--hidden", "8", "--batch-size", "16", "--quiet"]
    process = under_way(*arguments, run=tmp_path / "cut")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err == "minigrad: interrupted; go on with: minigrad train --resume cut\n"
    assert (tmp_path / "cut" / "curves.png").exists()
    epochs = str(len(metrics(tmp_path / "cut")) + 2)
    process = command("train", "--quiet", "--resume", "cut", "--epochs", epochs, cwd=tmp_path)
    assert process.communicate(timeout=60) == ("", "")
    process = command(*arguments, "--epochs", epochs, "--run", "whole", cwd=tmp_path)
    assert process.communicate(timeout=60) == ("", "")
    assert metrics(tmp_path / "cut") == metrics(tmp_path / "whole")
    row = f"<th>epoch</th><td>{epochs}</td>"  # the report is of the whole run
    assert row in (tmp_path / "cut" / "report.html").read_text()
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")


def test_a_disk_that_is_full_is_one_line_and_the_run_goes_on_later(tmp_path):
    """A limit on the size of files, which the second checkpoint exceeds, stands for the disk."""
    chosen = ["train", "--no-tune", "--epochs", "2", "--hidden", "128"]
    limited = subprocess.run(
        [sys.executable, "-m", "minigrad", *chosen, "--run", "a"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True, check=False,
        capture_output=True,
    )  # fmt: skip
    again = "when that is mended, go on with: minigrad train --resume a\n"
    said = "minigrad: a/checkpoint.safetensors: File too large; "
    assert (limited.returncode, limited.stderr) == (2, said + again)
    assert json.loads((tmp_path / "a" / "status.json").read_text())["state"] == "failed"
    assert not list(tmp_path.glob("a/*.tmp"))
    for line in (["train", "--quiet", "--resume", "a"], [*chosen, "--quiet", "--run", "b"]):
        process = command(*line, cwd=tmp_path)
        assert process.communicate(timeout=60) == ("", "")
    assert metrics(tmp_path / "a") == metrics(tmp_path / "b")
    assert weights(tmp_path / "a") == weights(tmp_path / "b")


def test_two_processes_do_not_train_one_run(tmp_path):
    arguments = ["train", "--dataset", "blobs", "--hidden", "8", "--batch-size", "16", "--quiet"]
    first = under_way(*arguments, run=tmp_path / "a")
    second = command("train", "--quiet", "--resume", "a", cwd=tmp_path)
    said = f"minigrad: a is being trained by process {first.pid}; wait for its end, or end it"
    out, err = second.communicate(timeout=60)
    assert (second.returncode, out) == (2, "")
    assert err.startswith(said)
    assert first.poll() is None
    first.kill()  # which leaves "running" in its status
    first.communicate(timeout=60)
    epochs = str(len(metrics(tmp_path / "a")) + 2)
    second = command("train", "--quiet", "--resume", "a", "--epochs", epochs, cwd=tmp_path)
    assert second.communicate(timeout=60) == ("", "")
    assert len(metrics(tmp_path / "a")) == int(epochs)


def test_a_finished_run_goes_on_to_more_epochs(here, capsys):
    assert main([*SMALL, "--run", "a"]) == 0
    assert main(["train", "--resume", "a", "--epochs", "4", "--quiet"]) == 0
    assert [row["epoch"] for row in metrics(here / "a")] == [1, 2, 3, 4]
    assert main([*SMALL, "--run", "b", "--epochs", "4"]) == 0
    assert metrics(here / "a") == metrics(here / "b")
    capsys.readouterr()
    for more in ([], ["--epochs", "4"]):
        assert main(["train", "--resume", "a", *more]) == 0
        out = capsys.readouterr().out
        assert "4 epochs" in out
        assert "nothing was left to train: the run has 4 epochs" in out
        config = json.loads((here / "a" / "config.json").read_text())
        assert config["options"]["epochs"] == config["fit"]["epochs"] == 4


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_that_is_fitted_anew_is_told_of(schedule, here, capsys):
    chosen = [*SMALL, "--schedule", schedule, "--run"]
    assert main([*chosen, "a"]) == 0
    assert main(["train", "--resume", "a", "--epochs", "4"]) == 0
    err = capsys.readouterr().err
    assert main([*chosen, "b", "--epochs", "4"]) == 0
    same = metrics(here / "a")[1]["lr"] == metrics(here / "b")[1]["lr"]
    assert (err == "") is same
    assert err.count("\n") == (not same)
    if err:
        assert f"the {schedule} schedule spans all epochs; with 4 in place of 2" in err
        assert "try a new run with --epochs 4" in err


def test_any_hyperparameter_can_be_set_and_is_kept(here, capsys):
    """Against the same method made in Python, and resumed against a run without a break."""
    chosen = ["--optimizer", "newton-cg", "--set", "damping=0.5", "--set", "forcing=root"]
    line = [word for word in SMALL if word != "--quiet"]
    assert main([*line, *chosen, "--set", "damping=0.25", "--run", "a"]) == 0
    assert "newton-cg, damping=0.25, forcing='root', full batch" in capsys.readouterr().out
    config = json.loads((here / "a" / "config.json").read_text())
    assert config["options"]["set"] == {"damping": 0.25, "forcing": "root"}
    [group] = config["optimizer"]["groups"]
    assert (group["damping"], group["forcing"]) == (0.25, "root")
    assert main(["train", "--resume", "a", "--epochs", "4", "--quiet"]) == 0
    assert main([*SMALL, *chosen[:2], "--set=damping=0.25", "--epochs", "4", "--run", "b"]) == 0
    assert main([*SMALL, *chosen[:2], "--epochs", "4", "--run", "c"]) == 0
    assert metrics(here / "a") == metrics(here / "b") != metrics(here / "c")


def test_runs_may_not_be_a_file(here, capsys):
    (here / "runs").write_text("")
    assert main(SMALL) == 2
    assert "'runs' is a file; legal is a folder; try --run" in capsys.readouterr().err


def test_runs_are_numbered(here):
    for _ in range(2):
        assert main(SMALL) == 0
    assert sorted(path.name for path in (here / "runs").iterdir()) == [
        "blobs-adam-1", "blobs-adam-2",
    ]  # fmt: skip


def choices():
    """Return lines of options in which every name of every option occurs."""
    named = {"--optimizer": list(optim.METHODS), "--activation": list(ACTIVATIONS),
             "--init": list(INITS), "--schedule": list(SCHEDULES)}  # fmt: skip
    lines = []
    for i in range(max(map(len, named.values()))):
        chosen = {flag: names[i % len(names)] for flag, names in named.items()}
        if "lr" in optim.METHODS[chosen["--optimizer"]].without:
            del chosen["--schedule"]
        lines.append(" ".join(f"{flag} {name}" for flag, name in chosen.items()))
    return [
        *lines,
        "--layer-norm --l1 0.001 --l2 0 --clip 0.1 --early-stopping",
        "--no-batch-norm --hidden 8,8,8 --dropout 0 --early-stopping 1",
        "--optimizer sgd --momentum 0.9 --lr 0.1 --weight-decay 0.01 --batch-size 5000",
        "--dataset spirals --hidden none",
        "--set betas=0.5,0.75 --set eps=1e-6 --set decoupled=true --set l1=0.001",
    ]  # fmt: skip


@pytest.mark.parametrize("choice", choices())
def test_every_choice_trains(choice, here, capsys):
    assert main([*SMALL, "--batch-size=200", *choice.split(), "--run", "a"]) == 0
    assert capsys.readouterr() == ("", "")
    assert all(row["loss"] < 10 for row in metrics(here / "a"))


def test_a_run_that_diverges_says_so(here, capsys):
    wild = ["--optimizer", "sgd", "--lr", "1e9", "--epochs", "5", "--run", "a"]
    assert main([*SMALL[:-3], *wild]) == 1
    out, err = capsys.readouterr()
    assert "diverged" in err
    assert "--lr" in err
    assert err.count("\n") == 1
    assert "stopped: the training loss became" in out
    assert "a smaller learning rate or clipping the gradient may help" in out


def test_a_run_whose_loss_grows_and_stays_finite_says_so(here, capsys):
    wild = "train --optimizer sgd --lr 1000 --activation tanh --no-batch-norm --epochs 3 --run a"
    assert main(wild.split()) == 1
    out, err = capsys.readouterr()
    assert err.startswith("minigrad: a: the run diverged")
    assert "diverging: the training loss grew from 2." in out
    assert json.loads((here / "a" / "status.json").read_text())["state"] == "finished"


def test_a_run_is_not_cut_back_to_fewer_epochs(here, capsys):
    assert main([*SMALL, "--run", "a"]) == 0
    done = len(metrics(here / "a"))
    before = {path: path.read_bytes() for path in (here / "a").iterdir()}
    assert main(["train", "--resume", "a", "--epochs", str(done - 1)]) == 2
    out, err = capsys.readouterr()
    found = f"it has {done} epochs, and {done - 1} are asked for in all; legal are {done} or more"
    assert found in err
    assert err.startswith("minigrad: a/checkpoint.safetensors does not fit")
    assert (out, err.count("\n")) == ("", 1)
    assert {path: path.read_bytes() for path in (here / "a").iterdir()} == before


def test_a_run_without_its_checkpoint_is_not_begun_anew(here, capsys):
    assert main([*SMALL, "--run", "a"]) == 0
    (here / "a" / "checkpoint.safetensors").unlink()
    before = {path: path.read_bytes() for path in (here / "a").iterdir()}
    assert main(["train", "--resume", "a", "--epochs", "9"]) == 2
    assert "would overwrite" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (here / "a").iterdir()} == before


def test_says_which_library_is_missing(here, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    assert main(SMALL) == 2
    assert "pip install safetensors" in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_runs_without_what_draws(here, capsys, monkeypatch):
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr("shutil.which", lambda *args, **keys: None)
    assert main([*SMALL[:-1], "--run", "a"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "graph.dot instead of graph.svg" in out
    assert "no curves.png: curves need matplotlib" in out
    assert (here / "a" / "graph.dot").read_text().startswith("digraph")


def test_options_survive_being_written():
    given = ["train", "--no-batch-norm", "--layer-norm", "--hidden", "none", "--lr", "1e-3",
             "--early-stopping", "--data-dir", "-a b", "--l2", "0"]  # fmt: skip
    parsed = parse([x for x in given if x not in ("--data-dir", "-a b")] + ["--data-dir=-a b"])
    assert parse(words({k: v for k, v in parsed.items() if k != "command"})) == parsed
