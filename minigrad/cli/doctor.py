"""`minigrad doctor`: what this machine computes with, and what would make it faster.

Each part of the report is a probe, a function that returns rows of names and values. A probe that
fails is one line of the report. What is to be gained is measured in `gains.py`; what the remedies
are is in `minigrad.machine`.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Callable
from typing import Any

from minigrad import __version__, backend
from minigrad.cli import gains
from minigrad.cli.values import one_line
from minigrad.fuse import threads
from minigrad.machine import allocator, kernels, spinning
from minigrad.machine.memory import memory
from minigrad.machine.openblas import openblas

# Optional packages, what each is for, and the extra that brings it.
PACKAGES = (
    ("tqdm", "progress bars", "train"),
    ("safetensors", "checkpoints", "train"),
    ("matplotlib", "curves", "train"),
    ("graphviz-pure", "pictures of graphs", "train"),
    ("tensorboard", "event files of runs", "tensorboard"),
    ("imageio-ffmpeg", "races as MP4", "video"),
    ("numba", "updates as one compiled loop", "fast"),
    ("cupy-cuda12x", "GPUs, CUDA 12", "cuda12"),
    ("cupy-cuda13x", "GPUs, CUDA 13", "cuda13"),
    ("torch", "comparison with PyTorch", "parity"),
)

Rows = dict[str, Any]

_TUNE = "minigrad.tune() at the start of a script; minigrad's commands do it themselves"


def doctor(given: dict[str, Any]) -> None:
    """Print the report, as text or as JSON."""
    report = examine()
    if given.get("json"):
        print(json.dumps(report, indent=2, ensure_ascii=False))
        return
    for section, rows in report.items():
        for i, (name, value) in enumerate(rows.items()):
            print(f"{section if i == 0 else '':11}{name:18}{_words(value)}")


def examine() -> dict[str, Rows]:
    """Return the report: for each section its rows. A probe that failed has the row "failed"."""
    probes: dict[str, Callable[[], Rows]] = {
        "system": _system,
        "blas": _blas,
        "allocator": _allocator,
        "threads": _threads,
        "gpu": _gpu,
        "packages": _packages,
    }
    report = {}
    for section, probe in probes.items():
        try:
            report[section] = probe()
        except Exception as error:  # whatever it is: the report must say it and go on
            report[section] = {"failed": one_line(f"{type(error).__name__}: {error}")}
    return report


def _system() -> Rows:
    """The program, the processor, the memory."""
    there, free = memory(), memory("SC_AVPHYS_PAGES")
    return {
        "minigrad": __version__,
        "python": f"{platform.python_version()}, {platform.platform()}",
        "backend": f"NumPy {_version('numpy')}",
        "processor": kernels.processor_name() or platform.processor() or platform.machine(),
        "cores": _cores(),
        "memory": f"{_gib(there)}, {_gib(free)} free" if there and free else None,
    }


def _cores() -> int:
    """Return the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


def _blas() -> Rows:
    """The library that multiplies matrices, its kernels, and whether others are faster."""
    build = backend.cpu.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    library = openblas()
    rows = {
        "name": build.get("name", "unknown"),
        "version": build.get("version", "unknown"),
        "kernels": library.kernels if library else "unknown",
        kernels.VARIABLE: os.environ.get(kernels.VARIABLE),
    }
    choice = kernels.remedy(kernels.processor_flags(), library)
    if choice:
        rows["remedy"] = f"{kernels.VARIABLE}={choice} in the environment, before Python starts"
        rows["gain"] = gains.of_kernels(choice)
    else:
        rows["remedy"] = "none needed" if library else None
    return rows


def _allocator() -> Rows:
    """The C library's malloc, and what keeping the memory of large arrays would gain."""
    name, reason = allocator.identify()
    if reason:
        return {"name": name, "remedy": f"none ({reason})"}
    mapped, trimmed = allocator.starting_thresholds(os.environ)
    return {
        "name": name,
        "mapped from": allocator.size(mapped),
        "given back from": allocator.size(trimmed),
        "remedy": _TUNE,
        "gain": gains.of_allocator(),
    }


def _threads() -> Rows:
    """How many threads compute, which variables say so, and what ends their waiting."""
    library = openblas()
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", spinning.VARIABLE)
    rows: Rows = {
        "blas": library.threads if library else None,
        "updates": threads.count(),
        **{name: os.environ[name] for name in names if name in os.environ},
    }
    reason = spinning.obstacle(library)
    variable = f"{spinning.VARIABLE}={spinning.SHORT} in the environment, before Python starts"
    rows["remedy"] = f"none ({reason})" if reason else f"{variable}; with NumPy < 2.5 as above"
    if not reason and threads.count() > 1:
        rows["gain"] = gains.of_threads()
    return rows


def _gpu() -> Rows:
    """The devices that CuPy can use, or what is missing."""
    try:
        xp = backend.get("cuda")
    except backend.DeviceError as error:
        return {"cuda": f"none: {one_line(error)}"}
    runtime = xp.cuda.runtime
    rows: Rows = {
        "cupy": next(filter(None, map(_version, ("cupy-cuda13x", "cupy-cuda12x", "cupy"))), None),
        "driver": _cuda_version(runtime.driverGetVersion()),
        "runtime": _cuda_version(runtime.runtimeGetVersion()),
    }
    for i in range(runtime.getDeviceCount()):
        device = xp.cuda.Device(i)
        capability = device.compute_capability  # "90" is 9.0
        free, total = device.mem_info
        rows[f"cuda:{i}"] = (
            f"{runtime.getDeviceProperties(i)['name'].decode()}, compute capability "
            f"{capability[:-1]}.{capability[-1]}, {_gib(total)}, {_gib(free)} free"
        )
    return rows


def _cuda_version(number: int) -> str:
    """Return CUDA's version: 12040 is 12.4."""
    return f"CUDA {number // 1000}.{number % 1000 // 10}"


def _packages() -> Rows:
    """The optional packages: their versions, or how to get them."""
    rows: Rows = {}
    for name, purpose, extra in PACKAGES:
        version = _version(name)
        rows[name] = version or f'not installed ({purpose}): pip install "minigrad[{extra}]"'
    rows["dot"] = shutil.which("dot") or "not on the path (graphviz-pure draws the same, but PDF)"
    return rows


def _version(name: str) -> str | None:
    """Return the version of an installed package, without importing it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _gib(number: int) -> str:
    return f"{number / 2**30:.1f} GiB"


def _words(value: Any) -> str:
    """Return a row's value as text."""
    return "not set" if value is None else str(value)
