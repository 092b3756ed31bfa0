"""`minigrad watch` as its user meets it: while a run trains, at its end, and for what is no run."""

import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minigrad.cli import main
from minigrad.cli.watch import _read, duration, lines_of, progress, sparkline
from minigrad.training import Run

ROOT = Path(__file__).parents[2]
SMALL = ["train", "--dataset", "blobs", "--hidden", "4", "--quiet", "--run", "a"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "minigrad", *arguments], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


def wait_for(path, process, lines=2):
    while process.poll() is None and not (path.exists() and path.read_text().count("\n") >= lines):
        time.sleep(0.01)


def test_a_finished_run_is_told_of_at_once(here, capsys):
    assert main([*SMALL, "--epochs", "2"]) == 0
    assert main(["watch", "a"]) == 0
    first, second, last = capsys.readouterr().out.splitlines()
    row = json.loads((here / "a" / "metrics.jsonl").read_text().splitlines()[1])
    assert first.startswith("epoch 1: loss ")
    assert second.startswith(f"epoch 2: loss {row['loss']:.4f}, test loss {row['test_loss']:.4f}")
    assert last == "finished after 2 epochs: a/report.html"


def test_it_watches_to_the_end(here):
    train = start(*SMALL, "--epochs", "30", "--batch-size", "4")
    wait_for(here / "a" / "metrics.jsonl", train)
    watch = start("watch", "a", "--interval", "0.05")
    out, err = watch.communicate(timeout=60)
    assert (watch.returncode, err) == (0, "")
    assert train.wait(timeout=60) == 0
    train.communicate()
    epochs = [int(n) for n in re.findall(r"^epoch (\d+):", out, re.MULTILINE)]
    assert epochs == list(range(1, 31))
    assert out.endswith("finished after 30 epochs: a/report.html\n")


@pytest.mark.parametrize(("kill", "said"), [(signal.SIGKILL, "killed"), (signal.SIGINT, "interr")])
def test_it_ends_with_a_run_that_is_stopped(here, kill, said):
    train = start(*SMALL, "--epochs", "100000")
    wait_for(here / "a" / "metrics.jsonl", train)
    watch = start("watch", "a", "--interval", "0.05")
    time.sleep(0.3)
    train.send_signal(kill)
    train.communicate(timeout=60)
    out, err = watch.communicate(timeout=60)
    assert (watch.returncode, err) == (0, "")
    last = out.splitlines()[-1]
    assert last.startswith(said)
    assert last.endswith("; to go on: minigrad train --resume a")


def test_an_interrupt_ends_it_and_not_the_run(here):
    train = start(*SMALL, "--epochs", "100000")
    wait_for(here / "a" / "metrics.jsonl", train)
    watch = start("watch", "a", "--interval", "0.05")
    assert watch.stdout.readline().startswith("epoch 1")
    watch.send_signal(signal.SIGINT)
    _, err = watch.communicate(timeout=60)
    assert watch.returncode == 130
    assert err == "minigrad: interrupted\n"
    assert train.poll() is None
    train.kill()
    train.communicate()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere is not a run folder (no such folder)"),
        (["."], "no config.json in it"),
        (["bad"], "it is no JSON object"),
        (["deep"], "it is no JSON object"),
        (["bad", "--interval", "0"], "--interval: '0' given; legal is a finite number > 0"),
        ([], "RUN"),
    ],
)
def test_bad_input_is_one_line_and_status_2(here, capsys, arguments, said):
    (here / "bad").mkdir()
    (here / "bad" / "config.json").write_text("[")
    (here / "deep").mkdir()
    (here / "deep" / "config.json").write_text("[" * 50_000 + "]" * 50_000)
    assert main(["watch", *arguments]) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert err.startswith("minigrad: ")
    assert err.count("\n") == 1
    assert out == ""


def test_a_run_of_fit_goes_on_by_fit(here, capsys):
    assert main([*SMALL, "--epochs", "1"]) == 0
    config = json.loads((here / "a" / "config.json").read_text())
    del config["options"]
    (here / "a" / "config.json").write_text(json.dumps(config))
    (here / "a" / "status.json").write_text('{"state": "failed"}')
    assert main(["watch", "a"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "failed after 1 epoch; to go on: fit(..., resume=True)"


def test_the_drawing():
    status = {"state": "running", "epoch": 3, "epochs": 10, "batch": 5, "batches": 10,
              "seconds": 70.0}  # fmt: skip
    rows = [
        {"epoch": i, "loss": 1 / i, "accuracy": i / 10, "samples_per_second": 1234.5}
        for i in (1, 2, 3)
    ]
    head, loss, accuracy = lines_of(Run("r"), status, rows, 80)
    assert head == "r  epoch 3/10  ████████░░░░░░░░░░░░░░░░  35%  1,234 samples/s  2 min 10 s left"
    assert loss == "  loss          █▃▁    0.3333  best 0.3333"
    assert accuracy == "  accuracy      ▁▅█    30.00%  best 30.00%"
    assert progress({"epoch": 1, "epochs": 0}) is None
    assert progress({}) is None
    assert lines_of(Run("r"), {"state": "running"}, [], 80) == ["r  epoch 0"]


def test_curves_of_any_values():
    assert sparkline([0, 7, 1, 6], 8) == "▁█▂▇"
    assert sparkline(range(16), 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([2.0, 2.0], 8) == "▁▁"
    assert sparkline([1.0, float("nan"), 2.0], 8) == "▁×█"
    assert sparkline([float("inf")], 8) == "×"
    assert len(sparkline(range(1000), 33)) == 33


def test_times():
    assert [duration(s) for s in (0.4, 59.4, 61, 3600, 90_000)] == [
        "0 s", "59 s", "1 min 1 s", "1 h 0 min", "25 h 0 min",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "damage",
    [
        {"pid": 10**30}, {"batch": "x"}, {"batches": [1]}, {"epoch": "x"}, {"epochs": True},
        {"seconds": 10**400}, {"seconds": float("inf")}, {"seconds": "x"}, {"host": 5},
        {"state": ["x"]}, {"epochs": 10**400}, {"pid": -1},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_illegal_in_a_status_is_left_out(here, damage):
    """Whole numbers, texts and times of any kind are in a file that something else wrote."""
    (here / "a").mkdir()
    status = {"state": "running", "epoch": 3, "epochs": 10, "batch": 5, "batches": 10,
              "seconds": 70.0, "pid": os.getpid(), "host": platform.node()}  # fmt: skip
    (here / "a" / "status.json").write_text(json.dumps(status | damage))
    (here / "a" / "metrics.jsonl").write_text(
        '{"epoch": "\\u001b[2J", "loss": 1}\n{"epoch": 1, "loss": "x", "accuracy": 0.5}\n'
    )
    status, rows = _read(Run("a"), {})
    assert damage.keys().isdisjoint(status) or status["state"] == "running"
    assert rows == [{"epoch": 1, "accuracy": 0.5}]
    head, accuracy = lines_of(Run("a"), status, rows, 80)
    assert head.startswith("a  epoch")
    assert accuracy.startswith("  accuracy")


def test_a_status_does_not_command_the_terminal(here, capsys):
    assert main([*SMALL, "--epochs", "1"]) == 0
    capsys.readouterr()
    for state in ({"state": "finished", "stopped": "\x1b[31mred\n"}, {"state": "\x1b[2Jgone"}):
        (here / "a" / "status.json").write_text(json.dumps(state))
        assert main(["watch", "a"]) == 0
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert out.count("\n") == 2
    (here / "a" / "status.json").write_text('{"a":' * 30_000 + "1" + "}" * 30_000)
    assert main(["watch", "a"]) == 0
    assert capsys.readouterr().out.endswith("finished after 1 epoch: a/report.html\n")
