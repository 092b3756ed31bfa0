"""The modes of a thread (recording the graph, looking for anomalies) and the errors that explain.

Floor 1.
"""

from __future__ import annotations

import linecache
import sys
import threading
from collections.abc import Callable
from contextlib import ContextDecorator
from pathlib import Path
from typing import Any

_PACKAGE = str(Path(__file__).parent)


class ShapeError(ValueError):
    """Operands whose shapes do not fit the operation."""


class AnomalyError(ArithmeticError):
    """The first NaN or infinity, found by `detect_anomaly`."""


class GraphError(RuntimeError):
    """A graph that cannot be differentiated: freed, changed since, or never recorded."""


# Modes -------------------------------------------------------------------------------------------


class _Mode(threading.local):
    """What this thread does beside computing: record the graph, look for anomalies, watch."""

    recording = True
    anomaly = False
    watched = False  # whether a new node notes the user's line, and `watch` is told of it
    watch: Callable[[Any, Any], None] | None = None  # called with the node and its value


mode = _Mode()


class Setting(ContextDecorator):
    """Sets one mode: a context manager that may be nested, and a decorator."""

    def __init__(self, name: str, value: Any) -> None:
        self.name = name
        self.value = value
        self.before: list[Any] = []

    def _recreate_cm(self) -> Setting:
        """Return what one call of a decorated function enters: calls may overlap in threads."""
        return Setting(self.name, self.value)

    def __enter__(self) -> None:
        self.before.append(getattr(mode, self.name))
        setattr(mode, self.name, self.value)

    def __exit__(self, *exception: object) -> None:
        setattr(mode, self.name, self.before.pop())


class _Anomaly(Setting):
    """Looks for anomalies, and has every node note the line that made it."""

    def __init__(self) -> None:
        super().__init__("anomaly", True)
        self.lines = Setting("watched", True)

    def _recreate_cm(self) -> _Anomaly:
        return _Anomaly()

    def __enter__(self) -> None:
        super().__enter__()
        self.lines.__enter__()

    def __exit__(self, *exception: object) -> None:
        self.lines.__exit__(*exception)
        super().__exit__(*exception)


def no_grad() -> Setting:
    """Compute without recording: a context manager, and a decorator."""
    return Setting("recording", False)


def enable_grad() -> Setting:
    """Record again inside `no_grad`: a context manager, and a decorator."""
    return Setting("recording", True)


def is_grad_enabled() -> bool:
    """Say whether this thread records the graph."""
    return mode.recording


def detect_anomaly() -> Setting:
    """Stop at the first NaN or infinity, forward or backward: a context manager, and a decorator.

    Raises AnomalyError with the operation that made it and the line of the user's code that called
    that operation. Every result is inspected, so computing is slower inside.
    """
    return _Anomaly()


def user_line() -> str:
    """Return ``file:line (text)`` of the innermost caller outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    path = frame.f_code.co_filename
    text = linecache.getline(path, frame.f_lineno, frame.f_globals).strip()
    return f"{path}:{frame.f_lineno}" + (f" ({text})" if text else "")
