"""`minigrad doctor` as its user meets it: in processes, and where there is nothing but NumPy."""

import json
import os
import subprocess
import sys
import time
import tomllib
import venv
from pathlib import Path

import numpy as np
import pytest

from minigrad.cli import doctor, gains
from minigrad.machine import kernels
from minigrad.machine.openblas import openblas

ROOT = Path(__file__).parents[2]
SECTIONS = ["system", "blas", "allocator", "threads", "gpu", "packages"]
TWO_KINDS = bool(
    {"avx512f", "avx512vl"} <= kernels.processor_flags()
    and "DYNAMIC_ARCH" in getattr(openblas(), "build", "")
)
two_kinds = pytest.mark.skipif(
    not TWO_KINDS, reason="needs a processor with AVX-512, and an OpenBLAS of several kinds"
)


def run(*words, python=sys.executable, **variables):
    """Run the command in a process; return its output, having checked its end."""
    unset = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "OPENBLAS_CORE"))}
    done = subprocess.run(
        [python, "-W", "error", "-m", "minigrad", "doctor", *words],
        env=unset | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Return the Python of an environment that has NumPy and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=os.name != "nt")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    place = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    )
    for source in Path(np.__file__).parents[1].glob("numpy*"):
        (Path(place.strip()) / source.name).symlink_to(source)
    return str(python)


def test_with_numpy_alone_it_says_what_is_missing_and_how_to_get_it(bare):
    start = time.monotonic()
    report = json.loads(run("--json", python=bare))
    assert time.monotonic() - start < 15
    assert list(report) == SECTIONS
    assert [section for section, rows in report.items() if "failed" in rows] == []
    assert report["system"]["backend"] == f"NumPy {np.__version__}"
    assert 'pip install "minigrad[train]"' in report["packages"]["tqdm"]
    assert report["threads"]["updates"] >= 1
    assert "needs CuPy: pip install" in report["gpu"]["cuda"]


def test_as_text_every_section_is_there_and_nothing_failed():
    lines = run().splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == SECTIONS
    assert not any("failed" in line for line in lines)
    assert f"kernels           {kernels.kernels()}" in "\n".join(lines)


@two_kinds
def test_kernels_that_are_passed_over_are_found_and_the_gain_measured():
    """OpenBLAS is made to run Haswell's kernels, as it does on processors it does not know."""
    blas = json.loads(run("--json", OPENBLAS_CORETYPE="Haswell"))["blas"]
    assert blas["kernels"] == blas["OPENBLAS_CORETYPE"] == "Haswell"
    assert blas["remedy"].startswith("OPENBLAS_CORETYPE=SkylakeX in the environment")
    assert " ms → " in blas["gain"]
    blas = json.loads(run("--json", OPENBLAS_CORETYPE="SkylakeX"))["blas"]
    assert (blas["kernels"], blas["remedy"], "gain" in blas) == ("SkylakeX", "none needed", False)


def test_thresholds_that_the_user_set_are_reported():
    allocator = json.loads(run("--json", MALLOC_TRIM_THRESHOLD_="-1"))["allocator"]
    if "glibc" in allocator["name"]:
        assert (allocator["mapped from"], allocator["given back from"]) == ("128 KiB", "never")
        assert " ms → " in allocator["gain"]


def test_a_probe_that_fails_is_one_line(monkeypatch, capsys):
    def broken():
        raise OSError("two\nlines")

    monkeypatch.setattr(doctor, "_blas", broken)
    monkeypatch.setattr(gains, "LIMIT", 0.001)
    doctor.doctor({})
    out = capsys.readouterr().out
    assert "blas       failed            OSError: two lines\n" in out
    assert "packages   tqdm" in out
    if "glibc" in out:
        assert "not measured: the measurement took more than 0.001 s\n" in out


def test_a_gain_that_cannot_be_measured_says_why(monkeypatch):
    monkeypatch.setattr(gains, "_PRODUCT", "raise ValueError('no product')")
    assert gains.of_kernels("SkylakeX") == (
        "not measured: the measurement failed (ValueError: no product)"
    )


def test_a_reader_that_has_enough_ends_it_quietly():
    command = [sys.executable, "-m", "minigrad", "doctor"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_the_extra_that_it_names_brings_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    for package, _, named in doctor.PACKAGES:
        assert any(need.startswith(package) for need in extras[named])
