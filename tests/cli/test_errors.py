"""Whatever the user gets wrong ends in one line that says what is legal, and in exit status 2."""

import gzip
import json
import os

import pytest
from safetensors.numpy import save_file

from minigrad.cli import main
from minigrad.training import save_checkpoint

# arguments → what the line must say
WRONG = {
    "": ["a command is missing", "try minigrad train"],
    "trian": ["'trian' is no command", "did you mean train?"],
    "--frobnicate": ["'--frobnicate' is no option"],
    "train --epoch 3": ["'--epoch' is no option", "did you mean --epochs?"],
    "train --optimiser=adam": ["'--optimiser=adam' is no option", "did you mean --optimizer?"],
    "docter": ["'docter' is no command", "did you mean doctor?"],
    "doctor --jsn": ["'--jsn' is no option", "did you mean --json?"],
    "doctor --lr 3": ["'--lr' is no option"],
    "doctor now": ["'now' is no option", "minigrad doctor --help lists them"],
    "doctor --json=yes": ["--json", "ignored explicit argument 'yes'"],
    "train --no-tun": ["'--no-tun' is no option", "did you mean --no-tune?"],
    "train digits": ["'digits' is no option", "--help lists them"],
    "train --lr": ["--lr", "expected one argument"],
    "train --quiet=3": ["--quiet", "ignored explicit argument '3'"],
    "train --optimizer adamm": ["'adamm' given", "nadam", "try adam"],
    "train --optimizer zzz": ["one of sgd, momentum", "try adam"],
    "train --dataset digit": ["'digit' given", "mnist", "try digits"],
    "train --activation rel": ["'rel' given", "leaky-relu", "try relu"],
    "train --init he": ["'he' given", "xavier-uniform", "try"],
    "train --schedule cos": ["'cos' given", "constant", "try"],
    "train --lr 0": ["--lr: '0' given", "a finite number > 0", "try 0.001"],
    "train --lr -1": ["--lr", "-1"],
    "train --lr=-1": ["'-1' given", "a finite number > 0"],
    "train --lr nan": ["'nan' given", "a finite number > 0"],
    "train --lr inf": ["'inf' given", "a finite number > 0"],
    "train --lr 1e-3x": ["'1e-3x' given"],
    "train --optimizer levenberg-marquardt --lr 0.1": ["no learning rate", "try without --lr"],
    "train --optimizer hessian-free --schedule step": ["no learning rate", "without --schedule"],
    "train --momentum 1": ["'1' given", "a number ≥ 0 and < 1", "try 0.9"],
    "train --momentum 0.9": ["adam has none", "legal with sgd, momentum", "--optimizer sgd"],
    "train --optimizer newton --set dampin=1": [
        "newton has no 'dampin'", "legal are indefinite, damping, floor", "did you mean damping?",
    ],
    "train --optimizer newton --set damping=-1": ["damping=-1 is not a finite number ≥ 0"],
    "train --optimizer newton --set damping=much": ["damping='much' is not a finite number ≥ 0"],
    "train --optimizer lbfgs --set line_search=no": ["line_search='no' is not one of fixed"],
    "train --set damping": ["--set: 'damping' given", "legal is NAME=VALUE", "try damping=0.1"],
    "train --set =1": ["--set: '=1' given", "legal is NAME=VALUE"],
    "train --set lr=1": ["lr has an option of its own; try --lr"],
    "train --set betas=((((": ["betas='((((' is not two numbers"],
    "train --optimizer levenberg-marquardt --set line_search=armijo": ["has no 'line_search'"],
    "train --resume arun --set eps=1": ["--set cannot be changed"],
    "train --weight-decay=-1": ["'-1' given", "a finite number ≥ 0"],
    "train --epochs 0": ["'0' given", "an integer from 1", "try 30"],
    "train --epochs 1.5": ["'1.5' given", "an integer from 1"],
    "train --epochs 99999999999999999999": ["an integer from 1 to 9223372036854775807"],
    "train --seed 9223372036854775808": ["an integer from 0 to 9223372036854775807", "try 0"],
    "train --batch-size 0": ["'0' given", "try 32"],
    "train --batch-size 1": ["a batch of one of the 1438 rows", "--batch-size 2"],
    "train --batch-size 479": ["a batch of one of the 1438 rows", "--batch-size 480"],
    "train --seed=-1": ["'-1' given", "an integer from 0"],
    "train --seed x": ["'x' given", "an integer from 0"],
    "train --hidden 64,,32": ["'64,,32' given", "widths between commas", "try 128,64"],
    "train --hidden 0,3": ["'0,3' given"],
    "train --hidden 0": ["'0' given", "each from 1", "or none"],
    "train --hidden=": ["'' given", "widths between commas", "or none"],
    "train --hidden wide": ["'wide' given", "or none"],
    "train --dropout 1": ["'1' given", "a number ≥ 0 and < 1", "try 0.2"],
    "train --l1=-1": ["'-1' given"],
    "train --l2 much": ["'much' given", "a finite number ≥ 0"],
    "train --clip 0": ["'0' given", "a finite number > 0"],
    "train --early-stopping 0": ["'0' given", "an integer from 1", "try 5"],
    "train --batch-norm --layer-norm": ["one of them", "try --layer-norm alone"],
    "train --device tpu": ["'tpu'", '"cpu"', '"cuda"'],
    "train --data-dir x": ["digits is not read from files", "mnist"],
    "train --download": ["digits is not read from files"],
    "train --dataset mnist --data-dir nowhere": ["no folder 'nowhere'", "--download"],
    "train --dataset mnist --data-dir file": ["'file' is a file", "give its folder"],
    "train --dataset mnist --data-dir full": ["no file", "full", "--download"],
    "train --dataset mnist --data-dir=": ["--data-dir: '' given", "the path of a folder"],
    "train --dataset mnist --data-dir cut": ["cut", "damaged"],
    "train --dataset mnist --data-dir text": ["text", "first four bytes"],
    "train --run file": ["'file' is a file", "legal is a folder"],
    "train --run file/below": ["'file' is a file", "legal is a folder"],
    "train --run=": ["--run: '' given", "the path of a folder", "try runs/mine"],
    "train --run a\tb": [r"'a\tb' given", "control characters"],
    "train --resume=": ["--resume: '' given", "the path of a folder"],
    "report arun --output=": ["--output: '' given", "path of a file", "try comparison.html"],
    "train --run full": ["'full' has files in it", "try --run full-2"],
    "train --run arun": ["'arun' has files in it", "try --resume arun"],
    "train --resume nowhere": ["'nowhere' is no run", "runs/digits-adam-1"],
    "train --resume file": ["'file' is no run"],
    "train --resume full": ["'full' is no run"],
    "train --resume notjson": ["config.json is damaged (it is not JSON)", "start a new run"],
    "train --resume notext": ["config.json is damaged (it is not JSON)", "start a new run"],
    "train --resume nooptions": ["config.json is damaged (it has no options)", "start a new run"],
    "train --resume alist": ["config.json is damaged (it has no options)", "start a new run"],
    "train --resume badvalue": ["config.json is damaged", "--epochs: 'many' given"],
    "train --resume arun --lr 1": ["--lr cannot be changed", "--epochs", "try without --lr"],
    "train --resume arun --run other": ["--run cannot be changed"],
    "train --resume torn": ["checkpoint.safetensors: cannot be read", "not a whole one"],
    "train --resume notours": ["checkpoint.safetensors: cannot be read", "its metadata is damaged"],
    "train --resume hollow": ["checkpoint.safetensors: cannot be read", "its 'loop' is damaged"],
}  # fmt: skip


# what may stand in a config.json that is damaged
CONFIGS = {
    "notjson": b'{"options": ',
    "notext": b"\xff\xfe\0",
    "nooptions": b'{"options": 3}',
    "alist": b"[1, 2]",
}


def test_a_file_that_cannot_be_read_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a" / "metrics.jsonl").mkdir(parents=True)
    (tmp_path / "a" / "config.json").write_text("{}")
    assert main(["watch", "a"]) == 2
    assert capsys.readouterr() == ("", "minigrad: a/metrics.jsonl: Is a directory\n")
    for command in ("watch", "report"):
        assert main([command, "x" * 300]) == 2
        out, err = capsys.readouterr()
        assert err.startswith("minigrad: xxx")
        assert (out, err.count("\n")) == ("", 1)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with files that are no data, and folders that are no runs."""
    root = tmp_path_factory.mktemp("place")
    (root / "file").write_text("")
    for name in ("full", "badvalue", "arun", "torn", "cut", "text", "notours", "hollow", *CONFIGS):
        (root / name).mkdir()
    full, badvalue, arun, torn = (root / name for name in ("full", "badvalue", "arun", "torn"))
    cut, text, notours, hollow = (root / name for name in ("cut", "text", "notours", "hollow"))
    (full / "notes.txt").write_text("mine")
    for name, content in CONFIGS.items():
        (root / name / "config.json").write_bytes(content)
    (torn / "checkpoint.safetensors").write_bytes(b"\x08" + bytes(7) + b"{")
    (badvalue / "config.json").write_text(json.dumps({"options": {"epochs": "many"}}))
    save_file({}, notours / "checkpoint.safetensors", {"minigrad": "{"})
    save_checkpoint(hollow / "checkpoint.safetensors", loop={"step": 3})
    for run in (arun, torn, notours, hollow):
        (run / "config.json").write_text(json.dumps({"options": {"epochs": 1}}))
    for part in ("train", "t10k"):
        for kind, header in (("images-idx3", b"\0\0\x08\3"), ("labels-idx1", b"\0\0\x08\1")):
            (cut / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + bytes(99))[:-9])
            (text / f"{part}-{kind}-ubyte").write_text("hello, I am text")
    return root


@pytest.mark.parametrize("line", WRONG)
def test_one_line_and_status_2(line, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    before = sorted(place.rglob("*"))
    assert main(line.split(" ") if line else []) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("minigrad: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    for fragment in WRONG[line]:
        assert fragment in err
    assert sorted(place.rglob("*")) == before, "nothing is left behind"


def test_cuda_without_a_gpu(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    try:
        import cupy

        cupy.zeros(1)
        pytest.skip("needs a machine without a GPU: it tests what is said there")
    except ImportError:
        pass
    except cupy.cuda.runtime.CUDARuntimeError:
        pass
    assert main(["train", "--device", "cuda"]) == 2
    assert 'device "cuda"' in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="needs a user other than root: root may write there")
def test_a_folder_that_cannot_be_written(tmp_path, capsys):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    assert main(["train", "--run", str(locked)]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert main(["train", "--run", str(locked / "below")]) == 2
    assert "cannot be made" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["--help", "train --help", "doctor --help", "--version"])
def test_help_and_version_leave_with_status_0(line, capsys):
    assert main(line.split()) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "minigrad" in out
    assert all(len(text) <= 100 for text in out.splitlines())
