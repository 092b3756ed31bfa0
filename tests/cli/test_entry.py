"""The program's own remedies: when it begins anew, what it keeps, and the switch."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from minigrad.cli import entry
from minigrad.machine.kernels import remedy
from minigrad.machine.openblas import OpenBLAS
from tests.cli.test_doctor import ROOT, two_kinds
from tests.test_machine import only_glibc, only_own_threads, only_told

AVX512 = {"avx2", "avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}
TRAIN = ["train", "--dataset", "blobs", "--hidden", "8", "--epochs", "1", "--quiet", "--run"]


def library(kernels, build="OpenBLAS 0.3.31 DYNAMIC_ARCH"):
    """Return what OpenBLAS says of itself when it runs these kernels."""
    return OpenBLAS("libopenblas.so", kernels, build, 2)


@pytest.mark.parametrize(
    ("flags", "blas", "choice"),
    [
        (AVX512, library("Haswell"), "SkylakeX"),
        (AVX512, library("Zen"), "SkylakeX"),
        (AVX512, library("SkylakeX"), ""),
        (AVX512, library("SapphireRapids"), ""),
        (AVX512, library("Prescott"), ""),
        (AVX512, library("Haswell", "OpenBLAS 0.3.31 Haswell"), ""),
        (AVX512 - {"avx512dq"}, library("Haswell"), ""),
        ({"avx2"}, library("Haswell"), ""),
        (set(), library("Haswell"), ""),
        (AVX512, None, ""),
    ],
)
def test_which_kernels_are_chosen(flags, blas, choice):
    assert remedy(flags, blas) == choice


@pytest.mark.parametrize(
    ("line", "variable", "answer"),
    [
        ("train", None, True),
        ("train --quiet", "0", True),
        ("train --quiet", "", True),
        ("train --quiet", "1", False),
        ("train --no-tune", None, False),
        ("train --help", None, False),
        ("doctor --json", None, False),
        ("report run", None, False),
        ("--version", None, False),
        ("", None, False),
    ],
)
def test_which_command_lines_have_the_remedies(line, variable, answer):
    environment = {} if variable is None else {entry.SWITCH: variable}
    assert entry.wanted(line.split(), environment) is answer


# Python itself loads NumPy with Haswell's kernels, as a processor that OpenBLAS does not know would
# have it, and takes back the variable. The program then begins anew, once, and so does this code.
PASSED_OVER = """
import os, sys
with open("starts", "a") as file:
    print(os.getpid(), file=file)
import numpy
if os.environ.get("OPENBLAS_CORETYPE") == "Haswell":
    del os.environ["OPENBLAS_CORETYPE"]
from minigrad.machine import allocator, spinning
from minigrad.cli.entry import run
status = run()
print(allocator._kept, spinning._shortened)
sys.exit(status)
"""


def passed_over(folder, *words, **variables):
    """Run the program where OpenBLAS passes over the faster kernels."""
    unset = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
    return subprocess.run(
        [sys.executable, "-c", PASSED_OVER, *words],
        env=unset | {"PYTHONPATH": str(ROOT), "OPENBLAS_CORETYPE": "Haswell"} | variables,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def kernels_of(run: Path):
    """Return the kernels that a run recorded."""
    return json.loads((run / "config.json").read_text())["environment"]["kernels"]


@two_kinds
def test_it_begins_anew_once_in_the_same_process(tmp_path):
    done = passed_over(tmp_path, *TRAIN, "a")
    assert (done.returncode, done.stderr) == (0, "")
    starts = (tmp_path / "starts").read_text().split()
    assert len(starts) == 2
    assert len(set(starts)) == 1
    assert kernels_of(tmp_path / "a") == "SkylakeX"
    done = passed_over(tmp_path, *TRAIN, "a")
    assert done.returncode == 2
    assert done.stderr.startswith("minigrad: --run: 'a' has files in it")


@two_kinds
@pytest.mark.parametrize(
    ("words", "variables"), [(["--no-tune"], {}), ([], {"MINIGRAD_NO_TUNE": "1"})]
)
def test_the_switch_leaves_the_process_as_it_is(words, variables, tmp_path):
    done = passed_over(tmp_path, *TRAIN, "a", *words, **variables)
    assert (done.returncode, done.stdout, done.stderr) == (0, "False False\n", "")
    assert len((tmp_path / "starts").read_text().split()) == 1
    assert kernels_of(tmp_path / "a") == "Haswell"


def program(folder, *words, **variables):
    """Run ``python -m minigrad``, by default with the kernels that OpenBLAS chooses."""
    unset = {key: value for key, value in os.environ.items() if key != "OPENBLAS_CORETYPE"}
    return subprocess.run(
        [sys.executable, "-m", "minigrad", *words],
        env=unset | {"PYTHONPATH": str(ROOT)} | variables,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@two_kinds
def test_what_the_user_chose_stays_and_a_resumed_run_says_if_it_is_another(tmp_path):
    line = [word for word in TRAIN if word != "--quiet"]
    assert program(tmp_path, *line, "a", OPENBLAS_CORETYPE="Haswell").returncode == 0
    assert kernels_of(tmp_path / "a") == "Haswell"
    more = ["train", "--resume", "a", "--epochs"]
    assert program(tmp_path, *more, "2", OPENBLAS_CORETYPE="Haswell").stderr == ""
    done = program(tmp_path, *more, "3", OPENBLAS_CORETYPE="SkylakeX")
    assert done.returncode == 0
    assert done.stderr == (
        "minigrad: a was begun with the BLAS's kernels for Haswell and goes on with those for "
        "SkylakeX: its last digits will not be those of a run without a break; for the same ones "
        "set OPENBLAS_CORETYPE=Haswell\n"
    )


@only_glibc
def test_the_commands_keep_the_memory_of_large_arrays_unless_the_user_set_the_thresholds(tmp_path):
    kept = passed_over(tmp_path, *TRAIN, "a")
    assert (kept.stdout.split()[0], kept.stderr) == ("True", "")
    set_by_user = passed_over(tmp_path, *TRAIN, "b", MALLOC_TRIM_THRESHOLD_="1000000")
    assert (set_by_user.stdout.split()[0], set_by_user.stderr) == ("False", "")


@only_own_threads
@only_told
def test_the_commands_let_openblas_threads_leave_their_cores_unless_the_user_said_when(tmp_path):
    done = passed_over(tmp_path, *TRAIN, "a", OPENBLAS_CORETYPE="", OPENBLAS_NUM_THREADS="2")
    assert (done.stdout.split()[1], done.stderr) == ("True", "")
    given = {"OPENBLAS_NUM_THREADS": "2", "OPENBLAS_THREAD_TIMEOUT": "24", "OPENBLAS_CORETYPE": ""}
    done = passed_over(tmp_path, *TRAIN, "b", **given)
    assert (done.stdout.split()[1], done.stderr) == ("False", "")


# A module takes its time, as from a slow disk, and something takes all that is raised.
SLOW = """
import sys, time
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "minigrad.cli":
            print("loading", flush=True)
            try:
                time.sleep(30)
            except BaseException:
                pass
sys.meta_path.insert(0, Slow())
from minigrad import __main__
sys.exit(__main__.run())
"""


def test_an_interrupt_while_it_is_loaded_is_one_line(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, "train"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stdout.readline() == "loading\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == ("", "minigrad: interrupted\n")
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_that_was_to_be_ignored_is():
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); import sys;"
        "from minigrad import __main__; sys.argv[1:] = ['--version']; __main__.run();"
        "print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "True"
