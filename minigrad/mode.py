"""The modes of a thread (recording the graph, looking for anomalies) and the errors that explain.

Floor 1.
"""

from __future__ import annotations

import inspect
import sys
import threading
from contextlib import ContextDecorator
from pathlib import Path

_PACKAGE = str(Path(__file__).parent)


class ShapeError(ValueError):
    """Operands whose shapes do not fit the operation."""


class AnomalyError(ArithmeticError):
    """The first NaN or infinity, found by `detect_anomaly`."""


class GraphError(RuntimeError):
    """A graph that cannot be differentiated: freed, changed since, or never recorded."""


# Modes -------------------------------------------------------------------------------------------


class _Mode(threading.local):
    """What this thread does beside computing: record the graph, look for anomalies."""

    recording = True
    anomaly = False


mode = _Mode()


class Setting(ContextDecorator):
    """Sets one mode: a context manager that may be nested, and a decorator."""

    def __init__(self, name: str, value: bool) -> None:
        self.name = name
        self.value = value
        self.before: list[bool] = []

    def _recreate_cm(self) -> Setting:
        """Return what one call of a decorated function enters: calls may overlap in threads."""
        return Setting(self.name, self.value)

    def __enter__(self) -> None:
        self.before.append(getattr(mode, self.name))
        setattr(mode, self.name, self.value)

    def __exit__(self, *exception: object) -> None:
        setattr(mode, self.name, self.before.pop())


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
    return Setting("anomaly", True)


def user_line() -> str:
    """Return ``file:line (text)`` of the innermost caller outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    info = inspect.getframeinfo(frame)
    text = info.code_context[0].strip() if info.code_context else ""
    return f"{info.filename}:{info.lineno}" + (f" ({text})" if text else "")
