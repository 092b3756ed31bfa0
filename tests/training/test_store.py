"""Checkpoint files, logs and run folders, as files."""

import json
import math
import os

import numpy as np
import pytest
import safetensors.numpy

import minigrad as mg
from minigrad import nn, optim
from minigrad.training import (
    Checkpoint,
    CheckpointError,
    Run,
    RunError,
    load_checkpoint,
    resume,
    save_checkpoint,
)
from minigrad.training.store import write_atomically


def test_plain_data_round_trip(tmp_path):
    data = {
        "numbers": [1, -2.5, math.inf, math.pi, 2**100, None, True, "text", (1, (2, "x"))],
        "nan": math.nan,
        "arrays": {"a/b": np.eye(2), 3: np.float32(0.1), (1, 2): np.arange(3)},
        "$odd": {"$array": "no array"},
        "shapes": [np.zeros(()), np.zeros((0, 3)), np.ones((2, 3), np.float16, order="F")],
        "kinds": [np.array([True]), np.array([1], np.uint8), np.array([1], np.int32)],
        "strided": np.arange(12).reshape(3, 4)[::2, ::-1].T,
        "tensor": mg.tensor([1.0, 2.0]),
        "empty": [{}, [], ()],
    }
    save_checkpoint(tmp_path / "c", data=data)
    back = load_checkpoint(tmp_path / "c")["data"]
    assert math.isnan(back.pop("nan"))
    data.pop("nan")
    np.testing.assert_array_equal(back.pop("tensor"), data.pop("tensor").numpy())
    assert_same(back, data)
    assert os.listdir(tmp_path) == ["c"]


def assert_same(a, b):
    if hasattr(b, "dtype"):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_array_equal(a, b)
        return
    assert type(a) is type(b)
    if isinstance(b, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    elif isinstance(b, dict):
        assert list(a) == list(b)
        for key in b:
            assert_same(a[key], b[key])
    else:
        assert a == b


def test_what_a_checkpoint_cannot_hold(tmp_path):
    with pytest.raises(TypeError, match="part/0/key is a function; a checkpoint holds numbers"):
        save_checkpoint(tmp_path / "c", part=[{"key": lambda: 0}])
    assert os.listdir(tmp_path) == []


def parts():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    return model, optim.Adam(model.parameters(), lr=0.1)


def step(model, optimizer):
    optimizer.zero_grad()
    model(mg.randn(5, 3)).square().mean().backward()
    optimizer.step()


def test_a_plain_loop_resumes(tmp_path):
    mg.manual_seed(0)
    model, optimizer = parts()
    step(model, optimizer)
    save_checkpoint(tmp_path / "c", model=model, optimizer=optimizer, epoch=3)
    step(model, optimizer)
    other, another = parts()
    mg.manual_seed(1)
    assert resume(tmp_path / "c", model=other, optimizer=another) == {"epoch": 3}
    step(other, another)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name], value)


def test_what_does_not_fit(tmp_path):
    model, optimizer = parts()
    save_checkpoint(tmp_path / "c", model=model, optimizer=optimizer)
    with pytest.raises(CheckpointError, match=r"c does not fit this model: .*missing"):
        resume(tmp_path / "c", model=nn.Linear(3, 4))
    with pytest.raises(CheckpointError, match="c has no 'schedule'; it has random, model, opt"):
        resume(tmp_path / "c", schedule=None)
    with pytest.raises(CheckpointError, match="c does not fit this optimizer"):
        resume(tmp_path / "c", optimizer=optim.Adam([mg.zeros(2, requires_grad=True)]))


def test_files_that_are_no_checkpoints(tmp_path):
    save_checkpoint(tmp_path / "whole", a=np.ones(100))
    whole = (tmp_path / "whole").read_bytes()
    for name, data in {"short": whole[:-1], "text": b"hello, world", "empty": b""}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(CheckpointError, match=f"{name}: cannot be read as a checkpoint"):
            load_checkpoint(tmp_path / name)
    with pytest.raises(CheckpointError, match="nowhere: cannot be read"):
        load_checkpoint(tmp_path / "nowhere")
    safetensors.numpy.save_file({"a": np.ones(2)}, tmp_path / "weights")
    with pytest.raises(CheckpointError, match="no checkpoint: its metadata lacks"):
        load_checkpoint(tmp_path / "weights")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    write_atomically(tmp_path / "f", b"old")
    with pytest.raises(TypeError):
        write_atomically(tmp_path / "f", "not bytes")
    assert (tmp_path / "f").read_bytes() == b"old"
    write_atomically(tmp_path / "f", b"new")
    assert os.listdir(tmp_path) == ["f"]


def test_checkpoint_refuses_bad_numbers():
    for bad in ({"every": 0}, {"every_steps": 0}, {"every_steps": 1.5}):
        with pytest.raises(ValueError, match="legal is an integer from 1"):
            Checkpoint(**bad)


# Run folders -------------------------------------------------------------------------------------


def test_a_run_never_takes_a_folder_that_is_used(tmp_path):
    first = Run.create(tmp_path / "runs" / "x")
    assert first.path == tmp_path / "runs" / "x"
    assert Run.create(first.path).path == first.path  # still empty
    (first.path / "mine.txt").write_text("precious")
    second = Run.create(first.path)
    assert second.path.name == "x-2"
    second.write_config({"a": 1})
    assert Run.create(first.path).path.name == "x-3"
    assert second.read_config() == {"a": 1}
    assert Run.prepare(second.path, resume=True).path == second.path
    assert Run.prepare(second.path, resume=False).path.name == "x-2-2"
    with pytest.raises(RunError, match=r"x is not a run folder \(no config.json in it\)"):
        Run.prepare(first.path, resume=True)
    with pytest.raises(RunError, match=r"nowhere is not a run folder \(no such folder\)"):
        Run.open(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    assert Run.create(tmp_path / "file").path.name == "file-2"
    with pytest.raises(RunError, match="cannot be made"):
        Run.create(tmp_path / "file" / "below")
    second.config.write_text("{")
    with pytest.raises(RunError, match=r"config.json: cannot be read"):
        second.read_config()


def test_config_is_json_for_everyone(tmp_path):
    run = Run.create(tmp_path / "run")
    run.write_config({"path": tmp_path, "nested": {"µ": 0.9, "betas": (0.9, 0.999)}})
    read = json.loads(run.config.read_text(encoding="utf-8"))
    assert read == {"path": str(tmp_path), "nested": {"µ": 0.9, "betas": [0.9, 0.999]}}
