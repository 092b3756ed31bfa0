"""Run: the folder that a training run leaves behind."""

from __future__ import annotations

import itertools
import json
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minigrad.machine import kernels
from minigrad.machine.openblas import openblas
from minigrad.training.metrics import device_of
from minigrad.training.store import write_atomically

if TYPE_CHECKING:
    from minigrad.training.loop import Loop


_FRESH = 60.0  # seconds for which a status is believed: later its number may be another process's


class RunError(ValueError):
    """A folder that cannot be a run's, or is not one."""


class Run:
    """The folder of one training run, and the files in it.

    - ``config``: config.json, the exact configuration and the versions of what ran;
    - ``metrics``: metrics.jsonl, a line an epoch (and, if asked for, a step);
    - ``layers``: layers.jsonl, gradient flow and histograms, layer by layer over time;
    - ``mistakes``: mistakes.json, what a classifier gets wrong at the end;
    - ``status``: status.json, where it stands, written once a second;
    - ``graph``: graph.svg, or graph.dot where no program draws it;
    - ``report``: report.html, all of it on one page;
    - ``checkpoint``: checkpoint.safetensors, from which it can be resumed;
    - ``model``: model.safetensors, the weights at the end.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.metrics = self.path / "metrics.jsonl"
        self.layers = self.path / "layers.jsonl"
        self.mistakes = self.path / "mistakes.json"
        self.status = self.path / "status.json"
        self.graph = self.path / "graph.svg"
        self.report = self.path / "report.html"
        self.checkpoint = self.path / "checkpoint.safetensors"
        self.model = self.path / "model.safetensors"

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @classmethod
    def create(cls, path: str | Path) -> Run:
        """Make a new folder: `path`, or if that is taken, `path` with the next free number.

        A folder that has anything in it is never written to. Raises RunError if none can be made.
        """
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            for number in itertools.count(1):
                candidate = path if number == 1 else path.with_name(f"{path.name}-{number}")
                try:
                    candidate.mkdir()
                    return cls(candidate)
                except FileExistsError:
                    if candidate.is_dir() and _unused(candidate):
                        return cls(candidate)
        except OSError as error:
            raise RunError(f"{path}: cannot be made ({error.strerror})") from None
        raise AssertionError

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """Return the run of an existing folder; raises RunError if it is not one."""
        run = cls(path)
        if not run.config.is_file():
            what = "it is a file" if run.path.is_file() else "no such folder"
            what = "no config.json in it" if run.path.is_dir() else what
            raise RunError(f"{run.path} is not a run folder ({what}); give one that training made")
        return run

    @classmethod
    def prepare(cls, path: str | Path, resume: bool) -> Run:
        """Return the run to write: `path` itself when resuming, if it is a run or unused."""
        if resume and Path(path).is_dir() and not _unused(Path(path)):
            run = cls.open(path)
            run.check_idle()
            return run
        return cls.create(path)

    def check_resumable(self) -> None:
        """Raise RunError if there are results but no checkpoint: beginning anew would lose them."""
        measured = self.metrics.exists() and self.metrics.stat().st_size > 0
        if (measured or self.model.exists()) and not self.checkpoint.exists():
            raise RunError(
                f"{self.path} has results but no {self.checkpoint.name} to go on from, and "
                "beginning anew would overwrite them; start a new run"
            )

    def check_idle(self) -> None:
        """Raise RunError if another process is training it: two would spoil each other's files.

        That is one that has said so within the last minute, and is there.
        """
        try:
            status = json.loads(self.status.read_text(encoding="utf-8"))
            pid, age = status["pid"], time.time() - status["time"]
            running = status["state"] == "running" and abs(age) < _FRESH
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return  # none, or damaged: it is no obstacle
        here = os.name == "posix" and status.get("host") == platform.node()
        if here and running and pid != os.getpid() and not is_gone(status):
            raise RunError(
                f"{self.path} is being trained by process {pid}; wait for its end, or end it, and "
                "then resume"
            )

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write config.json."""
        text = json.dumps(config, indent=2, default=str, ensure_ascii=False)
        write_atomically(self.config, (text + "\n").encode())

    def read_config(self) -> dict[str, Any]:
        """Return what config.json holds; raises RunError if it cannot be read."""
        try:
            config = json.loads(self.config.read_text(encoding="utf-8"))
        except OSError as error:
            raise RunError(f"{self.config}: cannot be read ({error.strerror})") from None
        except (ValueError, RecursionError):
            config = None
        if not isinstance(config, dict):
            raise RunError(f"{self.config}: cannot be read (it is no JSON object); start a new run")
        return config

    def change_config(self, settings: Mapping[str, Any], extra: Mapping[str, Any] | None) -> None:
        """Replace, in config.json, settings of `fit` and what else is recorded."""
        before = self.read_config()
        after = {**before, **(extra or {}), "fit": {**before.get("fit", {}), **settings}}
        if after != before:
            self.write_config(after)


def is_gone(status: Mapping[str, Any]) -> bool:
    """Say whether the process of a run is known to be gone, though it never said so."""
    pid = status.get("pid")
    if os.name != "posix" or not isinstance(pid, int) or status.get("host") != platform.node():
        return False  # Windows would take the question for an order
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        return False
    return False


def _unused(folder: Path) -> bool:
    """Say whether a folder is empty, but for what a kill in mid-write may have left."""
    return all(name.endswith(".tmp") for name in os.listdir(folder))


def configuration(
    loop: Loop,
    settings: Mapping[str, Any],
    train: Any,
    test: Any,
    extra: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return what config.json records of a loop about to start."""
    groups = [
        {**group, "params": sum(p.size for p in group["params"])}
        for group in loop.optimizer.param_groups
    ]
    return {
        **(extra or {}),
        "fit": {
            **settings,
            "loss": repr(loop.loss_fn),
            "penalties": [repr(penalty) for penalty in loop.penalties],
            "callbacks": [repr(callback) for callback in loop.callbacks],
        },
        "model": repr(loop.model).splitlines(),
        "optimizer": {"name": type(loop.optimizer).__name__, "groups": groups},
        "data": {"train": repr(train), "test": repr(test)},
        "environment": environment(str(device_of(loop.model))),
    }


def environment(device: str) -> dict[str, Any]:
    """Return the versions, the machine and the device that results depend on."""
    import importlib.metadata  # slow to import

    versions = {}
    for name in ("minigrad", "numpy", "cupy-cuda12x", "cupy-cuda13x", "safetensors"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        **versions,
        "platform": platform.platform(),
        "processor": kernels.processor_name() or platform.processor() or platform.machine(),
        "processors": os.cpu_count(),
        "device": device,
        "kernels": kernels.kernels(),
        "threads": getattr(openblas(), "threads", None),
        "OPENBLAS_CORETYPE": os.environ.get("OPENBLAS_CORETYPE"),
    }
